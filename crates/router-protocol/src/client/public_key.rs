//! Finding the public key in an X.509 certificate, of whatever version.
//!
//! Nothing else in the certificate is looked at: its fingerprint was compared before.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// A certificate's public key, as parts of its DER form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PublicKey<'a> {
    /// The whole `SubjectPublicKeyInfo`.
    pub(super) info: &'a [u8],
    /// What stands in its `AlgorithmIdentifier`.
    pub(super) algorithm: &'a [u8],
    /// The key itself.
    pub(super) bits: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Finds the key; `None` when this is no certificate.
    pub(super) fn of(certificate_der: &'a [u8]) -> Option<Self> {
        let certificate = Reader(certificate_der).take(SEQUENCE)?;
        let mut fields = Reader(Reader(certificate.content).take(SEQUENCE)?.content);
        if fields.0.first() == Some(&VERSION) {
            fields.take(VERSION)?;
        }
        fields.take(INTEGER)?;
        let _signature_issuer_validity_and_subject = [
            fields.take(SEQUENCE)?,
            fields.take(SEQUENCE)?,
            fields.take(SEQUENCE)?,
            fields.take(SEQUENCE)?,
        ];
        let info = fields.take(SEQUENCE)?;
        let mut key = Reader(info.content);
        let algorithm = key.take(SEQUENCE)?.content;
        let (0, bits) = key.take(BIT_STRING)?.content.split_first()? else {
            return None;
        };
        Some(Self {
            info: info.whole,
            algorithm,
            bits,
        })
    }
}

struct Element<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Takes the next element, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        let [first, length, ..] = *self.0 else {
            return None;
        };
        let head_bytes = match length {
            0..=0x7f => 2,
            0x81 => 3,
            0x82 => 4,
            _ => return None,
        };
        let content_bytes = match self.0.get(2..head_bytes)? {
            [] => usize::from(length),
            longer => longer
                .iter()
                .fold(0, |sum, &byte| (sum << 8) | usize::from(byte)),
        };
        let (whole, rest) = self.0.split_at_checked(head_bytes + content_bytes)?;
        self.0 = rest;
        let content = &whole[head_bytes..];
        (first == tag).then_some(Element { whole, content })
    }
}

#[cfg(test)]
mod tests {
    use super::PublicKey;
    use proptest::prelude::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let length = match length {
            [0, short @ 0..=0x7f] => vec![short],
            [0, long] => vec![0x81, long],
            [high, low] => vec![0x82, high, low],
        };
        [&[tag], length.as_slice(), content].concat()
    }

    /// A certificate with the smallest things in the places that do not matter.
    fn certificate(version: &[u8], subject: &[u8], key_info: &[u8]) -> Vec<u8> {
        let (serial, empty) = (element(0x02, &[7]), element(0x30, &[]));
        let subject = element(0x30, subject);
        let fields = [version, &serial, &empty, &empty, &empty, &subject, key_info];
        element(0x30, &element(0x30, &fields.concat()))
    }

    fn key_info(unused_bits: u8) -> Vec<u8> {
        let algorithm = element(0x30, &[0x06, 1, 42]);
        element(
            0x30,
            &[algorithm, element(0x03, &[unused_bits, 1, 2, 3])].concat(),
        )
    }

    #[test]
    fn the_key_is_found_in_each_version_and_behind_names_of_each_length() {
        let version_3 = element(0xa0, &element(0x02, &[2]));
        for version in [&[][..], &version_3] {
            for subject_bytes in [0, 127, 128, 255, 256, 1000] {
                let info = key_info(0);
                let certificate = certificate(version, &vec![5; subject_bytes], &info);
                let found = PublicKey::of(&certificate).expect("a certificate");
                assert_eq!(found.info, info);
                assert_eq!(found.algorithm, [0x06, 1, 42]);
                assert_eq!(found.bits, [1, 2, 3]);
            }
        }
    }

    #[test]
    fn what_is_cut_or_out_of_place_has_no_key() {
        let whole = certificate(&[], b"subject", &key_info(0));
        for length in 0..whole.len() {
            assert_eq!(PublicKey::of(&whole[..length]), None, "cut to {length}");
        }
        assert_eq!(PublicKey::of(&certificate(&[], b"", &key_info(1))), None);
        let no_bits = element(0x30, &element(0x30, &[]));
        assert_eq!(PublicKey::of(&certificate(&[], b"", &no_bits)), None);
    }

    proptest! {
        #[test]
        fn bytes_from_anywhere_are_no_certificate_and_no_panic(bytes: Vec<u8>) {
            prop_assert_eq!(PublicKey::of(&bytes), None);
        }
    }
}
