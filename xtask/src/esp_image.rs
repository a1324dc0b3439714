//! A small ESP32-S3 application image that the vendor's tools and our own reader take for whole:
//! header, a data segment that starts with the application descriptor, a code segment, the
//! XOR checksum and the appended SHA-256. It does nothing on a chip; it is there to be shipped.
//!
//! Layout from Espressif's "Firmware Image Format" (esptool) and "App Image Format" (ESP-IDF).

use sha2::{Digest, Sha256};

const HEADER_MAGIC: u8 = 0xE9;
const CHIP_ID_ESP32S3: u16 = 9;
const DESCRIPTOR_MAGIC: u32 = 0xABCD_5432;
const CHECKSUM_SEED: u8 = 0xEF;
const DATA_ADDRESS: u32 = 0x3C00_0020;
const CODE_ADDRESS: u32 = 0x4037_4000;
const CODE_BYTES: usize = 64;
const DESCRIPTOR_BYTES: usize = 256;

/// What an image says of itself, and how much it carries.
pub(crate) struct EspImage<'a> {
    /// The project's name, at most 31 bytes of it.
    pub(crate) project: &'a str,
    /// The version, at most 31 bytes of it.
    pub(crate) version: &'a str,
    /// Bytes of made-up data after the descriptor.
    pub(crate) payload_bytes: usize,
}

impl<'a> EspImage<'a> {
    /// The demo's firmware in one version, about 200 kB.
    pub(crate) fn demo(version: &'a str) -> Self {
        Self {
            project: "demo-lamp",
            version,
            payload_bytes: 200_000,
        }
    }

    /// The image's bytes; the same fields give the same bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let data = [self.descriptor(), self.payload()].concat();
        let code = vec![0; CODE_BYTES];
        let mut image = header();
        append_segment(&mut image, DATA_ADDRESS, &data);
        append_segment(&mut image, CODE_ADDRESS, &code);
        append_checksum(&mut image, data.iter().chain(&code));
        let digest = Sha256::digest(&image);
        image.extend_from_slice(&digest);
        image
    }

    fn descriptor(&self) -> Vec<u8> {
        let mut descriptor = Vec::with_capacity(DESCRIPTOR_BYTES);
        descriptor.extend(DESCRIPTOR_MAGIC.to_le_bytes());
        descriptor.extend([0; 4 + 8]); // secure version, reserved
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

fn header() -> Vec<u8> {
    let segments = 2;
    let (dio_mode, flash_8mb_80mhz) = (0x02, 0x3F);
    let mut header = vec![HEADER_MAGIC, segments, dio_mode, flash_8mb_80mhz];
    header.extend(CODE_ADDRESS.to_le_bytes());
    header.extend([0xEE, 0, 0, 0]); // no write-protect pin, default drive strength
    header.extend(CHIP_ID_ESP32S3.to_le_bytes());
    header.push(0); // the older chip revision field
    header.extend(0_u16.to_le_bytes());
    header.extend(u16::MAX.to_le_bytes()); // any chip revision
    header.extend([0; 4]);
    header.push(1); // a SHA-256 follows the checksum
    header
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
            project: "p",
            version: "1",
            payload_bytes: 77,
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
        assert_eq!(image[image.len() - 33], sum);
    }

    #[test]
    fn the_descriptor_lies_behind_header_and_segment_header_with_the_names() {
        let image = EspImage {
            project: "lamp",
            version: "2.0.1",
            payload_bytes: 0,
        }
        .to_bytes();
        assert_eq!(u32_at(&image, 32), 0xABCD_5432);
        assert_eq!(&image[48..54], b"2.0.1\0");
        assert_eq!(&image[80..85], b"lamp\0");
        assert_eq!(u16::from_le_bytes([image[12], image[13]]), 9);
    }
}
