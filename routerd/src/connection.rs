//! One connection: TLS, then frames, each with its deadline; or one request of version 1.

use crate::opening::{Opening, read_opening};
use crate::service::{Service, Verdict};
use gatehouse_router_protocol::frame::{FrameBuffer, ReadFrameError, read_frame};
use gatehouse_router_protocol::legacy_v1::ANSWER_FAIL;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, info, warn};

/// How long the handshake may take, and how long each frame may, in either direction.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves a connection until the peer hangs up, breaks a rule, or the daemon stops. A request that
/// has come in whole is answered also when the daemon stops meanwhile.
pub(crate) async fn serve(
    tcp: TcpStream,
    peer: IpAddr,
    acceptor: TlsAcceptor,
    service: &Service,
    mut stopping: watch::Receiver<bool>,
) {
    let handshake = tokio::select! {
        handshake = timeout(STEP_TIMEOUT, acceptor.accept(tcp)) => handshake,
        _ = stopping.wait_for(|stopping| *stopping) => return,
    };
    match handshake {
        Ok(Ok(stream)) => converse(stream, peer, service, stopping).await,
        Ok(Err(error)) => info!(%peer, "no TLS: {error}"),
        Err(_) => info!(%peer, "hung up: no TLS handshake within 5 s"),
    }
}

async fn converse(
    mut stream: TlsStream<TcpStream>,
    peer: IpAddr,
    service: &Service,
    mut stopping: watch::Receiver<bool>,
) {
    let mut received = FrameBuffer::default();
    let is_ours = !service.speaks_legacy()
        || begins_with_a_line(&mut stream, &mut received, peer, service, &mut stopping).await;
    if is_ours {
        answer_frames(&mut stream, &mut received, peer, service, stopping).await;
    }
    // The peer may be gone; then there is nobody to say goodbye to.
    let _ = timeout(STEP_TIMEOUT, stream.shutdown()).await;
}

/// Looks what the connection begins with, and answers it if that is a request of version 1.
async fn begins_with_a_line(
    stream: &mut TlsStream<TcpStream>,
    received: &mut FrameBuffer,
    peer: IpAddr,
    service: &Service,
    stopping: &mut watch::Receiver<bool>,
) -> bool {
    let opening = tokio::select! {
        opening = timeout(STEP_TIMEOUT, read_opening(stream, received, service)) => opening,
        _ = stopping.wait_for(|stopping| *stopping) => return false,
    };
    let answer = match opening.unwrap_or(Opening::Neither) {
        Opening::Line => return true,
        Opening::Legacy(opened) => service.handle_legacy(peer, &opened).await,
        Opening::Neither if received.pending().is_empty() => {
            debug!(%peer, "hung up: nothing came within 5 s");
            return false;
        }
        Opening::Neither => {
            warn!(%peer, "version 1, not accepted: what came is no whole request sealed with this AES key");
            ANSWER_FAIL
        }
    };
    // A client that is gone has its answer in the portal's next look.
    let _ = timeout(STEP_TIMEOUT, send(stream, answer)).await;
    false
}

async fn answer_frames(
    stream: &mut TlsStream<TcpStream>,
    received: &mut FrameBuffer,
    peer: IpAddr,
    service: &Service,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let frame = tokio::select! {
            frame = timeout(STEP_TIMEOUT, read_frame(stream, received)) => frame,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let Some(frame) = whole_frame(peer, frame) else {
            break;
        };
        let (line, last) = match service.handle(peer, &frame).await {
            Verdict::Answer(line) => (line, false),
            Verdict::LastAnswer(line) => (line, true),
            Verdict::HangUp => break,
        };
        let sent = timeout(STEP_TIMEOUT, send(stream, format!("{line}\n").as_bytes())).await;
        if last || !matches!(sent, Ok(Ok(()))) {
            break;
        }
    }
}

type TimedFrame = Result<Result<Option<Vec<u8>>, ReadFrameError>, tokio::time::error::Elapsed>;

fn whole_frame(peer: IpAddr, frame: TimedFrame) -> Option<Vec<u8>> {
    match frame {
        Ok(Ok(frame)) => frame,
        Ok(Err(error)) => {
            info!(%peer, "hung up: {error}");
            None
        }
        Err(_) => {
            debug!(%peer, "hung up: no frame within 5 s");
            None
        }
    }
}

async fn send(stream: &mut TlsStream<TcpStream>, answer: &[u8]) -> std::io::Result<()> {
    stream.write_all(answer).await?;
    stream.flush().await
}
