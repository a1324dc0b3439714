use alloc::{format, string::String};

#[cfg(feature = "ed25519")]
use ed25519_dalek::VerifyingKey as EdKey;
#[cfg(feature = "p256")]
use p256::ecdsa::{VerifyingKey as P256Key, signature::Verifier as _};
use sha2::{Digest, Sha256};

use crate::{
    Refusal,
    pkcs8::{
        DecodePublicKey as _, Document, EncodePublicKey as _,
        spki::{self, der::pem::LineEnding},
    },
};

/// A signature's length in bytes, of either kind.
pub(crate) const SIGNATURE_BYTES: usize = 64;

/// The kinds of signature that a manifest may bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Its name in a header's `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, Refusal> {
        [Self::Es256, Self::EdDsa]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(Refusal::UnsupportedAlgorithm)
    }
}

/// The public half of a key that signs manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// A point of P-256.
    #[cfg(feature = "p256")]
    Es256(P256Key),
    /// A point of Curve25519.
    #[cfg(feature = "ed25519")]
    EdDsa(EdKey),
}

impl PublicKey {
    /// Reads a key from PEM (`PUBLIC KEY`, SubjectPublicKeyInfo).
    ///
    /// # Errors
    /// [`Refusal::WrongKeyType`] for a key of another kind, [`Refusal::BadKey`] for no key at all.
    pub fn from_pem(pem: &str) -> Result<Self, Refusal> {
        let (label, der) = Document::from_pem(pem.trim()).map_err(|_| Refusal::BadKey)?;
        if label != "PUBLIC KEY" {
            return Err(Refusal::WrongKeyType);
        }
        Self::from_der(der.as_bytes())
    }

    fn from_der(der: &[u8]) -> Result<Self, Refusal> {
        #[cfg(feature = "p256")]
        match P256Key::from_public_key_der(der) {
            Ok(key) => return Ok(Self::Es256(key)),
            Err(spki::Error::OidUnknown { .. }) => {}
            Err(_) => return Err(Refusal::BadKey),
        }
        #[cfg(feature = "ed25519")]
        match EdKey::from_public_key_der(der) {
            Ok(key) => return Ok(Self::EdDsa(key)),
            Err(spki::Error::OidUnknown { .. }) => {}
            Err(_) => return Err(Refusal::BadKey),
        }
        Err(Refusal::WrongKeyType)
    }

    /// The key as PEM (`PUBLIC KEY`, SubjectPublicKeyInfo).
    #[expect(
        clippy::missing_panics_doc,
        reason = "the label is one that PEM allows"
    )]
    pub fn to_pem(&self) -> String {
        self.to_der()
            .to_pem("PUBLIC KEY", LineEnding::LF)
            .expect("the label is one that PEM allows")
    }

    fn to_der(&self) -> Document {
        match self {
            #[cfg(feature = "p256")]
            Self::Es256(key) => key.to_public_key_der(),
            #[cfg(feature = "ed25519")]
            Self::EdDsa(key) => key.to_public_key_der(),
        }
        .expect("a point of the curve can be written")
    }

    /// Which kind of signature it checks.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            #[cfg(feature = "p256")]
            Self::Es256(_) => Algorithm::Es256,
            #[cfg(feature = "ed25519")]
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// The name of the server that has this key: a UUID made of the key's SHA-256.
    pub fn server_id(&self) -> String {
        let digest = Sha256::digest(self.to_der().as_bytes());
        let (start, _) = digest.split_at(16);
        let mut id = start
            .iter()
            .fold(0_u128, |id, byte| id << 8 | u128::from(*byte));
        // RFC 9562, section 5.8: version 8 is for what one makes up oneself.
        id = id & !(0xf << 76) | 0x8 << 76;
        id = id & !(0b11 << 62) | 0b10 << 62;
        let digits = format!("{id:032x}");
        format!(
            "{}-{}-{}-{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..]
        )
    }

    pub(crate) fn verify(
        &self,
        signed: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), Refusal> {
        match self {
            #[cfg(feature = "p256")]
            Self::Es256(key) => p256::ecdsa::Signature::from_slice(signature)
                .and_then(|signature| key.verify(signed, &signature)),
            #[cfg(feature = "ed25519")]
            Self::EdDsa(key) => {
                key.verify_strict(signed, &ed25519_dalek::Signature::from_bytes(signature))
            }
        }
        .map_err(|_| Refusal::BadSignature)
    }

    pub(crate) fn coordinates(&self) -> ([u8; 32], Option<[u8; 32]>) {
        match self {
            #[cfg(feature = "p256")]
            Self::Es256(key) => {
                let point = key.to_sec1_point(false);
                let bytes = point.as_bytes();
                let half = |from: usize| core::array::from_fn(|position| bytes[from + position]);
                (half(1), Some(half(33)))
            }
            #[cfg(feature = "ed25519")]
            Self::EdDsa(key) => (key.to_bytes(), None),
        }
    }

    pub(crate) fn from_coordinates(
        algorithm: Algorithm,
        x: [u8; 32],
        y: Option<[u8; 32]>,
    ) -> Result<Self, Refusal> {
        match (algorithm, y) {
            #[cfg(feature = "p256")]
            (Algorithm::Es256, Some(y)) => {
                let uncompressed = [&[4][..], &x, &y].concat();
                P256Key::from_sec1_bytes(&uncompressed)
                    .map(Self::Es256)
                    .map_err(|_| Refusal::BadKey)
            }
            #[cfg(feature = "ed25519")]
            (Algorithm::EdDsa, None) => EdKey::from_bytes(&x)
                .map(Self::EdDsa)
                .map_err(|_| Refusal::BadKey),
            _ => Err(Refusal::BadKey),
        }
    }
}
