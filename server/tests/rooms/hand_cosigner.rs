//! A co-signer that signs, is silent or refuses when a test says so.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use gatehouse_core::ports::cosigner::{CoSignFailure, CoSigner, CoSignerIdentity, CoSignerKeys};
use gatehouse_manifest::{Algorithm, Claims, Manifest, SigningKey, cosigner_kid};
use gatehouse_types::manifest::CoSignerKind;
use uuid::Uuid;

#[derive(Default)]
pub(crate) struct HandCoSigner {
    failure: Mutex<Option<CoSignFailure>>,
    asked: AtomicUsize,
    /// The counters of the releases that it signed.
    counters: Mutex<Vec<u64>>,
}

impl HandCoSigner {
    /// From now on it answers like this; `None` when all is well.
    pub(crate) fn fails_with(&self, failure: Option<CoSignFailure>) {
        *self.failure.lock().expect("not poisoned") = failure;
    }

    pub(crate) fn falls_silent(&self) {
        self.fails_with(Some(CoSignFailure::Unreachable {
            detail: "Nobody is at home.".into(),
        }));
    }

    pub(crate) fn refuses(&self, code: &str, retry_after_s: Option<u64>) {
        self.fails_with(Some(CoSignFailure::Refused {
            code: code.into(),
            detail: format!("It is {code}."),
            retry_after_s,
        }));
    }

    /// How often it was asked for a signature.
    pub(crate) fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Which releases it signed, by their counters.
    pub(crate) fn counters(&self) -> Vec<u64> {
        self.counters.lock().expect("not poisoned").clone()
    }

    fn answer<T>(&self, signed: impl FnOnce() -> T) -> Result<T, CoSignFailure> {
        match self.failure.lock().expect("not poisoned").clone() {
            Some(failure) => Err(failure),
            None => Ok(signed()),
        }
    }
}

/// Each project has its own key, always the same.
fn key(project_id: Uuid) -> SigningKey {
    let mut bytes = [3; 32];
    bytes[16..].copy_from_slice(project_id.as_bytes());
    SigningKey::from_bytes(Algorithm::Es256, &bytes).expect("is a key")
}

#[async_trait]
impl CoSigner for HandCoSigner {
    fn identity(&self) -> CoSignerIdentity {
        CoSignerIdentity {
            kind: CoSignerKind::Service,
            url: Some("https://cosigner.example".into()),
            server_id: "4bf5122f-3445-8c81-8ecb-7b9d5f1b2d5d".into(),
            identity_pem: "-----BEGIN PUBLIC KEY-----\n".into(),
        }
    }

    async fn cosign(
        &self,
        project_id: Uuid,
        mut manifest: Manifest,
    ) -> Result<Manifest, CoSignFailure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answer(|| {
            let claims: Claims = manifest.payload().expect("are claims");
            let mut counters = self.counters.lock().expect("not poisoned");
            counters.push(claims.release_counter);
            manifest.add_signature(&cosigner_kid(&project_id.to_string()), &key(project_id));
            manifest
        })
    }

    async fn keys(&self, project_id: Uuid) -> Result<CoSignerKeys, CoSignFailure> {
        self.answer(|| CoSignerKeys {
            current: key(project_id).public_key(),
            next: None,
        })
    }

    async fn status(&self) -> Result<(), CoSignFailure> {
        self.answer(|| ())
    }
}
