//! Reads images for the ESP32 family and the ESP8266, segment by segment.
//!
//! ESP32 family: a header of 24 bytes, segments with a head of 8 bytes each, zeros up to the last
//! byte of a line of 16, which is the checksum, then perhaps a SHA-256 of all that. The ESP8266's
//! first format is the same with a header of 8 bytes and no SHA-256. Its second format has code
//! that stays in flash before that, as a segment of its own that the checksum leaves out.

use std::mem;

use gatehouse_types::image::{AppFacts, EspFacts, ImageFacts, ImageKind};
use sha2::{Digest, Sha256};

use super::{
    chips::{self, Chip, ESP8266},
    descriptor, u16_at, u32_at,
};

const MAGIC: u8 = 0xE9;
const V2_MAGIC: u8 = 0xEA;
/// Stands in the second format where the first one counts its segments.
const V2_MARK: u8 = 4;

const SHORT_HEADER_BYTES: u64 = 8;
const LONG_HEADER_BYTES: u64 = 24;
const SEGMENT_HEAD_BYTES: u64 = 8;
const DIGEST_BYTES: u64 = 32;
const LINE_BYTES: u64 = 16;

const CHIP_ID_OFFSET: usize = 12;
const HASH_APPENDED_OFFSET: usize = 23;
const SEGMENT_LENGTH_OFFSET: usize = 4;
/// In the second format's header, which the head of its first segment follows.
const FLASH_LENGTH_OFFSET: usize = 12;
const CHECKSUM_SEED: u8 = 0xEF;

/// Follows the structure of an image; only what is 32 bytes or shorter is ever kept.
pub(super) struct EspReader {
    kind: ImageKind,
    chip: &'static Chip,
    part: Part,
    /// How much of the part is still to come.
    left_bytes: u64,
    /// What has come of it, when its content matters.
    gathered: Vec<u8>,
    read_bytes: u64,
    header: Header,
    segments_left: u8,
    checksum: u8,
    checksum_ok: bool,
    /// Runs until the checksum, when a SHA-256 is appended.
    hash: Option<Sha256>,
    hash_ok: Option<bool>,
    app: Option<AppFacts>,
}

/// The first four bytes but the magic.
#[derive(Default)]
struct Header {
    segments: u8,
    flash_mode: u8,
    flash_size_and_freq: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The header of the second format, and the head of its segment that stays in flash.
    FlashHeader,
    /// What the checksum leaves out.
    FlashCode,
    Header,
    SegmentHead,
    Segment,
    /// What fills the line, and the checksum as its last byte.
    Checksum,
    Digest,
    /// Everything is there; what follows is no business of ours.
    End,
    /// A header inside the image is none.
    Broken,
}

impl EspReader {
    /// Answers a reader when a file begins as an ESP image; it has to be fed from its start.
    ///
    /// An ESP8266's header is followed by the address of its first segment. Where an ESP32 image
    /// has drive strengths of 0 to 3 in each half byte, such an address always has a 4 or an F,
    /// so the one is never taken for the other.
    pub(super) fn recognise(head: &[u8]) -> Option<Self> {
        let address = u32_at(head, 8)?;
        match head {
            [MAGIC, ..] if is_esp8266_address(address) => Some(Self::esp8266_v1()),
            [V2_MAGIC, V2_MARK, ..] if address == 0 => Some(Self::esp8266_v2()),
            [MAGIC, ..] => Self::esp32(head),
            _ => None,
        }
    }

    fn esp8266_v1() -> Self {
        Self::starting(
            ImageKind::Esp8266,
            &ESP8266,
            Part::Header,
            SHORT_HEADER_BYTES,
        )
    }

    fn esp8266_v2() -> Self {
        let header_bytes = SHORT_HEADER_BYTES + SEGMENT_HEAD_BYTES;
        Self::starting(
            ImageKind::Esp8266,
            &ESP8266,
            Part::FlashHeader,
            header_bytes,
        )
    }

    fn esp32(head: &[u8]) -> Option<Self> {
        let chip = Chip::by_id(u16_at(head, CHIP_ID_OFFSET)?)?;
        let hash = match head.get(HASH_APPENDED_OFFSET)? {
            0 => None,
            1 => Some(Sha256::new()),
            _ => return None,
        };
        Some(Self {
            hash_ok: hash.is_some().then_some(false),
            hash,
            app: descriptor::read(head),
            ..Self::starting(ImageKind::Esp32, chip, Part::Header, LONG_HEADER_BYTES)
        })
    }

