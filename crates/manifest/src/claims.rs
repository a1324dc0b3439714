use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::{Refusal, times};

/// What a release manifest says: which image, for whom, and for how long the word holds.
///
/// Members that are not named here are passed over when claims are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The portal that published it: its public address or its id.
    pub iss: String,
    /// The project's name.
    pub project: String,
    /// The release's version, such as `1.4.0`.
    pub version: String,
    /// Rises with every publication in the project; a device never goes back.
    pub release_counter: u64,
    /// Where the image is; that address needs no trust.
    pub download_url: String,
    /// CRC-32 of the image as zlib computes it (ISO-HDLC).
    pub checksum: u32,
    /// SHA-256 of the image, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The image's length in bytes.
    pub size_bytes: u64,
    /// The hardware it runs on; empty for any.
    pub hardware: Vec<String>,
    /// The lowest version from which a device may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<String>,
    /// Whether a device may install it although it has had a higher counter.
    pub allow_downgrade: bool,
    /// The manifest's own id, made by [`jti`], never used twice.
    pub jti: String,
    /// Not valid before this time, in seconds since 1970.
    pub nbf: i64,
    /// Not valid after this time, in seconds since 1970.
    pub exp: i64,
}

const JTI_VERSION: &str = "002";
const JTI_ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const JTI_RANDOM_BYTES: usize = 6;

/// A manifest's own id: `002`, its expiry in UTC, and six letters or digits chosen by `random`.
///
/// `exp_s` is in seconds since 1970 and falls between the years 2000 and 9999.
pub fn jti(exp_s: i64, random: [u8; JTI_RANDOM_BYTES]) -> String {
    let letters =
        random.map(|byte| char::from(JTI_ALPHABET[usize::from(byte) % JTI_ALPHABET.len()]));
    format!("{}{}", jti_start(exp_s), letters.iter().collect::<String>())
}

/// Whether a message's id is of the agreed form and names the message's own expiry.
pub fn jti_fits(jti: &str, exp_s: i64) -> bool {
    jti.strip_prefix(&jti_start(exp_s)).is_some_and(|random| {
        random.len() == JTI_RANDOM_BYTES && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Checks a message's times together with its id, which knows no leeway.
pub(crate) fn check_validity(jti: &str, nbf_s: i64, exp_s: i64, now_s: i64) -> Result<(), Refusal> {
    times::check_times(nbf_s, exp_s, now_s)?;
    if !jti_fits(jti, exp_s) {
        return Err(Refusal::BadNonce);
    }
    Ok(())
}

fn jti_start(exp_s: i64) -> String {
    format!("{JTI_VERSION}{}", times::utc(exp_s))
}

/// The `kid` of a project's own signature.
pub fn project_kid(project_id: &str) -> String {
    project_id.to_string()
}

/// The `kid` of the co-signer's signature for a project.
pub fn cosigner_kid(project_id: &str) -> String {
    format!("project/{project_id}")
}
