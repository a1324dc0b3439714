//! The JSON shape of the messages: flat objects with the seed's member names.

mod answer;
mod request;

pub(crate) use answer::AnswerWire;
pub(crate) use request::{RequestWire, parse_envelope, real_port};

use crate::VERSION;
use crate::message::{InvalidMessage, RequestNonce};
use serde::{Deserialize, Deserializer, Serializer};

fn require_version(v: u8) -> Result<(), InvalidMessage> {
    if v == VERSION {
        Ok(())
    } else {
        Err(InvalidMessage::new(format_args!(
            "v is {v}, this side speaks version {VERSION}"
        )))
    }
}

pub(crate) fn need<T>(member: &mut Option<T>, name: &str) -> Result<T, InvalidMessage> {
    member
        .take()
        .ok_or_else(|| InvalidMessage::new(format_args!("{name} is missing")))
}

mod nonce_text {
    use super::{Deserialize, Deserializer, RequestNonce, Serializer};

    pub(super) fn serialize<S: Serializer>(
        nonce: &RequestNonce,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(nonce)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<RequestNonce, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
