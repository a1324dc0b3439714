//! What a part of an upload must hash to, as the tus protocol says it.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A promised digest of the bytes of one request, and what came so far.
#[derive(Debug)]
pub struct Checksum {
    promised: Vec<u8>,
    came: Hasher,
}

#[derive(Debug)]
enum Hasher {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    /// The algorithms that are known.
    pub const ALGORITHMS: &str = "sha1,sha256";

    /// Reads `<algorithm> <base64>`; `None` for other algorithms and forms.
    pub fn parse(line: &str) -> Option<Self> {
        let (algorithm, encoded) = line.split_once(' ')?;
        let promised = STANDARD.decode(encoded.trim()).ok()?;
        let (came, length) = match algorithm {
            "sha1" => (Hasher::Sha1(Sha1::default()), 20),
            "sha256" => (Hasher::Sha256(Sha256::default()), 32),
            _ => return None,
        };
        (promised.len() == length).then_some(Self { promised, came })
    }

    pub(super) fn update(&mut self, chunk: &[u8]) {
        match &mut self.came {
            Hasher::Sha1(hasher) => hasher.update(chunk),
            Hasher::Sha256(hasher) => hasher.update(chunk),
        }
    }

    pub(super) fn holds(self) -> bool {
        match self.came {
            Hasher::Sha1(hasher) => hasher.finalize().as_slice() == self.promised,
            Hasher::Sha256(hasher) => hasher.finalize().as_slice() == self.promised,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    fn holds(line: &str, bytes: &[u8]) -> Option<bool> {
        let mut checksum = Checksum::parse(line)?;
        checksum.update(bytes);
        Some(checksum.holds())
    }

    #[test]
    fn a_checksum_is_that_of_the_bytes_or_refused() {
        let sha1_of_hello_world = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=";
        assert_eq!(holds(sha1_of_hello_world, b"hello world"), Some(true));
        assert_eq!(holds(sha1_of_hello_world, b"hello worle"), Some(false));
        let sha256_of_nothing = "sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(holds(sha256_of_nothing, b""), Some(true));
        for unknown in ["md5 AAAA", "sha1", "sha1 AAAA", "sha256 !", "", "SHA1 Kq5s"] {
            assert_eq!(holds(unknown, b""), None, "{unknown}");
        }
    }
}
