//! What holds for every manifest, tried with many.

use gatehouse_manifest::{
    Algorithm, Claims, DeviceState, Manifest, SigningKey, Trusted, bearer, cosigner_kid, jti,
    project_kid, verify,
};
use proptest::prelude::*;

const PROJECT_ID: &str = "0190d5a4-7e31-7c44-9a55-3f6f8c6d1b20";
const NOW_S: i64 = 1_800_000_000;

struct Signers {
    project: SigningKey,
    cosigner: SigningKey,
}

impl Signers {
    fn new(algorithm: Algorithm) -> Self {
        let key = |byte| SigningKey::from_bytes(algorithm, &[byte; 32]).expect("a key");
        Self {
            project: key(1),
            cosigner: key(2),
        }
    }

    fn trusted(&self) -> Trusted {
        Trusted {
            project_id: PROJECT_ID.to_owned(),
            project_keys: vec![self.project.public_key()],
            cosigner_keys: vec![self.cosigner.public_key()],
        }
    }

    fn sign(&self, claims: &Claims) -> String {
        let mut manifest = Manifest::sign(claims, &project_kid(PROJECT_ID), &self.project);
        manifest.add_signature(&cosigner_kid(PROJECT_ID), &self.cosigner);
        manifest.to_string()
    }
}

const fn device(project: &str) -> DeviceState<'_> {
    DeviceState {
        now_s: NOW_S,
        project,
        hardware: None,
        version: None,
        release_counter: 0,
        has_seen: &|_| false,
    }
}

fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::Es256), Just(Algorithm::EdDsa)]
}

prop_compose! {
    fn claims()(
        words in prop::array::uniform4(".{0,40}"),
        checksum: u32,
        release_counter: u64,
        size_bytes: u64,
        allow_downgrade: bool,
        random: [u8; 6],
        age_s in 0..900_i64,
    ) -> Claims {
        let [iss, project, version, download_url] = words;
        let exp = NOW_S - age_s + 900;
        Claims {
            iss, project, version, release_counter, download_url, checksum,
            sha256: "0".repeat(64),
            size_bytes,
            hardware: Vec::new(),
            min_version: None,
            allow_downgrade,
            jti: jti(exp, random),
            nbf: exp - 900,
            exp,
        }
    }
}

proptest! {
    #[test]
    fn what_both_sign_is_taken_as_it_was_written(claims in claims(), algorithm in algorithms()) {
        let signers = Signers::new(algorithm);
        let text = signers.sign(&claims);
        let read = Manifest::parse(&text).expect("a manifest");
        prop_assert_eq!(read.to_string(), text.clone());
        let taken = verify(&text, &signers.trusted(), &device(&claims.project));
        prop_assert_eq!(taken, Ok(claims));
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in ".{0,400}") {
        let _ = Manifest::parse(&text);
        let _ = bearer::kid(&text);
        let _ = bearer::verify(&text, &Signers::new(Algorithm::Es256).project.public_key(), NOW_S);
        let _ = Trusted::from_bundle_json(&text);
    }

    #[test]
    fn a_piece_changed_for_another_is_refused(
        claims in claims(),
        place: prop::sample::Index,
        length in 1..8_usize,
        other in "[\\x20-\\x7e]{0,8}",
    ) {
        let signers = Signers::new(Algorithm::EdDsa);
        let text = signers.sign(&claims);
        let start = place.index(text.len());
        let end = text.len().min(start + length);
        let mut changed = text.clone();
        changed.replace_range(start..end, &other);
        // Space between members says nothing, so the text may be another and still the same.
        prop_assume!(!says_the_same(&changed, &text));
        prop_assert!(verify(&changed, &signers.trusted(), &device(&claims.project)).is_err());
    }
}

fn says_the_same(one: &str, other: &str) -> bool {
    Manifest::parse(one).is_ok_and(|manifest| manifest.to_string() == other)
}

/// Every bit, not a sample: one that is not covered would be the one that matters.
#[test]
fn a_manifest_with_any_one_bit_changed_is_refused() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let signers = Signers::new(algorithm);
        let claims = Claims {
            iss: "https://portal.example".to_owned(),
            project: "é".to_owned(),
            version: "1.0.0".to_owned(),
            release_counter: 1,
            download_url: "https://portal.example/1".to_owned(),
            checksum: 1,
            sha256: String::new(),
            size_bytes: 1,
            hardware: Vec::new(),
            min_version: None,
            allow_downgrade: false,
            jti: jti(NOW_S + 900, [0; 6]),
            nbf: NOW_S,
            exp: NOW_S + 900,
        };
        let text = signers.sign(&claims);
        let (trusted, device) = (signers.trusted(), device(&claims.project));
        assert_eq!(verify(&text, &trusted, &device), Ok(claims.clone()));
        for position in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[position / 8] ^= 1 << (position % 8);
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            let taken = verify(&changed, &trusted, &device);
            assert!(taken.is_err(), "bit {position} of {text}");
        }
    }
}
