//! Why the co-signer does not sign, in words for people and codes for programs.

use gatehouse_manifest::{MAX_MANIFEST_BYTES, Refusal};

/// What speaks against a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The path names no project; an id is a hyphenated lower-case UUID.
    #[error("There is no project of this id: an id is a UUID in lower case with hyphens.")]
    UnknownProject,
    /// Nobody ever ran `gatehouse-cosigner trust` for this portal.
    #[error(
        "This co-signer does not know the portal. Run `gatehouse-cosigner trust` with its identity key."
    )]
    UnknownPortal,
    /// The server id is trusted, but another key signed.
    #[error("This was not signed with the key that the portal is trusted by.")]
    WrongKey,
    /// The portal was trusted once.
    #[error("This co-signer no longer trusts the portal: it was revoked on {}.", crate::moment::rfc3339(*since_ms))]
    Revoked {
        /// The moment of the revocation, in milliseconds since the Unix epoch.
        since_ms: i64,
    },
    /// The portal is trusted, but for other projects.
    #[error("The portal is trusted, but not for this project.")]
    WrongProject,
    /// The portal has hours, and this is none of them.
    #[error("The portal may ask at certain hours only, and not now.")]
    OutsideHours,
    /// The portal had its signatures of this hour, or too many bearers came in.
    #[error("The portal asks for too many signatures. Ask again in {retry_after_s} s.")]
    TooMany {
        /// Seconds until there is room again, at least 1.
        retry_after_s: u64,
    },
    /// A device that follows the counter would go back.
    #[error(
        "The release counter falls: {highest} was signed before, and nothing older is signed any more."
    )]
    CounterFell {
        /// The highest counter that was ever signed for the project.
        highest: u64,
    },
    /// A counter that leaps could use up all numbers that are left.
    #[error(
        "The release counter leaps: {highest} was the highest so far. A counter that is more than {} above it has to be approved at the co-signer: `gatehouse-cosigner pending` shows it.",
        crate::project::MAX_STEP
    )]
    CounterLeaps {
        /// The highest counter that was ever signed for the project.
        highest: u64,
    },
    /// A counter stands for one image for ever.
    #[error("Another image was signed or asked for under the same release counter.")]
    OtherImage,
    /// A release that is not the newest reaches no more devices than it did.
    #[error(
        "This release was signed under narrower rules: its hardware, min_version or allow_downgrade changed since. Withdraw it and publish it again, so that it gets a new release counter."
    )]
    OtherRules,
    /// A member of the manifest is not of the form that is signed here.
    #[error("The release cannot be signed: {what}.")]
    BadRelease {
        /// Which member, and what it has to be like.
        what: &'static str,
    },
    /// The folder holds as many projects as it may.
    #[error(
        "The co-signer has {} projects already and takes no more.",
        crate::folder::MAX_PROJECTS
    )]
    TooManyProjects,
    /// The project was never asked for here, or was forgotten before.
    #[error("Nothing is remembered of this project.")]
    NothingKnown,
    /// A second person has to agree first.
    #[error(
        "A second person has to approve this release at the co-signer: `gatehouse-cosigner pending` shows it."
    )]
    AwaitsApproval,
    /// No bearer, or one that is broken, over, or was shown before.
    #[error("The bearer token is missing, malformed, over, or was used before.")]
    BadBearer,
    /// The message itself does not hold.
    #[error("The message cannot be signed: {0}")]
    BadManifest(Refusal),
    /// The two clocks disagree by more than two minutes.
    #[error("The clocks differ: the portal's is {} s {} the co-signer's. Let both follow NTP.", off_by_s.unsigned_abs(), if *off_by_s < 0 { "behind" } else { "ahead of" })]
    Clock {
        /// The portal's clock less the co-signer's, in seconds.
        off_by_s: i64,
    },
    /// The message is no release manifest, and the portal is not trusted with others.
    #[error("This is no release manifest, and the portal is trusted with those only.")]
    NoManifest,
    /// The body is longer than a manifest may be.
    #[error("The message is longer than {MAX_MANIFEST_BYTES} bytes.")]
    TooLong,
    /// A rotation was begun before and is not ended.
    #[error("A second key stands already: retire the older one before making another.")]
    RotationUnderWay,
    /// There is no second key that could take over.
    #[error("There is no second key that could take over: run `rotate` first.")]
    NoRotation,
    /// The folder cannot be read or written; the text says which file and why.
    #[error("The co-signer's folder is in trouble: {0}")]
    Storage(String),
}

impl Refused {
    /// Gives the code that programs compare, in snake case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownProject => "unknown_project",
            Self::UnknownPortal => "unknown_portal",
            Self::WrongKey => "wrong_key",
            Self::Revoked { .. } => "revoked",
            Self::WrongProject => "wrong_project",
            Self::OutsideHours => "outside_hours",
            Self::TooMany { .. } => "too_many",
            Self::CounterFell { .. } => "counter_fell",
            Self::CounterLeaps { .. } => "counter_leaps",
            Self::OtherImage => "other_image",
            Self::OtherRules => "other_rules",
            Self::BadRelease { .. } => "bad_release",
            Self::TooManyProjects => "too_many_projects",
            Self::NothingKnown => "nothing_known",
            Self::AwaitsApproval => "awaits_approval",
            Self::BadBearer => "bad_bearer",
            Self::BadManifest(refusal) => refusal.code(),
            Self::Clock { .. } => "clock_differs",
            Self::NoManifest => "no_manifest",
            Self::TooLong => "too_long",
            Self::RotationUnderWay => "rotation_under_way",
            Self::NoRotation => "no_rotation",
            Self::Storage(_) => "storage",
        }
    }
}
