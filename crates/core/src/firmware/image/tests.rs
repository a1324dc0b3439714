use gatehouse_esp_image::{Chip, Ending, EspImage, esp8266};
use gatehouse_types::{
    Version,
    image::{AppFacts, EspFacts, ImageFacts, ImageKind, ObjectionKind},
};
use proptest::prelude::*;

use super::{Expected, ImageReader, judge};

fn read(bytes: &[u8]) -> ImageFacts {
    let mut reader = ImageReader::new();
    reader.feed(bytes);
    reader.finish()
}

fn esp(facts: ImageFacts) -> EspFacts {
    facts.esp.expect("an ESP image")
}

fn lamp() -> EspImage<'static> {
    EspImage {
        project: "lamp",
        secure_version: 3,
        payload_bytes: 1_000,
        ..EspImage::demo("2.0.1")
    }
}

#[test]
fn every_fact_of_an_application_is_read() {
    let facts = esp(read(&lamp().to_bytes()));
    assert_eq!(
        facts,
        EspFacts {
            chip: "esp32s3".to_owned(),
            segments: 2,
            flash_mode: Some("dio".to_owned()),
            flash_size: Some("8MB".to_owned()),
            flash_freq: Some("80m".to_owned()),
            complete: true,
            checksum_ok: true,
            hash_ok: Some(true),
            app: Some(AppFacts {
                project_name: "lamp".to_owned(),
                version: "2.0.1".to_owned(),
                secure_version: 3,
                idf_version: "v5.4.1".to_owned(),
                elf_sha256: "1024538a403569a33df3c4f7aaaf15815be486088e5b3321a448bb15e2a94b88"
                    .to_owned(),
                built_at: "Jan  1 2026 12:00:00".to_owned(),
            }),
        }
    );
}

#[test]
fn every_chip_of_the_family_is_told_by_its_number() {
    for chip in Chip::ALL {
        let facts = read(&EspImage { chip, ..lamp() }.to_bytes());
        assert_eq!(facts.kind, ImageKind::Esp32);
        assert_eq!(esp(facts).chip, chip.name);
    }
}

#[test]
fn without_an_appended_hash_there_is_none_to_be_wrong() {
    let image = EspImage {
        ending: Ending::Checksum,
        ..lamp()
    };
    let facts = esp(read(&image.to_bytes()));
    assert_eq!(
        (facts.complete, facts.checksum_ok, facts.hash_ok),
        (true, true, None)
    );
}

#[test]
fn what_follows_the_image_is_no_business_of_the_reader() {
    let mut bytes = lamp().to_bytes();
    let alone = read(&bytes);
    bytes.extend([0xA5; 4_096]); // as a signature block would
    assert_eq!(read(&bytes), alone);
}

#[test]
fn a_flipped_bit_in_a_segment_breaks_checksum_and_hash() {
    let mut bytes = lamp().to_bytes();
    bytes[600] ^= 0x10;
    let facts = esp(read(&bytes));
    assert_eq!(
        (facts.complete, facts.checksum_ok, facts.hash_ok),
        (true, false, Some(false))
    );
}

#[test]
fn a_flipped_bit_in_the_header_breaks_the_hash_alone() {
    let mut bytes = lamp().to_bytes();
    bytes[17] ^= 0x01; // a chip revision, which no checksum covers
    let facts = esp(read(&bytes));
    assert_eq!((facts.checksum_ok, facts.hash_ok), (true, Some(false)));
}

#[test]
fn both_formats_of_the_esp8266_are_read() {
    let (code, data) = ([7; 20], [9; 400]);
    for (bytes, segments) in [
        (esp8266::v1(&code, &data), 2),
        (esp8266::v2(&[1; 64], &code, &data), 3),
    ] {
        let facts = read(&bytes);
        assert_eq!(facts.kind, ImageKind::Esp8266);
        let facts = esp(facts);
        assert_eq!((&*facts.chip, facts.segments), ("esp8266", segments));
        assert_eq!((facts.complete, facts.checksum_ok), (true, true));
        assert_eq!(facts.flash_mode.as_deref(), Some("dout"));
        assert_eq!(facts.flash_size.as_deref(), Some("4MB"));
        assert_eq!((facts.hash_ok, facts.app), (None, None));
    }
}

