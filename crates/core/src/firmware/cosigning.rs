//! How the portal stands with its co-signer: learnt from whatever it is asked.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use gatehouse_manifest::Manifest;
use gatehouse_types::{
    Timestamp, codes,
    manifest::{CoSignerState, CoSignerStatus, CoSignerWord, ReleaseSigning},
};
use uuid::Uuid;

use super::Firmware;
use crate::{
    Actor, Error, Result,
    ports::{
        cosigner::{CoSignFailure, CoSignerKeys},
        firmware::ReleaseRecord,
    },
};

/// So long nobody waits for a co-signer that was found silent, in milliseconds.
const SILENCE_MS: i64 = 1_000;
const RETRY_UNREACHABLE_S: u64 = 30;
const RETRY_REFUSED_S: u64 = 60;

/// It is forgotten with the process: the next manifest tells it anew.
#[derive(Default)]
pub(super) struct CoSigning {
    standing: Mutex<Option<Standing>>,
    /// What was last said of each release's newest publication.
    words: Mutex<HashMap<Uuid, Word>>,
    /// The keys that it last told, for the time that it does not answer.
    keys: Mutex<HashMap<Uuid, CoSignerKeys>>,
    /// Held while publications are shown to it, so that they come in their order.
    pub(super) presenting: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Standing {
    state: CoSignerState,
    detail: String,
    since_ms: i64,
    heard_at_ms: i64,
}

struct Word {
    release_counter: Option<i64>,
    said: CoSignerWord,
}

impl CoSigning {
    /// Notes how the co-signer answered, and tells the log when that changed.
    fn note(&self, answer: std::result::Result<(), &CoSignFailure>, now_ms: i64) {
        let failure = answer.err().filter(|failure| failure.concerns_everything());
        let state = failure.map_or(CoSignerState::Ok, state_of);
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let known_since = (standing.as_ref())
            .filter(|known| known.state == state)
            .map(|known| known.since_ms);
        let detail = failure.map(CoSignFailure::detail).unwrap_or_default();
        if known_since.is_none() {
            if let Some(failure) = failure {
                tracing::warn!(code = failure.code(), detail, "the co-signer does not sign");
            } else {
                tracing::info!("the co-signer answers");
            }
        }
        *standing = Some(Standing {
            state,
            detail,
            since_ms: known_since.unwrap_or(now_ms),
            heard_at_ms: now_ms,
        });
    }

    fn note_word(
        &self,
        release: &ReleaseRecord,
        answer: std::result::Result<(), &CoSignFailure>,
        now_ms: i64,
    ) {
        let code = answer
            .err()
            .map_or(CoSignerWord::SIGNED, CoSignFailure::code);
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let known_since = (words.get(&release.id))
            .filter(|word| word.is_of(release) && word.said.code == code)
            .map(|word| word.said.since);
        let said = CoSignerWord {
            since: known_since.unwrap_or(Timestamp(now_ms)),
            code: code.to_owned(),
            detail: answer.err().map(CoSignFailure::detail).unwrap_or_default(),
        };
        let release_counter = release.release_counter;
        words.insert(
            release.id,
            Word {
                release_counter,
                said,
            },
        );
    }

    fn word(&self, release: &ReleaseRecord) -> Option<CoSignerWord> {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let word = words.get(&release.id).filter(|word| word.is_of(release));
        word.map(|word| word.said.clone())
    }

    /// Whether the newest publication of the release was signed once.
    pub(super) fn has_signed(&self, release: &ReleaseRecord) -> bool {
        self.word(release)
            .is_some_and(|word| word.code == CoSignerWord::SIGNED)
    }

    /// Whether the co-signer has not judged the newest publication of the release yet.
    pub(super) fn awaits_word(&self, release: &ReleaseRecord) -> bool {
        const NO_WORD: [&str; 2] = [CoSignerWord::UNREACHABLE, CoSignerWord::CLOCK];
        self.word(release)
            .is_none_or(|word| NO_WORD.contains(&word.code.as_str()))
    }

    /// Answers for a co-signer that was silent a moment ago, so that a fleet does not wait for it.
    fn silence(&self, now_ms: i64) -> Option<CoSignFailure> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing
            .as_ref()
            .filter(|known| known.state == CoSignerState::Unreachable)
            .filter(|known| (0..SILENCE_MS).contains(&(now_ms - known.heard_at_ms)))
            .map(|known| CoSignFailure::Unreachable {
                detail: known.detail.clone(),
            })
    }
}

