use core::{error::Error, fmt};

/// Why a manifest, a key, an image or a Bearer token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The text is longer than [`MAX_MANIFEST_BYTES`](crate::MAX_MANIFEST_BYTES).
    TooLong,
    /// Not a JWS in the general JSON serialization, or base64url that is not canonical.
    Malformed,
    /// A header's `typ` is missing or another.
    WrongType,
    /// A header's `alg` is missing, `none` or another than ES256 and EdDSA.
    UnsupportedAlgorithm,
    /// One of the two signatures is not there.
    SignatureMissing,
    /// Two signatures bear the same `kid`.
    SignatureDoubled,
    /// A signature bears a `kid` that is neither the project's nor the co-signer's.
    UnknownSigner,
    /// One key made both signatures, or is trusted for both.
    SameKeyTwice,
    /// A signature does not fit its key and the signed text, or is not 64 bytes long.
    BadSignature,
    /// The claims of a release are missing or of a wrong kind.
    NoManifest,
    /// The time of `exp` has passed.
    Expired,
    /// The time of `nbf` has not come, by more than the clocks may differ.
    NotYetValid,
    /// It is valid for longer than [`MAX_LIFETIME_S`](crate::MAX_LIFETIME_S).
    LifetimeTooLong,
    /// `jti` is not of the agreed form, or names another expiry than `exp`.
    BadNonce,
    /// The device has had a manifest with this `jti`.
    AlreadySeen,
    /// It is for another project.
    OtherProject,
    /// It is for other hardware.
    OtherHardware,
    /// The device has had a release with a higher counter.
    CounterTooLow,
    /// The device runs a version below the one this release asks for.
    VersionTooLow,
    /// The key is not of the kind that the signature or the place wants.
    WrongKeyType,
    /// The key cannot be read, or is not on its curve.
    BadKey,
    /// More bytes came than were signed.
    ImageTooLong,
    /// Fewer bytes came than were signed.
    ImageTooShort,
    /// As many bytes came as were signed, but others.
    ImageDiffers,
}

impl Refusal {
    /// The refusal in one word for programs, such as `bad_signature`.
    pub const fn code(self) -> &'static str {
        self.words().0
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::TooLong => ("too_long", "The manifest is longer than 16 KiB."),
            Self::Malformed => (
                "malformed",
                "This is not a signed message of the agreed form.",
            ),
            Self::WrongType => ("wrong_type", "A signature's header names another type."),
            Self::UnsupportedAlgorithm => (
                "unsupported_algorithm",
                "A signature's header names no algorithm that is taken.",
            ),
            Self::SignatureMissing => {
                ("signature_missing", "One of the two signatures is missing.")
            }
            Self::SignatureDoubled => ("signature_doubled", "One signer signed twice."),
            Self::UnknownSigner => (
                "unknown_signer",
                "Somebody signed who is neither the project nor its co-signer.",
            ),
            Self::SameKeyTwice => ("same_key_twice", "One key stands for both signers."),
            Self::BadSignature => ("bad_signature", "A signature does not fit what was signed."),
            Self::NoManifest => (
                "no_manifest",
                "The signed message lacks what a release manifest has to say.",
            ),
            Self::Expired => ("expired", "The manifest has expired."),
            Self::NotYetValid => ("not_yet_valid", "The manifest is not valid yet."),
            Self::LifetimeTooLong => (
                "lifetime_too_long",
                "The manifest would be valid for more than an hour.",
            ),
            Self::BadNonce => (
                "bad_nonce",
                "The manifest's own id is not of the agreed form.",
            ),
            Self::AlreadySeen => ("already_seen", "This manifest was used before."),
            Self::OtherProject => ("other_project", "The manifest is for another project."),
            Self::OtherHardware => ("other_hardware", "The manifest is for other hardware."),
            Self::CounterTooLow => (
                "counter_too_low",
                "The device has had a later release than this one.",
            ),
            Self::VersionTooLow => (
                "version_too_low",
                "The device has to install an earlier release first.",
            ),
            Self::WrongKeyType => (
                "wrong_key_type",
                "The key is of another kind than is wanted.",
            ),
            Self::BadKey => ("bad_key", "The key cannot be read."),
            Self::ImageTooLong => ("image_too_long", "The image is longer than the signed one."),
            Self::ImageTooShort => (
                "image_too_short",
                "The image is shorter than the signed one.",
            ),
            Self::ImageDiffers => ("image_differs", "The image is another than the signed one."),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().1)
    }
}

impl Error for Refusal {}
