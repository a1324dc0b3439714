//! Filling a message up to whole blocks, in the manner of PKCS#7 but with blocks of 32 bytes.
//!
//! The cipher's own blocks have 16 bytes. The original pads to twice that, and takes off whatever
//! the last byte says, so both forms are accepted here.

/// A padded message is a multiple of this long, in bytes, and its padding 1 to this many.
pub const PADDED_TO_BYTES: usize = 32;

/// Appends 1 to 32 bytes, each of which holds their number.
///
/// # Panics
/// Never: a number up to 32 fits into a byte.
pub fn pad(message: &[u8]) -> Vec<u8> {
    let missing_bytes = PADDED_TO_BYTES - message.len() % PADDED_TO_BYTES;
    let filler = u8::try_from(missing_bytes).expect("a number up to 32 fits into a byte");
    let mut padded = message.to_vec();
    padded.resize(message.len() + missing_bytes, filler);
    padded
}

/// Takes the padding off; `None` unless 1 to 32 bytes at the end all hold their number.
pub fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let &filler = padded.last()?;
    let filler_bytes = usize::from(filler);
    let (message, padding) = padded.split_at(padded.len().checked_sub(filler_bytes)?);
    let is_padding = (1..=PADDED_TO_BYTES).contains(&filler_bytes);
    (is_padding && padding.iter().all(|&byte| byte == filler)).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::{pad, unpad};
    use proptest::prelude::*;

    #[test]
    fn a_full_block_gets_another_one() {
        assert_eq!(pad(&[7; 31]), [&[7; 31][..], &[1]].concat());
        assert_eq!(pad(&[7; 32]), [[7; 32], [32; 32]].concat());
        assert_eq!(pad(b""), [32; 32]);
    }

    #[test]
    fn each_length_up_to_32_is_taken_off_and_no_other() {
        for filler in 1..=32 {
            let padded = [&b"text"[..], &vec![filler; usize::from(filler)]].concat();
            assert_eq!(unpad(&padded), Some(&b"text"[..]), "{filler}");
        }
        for filler in [0, 33, 64, 255] {
            assert_eq!(unpad(&vec![filler; 256]), None, "{filler}");
        }
        assert_eq!(unpad(b""), None);
        assert_eq!(unpad(&[5, 5, 5, 5]), None, "longer than the message");
    }

    #[test]
    fn every_byte_of_the_padding_counts() {
        for filler in 2..=32 {
            let length = usize::from(filler);
            for position in 0..length - 1 {
                let mut padded = vec![filler; length];
                padded[position] ^= 1;
                assert_eq!(unpad(&padded), None, "byte {position} of {filler}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_padded_is_a_multiple_of_32_and_comes_back(message: Vec<u8>) {
            let padded = pad(&message);
            prop_assert_eq!(padded.len() % 32, 0);
            prop_assert_eq!(unpad(&padded), Some(message.as_slice()));
        }
    }
}
