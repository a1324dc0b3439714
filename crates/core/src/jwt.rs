//! JSON Web Tokens (RFC 7519) with HS256 and nothing else.
//!
//! The `jsonwebtoken` crate writes and reads them; the MAC is ours to plug in, so that the build
//! carries no RSA. A header that it wrote for us needs no reading: of such a token only the MAC and
//! the claims are read, here, which halves what it costs, and every word of a device has one. Times
//! are checked against the injected clock. One [`TokenKey`] signs one kind of token, so no kind
//! passes for another.

use std::sync::Once;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error as JwtError, ErrorKind},
    signature::{self, Signer, Verifier},
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::Sha256;

use crate::{Error, Result};

/// Longer texts are no token of ours.
const MAX_TOKEN_BYTES: usize = 4096;
/// How far another clock may be off.
const LEEWAY_S: i64 = 30;

type HmacSha256 = Hmac<Sha256>;

/// The key of one kind of token.
#[derive(Clone)]
pub(crate) struct TokenKey {
    typ: &'static str,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    /// What every token of ours begins with, up to its claims.
    beginning: String,
    /// A MAC that has taken in the key.
    keyed: HmacSha256,
}

/// The times that every token of ours carries, in seconds since 1970.
pub(crate) trait Times {
    fn expires_at_s(&self) -> i64;
    fn issued_at_s(&self) -> i64;
}

impl TokenKey {
    /// `typ` is written into the header and must come back.
    pub(crate) fn new(key: &[u8], typ: &'static str) -> Self {
        install_hs256();
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are checked against the injected clock, below.
        validation.validate_exp = false;
        validation.validate_aud = false;
        // Tokens of ours carry no `nbf`; one that does must not lie ahead.
        validation.validate_nbf = true;
        validation.leeway = 30;
        validation.required_spec_claims.clear();
        let header = serde_json::to_string(&header(typ)).expect("a header has a JSON form");
        Self {
            typ,
            signing: EncodingKey::from_secret(key),
            verifying: DecodingKey::from_secret(key),
            validation,
            beginning: format!("{}.", URL_SAFE_NO_PAD.encode(header)),
            keyed: HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length"),
        }
    }

    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String> {
        jsonwebtoken::encode(&header(self.typ), claims, &self.signing).map_err(Error::internal)
    }

    /// Answers the claims of a good token.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: `Token expired`, or `Invalid token` for everything else.
    pub(crate) fn verify<C: DeserializeOwned + Times>(
        &self,
        token: &str,
        now_ms: i64,
    ) -> Result<C> {
        const INVALID: Error = Error::Unauthenticated("Invalid token");
        if token.len() > MAX_TOKEN_BYTES {
            return Err(INVALID);
        }
        let claims: C = match token.strip_prefix(&self.beginning) {
            Some(rest) => self.claims_behind_our_header(token, rest),
            None => self.claims_of_any_form(token),
        }
        .ok_or(INVALID)?;
        let now_s = now_ms / 1000;
        if claims.issued_at_s() > now_s.saturating_add(LEEWAY_S) {
            return Err(INVALID);
        }
        // No leeway at the end: issuer and verifier are the same portal.
        if claims.expires_at_s() <= now_s {
            return Err(Error::Unauthenticated("Token expired"));
        }
        Ok(claims)
    }

    /// Reads a token with the header that we write; `rest` is what comes after it.
    fn claims_behind_our_header<C: DeserializeOwned>(&self, token: &str, rest: &str) -> Option<C> {
        let (claims, mac) = rest.split_once('.')?;
        let message = &token[..self.beginning.len() + claims.len()];
        let mut expected = self.keyed.clone();
        expected.update(message.as_bytes());
        expected
            .verify_slice(&URL_SAFE_NO_PAD.decode(mac).ok()?)
            .ok()?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        // What says more than our tokens do is judged by all the rules.
        let names_nbf = claims.windows(5).any(|part| part == b"\"nbf\"");
        if names_nbf || claims.contains(&b'\\') {
            return self.claims_of_any_form(token);
        }
        serde_json::from_slice(&claims).ok()
    }

    fn claims_of_any_form<C: DeserializeOwned>(&self, token: &str) -> Option<C> {
        let decoded = jsonwebtoken::decode::<C>(token, &self.verifying, &self.validation).ok()?;
        self.header_is_ours(&decoded.header)
            .then_some(decoded.claims)
    }

    fn header_is_ours(&self, header: &Header) -> bool {
        let foreign_key = header.jku.is_some()
            || header.jwk.is_some()
            || header.x5u.is_some()
            || header.x5c.is_some()
            || header.kid.is_some();
        header.typ.as_deref() == Some(self.typ) && !foreign_key && header.crit.is_none()
    }
}

fn header(typ: &str) -> Header {
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(typ.into());
    header
}

fn install_hs256() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| match (algorithm, key.family()) {
            (Algorithm::HS256, AlgorithmFamily::Hmac) => {
                Ok(Box::new(Hs256(key.as_bytes().to_vec())))
            }
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        },
        verifier_factory: |algorithm, key| match (algorithm, key.family()) {
            (Algorithm::HS256, AlgorithmFamily::Hmac) => {
                Ok(Box::new(Hs256(key.try_get_as_bytes()?.to_vec())))
            }
            _ => Err(JwtError::from(ErrorKind::InvalidAlgorithm)),
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // Another provider in the same process would be one of a test's own.
        let _ = PROVIDER.install_default();
    });
}

