//! Compares the files with what the generator makes of fixed keys (RFC 6979 has no randomness).

mod cases;
mod maker;

use std::{collections::BTreeSet, env, fs};

use crate::file::{TAKEN, Vector, folder, published};

#[test]
fn the_files_are_what_the_generator_writes() {
    let vectors = cases::all();
    let written: Vec<(String, String)> = vectors.iter().map(file_of).collect();
    if env::var_os("UPDATE_VECTORS").is_some() {
        for (name, _) in published() {
            fs::remove_file(folder().join(name).with_extension("json")).expect("removed");
        }
        for (name, text) in &written {
            fs::write(folder().join(format!("{name}.json")), text).expect("written");
        }
    }
    let names = |files: &[(String, String)]| -> BTreeSet<String> {
        files.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&published()), names(&written));
    for (name, text) in published() {
        let (_, expected) = written.iter().find(|(one, _)| *one == name).expect("named");
        assert_eq!(
            &text, expected,
            "{name} is another: UPDATE_VECTORS=1 writes it anew"
        );
    }
}

#[test]
fn there_is_a_vector_for_each_thing_that_a_device_refuses() {
    let shown: BTreeSet<String> = cases::all()
        .into_iter()
        .map(|vector| vector.expected)
        .collect();
    for code in [
        TAKEN,
        "already_seen",
        "bad_nonce",
        "bad_signature",
        "counter_too_low",
        "expired",
        "image_differs",
        "image_too_long",
        "image_too_short",
        "lifetime_too_long",
        "malformed",
        "no_manifest",
        "not_yet_valid",
        "other_hardware",
        "other_project",
        "same_key_twice",
        "signature_doubled",
        "signature_missing",
        "too_long",
        "unknown_signer",
        "unsupported_algorithm",
        "version_too_low",
        "wrong_key_type",
        "wrong_type",
    ] {
        assert!(shown.contains(code), "{code}");
    }
}

fn file_of(vector: &Vector) -> (String, String) {
    let json = serde_json::to_string_pretty(vector).expect("a vector is plain JSON");
    (vector.name.clone(), format!("{json}\n"))
}
