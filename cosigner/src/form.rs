//! What a message has to be like, before anything is asked about the portal that sends it.

use gatehouse_manifest::{Claims, MAX_LIFETIME_S, Manifest, Refusal};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{Portal, Refused};

/// How far a message's beginning may lie ahead, and its end beyond an hour.
const CLOCK_LEEWAY_S: i64 = 120;
/// How long after its end a message is still signed.
const EXPIRY_LEEWAY_S: i64 = 3;
const SHA256_DIGITS: usize = 64;
/// Of the project's name, the version and `min_version`.
const MAX_WORD_BYTES: usize = 100;
const MAX_HARDWARE: usize = 16;
const MAX_HARDWARE_BYTES: usize = 64;

/// Refuses times that are over or lie too far ahead.
pub(crate) fn check_times(
    nbf_s: Option<i64>,
    exp_s: Option<i64>,
    now_ms: i64,
) -> Result<(), Refused> {
    let now_s = now_ms.div_euclid(1000);
    let (nbf_s, exp_s) = (nbf_s.unwrap_or(now_s), exp_s.unwrap_or(now_s));
    let refusal = if exp_s.saturating_add(EXPIRY_LEEWAY_S) < now_s {
        Refusal::Expired
    } else if nbf_s.saturating_sub(CLOCK_LEEWAY_S) > now_s {
        Refusal::NotYetValid
    } else if exp_s.saturating_sub(now_s) > MAX_LIFETIME_S + CLOCK_LEEWAY_S {
        Refusal::LifetimeTooLong
    } else {
        return Ok(());
    };
    Err(Refused::BadManifest(refusal))
}

/// Refuses what would make the memory of a project long, or hard to compare by eye.
pub(crate) fn check_release(claims: &Claims) -> Result<(), Refused> {
    let is_digest = claims.sha256.len() == SHA256_DIGITS
        && claims
            .sha256
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let words = [Some(&claims.project), Some(&claims.version)];
    let words = words.into_iter().chain([claims.min_version.as_ref()]);
    let what = if !is_digest {
        "sha256 has 64 lower-case hexadecimal digits"
    } else if words.flatten().any(|word| word.len() > MAX_WORD_BYTES) {
        "project, version and min_version have at most 100 bytes each"
    } else if claims.hardware.len() > MAX_HARDWARE
        || claims
            .hardware
            .iter()
            .any(|word| word.len() > MAX_HARDWARE_BYTES)
    {
        "hardware has at most 16 entries of at most 64 bytes"
    } else {
        return Ok(());
    };
    Err(Refused::BadRelease { what })
}

/// What is looked at in a message that is no manifest.
#[derive(Deserialize)]
struct Plain {
    nbf: Option<i64>,
    exp: Option<i64>,
    release_counter: Option<IgnoredAny>,
}

/// What nearly is a manifest could pass for one at a device that reads it otherwise, and where a second
/// person has to approve, nothing goes past that person.
pub(crate) fn check_plain(
    manifest: &Manifest,
    refusal: Refusal,
    portal: &Portal,
    now_ms: i64,
) -> Result<(), Refused> {
    if refusal != Refusal::NoManifest {
        return Err(Refused::BadManifest(refusal));
    }
    let plain: Plain = manifest.payload().map_err(Refused::BadManifest)?;
    if plain.release_counter.is_some() {
        return Err(Refused::BadManifest(refusal));
    }
    if !portal.plain_messages || portal.needs_approval {
        return Err(Refused::NoManifest);
    }
    check_times(plain.nbf, plain.exp, now_ms)
}
