//! Columns whose type is narrower in Rust than in the database.

use std::{fmt, net::IpAddr};

use gatehouse_core::ports::{StoreError, StoreResult};
use serde::de::DeserializeOwned;

/// Reads a word of a closed set.
pub(crate) fn word<T>(stored: &str, parse: impl Fn(&str) -> Option<T>) -> sqlx::Result<T> {
    parse(stored).ok_or_else(|| decode(format!("the stored word {stored:?} is unknown")))
}

/// Reads a word of a closed set that may be missing.
pub(crate) fn optional_word<T>(
    stored: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> sqlx::Result<Option<T>> {
    stored.map(|stored| word(stored, parse)).transpose()
}

/// Reads a hash of 32 bytes.
pub(crate) fn hash(stored: &[u8]) -> sqlx::Result<[u8; 32]> {
    stored.try_into().map_err(decode)
}

/// Reads an IP address.
pub(crate) fn ip(stored: &str) -> sqlx::Result<IpAddr> {
    stored.parse().map_err(decode)
}

/// Reads a port.
pub(crate) fn port(stored: i64) -> sqlx::Result<u16> {
    u16::try_from(stored).map_err(decode)
}

/// Reads a checksum of 32 bits.
pub(crate) fn crc32(stored: i64) -> sqlx::Result<u32> {
    u32::try_from(stored).map_err(decode)
}

/// Reads a value that is kept as JSON.
pub(crate) fn json<T: DeserializeOwned>(stored: &str) -> sqlx::Result<T> {
    serde_json::from_str(stored).map_err(decode)
}

fn decode(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(cause.into())
}

/// Writes texts, numbers and what is made of them as JSON.
pub(crate) fn to_json(value: &(impl serde::Serialize + fmt::Debug)) -> String {
    serde_json::to_string(value)
        .unwrap_or_else(|_| unreachable!("plain values always become JSON: {value:?}"))
}

/// Turns the hex digits of a digest into the bytes that are kept.
pub(crate) fn digest(hex_digits: &str) -> StoreResult<Vec<u8>> {
    hex::decode(hex_digits).map_err(|cause| StoreError::Broken(cause.into()))
}
