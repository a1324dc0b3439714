//! The published vectors: this crate says of each what its file says, and each says what the
//! generator writes. `UPDATE_VECTORS=1 cargo test -p gatehouse-manifest` writes them anew.

mod file;
#[cfg(all(feature = "ed25519", feature = "p256", feature = "sign"))]
mod written;

use file::{Vector, published};

#[test]
fn every_vector_ends_as_its_file_says() {
    let mut judged = 0;
    for (name, text) in published() {
        let vector: Vector = serde_json::from_str(&text).expect("a vector");
        assert_eq!(vector.name, name);
        if vector.name.contains("ed25519") && !cfg!(feature = "ed25519") {
            continue;
        }
        assert_eq!(
            vector.outcome(),
            vector.expected,
            "{name}: {}",
            vector.about
        );
        judged += 1;
    }
    assert!(judged > 40, "only {judged}");
}
