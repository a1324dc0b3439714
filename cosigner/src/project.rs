//! What was signed for a project, what waits for approval, and what that says about the next wish.

use std::collections::BTreeMap;

use gatehouse_manifest::Claims;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Refused;
use crate::portal::Portal;

/// Releases beyond this many are forgotten, the oldest first; nobody gets them signed again.
const MAX_SIGNED: usize = 4096;
/// Wishes beyond this many are not noted until some were approved or rejected.
const MAX_WISHES: usize = 32;

/// A counter that leaps further waits for a second person: one near the end of all numbers would leave
/// none for what comes after it.
pub(crate) const MAX_STEP: u64 = 1000;
/// So many different terms may one counter be signed under.
const MAX_TERMS: usize = 8;

/// What is said of a release by each of its manifests alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The project's name.
    pub project: String,
    /// The release's version.
    pub version: String,
    /// SHA-256 of the image, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Length of the image.
    pub size_bytes: u64,
    /// CRC-32 of the image.
    pub checksum: u32,
    /// The hardware that it is for; empty means any.
    pub hardware: Vec<String>,
    /// Devices below this version do not take it.
    pub min_version: Option<String>,
    /// Whether devices may go back to it.
    pub allow_downgrade: bool,
}

impl Release {
    /// Gives what a line of the record says of it.
    pub(crate) fn in_words(&self) -> String {
        format!(
            "version {}, sha256 {}, hardware {:?}, min_version {:?}, allow_downgrade {}",
            self.version,
            self.sha256,
            self.hardware,
            self.min_version.as_deref().unwrap_or_default(),
            self.allow_downgrade
        )
    }
}

impl From<Claims> for Release {
    fn from(claims: Claims) -> Self {
        Self {
            project: claims.project,
            version: claims.version,
            sha256: claims.sha256,
            size_bytes: claims.size_bytes,
            checksum: claims.checksum,
            hardware: claims.hardware,
            min_version: claims.min_version,
            allow_downgrade: claims.allow_downgrade,
        }
    }
}

/// The part of a release that its counter stands for, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Image {
    version: String,
    sha256: String,
    size_bytes: u64,
    checksum: u32,
}

impl Image {
    fn is_of(&self, release: &Release) -> bool {
        self.version == release.version
            && self.sha256 == release.sha256
            && self.size_bytes == release.size_bytes
            && self.checksum == release.checksum
    }
}

/// The part of a release that says which devices take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Terms {
    project: String,
    hardware: Vec<String>,
    min_version: Option<String>,
    allow_downgrade: bool,
}

impl Terms {
    /// Says whether no device takes the other's release that does not take this one's.
    fn cover(&self, other: &Self) -> bool {
        let is_named = |name: &String| self.hardware.contains(name);
        let fits_hardware = self.hardware.is_empty()
            || (!other.hardware.is_empty() && other.hardware.iter().all(is_named));
        self.project == other.project
            && fits_hardware
            && (self.min_version.is_none() || self.min_version == other.min_version)
            && (self.allow_downgrade || !other.allow_downgrade)
    }
}

/// What was signed under one counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signed {
    #[serde(flatten)]
    image: Image,
    /// None of them covers another.
    #[serde(default)]
    terms: Vec<Terms>,
}

impl Signed {
    fn cover(&self, release: &Release) -> bool {
        let asked = terms_of(release);
        self.terms.iter().any(|terms| terms.cover(&asked))
    }
}

/// A release that somebody wants to be signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wish {
    /// What a second person is asked to approve.
    pub release: Release,
    /// The portal that asked.
    pub server_id: Uuid,
    /// When it asked first, in milliseconds since the Unix epoch.
    pub since_ms: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Approval {
    release: Release,
    by: String,
    at_ms: i64,
}

/// The co-signer's memory of one project.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Project {
    highest: u64,
    signed: BTreeMap<u64, Signed>,
    #[serde(default)]
    approved: BTreeMap<u64, Approval>,
    #[serde(default)]
    pub(crate) wishes: BTreeMap<u64, Wish>,
}

