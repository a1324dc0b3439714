//! How the portal stands with its co-signer: learnt from whatever it is asked.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
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
        cosigner::{CoSignFailure, CoSignerKeys, Lasts},
        firmware::ReleaseRecord,
    },
};

/// So long nobody waits for a co-signer that was found silent, in milliseconds.
const SILENCE_MS: i64 = 1_000;
/// What it refused for a reason that passes is not shown to it again sooner, in milliseconds.
const ASK_AGAIN_MS: i64 = 5_000;
/// A person has to agree first, and each time that it is asked counts against the portal's rate.
const ASK_FOR_APPROVAL_AGAIN_MS: i64 = 300_000;
/// Devices are given keys that were told so long ago, in milliseconds.
const KEYS_LAST_MS: i64 = 30_000;
/// So many manifests are under way to it at a time.
const UNDER_WAY_MAX: usize = 64;
const RETRY_UNREACHABLE_S: u64 = 30;
const RETRY_REFUSED_S: u64 = 60;

/// It is forgotten with the process: the next manifest tells it anew.
pub(super) struct CoSigning {
    standing: Mutex<Option<Standing>>,
    /// What was last said of each release's newest publication.
    words: Mutex<HashMap<Uuid, Word>>,
    /// The keys that it last told and when, for devices and for the time that it does not answer.
    keys: Mutex<HashMap<Uuid, (i64, CoSignerKeys)>>,
    /// Held while a project's publications are shown to it, so that they come in their order.
    presenting: Mutex<HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>>,
    /// Whether somebody finds out if a silent one answers again; the others do not wait for that.
    is_tried: AtomicBool,
    under_way: tokio::sync::Semaphore,
}

impl Default for CoSigning {
    fn default() -> Self {
        Self {
            standing: Mutex::default(),
            words: Mutex::default(),
            keys: Mutex::default(),
            presenting: Mutex::default(),
            is_tried: AtomicBool::new(false),
            under_way: tokio::sync::Semaphore::new(UNDER_WAY_MAX),
        }
    }
}

#[derive(Clone)]
struct Standing {
    state: CoSignerState,
    code: String,
    detail: String,
    since_ms: i64,
    heard_at_ms: i64,
}

struct Word {
    release_counter: Option<i64>,
    said: CoSignerWord,
    failure: Option<CoSignFailure>,
    said_at_ms: i64,
}

/// What to do with a publication before a later one is shown to the co-signer.
pub(super) enum NextStep {
    /// It was judged, or it waits for a person: the later one need not wait.
    Pass,
    /// It was not judged yet.
    Present,
    /// It was refused a moment ago for a reason that passes, which would hold for the later one, too.
    Wait(Error),
}

