//! Requests of protocol version 1: base64, AES-CBC, padding.
//!
//! The input is taken for each of what comes in on the way: the text itself, IV and ciphertext, a
//! padded message, and a message.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_router_protocol::legacy_v1::padding::{pad, unpad};
use gatehouse_router_protocol::legacy_v1::{LegacyKey, LegacyRequest, is_whole_request};
use gatehouse_router_protocol::secret::Secret;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KEY: LazyLock<LegacyKey> = LazyLock::new(|| LegacyKey::derive(&Secret::new("z".repeat(21))));

fn open(blob: &[u8]) {
    let Some(opened) = KEY.open(blob) else {
        return;
    };
    assert!(opened.message.len() < blob.len());
    if is_whole_request(&opened.message) {
        let _ = LegacyRequest::parse(&opened.message);
    }
}

/// The padding's rule, said another way.
fn unpadded_by_the_rule(padded: &[u8]) -> Option<&[u8]> {
    (1..=32_u8).find_map(|filler| padded.strip_suffix(vec![filler; filler.into()].as_slice()))
}

/// Space at the end of a request can look like padding; what is left then says the same.
fn what_is_sealed_opens_and_no_start_of_it_says_anything_else(message: &[u8]) {
    let Ok(blob) = KEY.seal([7; 16], message) else {
        return;
    };
    let opened = KEY.open(blob.as_bytes()).expect("sealed with this key");
    assert_eq!(opened.message, message);
    if !is_whole_request(message) {
        return;
    }
    for length in (0..blob.len()).step_by(4) {
        if let Some(start) = KEY.open(&blob.as_bytes()[..length])
            && is_whole_request(&start.message)
        {
            assert_eq!(start.message.trim_ascii_end(), message.trim_ascii_end());
        }
    }
}

fuzz_target!(|input: &[u8]| {
    open(input);
    open(STANDARD.encode(input).as_bytes());
    assert_eq!(unpad(input), unpadded_by_the_rule(input));
    assert_eq!(unpad(&pad(input)), Some(input));
    what_is_sealed_opens_and_no_start_of_it_says_anything_else(input);
});
