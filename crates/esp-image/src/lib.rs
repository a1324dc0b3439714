//! Small ESP32 and ESP8266 images that the vendor's tools take for whole: for the tests, the demo
//! and the measurements. They do nothing on a chip; they are there to be shipped.
//!
//! Layout from Espressif's "Firmware Image Format" (esptool) and "App Image Format" (ESP-IDF).
//! The portal's reader (`gatehouse_core::firmware::image`) shares no code with this on purpose.
//! To build for one more chip, add it to [`Chip`] with its id and where it maps read-only data.

pub mod esp8266;

use sha2::{Digest, Sha256};

const HEADER_MAGIC: u8 = 0xE9;
const DESCRIPTOR_MAGIC: u32 = 0xABCD_5432;
const CHECKSUM_SEED: u8 = 0xEF;
const CODE_ADDRESS: u32 = 0x4037_4000;
const CODE_BYTES: usize = 64;
const DESCRIPTOR_BYTES: usize = 256;

/// A chip of the ESP32 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chip {
    /// What it is called in a project's hardware, such as `esp32s3`.
    pub name: &'static str,
    id: u16,
    /// Where it maps read-only data from flash; the vendor's tools look there for the descriptor.
    data_address: u32,
}

impl Chip {
    /// The ESP32.
    pub const ESP32: Self = Self::new("esp32", 0, 0x3F40_0020);
    /// The ESP32-S2.
    pub const ESP32S2: Self = Self::new("esp32s2", 2, 0x3F00_0020);
    /// The ESP32-C3.
    pub const ESP32C3: Self = Self::new("esp32c3", 5, 0x3C00_0020);
    /// The ESP32-S3.
    pub const ESP32S3: Self = Self::new("esp32s3", 9, 0x3C00_0020);
    /// The ESP32-C2.
    pub const ESP32C2: Self = Self::new("esp32c2", 12, 0x3C00_0020);
    /// The ESP32-C6.
    pub const ESP32C6: Self = Self::new("esp32c6", 13, 0x4280_0020);
    /// The ESP32-H2.
    pub const ESP32H2: Self = Self::new("esp32h2", 16, 0x4280_0020);
    /// The ESP32-P4.
    pub const ESP32P4: Self = Self::new("esp32p4", 18, 0x4000_0020);
    /// The ESP32-C61.
    pub const ESP32C61: Self = Self::new("esp32c61", 20, 0x4280_0020);
    /// The ESP32-C5.
    pub const ESP32C5: Self = Self::new("esp32c5", 23, 0x4200_0020);

    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ESP32,
        Self::ESP32S2,
        Self::ESP32C3,
        Self::ESP32S3,
        Self::ESP32C2,
        Self::ESP32C6,
        Self::ESP32H2,
        Self::ESP32P4,
        Self::ESP32C61,
        Self::ESP32C5,
    ];

    const fn new(name: &'static str, id: u16, data_address: u32) -> Self {
        Self {
            name,
            id,
            data_address,
        }
    }
}

/// Whether a SHA-256 follows the checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The checksum is the last byte.
    Checksum,
    /// The SHA-256 of everything before it comes last.
    Sha256,
}

/// What an image for the ESP32 family says of itself, and how much it carries.
#[derive(Debug, Clone, Copy)]
pub struct EspImage<'a> {
    /// The chip it is for.
    pub chip: Chip,
    /// The project's name, at most 31 bytes of it.
    pub project: &'a str,
    /// The version, at most 31 bytes of it.
    pub version: &'a str,
    /// The number that anti-rollback compares.
    pub secure_version: u32,
    /// Bytes of made-up data after the descriptor.
    pub payload_bytes: usize,
    /// How it ends.
    pub ending: Ending,
}

impl<'a> EspImage<'a> {
    /// The demo's firmware in one version, about 200 kB for an ESP32-S3.
    pub const fn demo(version: &'a str) -> Self {
        Self {
            chip: Chip::ESP32S3,
            project: "demo-lamp",
            version,
            secure_version: 0,
            payload_bytes: 200_000,
            ending: Ending::Sha256,
        }
    }

