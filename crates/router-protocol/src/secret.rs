//! A text that must never reach a log.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// A shared secret whose `Debug` output is a placeholder.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives the text itself, for deriving a key or for sending it inside a sealed frame.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares two secrets in a time that depends on neither's content nor length.
    pub fn same_as(&self, other: &Self) -> bool {
        Sha256::digest(&self.0)
            .as_slice()
            .ct_eq(Sha256::digest(&other.0).as_slice())
            .into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn secrets_compare_by_content_and_stay_out_of_debug_output() {
        let secret = Secret::new("correct horse");
        assert!(secret.same_as(&Secret::new("correct horse")));
        assert!(!secret.same_as(&Secret::new("correct horsf")));
        assert!(!secret.same_as(&Secret::new("correct")));
        assert_eq!(format!("{secret:?}"), "Secret(hidden)");
    }
}