impl Word {
    fn is_of(&self, release: &ReleaseRecord) -> bool {
        self.release_counter == release.release_counter
    }
}

impl Firmware {
    /// Who signs beside the portal, and whether it does; asks it.
    ///
    /// # Errors
    /// When the actor is no admin.
    pub async fn cosigner_status(&self, actor: &Actor) -> Result<CoSignerStatus> {
        actor.require_admin()?;
        let co_signer = self.ports.cosigner.as_ref();
        let answer = co_signer.status().await;
        self.co_signing
            .note(answer.as_ref().copied(), self.ports.now_ms());
        let standing = self.co_signing.standing.lock();
        let standing = standing.unwrap_or_else(PoisonError::into_inner).clone();
        let standing =
            standing.ok_or_else(|| Error::internal("nothing is known of the co-signer"))?;
        let identity = co_signer.identity();
        Ok(CoSignerStatus {
            kind: identity.kind,
            url: identity.url,
            server_id: identity.server_id,
            identity_pem: identity.identity_pem,
            state: standing.state,
            since: Timestamp(standing.since_ms),
            detail: standing.detail,
        })
    }

    /// How a release stands with the co-signer, as far as this instance saw it.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such release.
    pub fn release_signing(
        &self,
        actor: &Actor,
        project: &str,
        version: &str,
    ) -> Result<ReleaseSigning> {
        actor.require_admin()?;
        let record = self.find_release(project, version)?;
        Ok(ReleaseSigning {
            release_counter: record.release_counter,
            crc32: record.artifact.crc32,
            co_signer: self.co_signing.word(&record),
        })
    }

    /// Has a manifest of the release signed by the co-signer.
    pub(super) async fn cosign(
        &self,
        release: &ReleaseRecord,
        manifest: Manifest,
    ) -> Result<Manifest> {
        let asked_at_ms = self.ports.now_ms();
        if let Some(silent) = self.co_signing.silence(asked_at_ms) {
            self.co_signing
                .note_word(release, Err(&silent), asked_at_ms);
            return Err(not_cosigned(&silent));
        }
        let cosigner = self.ports.cosigner.as_ref();
        let signed = cosigner.cosign(release.project_id, manifest).await;
        let answer = signed.as_ref().map(|_| ());
        let now_ms = self.ports.now_ms();
        self.co_signing.note(answer, now_ms);
        self.co_signing.note_word(release, answer, now_ms);
        signed.map_err(|failure| not_cosigned(&failure))
    }

    /// The co-signer's keys for a project: what it says, or what it last said while it is silent.
    pub(super) async fn co_signer_keys(&self, project_id: Uuid) -> Result<CoSignerKeys> {
        let told = self.ports.cosigner.keys(project_id).await;
        self.co_signing
            .note(told.as_ref().map(|_| ()), self.ports.now_ms());
        let mut known = self
            .co_signing
            .keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match told {
            Ok(keys) => {
                known.insert(project_id, keys.clone());
                Ok(keys)
            }
            Err(failure @ CoSignFailure::Unreachable { .. }) => {
                (known.get(&project_id).cloned()).ok_or_else(|| not_cosigned(&failure))
            }
            Err(failure) => Err(not_cosigned(&failure)),
        }
    }
}

const fn state_of(failure: &CoSignFailure) -> CoSignerState {
    match failure {
        CoSignFailure::Unreachable { .. } => CoSignerState::Unreachable,
        CoSignFailure::Refused { .. } => CoSignerState::Refused,
        CoSignFailure::Clock { .. } => CoSignerState::Clock,
    }
}

fn not_cosigned(failure: &CoSignFailure) -> Error {
    let (code, retry_after_s, what) = match failure {
        CoSignFailure::Unreachable { .. } => (
            codes::COSIGNER_UNREACHABLE,
            RETRY_UNREACHABLE_S,
            "The co-signer does not answer now".to_owned(),
        ),
        CoSignFailure::Refused {
            code,
            retry_after_s,
            ..
        } => (
            codes::COSIGNER_REFUSED,
            retry_after_s.unwrap_or(RETRY_REFUSED_S),
            format!("The co-signer does not sign this now ({code})"),
        ),
        CoSignFailure::Clock { .. } => (
            codes::COSIGNER_CLOCK,
            RETRY_REFUSED_S,
            "The co-signer does not sign by our clock".to_owned(),
        ),
    };
    Error::NotCoSigned {
        code,
        detail: format!("{what}. {}", failure.detail()),
        retry_after_s,
    }
}
