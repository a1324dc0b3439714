//! JSON Web Tokens with HS256, read with nothing around them.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, de::DeserializeOwned};
use sha2::Sha256;

/// The key that has signed the tokens.
pub(crate) struct TokenKey(Hmac<Sha256>);

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    project: String,
    /// Seconds since 1970.
    exp: u64,
}

impl TokenKey {
    /// Prepares the key once for every token.
    ///
    /// # Errors
    /// Never for HMAC, which takes a key of any length.
    pub(crate) fn new(secret: &str) -> Result<Self> {
        Ok(Self(Hmac::new_from_slice(secret.as_bytes())?))
    }

    /// The project of a good token that has not expired.
    pub(crate) fn project_of(&self, token: &str) -> Option<String> {
        let (message, mac) = token.rsplit_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        let signed = self.0.clone().chain_update(message);
        signed.verify_slice(&mac).ok()?;
        let (header, claims) = message.split_once('.')?;
        let claims: Claims = part(claims)?;
        let is_good = part::<Header>(header)?.alg == "HS256" && claims.exp > now_s()?;
        is_good.then_some(claims.project)
    }
}

fn part<T: DeserializeOwned>(encoded: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program with one use of the clock needs no port for it"
)]
fn now_s() -> Option<u64> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(since_1970.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TokenKey {
        TokenKey::new("a secret").unwrap()
    }

    fn signed(header: &str, claims: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encode(header), encode(claims));
        let mac = key().0.chain_update(&message).finalize().into_bytes();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    #[test]
    fn a_good_token_names_its_project_and_others_none() {
        let header = r#"{"alg":"HS256","typ":"JWT"}"#;
        let claims = r#"{"project":"lamp","exp":99999999999}"#;
        let good = signed(header, claims);
        assert_eq!(key().project_of(&good).as_deref(), Some("lamp"));
        for bad in [
            signed(header, r#"{"project":"lamp","exp":1}"#),
            signed(r#"{"alg":"none"}"#, claims),
            good[..good.len() - 1].to_owned(),
            good.replacen('.', ".e", 1),
        ] {
            assert_eq!(key().project_of(&bad), None, "{bad}");
        }
        assert_eq!(TokenKey::new("another").unwrap().project_of(&good), None);
    }
}