/// Whoever finds out whether a silent co-signer answers again.
struct Trial<'a>(&'a AtomicBool);

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
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
            code: failure
                .map(CoSignFailure::code)
                .unwrap_or_default()
                .to_owned(),
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
                failure: answer.err().cloned(),
                said_at_ms: now_ms,
            },
        );
    }

    /// Held by whoever shows the project's publications to the co-signer.
    pub(super) fn presenting(&self, project_id: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self
            .presenting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(project_id).or_default())
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

    /// What to do with a publication before one that came later.
    pub(super) fn next_step(&self, release: &ReleaseRecord, now_ms: i64) -> NextStep {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(word) = words.get(&release.id).filter(|word| word.is_of(release)) else {
            return NextStep::Present;
        };
        let Some(failure) = &word.failure else {
            return NextStep::Pass;
        };
        let is_older_than = |ms: i64| !(0..ms).contains(&(now_ms - word.said_at_ms));
        match failure.lasts() {
            Lasts::UntilApproved if is_older_than(ASK_FOR_APPROVAL_AGAIN_MS) => NextStep::Present,
            Lasts::ForEver | Lasts::UntilApproved => NextStep::Pass,
            Lasts::AWhile if is_older_than(ASK_AGAIN_MS) => NextStep::Present,
            Lasts::AWhile => NextStep::Wait(not_cosigned(failure)),
        }
    }

    /// Notes that the portal itself cannot make a manifest of the release.
    pub(super) fn note_unsignable(&self, release: &ReleaseRecord, now_ms: i64) {
        let failure = CoSignFailure::Refused {
            code: CoSignerWord::UNSIGNABLE.to_owned(),
            detail: "The portal cannot read this release's image: upload it again.".to_owned(),
            retry_after_s: None,
        };
        self.note_word(release, Err(&failure), now_ms);
    }

    /// What the pages tell of a release: what holds for all of them comes first.
    fn told_word(&self, release: &ReleaseRecord) -> Option<CoSignerWord> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let about_all = standing
            .as_ref()
            .filter(|standing| standing.state != CoSignerState::Ok)
            .map(|standing| CoSignerWord {
                since: Timestamp(standing.since_ms),
                code: standing.code.clone(),
                detail: standing.detail.clone(),
            });
        about_all.or_else(|| self.word(release))
    }

    /// Answers for a co-signer that was silent, so that a fleet does not wait for it; one at a time
    /// gets through and finds out whether it answers again.
    fn silence(&self, now_ms: i64) -> std::result::Result<Option<Trial<'_>>, CoSignFailure> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = (standing.as_ref()).filter(|known| known.state == CoSignerState::Unreachable);
        let Some(silent) = silent else {
            return Ok(None);
        };
        let is_fresh = (0..SILENCE_MS).contains(&(now_ms - silent.heard_at_ms));
        if is_fresh || self.is_tried.swap(true, Ordering::AcqRel) {
            return Err(CoSignFailure::Unreachable {
                detail: silent.detail.clone(),
            });
        }
        Ok(Some(Trial(&self.is_tried)))
    }

    fn known_keys(&self, project_id: Uuid) -> Option<(i64, CoSignerKeys)> {
        let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&project_id).cloned()
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
            co_signer: self.co_signing.told_word(&record),
        })
    }

    /// Has a manifest of the release signed by the co-signer.
    pub(super) async fn cosign(
        &self,
        release: &ReleaseRecord,
        manifest: Manifest,
    ) -> Result<Manifest> {
        let asked_at_ms = self.ports.now_ms();
        let _trial = self.co_signing.silence(asked_at_ms).map_err(|silent| {
            self.co_signing
                .note_word(release, Err(&silent), asked_at_ms);
            not_cosigned(&silent)
        })?;
        let signed = {
            let room = self.co_signing.under_way.acquire().await;
            let _room = room.map_err(Error::internal)?;
            let cosigner = self.ports.cosigner.as_ref();
            cosigner.cosign(release.project_id, manifest).await
        };
        let answer = signed.as_ref().map(|_| ());
        let now_ms = self.ports.now_ms();
        self.co_signing.note(answer, now_ms);
        self.co_signing.note_word(release, answer, now_ms);
        signed.map_err(|failure| not_cosigned(&failure))
    }

    /// The co-signer's keys for a project: what it says, or what it last said while it is silent.
    pub(super) async fn co_signer_keys(&self, project_id: Uuid) -> Result<CoSignerKeys> {
        let asked_at_ms = self.ports.now_ms();
        let trial = self.co_signing.silence(asked_at_ms);
        let told = match &trial {
            Ok(_) => self.ports.cosigner.keys(project_id).await,
            Err(silent) => Err(silent.clone()),
        };
        if trial.is_ok() {
            self.co_signing
                .note(told.as_ref().map(|_| ()), self.ports.now_ms());
        }
        match told {
            Ok(keys) => {
                let mut known =
                    (self.co_signing.keys.lock()).unwrap_or_else(PoisonError::into_inner);
                known.insert(project_id, (asked_at_ms, keys.clone()));
                Ok(keys)
            }
            Err(failure @ CoSignFailure::Unreachable { .. }) => {
                let known = self.co_signing.known_keys(project_id);
                known
                    .map(|(_, keys)| keys)
                    .ok_or_else(|| not_cosigned(&failure))
            }
            Err(failure) => Err(not_cosigned(&failure)),
        }
    }

    /// The same for devices: a fleet that learns its keys is no flood of questions to the co-signer.
    pub(super) async fn co_signer_keys_of_late(&self, project_id: Uuid) -> Result<CoSignerKeys> {
        let now_ms = self.ports.now_ms();
        match self.co_signing.known_keys(project_id) {
            Some((told_at_ms, keys)) if (0..KEYS_LAST_MS).contains(&(now_ms - told_at_ms)) => {
                Ok(keys)
            }
            _ => self.co_signer_keys(project_id).await,
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

pub(super) fn not_cosigned(failure: &CoSignFailure) -> Error {
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
