//! Telling the two protocols apart by what a connection begins with.
//!
//! Our frames end in a newline. A request of version 1 has none, and its client keeps its own side
//! open: that it is whole shows only when it opens. So each piece that comes in is tried as the end
//! of one, until there is a newline.

use crate::service::Service;
use gatehouse_router_protocol::frame::{FrameBuffer, MAX_FRAME_BYTES, receive};
use gatehouse_router_protocol::legacy_v1::Opened;
use tokio::io::AsyncRead;

/// What a connection begins with.
#[derive(Debug)]
pub(crate) enum Opening {
    /// A line, which is in the buffer still, or nothing at all.
    Line,
    /// A whole request of version 1.
    Legacy(Opened),
    /// Neither, and nothing more is to come that could be.
    Neither,
}

/// Reads into `received` until it is clear what this is.
///
/// It sets no deadline of its own. Dropping the future loses no bytes.
pub(crate) async fn read_opening(
    stream: &mut (impl AsyncRead + Unpin),
    received: &mut FrameBuffer,
    service: &Service,
) -> Opening {
    loop {
        if received.pending().contains(&b'\n') {
            return Opening::Line;
        }
        if received.pending().len() > MAX_FRAME_BYTES {
            return Opening::Neither;
        }
        if let Some(opened) = service.open_legacy(received.pending()) {
            return Opening::Legacy(opened);
        }
        match receive(stream, received).await {
            Ok(true) => {}
            Ok(false) => return Opening::Line,
            Err(_) => return Opening::Neither,
        }
    }
}
