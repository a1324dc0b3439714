//! The Bearer token with which a portal shows itself to a co-signer: a compact JWT (RFC 7519).

use alloc::string::String;
#[cfg(feature = "sign")]
use alloc::{format, string::ToString};

use serde::{Deserialize, Serialize};

#[cfg(feature = "sign")]
use crate::SigningKey;
use crate::{
    PublicKey, Refusal, base64url,
    claims::check_validity,
    manifest::{Header, MAX_MANIFEST_BYTES, signature_bytes},
};

const TYPE: &str = "JWT";

/// What a Bearer token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BearerClaims {
    /// The server id of the portal.
    pub iss: String,
    /// The token's own id; whoever takes tokens must take each once only.
    pub jti: String,
    /// Not valid before this time, in seconds since 1970.
    pub nbf: i64,
    /// Not valid after this time, in seconds since 1970.
    pub exp: i64,
}

/// Makes a token; `jti` is made with [`jti`](crate::jti()) for the same expiry.
#[cfg(feature = "sign")]
pub fn sign(server_id: &str, key: &SigningKey, jti: &str, nbf_s: i64, exp_s: i64) -> String {
    let header = Header::new(TYPE, key.algorithm(), server_id);
    let claims = BearerClaims {
        iss: server_id.to_string(),
        jti: jti.to_string(),
        nbf: nbf_s,
        exp: exp_s,
    };
    let (header, claims) = (
        base64url::encode_json(&header),
        base64url::encode_json(&claims),
    );
    let signed = format!("{header}.{claims}");
    let signature = base64url::encode(&key.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Which server a token claims to be of; without a check, only good to look up its key.
pub fn kid(token: &str) -> Option<String> {
    let (header, _) = token.split_once('.')?;
    Header::read(header, &[TYPE]).ok().map(|(_, kid)| kid)
}

/// Checks a token with the key of the server whose name it bears.
///
/// # Errors
/// [`Refusal::TooLong`], [`Refusal::Malformed`], [`Refusal::WrongType`],
/// [`Refusal::UnsupportedAlgorithm`], [`Refusal::WrongKeyType`], [`Refusal::BadSignature`],
/// [`Refusal::NoManifest`] when a claim is missing, [`Refusal::UnknownSigner`] when `iss` and `kid`
/// differ, and those about times and [`Refusal::BadNonce`].
pub fn verify(token: &str, key: &PublicKey, now_s: i64) -> Result<BearerClaims, Refusal> {
    if token.len() > MAX_MANIFEST_BYTES {
        return Err(Refusal::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Refusal::Malformed)?;
    let (algorithm, kid) = Header::read(header, &[TYPE])?;
    if algorithm != key.algorithm() {
        return Err(Refusal::WrongKeyType);
    }
    key.verify(signed.as_bytes(), &signature_bytes(signature)?)?;
    let claims: BearerClaims =
        serde_json::from_slice(&base64url::decode(claims)?).map_err(|_| Refusal::NoManifest)?;
    if claims.iss != kid {
        return Err(Refusal::UnknownSigner);
    }
    check_validity(&claims.jti, claims.nbf, claims.exp, now_s)?;
    Ok(claims)
}
