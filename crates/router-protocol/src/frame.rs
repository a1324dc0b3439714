//! Cutting a byte stream into frames: lines of at most 16 KiB.

use std::io::ErrorKind;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest line accepted or sent, in bytes, without its newline.
pub const MAX_FRAME_BYTES: usize = 16 * 1024;

/// A line passed [`MAX_FRAME_BYTES`] before its newline came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the frame is longer than {MAX_FRAME_BYTES} bytes")]
pub struct FrameTooLong;

/// Collects received bytes and hands out whole frames, however the network cut them.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    /// How many leading bytes are known to hold no newline, so that a frame that trickles in byte
    /// by byte is not searched from its start each time.
    searched_bytes: usize,
}

impl FrameBuffer {
    /// Appends what was received.
    pub fn push(&mut self, received: &[u8]) {
        self.bytes.extend_from_slice(received);
    }

    /// Takes the next whole frame, without its newline; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`FrameTooLong`] once the line cannot end within the limit; the stream is then useless.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FrameTooLong> {
        let newline = self.bytes[self.searched_bytes..]
            .iter()
            .position(|&byte| byte == b'\n');
        let line_bytes = newline.map_or(self.bytes.len(), |offset| self.searched_bytes + offset);
        if line_bytes > MAX_FRAME_BYTES {
            return Err(FrameTooLong);
        }
        if newline.is_none() {
            self.searched_bytes = line_bytes;
            return Ok(None);
        }
        let mut frame: Vec<u8> = self.bytes.drain(..=line_bytes).collect();
        frame.pop();
        self.searched_bytes = 0;
        Ok(Some(frame))
    }

    /// Gives what was received after the last whole frame.
    pub fn pending(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why no further frame could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFrameError {
    /// The line is over the limit.
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
    /// The stream failed, or ended inside a frame.
    #[error("the connection broke")]
    Io(#[from] std::io::Error),
}

/// Reads until `buffer` holds a whole frame; `None` when the peer ended the stream between frames,
/// with or without TLS's farewell: each frame proves its own wholeness.
///
/// It sets no deadline of its own. Dropping the future loses no bytes.
///
/// # Errors
/// [`ReadFrameError`] when the line is too long, the stream fails, or it ends inside a frame.
pub async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut FrameBuffer,
) -> Result<Option<Vec<u8>>, ReadFrameError> {
    loop {
        if let Some(frame) = buffer.next_frame()? {
            return Ok(Some(frame));
        }
        if !receive(stream, buffer).await? {
            return Ok(None);
        }
    }
}

/// Receives what comes next into `buffer`; `false` when the peer ended the stream between frames.
///
/// # Errors
/// The I/O error when the stream fails, or ends inside a frame.
pub async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut FrameBuffer,
) -> std::io::Result<bool> {
    let mut chunk = [0_u8; 4096];
    let is_between_frames = buffer.pending().is_empty();
    match stream.read(&mut chunk).await {
        Ok(0) if is_between_frames => Ok(false),
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(received) => {
            buffer.push(&chunk[..received]);
            Ok(true)
        }
        Err(error) if is_end(&error) && is_between_frames => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_end(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::{FrameBuffer, FrameTooLong, MAX_FRAME_BYTES};

    fn frames_of(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut buffer = FrameBuffer::default();
        let mut frames = Vec::new();
        for piece in pieces {
            buffer.push(piece);
            while let Some(frame) = buffer.next_frame().expect("short frames") {
                frames.push(frame);
            }
        }
        frames
    }

    #[test]
    fn two_frames_in_one_segment_are_two_frames() {
        assert_eq!(
            frames_of(&[b"first\nsecond\nrest"]),
            [b"first".to_vec(), b"second".to_vec()]
        );
    }

    #[test]
    fn a_frame_split_at_any_byte_is_the_same_frame() {
        let stream = b"first\nsecond\n";
        for cut in 0..=stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(
                frames_of(&[head, tail]),
                [b"first".to_vec(), b"second".to_vec()]
            );
        }
        let single_bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(
            frames_of(&single_bytes),
            [b"first".to_vec(), b"second".to_vec()]
        );
    }

    #[test]
    fn the_limit_is_exact_with_and_without_a_newline() {
        let longest = vec![b'a'; MAX_FRAME_BYTES];
        assert_eq!(
            frames_of(&[&longest, b"\n"]),
            std::slice::from_ref(&longest)
        );
        for ending in [&b"a"[..], &b"a\n"[..]] {
            let mut buffer = FrameBuffer::default();
            buffer.push(&longest);
            assert_eq!(buffer.next_frame(), Ok(None));
            buffer.push(ending);
            assert_eq!(buffer.next_frame(), Err(FrameTooLong));
        }
    }
}
