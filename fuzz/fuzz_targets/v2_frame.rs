//! Frames of protocol version 2: cutting a stream into lines, and opening a line.
//!
//! The first byte of the input says where the network cuts the stream.
#![no_main]

use gatehouse_router_protocol::frame::{FrameBuffer, FrameTooLong, MAX_FRAME_BYTES};
use gatehouse_router_protocol::message::{Envelope, Request};
use gatehouse_router_protocol::seal::{Direction, LinkKey};
use gatehouse_router_protocol::secret::Secret;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KEY: LazyLock<LinkKey> = LazyLock::new(|| LinkKey::derive(&Secret::new("z".repeat(21))));

fn frames_of(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<FrameTooLong>) {
    let mut buffer = FrameBuffer::default();
    let mut frames = Vec::new();
    for piece in pieces {
        buffer.push(piece);
        loop {
            match buffer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(too_long) => return (frames, Some(too_long)),
            }
        }
    }
    (frames, None)
}

fn cuts_do_not_matter(cut: u8, stream: &[u8]) -> Vec<Vec<u8>> {
    let (frames, failure) = frames_of(&[stream]);
    let (head, tail) = stream.split_at(usize::from(cut).min(stream.len()));
    assert_eq!(frames_of(&[head, tail]), (frames.clone(), failure));
    assert!(frames.iter().all(|frame| frame.len() <= MAX_FRAME_BYTES));
    assert!(frames.iter().all(|frame| !frame.contains(&b'\n')));
    frames
}

fn what_is_sealed_opens_in_its_own_direction_only(message: &[u8]) {
    let Ok(line) = KEY.seal(Direction::Request, [7; 12], message) else {
        assert!(message.len() > MAX_FRAME_BYTES / 2, "short ones fit");
        return;
    };
    let opened = KEY.open(Direction::Request, line.as_bytes());
    assert_eq!(opened.as_deref(), Ok(message));
    assert!(KEY.open(Direction::Answer, line.as_bytes()).is_err());
}

fuzz_target!(|input: &[u8]| {
    let Some((&cut, stream)) = input.split_first() else {
        return;
    };
    for frame in cuts_do_not_matter(cut, stream) {
        if let Ok(message) = KEY.open(Direction::Request, &frame) {
            let _ = Envelope::parse(&message);
            let _ = Request::parse(&message);
        }
    }
    what_is_sealed_opens_in_its_own_direction_only(stream);
});
