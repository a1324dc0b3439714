//! Signed manifests: the keys that a device trusts, and who signs beside the portal.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// What a device of a project has to know: GET `/api/v1/projects/{project}/keys`.
///
/// While a key is being replaced, the members that begin with `next_` name the one that takes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectKeys {
    /// What the project's key is called in a manifest; the co-signer's is `project/<project_id>`.
    pub project_id: Uuid,
    /// The project's name.
    pub project: String,
    /// Chips it runs on; any when empty.
    pub hardware: Vec<String>,
    /// The project's key, as PEM (`SubjectPublicKeyInfo`).
    pub project_pem: String,
    /// The co-signer's key for this project, as PEM.
    pub cosigner_pem: String,
    /// The project's key.
    pub project_jwk: Jwk,
    /// The co-signer's key for this project.
    pub cosigner_jwk: Jwk,
    /// The project's key that takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_project_pem: Option<String>,
    /// The project's key that takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_project_jwk: Option<Jwk>,
    /// The co-signer's key that takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cosigner_pem: Option<String>,
    /// The co-signer's key that takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cosigner_jwk: Option<Jwk>,
}

/// A public key in JSON (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Jwk {
    /// `EC` or `OKP`.
    pub kty: String,
    /// `P-256` or `Ed25519`.
    pub crv: String,
    /// Base64url without padding.
    pub x: String,
    /// Base64url without padding; only of a point on P-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// What the key is called in a manifest.
    pub kid: String,
    /// `ES256` or `EdDSA`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub use_: String,
}

/// One of a project's own keys; there are two while one replaces the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectKey {
    /// RFC 7638, base64url; what a device says as `?key=`.
    pub thumbprint: String,
    /// The public half, as PEM (`SubjectPublicKeyInfo`).
    pub pem: String,
    /// Whether manifests are signed with it unless the device names another one.
    pub is_signing: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// POST `/api/v1/projects/{project}/keys/rotate` and `…/keys/retire`: the keys in force now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectKeysInForce {
    /// The oldest first.
    pub keys: Vec<ProjectKey>,
}

/// Where the co-signer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CoSignerKind {
    /// Inside the portal, with its keys in a folder of its own: weaker than on a second host.
    InProcess,
    /// A service elsewhere.
    Service,
}

/// How the portal stands with its co-signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CoSignerState {
    /// It answers.
    Ok,
    /// It does not answer.
    Unreachable,
    /// It does not know this portal, or no longer trusts it.
    Refused,
    /// Its clock and ours are too far apart.
    Clock,
}

/// GET `/api/v1/cosigner`: who signs beside the portal, and whether it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CoSignerStatus {
    /// Where it runs.
    pub kind: CoSignerKind,
    /// Its address, where it runs elsewhere.
    pub url: Option<String>,
    /// What the co-signer calls this portal.
    pub server_id: String,
    /// The public half of this portal's identity key, for `gatehouse-cosigner trust`.
    pub identity_pem: String,
    /// How it stands.
    pub state: CoSignerState,
    /// Since when it stands so, as far as this instance saw it.
    pub since: Timestamp,
    /// A sentence for people; empty when all is well.
    pub detail: String,
}

/// How a release stands with the co-signer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseSigning {
    /// Rises with every publication in the project; missing before the first one.
    pub release_counter: Option<i64>,
    /// CRC-32 of the image, as zlib computes it; missing for an image of an older portal whose
    /// manifest nobody asked for yet.
    pub crc32: Option<u32>,
    /// What the co-signer last said to a manifest of this publication; missing until this
    /// instance of the portal asked it.
    pub co_signer: Option<CoSignerWord>,
}

/// What the co-signer said to a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CoSignerWord {
    /// Since when it says so.
    pub since: Timestamp,
    /// `signed`, or why not: `revoked`, `awaits_approval`, `counter_fell`, `unreachable`, `clock` …
    pub code: String,
    /// A sentence for people; empty when it signed.
    pub detail: String,
}

impl CoSignerWord {
    /// The code of a manifest that was signed.
    pub const SIGNED: &'static str = "signed";
    /// The code of a manifest that never reached the co-signer.
    pub const UNREACHABLE: &'static str = "unreachable";
    /// The code of a release of which the portal itself can make no manifest.
    pub const UNSIGNABLE: &'static str = "unsignable";
    /// The code of a manifest that clocks too far apart kept from being signed.
    pub const CLOCK: &'static str = "clock";
}
