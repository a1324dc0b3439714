use alloc::string::String;

// One trait under two names: whichever of the curves is built brings it.
#[cfg(all(feature = "ed25519", not(feature = "p256")))]
use ed25519_dalek::Signer as _;
#[cfg(feature = "ed25519")]
use ed25519_dalek::SigningKey as EdKey;
#[cfg(feature = "p256")]
use p256::ecdsa::{SigningKey as P256Key, signature::Signer as _};
use zeroize::Zeroizing;

use crate::{
    Algorithm, PublicKey, Refusal,
    pkcs8::{
        self, DecodePrivateKey as _, EncodePrivateKey as _, SecretDocument,
        spki::{self, der::pem::LineEnding},
    },
    public_key::SIGNATURE_BYTES,
};

/// A key that signs manifests; it is wiped from memory when it goes.
///
/// What `Debug` prints of it is not secret.
#[derive(Debug, Clone)]
pub enum SigningKey {
    /// Signs with ES256, the same message always the same way (RFC 6979).
    #[cfg(feature = "p256")]
    Es256(P256Key),
    /// Signs with Ed25519.
    #[cfg(feature = "ed25519")]
    EdDsa(EdKey),
}

impl SigningKey {
    /// Makes a key of 32 random bytes, or the one that these bytes are.
    ///
    /// # Errors
    /// [`Refusal::BadKey`] for bytes that are no scalar of P-256, which random ones never are in
    /// practice; [`Refusal::WrongKeyType`] for a curve that is not built in.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8; 32]) -> Result<Self, Refusal> {
        match algorithm {
            #[cfg(feature = "p256")]
            Algorithm::Es256 => P256Key::from_slice(bytes)
                .map(Self::Es256)
                .map_err(|_| Refusal::BadKey),
            #[cfg(feature = "ed25519")]
            Algorithm::EdDsa => Ok(Self::EdDsa(EdKey::from_bytes(bytes))),
            #[cfg(not(all(feature = "p256", feature = "ed25519")))]
            _ => Err(Refusal::WrongKeyType),
        }
    }

    /// Reads a key from PEM (`PRIVATE KEY`, PKCS#8, not encrypted).
    ///
    /// # Errors
    /// [`Refusal::WrongKeyType`] for a key of another kind, [`Refusal::BadKey`] for no key at all.
    pub fn from_pem(pem: &str) -> Result<Self, Refusal> {
        let (label, der) = SecretDocument::from_pem(pem.trim()).map_err(|_| Refusal::BadKey)?;
        if label != "PRIVATE KEY" {
            return Err(Refusal::WrongKeyType);
        }
        Self::from_der(der.as_bytes())
    }

    fn from_der(der: &[u8]) -> Result<Self, Refusal> {
        #[cfg(feature = "p256")]
        match P256Key::from_pkcs8_der(der) {
            Ok(key) => return Ok(Self::Es256(key)),
            Err(pkcs8::Error::PublicKey(spki::Error::OidUnknown { .. })) => {}
            Err(_) => return Err(Refusal::BadKey),
        }
        #[cfg(feature = "ed25519")]
        match EdKey::from_pkcs8_der(der) {
            Ok(key) => return Ok(Self::EdDsa(key)),
            Err(pkcs8::Error::PublicKey(spki::Error::OidUnknown { .. })) => {}
            Err(_) => return Err(Refusal::BadKey),
        }
        Err(Refusal::WrongKeyType)
    }

    /// The key as PEM (`PRIVATE KEY`, PKCS#8, not encrypted), wiped from memory when it goes.
    #[expect(
        clippy::missing_panics_doc,
        reason = "a key that was made can be written"
    )]
    pub fn to_pem(&self) -> Zeroizing<String> {
        match self {
            #[cfg(feature = "p256")]
            Self::Es256(key) => key.to_pkcs8_pem(LineEnding::LF),
            #[cfg(feature = "ed25519")]
            Self::EdDsa(key) => key.to_pkcs8_pem(LineEnding::LF),
        }
        .expect("a key can be written")
    }

    /// The half that others check signatures with.
    pub fn public_key(&self) -> PublicKey {
        match self {
            #[cfg(feature = "p256")]
            Self::Es256(key) => PublicKey::Es256(*key.verifying_key()),
            #[cfg(feature = "ed25519")]
            Self::EdDsa(key) => PublicKey::EdDsa(key.verifying_key()),
        }
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self {
            #[cfg(feature = "p256")]
            Self::Es256(_) => Algorithm::Es256,
            #[cfg(feature = "ed25519")]
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    pub(crate) fn sign(&self, text: &[u8]) -> [u8; SIGNATURE_BYTES] {
        match self {
            #[cfg(feature = "p256")]
            Self::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(text);
                signature.to_bytes().into()
            }
            #[cfg(feature = "ed25519")]
            Self::EdDsa(key) => key.sign(text).to_bytes(),
        }
    }
}
