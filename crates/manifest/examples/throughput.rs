//! How many signatures and checks one core does in a second: `cargo run --release --example
//! throughput --features fast`.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use gatehouse_manifest::{Algorithm, Manifest, SigningKey, cosigner_kid, project_kid};

const ENOUGH: Duration = Duration::from_secs(2);
const PROJECT_ID: &str = "0190d5a4-7e31-7c44-9a55-3f6f8c6d1b20";

fn main() {
    let key = SigningKey::from_bytes(Algorithm::Es256, &[7; 32]).expect("a scalar of P-256");
    let claims = format!(r#"{{"claims":"{}"}}"#, "x".repeat(500));
    let kid = project_kid(PROJECT_ID);

    report("signatures", || {
        black_box(Manifest::from_payload_json(&claims, &kid, &key));
    });
    let manifest = Manifest::from_payload_json(&claims, &kid, &key);
    let keys = [key.public_key()];
    report("checked signatures", || {
        manifest.check_signature(&kid, &keys).expect("a good one");
    });
    report("manifests with two signatures", || {
        let mut manifest = Manifest::from_payload_json(&claims, &kid, &key);
        manifest.add_signature(&cosigner_kid(PROJECT_ID), &key);
        black_box(manifest.to_string());
    });
}

fn report(what: &str, mut round: impl FnMut()) {
    round();
    let start = Instant::now();
    let mut rounds = 0_u32;
    while start.elapsed() < ENOUGH {
        round();
        rounds += 1;
    }
    let each_second = f64::from(rounds) / start.elapsed().as_secs_f64();
    println!("{each_second:>8.0} {what} a second");
}
