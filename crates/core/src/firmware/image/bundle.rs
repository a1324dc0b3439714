//! Recognises update bundles of Linux devices; what is in them is theirs to check.

use gatehouse_types::image::ImageKind;

/// A cpio archive in one of the two "new" spellings begins with this and one more digit.
const CPIO_MAGIC: &[u8] = b"07070";
/// The header's length, after which the name of the first member stands.
const CPIO_HEADER_BYTES: usize = 110;
/// SWUpdate wants its description to be the first member.
const SWUPDATE_MEMBER: &[u8] = b"sw-description\0";

const SQUASHFS_MAGIC: &[u8] = b"hsqs";
/// Where the superblock says how long the file system is, as 8 bytes in little endian.
const SQUASHFS_USED_OFFSET: usize = 40;

/// RAUC writes the length of the signature last, as 8 bytes in big endian.
const RAUC_LENGTH_BYTES: u64 = 8;
/// The longest signature that RAUC itself takes.
const RAUC_MAX_SIGNATURE_BYTES: u64 = 64 * 1024;

/// Tells whether a file begins as SWUpdate's do.
pub(super) fn is_swupdate(head: &[u8]) -> bool {
    let has_magic = head
        .strip_prefix(CPIO_MAGIC)
        .is_some_and(|rest| matches!(rest.first(), Some(b'1' | b'2')));
    let name = head.get(CPIO_HEADER_BYTES..).unwrap_or_default();
    has_magic && name.starts_with(SWUPDATE_MEMBER)
}

/// Looks behind a squashfs for RAUC's signature; without one it is just a file system.
pub(super) struct SquashfsReader {
    used_bytes: u64,
    read_bytes: u64,
    /// The last 8 bytes as a number in big endian.
    last: u64,
}

impl SquashfsReader {
    /// Answers a reader when the file begins with a squashfs; it has to be fed from its start.
    pub(super) fn recognise(head: &[u8]) -> Option<Self> {
        let used = head
            .strip_prefix(SQUASHFS_MAGIC)?
            .get(SQUASHFS_USED_OFFSET - SQUASHFS_MAGIC.len()..)?
            .first_chunk()?;
        Some(Self {
            used_bytes: u64::from_le_bytes(*used),
            read_bytes: 0,
            last: 0,
        })
    }

    /// Takes the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.read_bytes += bytes.len() as u64;
        for byte in bytes.iter().rev().take(8).rev() {
            self.last = self.last << 8 | u64::from(*byte);
        }
    }

    /// Tells what it was.
    pub(super) fn kind(&self) -> ImageKind {
        let signature_fits = (1..=RAUC_MAX_SIGNATURE_BYTES).contains(&self.last)
            && self
                .used_bytes
                .checked_add(self.last + RAUC_LENGTH_BYTES)
                .is_some_and(|end| end <= self.read_bytes);
        if signature_fits {
            ImageKind::Rauc
        } else {
            ImageKind::Opaque
        }
    }
}
