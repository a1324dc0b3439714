use alloc::{
    format,
    string::{String, ToString},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Algorithm, PublicKey, Refusal, base64url};

/// A public key as JSON (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// `EC`, or `OKP` for Ed25519.
    pub kty: String,
    /// `P-256` or `Ed25519`.
    pub crv: String,
    /// The first coordinate, or the whole key of Ed25519, as base64url.
    pub x: String,
    /// The second coordinate as base64url; Ed25519 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// Under which name it signs.
    #[serde(default)]
    pub kid: String,
    /// `ES256` or `EdDSA`.
    #[serde(default)]
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use", default)]
    pub use_: String,
}

impl PublicKey {
    /// The key as JSON under the name with which it signs.
    pub fn to_jwk(&self, kid: &str) -> Jwk {
        let (kty, crv) = names(self.algorithm());
        let (x, y) = self.coordinates();
        Jwk {
            kty: kty.to_string(),
            crv: crv.to_string(),
            x: base64url::encode(&x),
            y: y.map(|y| base64url::encode(&y)),
            kid: kid.to_string(),
            alg: self.algorithm().name().to_string(),
            use_: "sig".to_string(),
        }
    }

    /// Reads a key from JSON.
    ///
    /// # Errors
    /// [`Refusal::WrongKeyType`] for another curve, [`Refusal::BadKey`] for what is no point of it.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, Refusal> {
        let algorithm = [Algorithm::Es256, Algorithm::EdDsa]
            .into_iter()
            .find(|algorithm| names(*algorithm) == (jwk.kty.as_str(), jwk.crv.as_str()))
            .ok_or(Refusal::WrongKeyType)?;
        if !jwk.alg.is_empty() && jwk.alg != algorithm.name() {
            return Err(Refusal::WrongKeyType);
        }
        let x = coordinate(&jwk.x)?;
        let y = jwk.y.as_deref().map(coordinate).transpose()?;
        Self::from_coordinates(algorithm, x, y)
    }

    /// The key's fingerprint of RFC 7638: base64url of the SHA-256 over its required members.
    pub fn thumbprint(&self) -> String {
        let (kty, crv) = names(self.algorithm());
        let (x, y) = self.coordinates();
        let x = base64url::encode(&x);
        let y = y.map_or(String::new(), |y| {
            format!(r#","y":"{}""#, base64url::encode(&y))
        });
        let members = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"{y}}}"#);
        base64url::encode(&Sha256::digest(members))
    }
}

fn names(algorithm: Algorithm) -> (&'static str, &'static str) {
    match algorithm {
        Algorithm::Es256 => ("EC", "P-256"),
        Algorithm::EdDsa => ("OKP", "Ed25519"),
    }
}

fn coordinate(text: &str) -> Result<[u8; 32], Refusal> {
    base64url::decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Refusal::BadKey)
}
