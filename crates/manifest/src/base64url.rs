//! base64url without padding, in its one canonical spelling only.

use alloc::{string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
#[cfg(feature = "sign")]
use serde::Serialize;

use crate::Refusal;

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Refuses padding, other alphabets, line breaks and bits beyond the last byte: a text that is
/// signed must not have a second spelling.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Malformed)
}

#[cfg(feature = "sign")]
pub(crate) fn encode_json(value: &impl Serialize) -> String {
    encode(&serde_json::to_vec(value).expect("plain values and text members can be written"))
}
