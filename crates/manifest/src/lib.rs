//! Two-signature release manifests: signed, co-signed and verified without any input or output.
//!
//! A device installs only what two independent keys signed: the project's, which the portal has,
//! and the co-signer's, which somebody else has. A manifest says which image it is, for whom, and
//! for how long the word holds; on the wire it is a JWS in the general JSON serialization with
//! exactly two signatures. The portal makes it with [`Manifest::sign`], the co-signer adds its own
//! with [`Manifest::add_signature`], and a device asks [`verify()`] and [`ImageCheck`].
//!
//! Nothing here reads a clock, a file or random bytes: all of them come from the caller. The crate
//! needs an allocator and no standard library. A device builds it without the feature `sign` and
//! with the one curve that its project uses, `p256` or `ed25519`; a portal adds `fast`.
//!
//! For other languages `vectors/` has a file for each thing that has to be refused.
//!
//! # Example
//!
//! ```
//! # #[cfg(all(feature = "p256", feature = "sign"))] {
//! use gatehouse_manifest::{
//!     Algorithm, Claims, DeviceState, ImageCheck, Manifest, Refusal, SigningKey, Trusted,
//!     cosigner_kid, jti, project_kid, verify,
//! };
//!
//! // Two keys in two places. Real ones come from random bytes.
//! let project_key = SigningKey::from_bytes(Algorithm::Es256, &[1; 32])?;
//! let cosigner_key = SigningKey::from_bytes(Algorithm::Es256, &[2; 32])?;
//! let project_id = "0190d5a4-7e31-7c44-9a55-3f6f8c6d1b20";
//!
//! // The portal says what the image is. Its time and six random bytes make the id.
//! let now_s = 1_800_000_000;
//! let image = b"an image";
//! let claims = Claims {
//!     iss: "https://portal.example".into(),
//!     project: "weather-station".into(),
//!     version: "1.4.0".into(),
//!     release_counter: 7,
//!     download_url: "https://portal.example/firmware".into(),
//!     checksum: 0xa659_be80,
//!     sha256: "a5df3fde7b200c3fa2791144c7e05c5c2bced4c6ad863d3a4cf76c972c1712f9".into(),
//!     size_bytes: 8,
//!     hardware: vec!["esp32s3".into()],
//!     min_version: None,
//!     allow_downgrade: false,
//!     jti: jti(now_s + 900, [3, 1, 4, 1, 5, 9]),
//!     nbf: now_s,
//!     exp: now_s + 900,
//! };
//! let mut manifest = Manifest::sign(&claims, &project_kid(project_id), &project_key);
//!
//! // The co-signer reads what it is asked to sign, and adds its signature.
//! let mut received = Manifest::parse(&manifest.to_string())?;
//! received.check_signature(&project_kid(project_id), &[project_key.public_key()])?;
//! received.add_signature(&cosigner_kid(project_id), &cosigner_key);
//! let text = received.to_string();
//!
//! // The device knows two public keys, and what it is and runs itself.
//! let trusted = Trusted {
//!     project_id: project_id.into(),
//!     project_keys: vec![project_key.public_key()],
//!     cosigner_keys: vec![cosigner_key.public_key()],
//! };
//! let device = DeviceState {
//!     now_s: now_s + 5,
//!     project: "weather-station",
//!     hardware: Some("esp32s3"),
//!     version: Some("1.3.0"),
//!     release_counter: 6,
//!     has_seen: &|_| false,
//! };
//! let release = verify(&text, &trusted, &device)?;
//!
//! // What it downloads is checked while it comes.
//! let mut check = ImageCheck::new(&release);
//! for piece in image.chunks(3) {
//!     check.push(piece)?;
//! }
//! check.finish()?;
//!
//! // One signature is not enough.
//! manifest.remove_signature(&cosigner_kid(project_id));
//! let refused = verify(&manifest.to_string(), &trusted, &device);
//! assert_eq!(refused, Err(Refusal::SignatureMissing));
//! # }
//! # Ok::<(), gatehouse_manifest::Refusal>(())
//! ```
#![no_std]

extern crate alloc;

#[cfg(not(any(feature = "p256", feature = "ed25519")))]
compile_error!("choose at least one of the features `p256` and `ed25519`");

// One crate under two names: whichever of the curves is built brings it.
#[cfg(all(feature = "ed25519", not(feature = "p256")))]
use ed25519_dalek::pkcs8;
#[cfg(feature = "p256")]
use p256::pkcs8;

pub mod bearer;

mod base64url;
mod claims;
mod image;
mod jwk;
mod manifest;
mod public_key;
mod refusal;
#[cfg(feature = "sign")]
mod signing_key;
mod times;
mod trust;
mod verify;
mod version;

pub use claims::{Claims, cosigner_kid, jti, jti_fits, project_kid};
pub use image::ImageCheck;
pub use jwk::Jwk;
pub use manifest::{MAX_MANIFEST_BYTES, Manifest};
pub use public_key::{Algorithm, PublicKey};
pub use refusal::Refusal;
#[cfg(feature = "sign")]
pub use signing_key::SigningKey;
pub use times::MAX_LIFETIME_S;
pub use trust::{Bundle, Trusted};
pub use verify::{DeviceState, verify};
