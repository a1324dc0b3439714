//! The keys that home backends check our tokens with.

use hkdf::Hkdf;
use sha2::Sha256;

use crate::{Error, Result};

const KEY_BYTES: usize = 32;

/// Derives the key of one home backend: whoever holds it can sign for that one and for no other.
///
/// `origin` is scheme, host and port as the configuration writes them. The key is a text of 64
/// hexadecimal digits, and its letters as they stand are the HMAC key.
///
/// # Errors
/// Never for such a length; a fault of ours otherwise.
pub fn webhook_key(secret: &str, origin: &str) -> Result<String> {
    let mut key = [0; KEY_BYTES];
    Hkdf::<Sha256>::new(None, secret.as_bytes())
        .expand(origin.as_bytes(), &mut key)
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(hex::encode(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hmac`, after RFC 5869.
    #[test]
    fn each_origin_has_a_key_of_its_own() {
        let key = |origin| webhook_key("a secret of two programs", origin).unwrap();
        assert_eq!(
            key("https://home.example.org"),
            "47f57c2990f535c3d4277b01b8a7494d549e8ab79ba40fb5f832858eb021b6e9"
        );
        assert_ne!(
            key("https://home.example.org"),
            key("http://home.example.org")
        );
    }
}
