//! Images for the ESP8266, which have no extended header and no descriptor.

use crate::{HEADER_MAGIC, append_checksum, append_segment};

const V2_MAGIC: u8 = 0xEA;
const V2_MARK: u8 = 4;
const ENTRY_ADDRESS: u32 = 0x4010_0004;
const CODE_ADDRESS: u32 = 0x4010_0000;
const DATA_ADDRESS: u32 = 0x3FFE_8000;
const DOUT_MODE: u8 = 0x03;
const FLASH_4MB_40MHZ: u8 = 0x40;

/// An image that the chip's own loader reads, with this code and data in its two segments.
pub fn v1(code: &[u8], data: &[u8]) -> Vec<u8> {
    let mut image = header(HEADER_MAGIC, 2);
    append_loadable(&mut image, code, data);
    image
}

/// An image for the software loader: code that stays in flash comes first, outside the checksum.
///
/// The CRC-32 that this loader looks at last is left zero, because nothing here reads it.
pub fn v2(flash_code: &[u8], code: &[u8], data: &[u8]) -> Vec<u8> {
    let mut image = header(V2_MAGIC, V2_MARK);
    append_segment(&mut image, 0, flash_code);
    image.extend(header(HEADER_MAGIC, 2));
    append_loadable(&mut image, code, data);
    image.extend([0; 4]);
    image
}

fn header(magic: u8, segments: u8) -> Vec<u8> {
    let mut header = vec![magic, segments, DOUT_MODE, FLASH_4MB_40MHZ];
    header.extend(ENTRY_ADDRESS.to_le_bytes());
    header
}

fn append_loadable(image: &mut Vec<u8>, code: &[u8], data: &[u8]) {
    append_segment(image, CODE_ADDRESS, code);
    append_segment(image, DATA_ADDRESS, data);
    append_checksum(image, code.iter().chain(data));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_end_their_segments_with_the_same_checksum() {
        let (code, data) = ([0x11; 20], [0x22; 8]);
        let first = v1(&code, &data);
        assert_eq!(first.len() % 16, 0);
        assert_eq!(first.last(), Some(&0xEF));
        let second = v2(&[0x33; 32], &code, &data);
        assert_eq!(second[second.len() - 5], 0xEF);
        assert_eq!((second[0], second[1], second[16 + 32]), (0xEA, 4, 0xE9));
    }
}