struct Hs256(Vec<u8>);

impl Hs256 {
    fn mac(&self, message: &[u8]) -> std::result::Result<HmacSha256, signature::Error> {
        let mut mac = HmacSha256::new_from_slice(&self.0).map_err(|_| signature::Error::new())?;
        mac.update(message);
        Ok(mac)
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        Ok(self.mac(message)?.finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], mac: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        self.mac(message)?
            .verify_slice(mac)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    const NOW_S: i64 = 1_763_719_200;
    const OUR_HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;
    /// It says the same, and is read in another way.
    const TURNED_HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Claims {
        sub: String,
        iat: i64,
        exp: i64,
    }

    impl Times for Claims {
        fn expires_at_s(&self) -> i64 {
            self.exp
        }
        fn issued_at_s(&self) -> i64 {
            self.iat
        }
    }

    fn key() -> TokenKey {
        TokenKey::new(&[1; 32], "JWT")
    }

    fn claims() -> Claims {
        Claims {
            sub: "lamp".into(),
            iat: NOW_S,
            exp: NOW_S + 60,
        }
    }

    fn verify(token: &str, now_s: i64) -> Result<Claims> {
        key().verify(token, now_s * 1000)
    }

    /// A token signed with the right key over whatever header and claims an attacker wishes.
    fn forged(header: &str, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mac = Hs256(vec![1; 32]).try_sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    #[test]
    fn the_mac_is_that_of_rfc_7515_appendix_a_1() {
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let message = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let mac = Hs256(key).try_sign(message).unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(mac),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn a_token_is_good_until_its_last_second() {
        let token = key().sign(&claims()).unwrap();
        assert_eq!(verify(&token, NOW_S + 59).unwrap(), claims());
        assert_eq!(
            verify(&token, NOW_S + 60).unwrap_err().to_string(),
            "Token expired"
        );
    }

    /// Otherwise each word of a device would cost twice as much.
    #[test]
    fn what_is_signed_here_begins_as_is_expected() {
        let token = key().sign(&claims()).unwrap();
        assert!(token.starts_with(&key().beginning), "{token}");
        assert!(forged(OUR_HEADER, &json!({})).starts_with(&key().beginning));
    }

    #[test]
    fn tokens_that_only_look_right_are_refused() {
        let good_claims = json!({"sub": "lamp", "iat": NOW_S, "exp": NOW_S + 60});
        for header in [OUR_HEADER, TURNED_HEADER] {
            assert!(verify(&forged(header, &good_claims), NOW_S).is_ok());
        }
        for header in [
            json!({"alg": "none", "typ": "JWT"}),
            json!({"alg": "None", "typ": "JWT"}),
            json!({"alg": "HS384", "typ": "JWT"}),
            json!({"alg": "RS256", "typ": "JWT"}),
            json!({"alg": "HS256"}),
            json!({"alg": "HS256", "typ": "other"}),
            json!({"alg": "HS256", "typ": "JWT", "kid": "../../etc/passwd"}),
            json!({"alg": "HS256", "typ": "JWT", "jku": "https://evil.example/keys"}),
            json!({"alg": "HS256", "typ": "JWT", "crit": ["exp"]}),
        ] {
            assert!(
                verify(&forged(&header.to_string(), &good_claims), NOW_S).is_err(),
                "{header}"
            );
        }
        for claims in [
            json!({"sub": "lamp", "iat": NOW_S}),
            json!({"sub": "lamp", "iat": NOW_S, "exp": (NOW_S + 60).to_string()}),
            json!({"sub": "lamp", "iat": NOW_S, "exp": 1e30}),
            json!({"sub": "lamp", "iat": NOW_S, "exp": -1}),
            json!({"sub": "lamp", "iat": NOW_S + 31, "exp": NOW_S + 60}),
            json!({"sub": "lamp", "iat": NOW_S, "exp": NOW_S + 60, "nbf": 4_000_000_000_i64}),
            json!({"sub": "lamp", "iat": NOW_S, "exp": NOW_S + 60, "nbf": "soon"}),
            json!(["lamp"]),
        ] {
            for header in [OUR_HEADER, TURNED_HEADER] {
                let token = forged(header, &claims);
                assert!(verify(&token, NOW_S).is_err(), "{header} {claims}");
            }
        }
    }

    #[test]
    fn cut_stretched_and_altered_tokens_are_refused() {
        let token = key().sign(&claims()).unwrap();
        for length in 0..token.len() {
            assert!(verify(&token[..length], NOW_S).is_err());
        }
        for place in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert!(verify(&altered, NOW_S).is_err(), "{altered}");
        }
        assert!(verify(&format!("{token}.x.y"), NOW_S).is_err());
        assert!(verify(&"a".repeat(100_000), NOW_S).is_err());
        assert!(
            TokenKey::new(&[2; 32], "JWT")
                .verify::<Claims>(&token, NOW_S * 1000)
                .is_err()
        );
    }
}
