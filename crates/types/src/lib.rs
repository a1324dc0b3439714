//! Words that the portal, its pages in the browser and other programs share.
//!
//! Everything here is plain data with its limits: it compiles to wasm and knows
//! neither database nor network. To add a message of the JSON API: put the struct
//! in the file of its noun, derive `ToSchema` behind the `openapi` feature, refuse
//! unknown members in requests, and name units (`_ms`, `_bytes`) in members.

pub mod access;
pub mod account;
pub mod audit;
pub mod codes;
pub mod firmware;
pub mod image;
pub mod limits;
pub mod manifest;
mod page;
pub mod rollout;
mod timestamp;
mod version;

pub use page::{Page, PageQuery};
pub use timestamp::Timestamp;
pub use version::Version;

use serde::{Deserialize, Deserializer};

/// A value that cannot be taken, named by the member that carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The member as the client spelled it.
    pub field: &'static str,
    /// A sentence for people: what is wrong and what would do.
    pub detail: String,
}

impl Invalid {
    /// Says what is wrong with `field`.
    pub fn new(field: &'static str, detail: impl Into<String>) -> Self {
        Self {
            field,
            detail: detail.into(),
        }
    }
}

/// Reads a member that may be missing but, when present, must not be `null`.
///
/// # Errors
/// Those of `T`; `null` is one of them unless `T` takes it.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
