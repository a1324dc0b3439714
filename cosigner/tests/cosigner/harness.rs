//! A co-signer's folder, a portal with a key, and what that portal sends.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use gatehouse_cosigner::{CoSigner, Portal, Projects, Refused, Star};
use gatehouse_manifest::{Algorithm, Claims, Manifest, SigningKey, bearer, jti};
use tempfile::TempDir;
use uuid::Uuid;

/// 2027-01-15, 08:00 UTC.
pub(crate) const NOW_S: i64 = 1_800_000_000;
pub(crate) const PROJECT: Uuid = Uuid::from_u128(0x2c1a_7bd0_8f0e_7c3b_9d55_0d7f_2f4a_9a11);
pub(crate) const OTHER_PROJECT: Uuid = Uuid::from_u128(0x2c1a_7bd0_8f0e_7c3b_9d55_0d7f_2f4a_9a12);
pub(crate) const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
pub(crate) const OTHER_SHA256: &str =
    "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

static DRAWN: AtomicU64 = AtomicU64::new(1);

/// Other bytes each time.
pub(crate) fn entropy(bytes: &mut [u8]) {
    bytes.fill(1);
    let drawn = DRAWN.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let len = drawn.len().min(bytes.len());
    bytes[..len].copy_from_slice(&drawn[8 - len..]);
}

/// A folder and a co-signer that reads it.
pub(crate) struct Home {
    pub(crate) cosigner: CoSigner,
    folder: TempDir,
}

impl Home {
    pub(crate) fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cosigner =
            CoSigner::open(&folder.path().join("cosigner"), entropy).expect("a new folder");
        Self { cosigner, folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("cosigner")
    }

    /// Opens the same folder once more, like another process.
    pub(crate) fn another(&self) -> CoSigner {
        CoSigner::open(&self.path(), entropy).expect("opens twice")
    }

    pub(crate) fn trust(&self, sender: &Sender, change: impl FnOnce(&mut Portal)) {
        let mut portal = Portal {
            name: "workshop".into(),
            key_pem: sender.key.public_key().to_pem(),
            projects: Projects::Any(Star::Star),
            hours: None,
            per_hour: None,
            needs_approval: false,
            older_releases: false,
            plain_messages: false,
            trusted_at_ms: NOW_S * 1000,
            revoked_at_ms: None,
        };
        change(&mut portal);
        let server_id = self.cosigner.trust(&portal).expect("a good key");
        assert_eq!(server_id.to_string(), sender.server_id);
    }
}

/// A portal as the co-signer sees it.
pub(crate) struct Sender {
    pub(crate) key: SigningKey,
    pub(crate) server_id: String,
}

impl Sender {
    pub(crate) fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(Algorithm::Es256, &[seed; 32]).expect("a scalar");
        let server_id = key.public_key().server_id();
        Self { key, server_id }
    }

    /// A bearer that was never used.
    pub(crate) fn bearer(&self, at_s: i64) -> String {
        let id = jti(at_s + 600, nonce());
        bearer::sign(&self.server_id, &self.key, &id, at_s, at_s + 600)
    }

    pub(crate) fn signed(&self, claims: &Claims) -> String {
        Manifest::sign(claims, &self.server_id, &self.key).to_string()
    }

    /// Asks for a signature over some claims at a time.
    pub(crate) fn ask_at(
        &self,
        cosigner: &CoSigner,
        claims: &Claims,
        now_s: i64,
    ) -> Result<Manifest, Refused> {
        self.send(cosigner, &self.signed(claims), now_s)
    }

    pub(crate) fn ask(&self, cosigner: &CoSigner, claims: &Claims) -> Result<Manifest, Refused> {
        self.ask_at(cosigner, claims, NOW_S)
    }

    pub(crate) fn send(
        &self,
        cosigner: &CoSigner,
        body: &str,
        now_s: i64,
    ) -> Result<Manifest, Refused> {
        let bearer = self.bearer(now_s);
        cosigner.cosign(PROJECT, &self.server_id, &bearer, body, now_s * 1000)
    }
}

fn nonce() -> [u8; 6] {
    let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
    // In base 62, like the letters of a jti.
    std::array::from_fn(|place| {
        let shifted = drawn / 62_u64.pow(u32::try_from(place).expect("small"));
        u8::try_from(shifted % 62).expect("small")
    })
}

/// What a portal says of release 1.0.`counter`.
pub(crate) fn claims_at(counter: u64, now_s: i64) -> Claims {
    let exp = now_s + 900;
    Claims {
        iss: "https://portal.example".into(),
        project: "lamp".into(),
        version: format!("1.0.{counter}"),
        release_counter: counter,
        download_url: "https://portal.example/firmware/lamp/lamp.bin".into(),
        checksum: 0x3bd9_2bd1,
        sha256: SHA256.into(),
        size_bytes: 4,
        hardware: vec!["lamp-2".into()],
        min_version: None,
        allow_downgrade: false,
        jti: jti(exp, nonce()),
        nbf: now_s,
        exp,
    }
}

pub(crate) fn claims(counter: u64) -> Claims {
    claims_at(counter, NOW_S)
}

/// The code of a refusal, so that tables stay readable.
pub(crate) fn code(answer: &Result<Manifest, Refused>) -> &'static str {
    match answer {
        Ok(_) => "signed",
        Err(refused) => refused.code(),
    }
}
