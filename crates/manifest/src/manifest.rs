#[cfg(feature = "sign")]
use alloc::string::ToString as _;
use alloc::{format, string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned, de::IgnoredAny};

#[cfg(feature = "sign")]
use crate::SigningKey;
use crate::{Algorithm, PublicKey, Refusal, base64url, public_key::SIGNATURE_BYTES};

/// The longest manifest that is read, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 16 * 1024;

const TYPES: [&str; 3] = ["JOSE+JSON", "JOSE", "JWT"];

/// Claims and the signatures over them: a JWS in the general JSON serialization (RFC 7515, 7.2.1).
///
/// [`Display`](fmt::Display) writes the JSON text. That a manifest was read says nothing about its
/// signatures: [`verify`](crate::verify()) does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    kid: String,
    algorithm: Algorithm,
    protected: String,
    value: [u8; SIGNATURE_BYTES],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    payload: String,
    signatures: Vec<WireSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    protected: String,
    signature: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Header {
    typ: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    #[serde(skip_serializing)]
    crit: Option<IgnoredAny>,
}

impl Header {
    #[cfg(feature = "sign")]
    pub(crate) fn new(typ: &str, algorithm: Algorithm, kid: &str) -> Self {
        Self {
            typ: Some(typ.to_string()),
            alg: Some(algorithm.name().to_string()),
            kid: Some(kid.to_string()),
            crit: None,
        }
    }

    /// Reads a header and checks everything in it but whose key it names.
    pub(crate) fn read(protected: &str, types: &[&str]) -> Result<(Algorithm, String), Refusal> {
        let bytes = base64url::decode(protected)?;
        let header: Self = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)?;
        // RFC 7515, 4.1.11: what is marked critical must be understood, and nothing of it is.
        if header.crit.is_some() {
            return Err(Refusal::Malformed);
        }
        let algorithm = Algorithm::named(&header.alg.unwrap_or_default())?;
        if !types.contains(&header.typ.unwrap_or_default().as_str()) {
            return Err(Refusal::WrongType);
        }
        Ok((algorithm, header.kid.ok_or(Refusal::Malformed)?))
    }
}

impl Manifest {
    /// Reads a manifest strictly: nothing in it that no signature covers, one spelling only.
    ///
    /// # Errors
    /// [`Refusal::TooLong`], [`Refusal::Malformed`], [`Refusal::UnsupportedAlgorithm`],
    /// [`Refusal::WrongType`], [`Refusal::BadSignature`] for a signature that is not 64 bytes (DER,
    /// for one), [`Refusal::SignatureMissing`] without any, and [`Refusal::SignatureDoubled`].
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(Refusal::TooLong);
        }
        let wire: Wire = serde_json::from_str(text).map_err(|_| Refusal::Malformed)?;
        let signatures: Vec<Signature> = wire
            .signatures
            .into_iter()
            .map(Signature::read)
            .collect::<Result<_, _>>()?;
        if signatures.is_empty() {
            return Err(Refusal::SignatureMissing);
        }
        let doubled = signatures.iter().enumerate().any(|(position, one)| {
            signatures[..position]
                .iter()
                .any(|other| other.kid == one.kid)
        });
        if doubled {
            return Err(Refusal::SignatureDoubled);
        }
        Ok(Self {
            payload: wire.payload,
            signatures,
        })
    }

    /// Writes claims as JSON, once, and signs them.
    ///
    /// # Panics
    /// When the payload cannot be written as JSON, for instance a map whose keys are no text.
    #[cfg(feature = "sign")]
    pub fn sign(payload: &impl Serialize, kid: &str, key: &SigningKey) -> Self {
        let mut manifest = Self {
            payload: base64url::encode_json(payload),
            signatures: Vec::new(),
        };
        manifest.add_signature(kid, key);
        manifest
    }

    /// Signs claims that stand as JSON already.
    #[cfg(feature = "sign")]
    pub fn from_payload_json(json: impl AsRef<[u8]>, kid: &str, key: &SigningKey) -> Self {
        let mut manifest = Self {
            payload: base64url::encode(json.as_ref()),
            signatures: Vec::new(),
        };
        manifest.add_signature(kid, key);
        manifest
    }

    /// Signs the same claims under one more name; an earlier signature of that name is replaced.
    #[cfg(feature = "sign")]
    pub fn add_signature(&mut self, kid: &str, key: &SigningKey) {
        self.remove_signature(kid);
        let header = Header::new(TYPES[0], key.algorithm(), kid);
        let protected = base64url::encode_json(&header);
        let value = key.sign(signed_text(&protected, &self.payload).as_bytes());
        self.signatures.push(Signature {
            kid: kid.to_string(),
            algorithm: key.algorithm(),
            protected,
            value,
        });
    }

    /// Takes out the signature that bears this name, if there is one.
    pub fn remove_signature(&mut self, kid: &str) {
        self.signatures.retain(|signature| signature.kid != kid);
    }

    /// Under which names it is signed, in the order of the signatures.
    pub fn signers(&self) -> impl Iterator<Item = &str> {
        self.signatures
            .iter()
            .map(|signature| signature.kid.as_str())
    }

    /// Checks the signature of one name with the keys that this name may have.
    ///
    /// # Errors
    /// [`Refusal::SignatureMissing`]; [`Refusal::WrongKeyType`] when no key is of the kind that the
    /// header names; [`Refusal::BadSignature`] when none fits.
    pub fn check_signature(&self, kid: &str, keys: &[PublicKey]) -> Result<(), Refusal> {
        let signature = self
            .signatures
            .iter()
            .find(|signature| signature.kid == kid)
            .ok_or(Refusal::SignatureMissing)?;
        let text = signed_text(&signature.protected, &self.payload);
        keys.iter()
            .filter(|key| key.algorithm() == signature.algorithm)
            .map(|key| key.verify(text.as_bytes(), &signature.value))
            .reduce(Result::or)
            .unwrap_or(Err(Refusal::WrongKeyType))
    }

    /// Reads the claims, whoever signed them.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for broken base64url, [`Refusal::NoManifest`] for claims of another
    /// kind.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let json = base64url::decode(&self.payload)?;
        serde_json::from_slice(&json).map_err(|_| Refusal::NoManifest)
    }
}

impl Signature {
    fn read(wire: WireSignature) -> Result<Self, Refusal> {
        let (algorithm, kid) = Header::read(&wire.protected, &TYPES)?;
        Ok(Self {
            kid,
            algorithm,
            protected: wire.protected,
            value: signature_bytes(&wire.signature)?,
        })
    }
}

pub(crate) fn signature_bytes(text: &str) -> Result<[u8; SIGNATURE_BYTES], Refusal> {
    base64url::decode(text)?
        .try_into()
        .map_err(|_| Refusal::BadSignature)
}

pub(crate) fn signed_text(protected: &str, payload: &str) -> String {
    format!("{protected}.{payload}")
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // base64url needs no escapes in JSON.
        write!(f, r#"{{"payload":"{}","signatures":["#, self.payload)?;
        for (position, signature) in self.signatures.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            let value = base64url::encode(&signature.value);
            let protected = &signature.protected;
            write!(
                f,
                r#"{comma}{{"protected":"{protected}","signature":"{value}"}}"#
            )?;
        }
        f.write_str("]}")
    }
}