    /// The image's bytes; the same fields give the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let data = [self.descriptor(), self.payload()].concat();
        let code = vec![0; CODE_BYTES];
        let mut image = self.header();
        append_segment(&mut image, self.chip.data_address, &data);
        append_segment(&mut image, CODE_ADDRESS, &code);
        append_checksum(&mut image, data.iter().chain(&code));
        if self.ending == Ending::Sha256 {
            let digest = Sha256::digest(&image);
            image.extend_from_slice(&digest);
        }
        image
    }

    fn header(&self) -> Vec<u8> {
        let segments = 2;
        let (dio_mode, flash_8mb_80mhz) = (0x02, 0x3F);
        let mut header = vec![HEADER_MAGIC, segments, dio_mode, flash_8mb_80mhz];
        header.extend(CODE_ADDRESS.to_le_bytes());
        header.extend([0xEE, 0, 0, 0]); // no write-protect pin, default drive strength
        header.extend(self.chip.id.to_le_bytes());
        header.push(0); // the older chip revision field
        header.extend(0_u16.to_le_bytes());
        header.extend(u16::MAX.to_le_bytes()); // any chip revision
        header.extend([0; 4]);
        header.push(u8::from(self.ending == Ending::Sha256));
        header
    }

    fn descriptor(&self) -> Vec<u8> {
        let mut descriptor = Vec::with_capacity(DESCRIPTOR_BYTES);
        descriptor.extend(DESCRIPTOR_MAGIC.to_le_bytes());
        descriptor.extend(self.secure_version.to_le_bytes());
        descriptor.extend([0; 8]); // reserved
        descriptor.extend(text_field::<32>(self.version));
        descriptor.extend(text_field::<32>(self.project));
        descriptor.extend(text_field::<16>("12:00:00"));
        descriptor.extend(text_field::<16>("Jan  1 2026"));
        descriptor.extend(text_field::<32>("v5.4.1"));
        descriptor.extend(Sha256::digest(format!("{} {}", self.project, self.version)));
        descriptor.resize(DESCRIPTOR_BYTES, 0);
        descriptor
    }

    /// Bytes that do not compress to nothing, so that a transfer is a transfer.
    fn payload(&self) -> Vec<u8> {
        let block = |number: usize| {
            Sha256::digest([self.version.as_bytes(), &number.to_le_bytes()].concat())
        };
        let blocks = (0..self.payload_bytes.div_ceil(32)).flat_map(block);
        blocks.take(self.payload_bytes).collect()
    }
}

fn append_segment(image: &mut Vec<u8>, address: u32, data: &[u8]) {
    let length = u32::try_from(data.len()).expect("a segment is far below 4 GiB");
    image.extend(address.to_le_bytes());
    image.extend(length.to_le_bytes());
    image.extend(data);
}

/// The checksum is the last byte of a 16-byte line.
fn append_checksum<'a>(image: &mut Vec<u8>, data: impl Iterator<Item = &'a u8>) {
    let checksum = data.fold(CHECKSUM_SEED, |sum, byte| sum ^ byte);
    let last = (image.len() + 1).next_multiple_of(16) - 1;
    image.resize(last, 0);
    image.push(checksum);
}

fn text_field<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [0; N];
    let length = text.len().min(N - 1); // the reader expects a closing zero
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn u32_at(bytes: &[u8], offset: usize) -> usize {
        u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap()) as usize
    }

    #[test]
    fn the_appended_digest_covers_everything_before_it() {
        let image = EspImage::demo("1.1.0").to_bytes();
        let (body, digest) = image.split_at(image.len() - 32);
        assert_eq!(Sha256::digest(body).as_slice(), digest);
        assert_eq!(body.len() % 16, 0);
    }

    #[test]
    fn the_checksum_byte_is_the_seeded_xor_of_the_segments() {
        let image = EspImage {
            payload_bytes: 77,
            ending: Ending::Checksum,
            ..EspImage::demo("1.1.0")
        }
        .to_bytes();
        let mut offset = 24;
        let mut sum = 0xEF;
        for _ in 0..image[1] {
            let length = u32_at(&image, offset + 4);
            sum = image[offset + 8..offset + 8 + length]
                .iter()
                .fold(sum, |sum, byte| sum ^ byte);
            offset += 8 + length;
        }
        assert_eq!(image.last(), Some(&sum));
    }

    #[test]
    fn the_descriptor_lies_behind_header_and_segment_header_with_the_names() {
        let image = EspImage {
            project: "lamp",
            payload_bytes: 0,
            ..EspImage::demo("2.0.1")
        }
        .to_bytes();
        assert_eq!(u32_at(&image, 32), 0xABCD_5432);
        assert_eq!(&image[48..54], b"2.0.1\0");
        assert_eq!(&image[80..85], b"lamp\0");
        assert_eq!(u16::from_le_bytes([image[12], image[13]]), 9);
    }
}
