//! Reads what a firmware image says of itself while its bytes pass by.
//!
//! Nothing is unpacked and nothing is kept but the first [`HEAD_BYTES`] and a few counters, so an
//! image of any length costs the same. No input can make it fail: what it does not know is opaque.
//! To read another format, add its word to [`ImageKind`] and a row to [`Format::recognise`].

mod bundle;
mod chips;
mod descriptor;
mod esp;
mod judge;
#[cfg(test)]
mod tests;

use std::mem;

use gatehouse_types::image::{ImageFacts, ImageKind};

use bundle::SquashfsReader;
use esp::EspReader;

pub use judge::{Expected, judge};

/// How much of an image's beginning is enough to recognise every format: the descriptor of an
/// ESP image ends here.
const HEAD_BYTES: usize = descriptor::OFFSET + descriptor::LENGTH;

/// Reads an image in pieces of any size.
pub struct ImageReader {
    format: Format,
}

enum Format {
    /// Not enough has come yet to tell.
    Unknown(Vec<u8>),
    Esp(Box<EspReader>),
    Squashfs(SquashfsReader),
    /// Nothing more is to be learnt from the rest.
    Settled(ImageKind),
}

impl ImageReader {
    /// Waits for the first byte.
    pub const fn new() -> Self {
        Self {
            format: Format::Unknown(Vec::new()),
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Format::Unknown(head) = &mut self.format else {
            return self.format.feed(bytes);
        };
        let missing = HEAD_BYTES - head.len();
        let (more, rest) = bytes.split_at(missing.min(bytes.len()));
        head.extend_from_slice(more);
        if head.len() == HEAD_BYTES {
            self.format = Format::recognise(&mem::take(head));
            self.format.feed(rest);
        }
    }

    /// Tells what was read after the last byte.
    pub fn finish(self) -> ImageFacts {
        match self.format {
            Format::Unknown(head) => Format::recognise(&head).facts(),
            known => known.facts(),
        }
    }
}

impl Default for ImageReader {
    fn default() -> Self {
        Self::new()
    }
}

impl Format {
    fn recognise(head: &[u8]) -> Self {
        if let Some(mut esp) = EspReader::recognise(head) {
            esp.feed(head);
            return Self::Esp(Box::new(esp));
        }
        if let Some(mut squashfs) = SquashfsReader::recognise(head) {
            squashfs.feed(head);
            return Self::Squashfs(squashfs);
        }
        Self::Settled(if bundle::is_swupdate(head) {
            ImageKind::Swupdate
        } else {
            ImageKind::Opaque
        })
    }

    fn feed(&mut self, bytes: &[u8]) {
        match self {
            Self::Esp(reader) => reader.feed(bytes),
            Self::Squashfs(reader) => reader.feed(bytes),
            Self::Unknown(_) | Self::Settled(_) => {}
        }
    }

    fn facts(self) -> ImageFacts {
        match self {
            Self::Esp(reader) => reader.facts(),
            Self::Squashfs(reader) => ImageFacts::plain(reader.kind()),
            Self::Settled(kind) => ImageFacts::plain(kind),
            Self::Unknown(_) => ImageFacts::plain(ImageKind::Opaque),
        }
    }
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_le_bytes(*field))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}
