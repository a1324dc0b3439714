//! Secrets at rest: AES-256-GCM under a key derived from the portal's own secret.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};

use crate::{
    Error, Result,
    ports::{Rng, random_bytes},
};

const NONCE_BYTES: usize = 12;

/// Seals and opens short secrets, each bound to the row it belongs to.
#[derive(Clone)]
pub(crate) struct Sealer {
    cipher: Aes256Gcm,
}

impl Sealer {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self {
            cipher: Aes256Gcm::new(key.into()),
        }
    }

    /// Answers nonce and ciphertext; `bound_to` must be the same when it is opened.
    pub(crate) fn seal(&self, rng: &dyn Rng, bound_to: &str, secret: &str) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = random_bytes(rng);
        let payload = Payload {
            msg: secret.as_bytes(),
            aad: bound_to.as_bytes(),
        };
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| Error::internal("a secret could not be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open(&self, bound_to: &str, sealed: &[u8]) -> Result<String> {
        let broken =
            || Error::internal("a sealed secret does not open: was keys/secret.bin replaced?");
        let (nonce, ciphertext) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(broken)?;
        let payload = Payload {
            msg: ciphertext,
            aad: bound_to.as_bytes(),
        };
        let secret = self
            .cipher
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| broken())?;
        String::from_utf8(secret).map_err(|_| broken())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::CountingRng;

    #[test]
    fn a_stolen_row_tells_nothing_and_cannot_be_moved_to_another() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer
            .seal(&CountingRng::default(), "router/1", "correct horse battery")
            .unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("horse"));
        assert_eq!(
            sealer.open("router/1", &sealed).unwrap(),
            "correct horse battery"
        );
        assert!(sealer.open("router/2", &sealed).is_err());
        assert!(Sealer::new(&[8; 32]).open("router/1", &sealed).is_err());
    }
}