/// What has to be written before the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was signed before, for these devices or more: nothing is to be written.
    Known,
    /// It is the newest from now on.
    New,
    /// It is the newest, and more devices take it from now on.
    Changed,
    /// It waits for a second person, who has to be told.
    Wish,
}

impl Project {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Decides whether a release of this counter may be signed for a portal.
    pub(crate) fn judge(
        &self,
        counter: u64,
        release: &Release,
        portal: &Portal,
    ) -> Result<Verdict, Refused> {
        let verdict = self.judge_counter(counter, release, portal)?;
        let is_free = !portal.needs_approval && !self.leaps_to(counter);
        if is_free || self.is_approved(counter, release) {
            return Ok(verdict);
        }
        match self.wishes.get(&counter) {
            Some(wish) if !image_of(&wish.release).is_of(release) => Err(Refused::OtherImage),
            Some(_waits_already) => Err(self.waiting(counter)),
            None if self.wishes.len() >= MAX_WISHES => Err(self.waiting(counter)),
            None => Ok(Verdict::Wish),
        }
    }

    fn leaps_to(&self, counter: u64) -> bool {
        counter.saturating_sub(self.highest) > MAX_STEP
    }

    /// Says what is answered as long as nobody approved a counter.
    pub(crate) fn waiting(&self, counter: u64) -> Refused {
        if self.leaps_to(counter) {
            Refused::CounterLeaps {
                highest: self.highest,
            }
        } else {
            Refused::AwaitsApproval
        }
    }

    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    fn judge_counter(
        &self,
        counter: u64,
        release: &Release,
        portal: &Portal,
    ) -> Result<Verdict, Refused> {
        let fell = Refused::CounterFell {
            highest: self.highest,
        };
        match self.signed.get(&counter) {
            Some(signed) if !signed.image.is_of(release) => Err(Refused::OtherImage),
            Some(_) if counter < self.highest && !portal.older_releases => Err(fell),
            Some(signed) if signed.cover(release) => Ok(Verdict::Known),
            Some(signed) if counter < self.highest || signed.terms.len() >= MAX_TERMS => {
                Err(Refused::OtherRules)
            }
            Some(_) => Ok(Verdict::Changed),
            None if counter <= self.highest => Err(fell),
            None => Ok(Verdict::New),
        }
    }

    fn is_approved(&self, counter: u64, release: &Release) -> bool {
        self.approved
            .get(&counter)
            .is_some_and(|approval| approval.release == *release)
    }

    /// Remembers that a new release is being signed, or the newest under terms of its own.
    pub(crate) fn note_signed(&mut self, counter: u64, release: &Release) {
        self.highest = counter;
        let signed = self.signed.entry(counter).or_insert_with(|| Signed {
            image: image_of(release),
            terms: Vec::new(),
        });
        let terms = terms_of(release);
        signed.terms.retain(|before| !terms.cover(before));
        signed.terms.push(terms);
        if self.signed.len() > MAX_SIGNED {
            self.signed.pop_first();
        }
        let is_of_use = |of: u64| of > counter || self.signed.contains_key(&of);
        self.approved.retain(|of, _| is_of_use(*of));
        self.wishes.retain(|of, _| is_of_use(*of));
    }

    /// Lets what somebody wished be signed; answers what that is.
    pub(crate) fn approve(&mut self, counter: u64, by: &str, at_ms: i64) -> Option<Release> {
        let release = self.wishes.remove(&counter)?.release;
        let approval = Approval {
            release: release.clone(),
            by: by.to_owned(),
            at_ms,
        };
        self.approved.insert(counter, approval);
        Some(release)
    }
}

fn terms_of(release: &Release) -> Terms {
    Terms {
        project: release.project.clone(),
        hardware: release.hardware.clone(),
        min_version: release.min_version.clone(),
        allow_downgrade: release.allow_downgrade,
    }
}

fn image_of(release: &Release) -> Image {
    Image {
        version: release.version.clone(),
        sha256: release.sha256.clone(),
        size_bytes: release.size_bytes,
        checksum: release.checksum,
    }
}

#[cfg(test)]
mod tests;