/// Its first segment is as long as an ESP32's chip number, and a byte of its code looks like the
/// mark of an appended hash: the vendor's tool takes it for an ESP32's.
#[test]
fn an_esp8266_image_is_never_taken_for_one_of_the_esp32() {
    let facts = read(&esp8266::v1(&[0; 256], &[]));
    assert_eq!(facts.kind, ImageKind::Esp8266);
    assert!(esp(facts).checksum_ok);
}

#[test]
fn a_second_header_that_is_none_ends_the_reading() {
    let mut bytes = esp8266::v2(&[1; 64], &[2; 8], &[3; 8]);
    bytes[16 + 64] = 0x00;
    assert!(!esp(read(&bytes)).complete);
}

#[test]
fn a_segment_of_4_gib_that_is_not_there_is_an_image_cut_off() {
    let mut bytes = lamp().to_bytes();
    bytes[28..32].fill(0xFF);
    assert!(!esp(read(&bytes)).complete);
}

#[test]
fn bundles_of_linux_devices_are_recognised() {
    for magic in [b"070701", b"070702"] {
        let swu = [&magic[..], &[b'0'; 104], b"sw-description\0\0rest"].concat();
        assert_eq!(read(&swu), ImageFacts::plain(ImageKind::Swupdate));
    }
    assert_eq!(
        read(&squashfs(4_096, 1_000, 1_000)),
        ImageFacts::plain(ImageKind::Rauc)
    );
}

#[test]
fn what_only_looks_like_a_bundle_is_opaque() {
    let other_member = [&b"070701"[..], &[b'0'; 104], b"etc/passwd\0"].concat();
    let without_signature = squashfs(4_096, 0, 0);
    let longer_than_the_file = squashfs(4_096, 1_000, 6_000);
    let longer_than_rauc_takes = squashfs(4_096, 70_000, 70_000);
    let into_the_file_system = squashfs(5_000, 1_000, 2_000);
    for bytes in [
        other_member,
        without_signature,
        longer_than_the_file,
        longer_than_rauc_takes,
        into_the_file_system,
        b"hsqs".to_vec(),
    ] {
        assert_eq!(read(&bytes), ImageFacts::plain(ImageKind::Opaque));
    }
}

/// A superblock of this length, bytes behind it and the length that the last 8 bytes name.
fn squashfs(used_bytes: usize, behind_bytes: usize, named_bytes: u64) -> Vec<u8> {
    let mut file = vec![0; used_bytes + behind_bytes];
    file[..4].copy_from_slice(b"hsqs");
    file[40..48].copy_from_slice(&(used_bytes as u64).to_le_bytes());
    file.extend(named_bytes.to_be_bytes());
    file
}

#[test]
fn anything_else_is_opaque() {
    let unknown_chip = {
        let mut bytes = lamp().to_bytes();
        bytes[12] = 77;
        bytes
    };
    for bytes in [&b""[..], b"\xE9", b"\x7FELF", &[0; 4_096], &unknown_chip] {
        assert_eq!(read(bytes), ImageFacts::plain(ImageKind::Opaque));
    }
}

fn objections(facts: &ImageFacts) -> Vec<ObjectionKind> {
    let hardware = ["esp32-s3".to_owned(), "esp32c3".to_owned()];
    let version: Version = "2.0.1".parse().expect("a version");
    let expected = Expected {
        hardware: &hardware,
        project_name: Some("lamp"),
        version: &version,
        secure_version: Some(3),
    };
    let objections = judge(facts, &expected);
    objections.into_iter().map(|one| one.code).collect()
}

#[test]
fn a_fitting_image_meets_no_objection() {
    for version in ["2.0.1", "v2.0.1", "02.00.01", "c873579-dirty"] {
        let facts = read(&EspImage { version, ..lamp() }.to_bytes());
        assert_eq!(objections(&facts), []);
    }
    assert_eq!(objections(&ImageFacts::plain(ImageKind::Opaque)), []);
}

