//! The second signature under a manifest.

use async_trait::async_trait;
use gatehouse_manifest::{Manifest, PublicKey};
use gatehouse_types::manifest::{CoSignerKind, CoSignerWord};
use uuid::Uuid;

/// Signs beside the portal what the portal signed, or refuses to.
#[async_trait]
pub trait CoSigner: Send + Sync {
    /// Who the portal is there, and where that is.
    fn identity(&self) -> CoSignerIdentity;
    /// Answers the same manifest with the co-signer's signature added.
    async fn cosign(&self, project_id: Uuid, manifest: Manifest)
    -> Result<Manifest, CoSignFailure>;
    /// The co-signer's public keys for a project; the first is made when there is none.
    async fn keys(&self, project_id: Uuid) -> Result<CoSignerKeys, CoSignFailure>;
    /// Looks whether the co-signer answers, trusts this portal and has the same time.
    async fn status(&self) -> Result<(), CoSignFailure>;
}

/// What people have to know to make portal and co-signer known to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoSignerIdentity {
    /// Where the co-signer runs.
    pub kind: CoSignerKind,
    /// Its address, where it runs elsewhere.
    pub url: Option<String>,
    /// What the co-signer calls this portal.
    pub server_id: String,
    /// The public half of the portal's identity key.
    pub identity_pem: String,
}

/// The co-signer's public keys for a project.
#[derive(Debug, Clone, PartialEq)]
pub struct CoSignerKeys {
    /// The one that it signs with.
    pub current: PublicKey,
    /// The one that takes over.
    pub next: Option<PublicKey>,
}

/// Why there is no second signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoSignFailure {
    /// It did not answer, or not as a co-signer answers.
    Unreachable {
        /// A sentence for people.
        detail: String,
    },
    /// It does not sign this.
    Refused {
        /// Its word for the reason, in `snake_case`.
        code: String,
        /// Its sentence for people.
        detail: String,
        /// After how many seconds another try is worth it, where it said so.
        retry_after_s: Option<u64>,
    },
    /// Its clock and ours are too far apart.
    Clock {
        /// How far its clock is before ours, in seconds.
        off_by_s: i64,
    },
}

/// Reasons that concern the portal and not what it wants signed.
const ABOUT_THE_PORTAL: [&str; 3] = ["unknown_portal", "revoked", "bad_bearer"];

/// Refusals that no time changes: of this publication nothing will be signed.
const FINAL: [&str; 6] = [
    "counter_fell",
    "bad_release",
    "other_image",
    "other_rules",
    "no_manifest",
    CoSignerWord::UNSIGNABLE,
];

/// Refusals that a person at the co-signer can lift.
const AWAITS_APPROVAL: [&str; 2] = ["awaits_approval", "counter_leaps"];

/// How long a refusal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// Until somebody publishes anew.
    ForEver,
    /// Until a person at the co-signer agrees.
    UntilApproved,
    /// Until its cause is gone, which is none of the release's.
    AWhile,
}

impl CoSignFailure {
    /// How long it holds.
    pub(crate) fn lasts(&self) -> Lasts {
        match self {
            Self::Refused { code, .. } if FINAL.contains(&code.as_str()) => Lasts::ForEver,
            Self::Refused { code, .. } if AWAITS_APPROVAL.contains(&code.as_str()) => {
                Lasts::UntilApproved
            }
            Self::Refused { .. } | Self::Unreachable { .. } | Self::Clock { .. } => Lasts::AWhile,
        }
    }

    /// The word for the reason.
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. } => CoSignerWord::UNREACHABLE,
            Self::Refused { code, .. } => code,
            Self::Clock { .. } => CoSignerWord::CLOCK,
        }
    }

    /// A sentence for people.
    pub fn detail(&self) -> String {
        match self {
            Self::Unreachable { detail } | Self::Refused { detail, .. } => detail.clone(),
            Self::Clock { off_by_s } => format!(
                "The clocks of portal and co-signer are {} seconds apart.",
                off_by_s.unsigned_abs()
            ),
        }
    }

    /// Whether nothing of this portal would be signed now.
    pub(crate) fn concerns_everything(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Clock { .. } => true,
            Self::Refused { code, .. } => ABOUT_THE_PORTAL.contains(&code.as_str()),
        }
    }
}
