use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{Jwk, PublicKey, Refusal};

/// Whom a device believes: both signers of one project, with more than one key during a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The project's UUID, hyphenated, in lower case.
    pub project_id: String,
    /// The project's own keys.
    pub project_keys: Vec<PublicKey>,
    /// The co-signer's keys for this project.
    pub cosigner_keys: Vec<PublicKey>,
}

/// What a portal hands out to a project's devices: the public keys in the forms that are in use.
///
/// The members called `next` are there while a key is being changed for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The project's UUID, hyphenated, in lower case; also the `kid` of its signature.
    pub project_id: String,
    /// The project's name.
    pub project: String,
    /// The hardware that the project's releases may be for; empty for any.
    #[serde(default)]
    pub hardware: Vec<String>,
    /// The project's key as PEM.
    pub project_pem: String,
    /// The co-signer's key for the project as PEM.
    pub cosigner_pem: String,
    /// The project's key as JSON.
    pub project_jwk: Jwk,
    /// The co-signer's key for the project as JSON.
    pub cosigner_jwk: Jwk,
    /// The project's key to come as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_project_pem: Option<String>,
    /// The project's key to come as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_project_jwk: Option<Jwk>,
    /// The co-signer's key to come as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cosigner_pem: Option<String>,
    /// The co-signer's key to come as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cosigner_jwk: Option<Jwk>,
}

impl Trusted {
    /// Reads a [`Bundle`] and takes its keys.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when it is no bundle, [`Refusal::BadKey`] and
    /// [`Refusal::WrongKeyType`] for its keys, [`Refusal::SameKeyTwice`] when both signers would
    /// have the same.
    pub fn from_bundle_json(json: &str) -> Result<Self, Refusal> {
        let bundle: Bundle = serde_json::from_str(json).map_err(|_| Refusal::Malformed)?;
        let trusted = Self {
            project_id: bundle.project_id,
            project_keys: keys(&bundle.project_pem, bundle.next_project_pem.as_deref())?,
            cosigner_keys: keys(&bundle.cosigner_pem, bundle.next_cosigner_pem.as_deref())?,
        };
        trusted.check_independence()?;
        Ok(trusted)
    }

    /// Two signatures are worth two only when no key can make both.
    pub(crate) fn check_independence(&self) -> Result<(), Refusal> {
        if self
            .project_keys
            .iter()
            .any(|key| self.cosigner_keys.contains(key))
        {
            return Err(Refusal::SameKeyTwice);
        }
        Ok(())
    }
}

fn keys(pem: &str, next_pem: Option<&str>) -> Result<Vec<PublicKey>, Refusal> {
    [Some(pem), next_pem]
        .into_iter()
        .flatten()
        .map(PublicKey::from_pem)
        .collect()
}
