//! The one error of the portal's rooms, and what it may tell a stranger.

use std::fmt;

/// A boxed cause that stays inside the process: logged once at the boundary, never shown.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// What a method of this crate answers when it cannot do what was asked.
///
/// `Display` prints the public sentence only; the internal cause hangs on
/// [`std::error::Error::source`] and is logged once, at the boundary.
#[derive(Debug)]
pub enum Error {
    /// Nobody is signed in, or the credential is wrong, expired or closed (401).
    Unauthenticated(&'static str),
    /// Signed in, but this role may not do it (403).
    Forbidden(&'static str),
    /// It does not exist, or it belongs to somebody else (404).
    NotFound(&'static str),
    /// It collides with what is already there (409).
    Conflict {
        /// One of the closed set of codes in [`gatehouse_types::codes`].
        code: &'static str,
        /// A sentence for people.
        detail: String,
    },
    /// A field's value cannot be taken (422).
    Invalid {
        /// The member of the request that is wrong, as the client spelled it.
        field: &'static str,
        /// A sentence for people: what is wrong and what would do.
        detail: String,
    },
    /// The bytes of an image cannot be taken (422).
    Unfit {
        /// One of the closed set of codes in [`gatehouse_types::codes`].
        code: &'static str,
        /// Sentences for people: what is wrong and what would do.
        detail: String,
    },
    /// The client's address cannot be told, so nothing is opened for it (400).
    NoClientAddress,
    /// The body is larger than the limit (413).
    TooLarge {
        /// The limit that was passed.
        limit_bytes: u64,
    },
    /// The images of a project would take more room than it may have (413).
    QuotaExceeded {
        /// The room that the project may have.
        quota_bytes: u64,
    },
    /// Too many tries (429).
    TooMany {
        /// After this many seconds another try is worth it.
        retry_after_s: u64,
    },
    /// Something that is needed does not answer now (503).
    Unavailable {
        /// A sentence for people.
        detail: String,
        /// After this many seconds another try is worth it.
        retry_after_s: u64,
    },
    /// The second signature under a manifest is missing (503).
    NotCoSigned {
        /// One of the closed set of codes in [`gatehouse_types::codes`].
        code: &'static str,
        /// Sentences for people: what the co-signer said.
        detail: String,
        /// After this many seconds another try is worth it.
        retry_after_s: u64,
    },
    /// No room left on the disk (507).
    StorageFull,
    /// A fault of ours (500); the cause is for the log only.
    Internal(Source),
}

/// The result of nearly every method of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wraps a cause that nobody outside may see.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    /// Says that `field` cannot be taken and why.
    pub fn invalid(field: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            detail: detail.into(),
        }
    }

    /// Says that the wish collides with what is there.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict {
            code,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated(detail) | Self::Forbidden(detail) => f.write_str(detail),
            Self::NotFound(what) => write!(f, "There is no such {what}."),
            Self::Conflict { detail, .. }
            | Self::Invalid { detail, .. }
            | Self::Unfit { detail, .. }
            | Self::NotCoSigned { detail, .. }
            | Self::Unavailable { detail, .. } => f.write_str(detail),
            Self::NoClientAddress => f.write_str("Your address cannot be told from this request, so nothing was opened. Ask the admin to check `trusted_proxies`."),
            Self::TooLarge { limit_bytes } => {
                write!(f, "The body is larger than the limit of {limit_bytes} bytes.")
            }
            Self::QuotaExceeded { quota_bytes } => {
                write!(f, "The images of this project may take {quota_bytes} bytes, and this one does not fit beside the others. Delete drafts that nobody needs, or ask for more room.")
            }
            Self::TooMany { retry_after_s } => {
                write!(f, "Too many tries. Wait {retry_after_s} seconds and try again.")
            }
            Self::StorageFull => f.write_str("The disk of the portal is full; nothing was kept."),
            Self::Internal(_) => f.write_str("Something failed inside the portal. The log has the cause under this request id."),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Internal(source) => Some(source.as_ref()),
            _ => None,
        }
    }
}

impl From<gatehouse_types::Invalid> for Error {
    fn from(invalid: gatehouse_types::Invalid) -> Self {
        Self::Invalid {
            field: invalid.field,
            detail: invalid.detail,
        }
    }
}
