//! How fast it signs; a measurement, so only on demand.

use std::time::Instant;

use gatehouse_manifest::{Algorithm, Manifest, SigningKey};

use crate::harness::{Home, NOW_S, PROJECT, claims};

#[test]
#[ignore = "a measurement: cargo test --release -p gatehouse-cosigner -- --ignored --nocapture"]
fn in_process_it_signs_5000_a_second() {
    const COUNT: u32 = 20_000;
    let home = Home::make();
    let own = SigningKey::from_bytes(Algorithm::Es256, &[9; 32]).expect("a scalar");
    let manifest = Manifest::sign(&claims(1), &PROJECT.to_string(), &own);
    let began = Instant::now();
    for _ in 0..COUNT {
        home.cosigner
            .cosign_own(PROJECT, manifest.clone(), NOW_S * 1000)
            .expect("signs");
    }
    let per_s = f64::from(COUNT) / began.elapsed().as_secs_f64();
    println!("{per_s:.0} signatures a second on one core");
    assert!(per_s >= 5000.0, "{per_s}");
}