    fn starting(kind: ImageKind, chip: &'static Chip, part: Part, left_bytes: u64) -> Self {
        Self {
            kind,
            chip,
            part,
            left_bytes,
            gathered: Vec::new(),
            read_bytes: 0,
            header: Header::default(),
            segments_left: 0,
            checksum: CHECKSUM_SEED,
            checksum_ok: false,
            hash: None,
            hash_ok: None,
            app: None,
        }
    }

    /// Takes the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_over() {
            let wanted = usize::try_from(self.left_bytes).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(wanted.min(bytes.len()));
            self.take(now);
            bytes = later;
            // A segment may be empty, and then its end is here already.
            while self.left_bytes == 0 && !self.is_over() {
                self.end_part();
            }
        }
    }

    /// Tells what was read.
    pub(super) fn facts(self) -> ImageFacts {
        let Header {
            segments,
            flash_mode,
            flash_size_and_freq,
        } = self.header;
        ImageFacts {
            kind: self.kind,
            esp: Some(EspFacts {
                chip: self.chip.name.to_owned(),
                segments,
                flash_mode: chips::flash_mode(flash_mode),
                flash_size: self.chip.flash_size(flash_size_and_freq),
                flash_freq: self.chip.flash_freq(flash_size_and_freq),
                complete: self.part == Part::End,
                checksum_ok: self.checksum_ok,
                hash_ok: self.hash_ok,
                app: self.app,
            }),
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.part, Part::End | Part::Broken)
    }

    fn take(&mut self, bytes: &[u8]) {
        self.read_bytes += bytes.len() as u64;
        self.left_bytes -= bytes.len() as u64;
        if self.part != Part::Digest
            && let Some(hash) = &mut self.hash
        {
            hash.update(bytes);
        }
        match self.part {
            Part::Segment => self.checksum = bytes.iter().fold(self.checksum, |sum, b| sum ^ b),
            Part::FlashCode => {}
            _ => self.gathered.extend_from_slice(bytes),
        }
    }

    fn end_part(&mut self) {
        let gathered = mem::take(&mut self.gathered);
        match self.part {
            Part::FlashHeader => {
                self.header.segments = 1;
                self.begin(Part::FlashCode, length_at(&gathered, FLASH_LENGTH_OFFSET));
            }
            Part::FlashCode => self.begin(Part::Header, SHORT_HEADER_BYTES),
            Part::Header => self.read_header(&gathered),
            Part::SegmentHead => {
                self.begin(Part::Segment, length_at(&gathered, SEGMENT_LENGTH_OFFSET));
            }
            Part::Segment => self.begin_segment(),
            Part::Checksum => self.read_checksum(&gathered),
            Part::Digest => self.read_digest(&gathered),
            Part::End | Part::Broken => {}
        }
    }

    const fn begin(&mut self, part: Part, length_bytes: u64) {
        self.part = part;
        self.left_bytes = length_bytes;
    }

    fn read_header(&mut self, bytes: &[u8]) {
        let &[MAGIC, segments, flash_mode, flash_size_and_freq, ..] = bytes else {
            return self.begin(Part::Broken, 0);
        };
        self.header = Header {
            segments: self.header.segments.saturating_add(segments),
            flash_mode,
            flash_size_and_freq,
        };
        self.segments_left = segments;
        self.begin_segment();
    }

    fn begin_segment(&mut self) {
        if let Some(left) = self.segments_left.checked_sub(1) {
            self.segments_left = left;
            self.begin(Part::SegmentHead, SEGMENT_HEAD_BYTES);
        } else {
            self.begin(Part::Checksum, LINE_BYTES - self.read_bytes % LINE_BYTES);
        }
    }

    fn read_checksum(&mut self, line_end: &[u8]) {
        self.checksum_ok = line_end.last() == Some(&self.checksum);
        if self.hash.is_some() {
            self.begin(Part::Digest, DIGEST_BYTES);
        } else {
            self.begin(Part::End, 0);
        }
    }

    fn read_digest(&mut self, appended: &[u8]) {
        let hash = self.hash.take();
        self.hash_ok = hash.map(|hash| hash.finalize().as_slice() == appended);
        self.begin(Part::End, 0);
    }
}

/// Data, code in RAM, and code in flash.
const fn is_esp8266_address(address: u32) -> bool {
    matches!(
        address,
        0x3FFE_8000..=0x3FFF_FFFF | 0x4010_0000..=0x4010_FFFF | 0x4020_0000..=0x402F_FFFF
    )
}

fn length_at(head: &[u8], offset: usize) -> u64 {
    u32_at(head, offset).map_or(0, u64::from)
}