#[test]
fn each_thing_that_does_not_fit_is_objected_to() {
    let cases = [
        (
            EspImage {
                chip: Chip::ESP32C6,
                ..lamp()
            },
            ObjectionKind::ImageChip,
        ),
        (
            EspImage {
                secure_version: 2,
                ..lamp()
            },
            ObjectionKind::ImageSecureVersion,
        ),
        (
            EspImage {
                project: "kettle",
                ..lamp()
            },
            ObjectionKind::ImageName,
        ),
        (
            EspImage {
                version: "2.0.2",
                ..lamp()
            },
            ObjectionKind::ImageVersion,
        ),
    ];
    for (image, objection) in cases {
        assert_eq!(objections(&read(&image.to_bytes())), [objection]);
    }
    let mut damaged = lamp().to_bytes();
    damaged[600] ^= 0x10;
    assert_eq!(
        objections(&read(&damaged)),
        [ObjectionKind::ImageChecksum, ObjectionKind::ImageHash]
    );
    assert_eq!(
        objections(&read(&damaged[..damaged.len() - 1])),
        [ObjectionKind::ImageTruncated]
    );
}

#[test]
fn a_first_release_and_a_project_without_hardware_are_measured_by_nothing() {
    let version: Version = "2.0.1".parse().expect("a version");
    let expected = Expected {
        hardware: &[],
        project_name: None,
        version: &version,
        secure_version: None,
    };
    assert_eq!(judge(&read(&lamp().to_bytes()), &expected), []);
}

#[test]
fn only_a_version_is_proposed_as_one() {
    let proposed = |version| {
        let bytes = EspImage { version, ..lamp() }.to_bytes();
        read(&bytes).proposed_version()
    };
    assert_eq!(proposed("1.4.0-rc.1"), Some("1.4.0-rc.1".to_owned()));
    assert_eq!(proposed("v1.4.0"), Some("1.4.0".to_owned()));
    assert_eq!(proposed("c873579-dirty"), None);
    assert_eq!(proposed(""), None);
}

/// Whole images of every kind that the reader knows.
fn any_image() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..600_usize).prop_map(|payload_bytes| EspImage {
            payload_bytes,
            ..lamp()
        }
        .to_bytes()),
        (0..90_usize).prop_map(|words| esp8266::v1(&vec![5; words * 4], &[6; 12])),
        (0..90_usize).prop_map(|words| esp8266::v2(&vec![5; words * 16], &[6; 12], &[])),
        (96..600_usize).prop_map(|used| squashfs(used, 100, 100)),
    ]
}

proptest! {
    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..1_024)) {
        read(&bytes);
    }

    /// Magic and chip fit, everything after them lies.
    #[test]
    fn lying_headers_never_panic(
        (magic, chip) in (prop_oneof![Just(0xE9_u8), Just(0xEA)], 0..32_u8),
        segments in any::<u8>(),
        rest in prop::collection::vec(prop_oneof![Just(0), Just(0xFF), any::<u8>()], 30..900),
    ) {
        let mut bytes = [&[magic, segments], &rest[..]].concat();
        bytes[12] = chip;
        bytes[13] = 0;
        bytes[23] = 1;
        let facts = read(&bytes);
        judge(&facts, &Expected {
            hardware: &[],
            project_name: Some(""),
            version: &"1.0.0".parse().expect("a version"),
            secure_version: Some(1),
        });
    }

    #[test]
    fn the_size_of_the_pieces_does_not_matter(
        image in any_image(),
        cuts in prop::collection::vec(1..400_usize, 1..40),
    ) {
        let mut reader = ImageReader::new();
        let mut rest = &image[..];
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            reader.feed(now);
            rest = later;
        }
        prop_assert_eq!(reader.finish(), read(&image));
    }

    #[test]
    fn an_esp_image_cut_anywhere_behind_its_header_is_seen_as_cut(
        cut in 24..1_400_usize,
    ) {
        let image = lamp().to_bytes();
        prop_assume!(cut < image.len());
        prop_assert!(!esp(read(&image[..cut])).complete);
    }

    #[test]
    fn a_changed_bit_in_an_image_with_a_hash_never_goes_unseen(
        position in 24..1_400_usize,
        bit in 0..8_u32,
    ) {
        let mut image = lamp().to_bytes();
        prop_assume!(position < image.len());
        image[position] ^= 1 << bit;
        let facts = esp(read(&image));
        prop_assert!(!(facts.complete && facts.checksum_ok && facts.hash_ok == Some(true)));
    }
}
