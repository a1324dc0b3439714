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
    signed: BTreeMap<u64, Image>,
    #[serde(default)]
    approved: BTreeMap<u64, Approval>,
    #[serde(default)]
    pub(crate) wishes: BTreeMap<u64, Wish>,
}

/// What has to be written before the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was signed before: nothing is to be written.
    Known,
    /// It is the newest from now on.
    New,
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
        if !portal.needs_approval || self.is_approved(counter, release) {
            return Ok(verdict);
        }
        match self.wishes.get(&counter) {
            Some(wish) if !image_of(&wish.release).is_of(release) => Err(Refused::OtherImage),
            Some(_waits_already) => Err(Refused::AwaitsApproval),
            None if self.wishes.len() >= MAX_WISHES => Err(Refused::AwaitsApproval),
            None => Ok(Verdict::Wish),
        }
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
            Some(image) if !image.is_of(release) => Err(Refused::OtherImage),
            Some(_) if counter < self.highest && !portal.older_releases => Err(fell),
            Some(_) => Ok(Verdict::Known),
            None if counter <= self.highest => Err(fell),
            None => Ok(Verdict::New),
        }
    }

    fn is_approved(&self, counter: u64, release: &Release) -> bool {
        self.approved
            .get(&counter)
            .is_some_and(|approval| approval.release == *release)
    }

    /// Remembers that a new release is being signed.
    pub(crate) fn note_signed(&mut self, counter: u64, release: &Release) {
        self.highest = counter;
        self.signed.insert(counter, image_of(release));
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

fn image_of(release: &Release) -> Image {
    Image {
        version: release.version.clone(),
        sha256: release.sha256.clone(),
        size_bytes: release.size_bytes,
        checksum: release.checksum,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{MAX_SIGNED, MAX_WISHES, Project, Release, Verdict, Wish};
    use crate::Refused;
    use crate::portal::{Portal, Projects, Star};

    fn portal() -> Portal {
        Portal {
            name: "portal".into(),
            key_pem: String::new(),
            projects: Projects::Any(Star::Star),
            hours: None,
            per_hour: None,
            needs_approval: false,
            older_releases: false,
            plain_messages: false,
            trusted_at_ms: 0,
            revoked_at_ms: None,
        }
    }

    fn careful() -> Portal {
        Portal {
            needs_approval: true,
            ..portal()
        }
    }

    fn release(version: &str) -> Release {
        Release {
            project: "lamp".into(),
            version: version.into(),
            sha256: "ab".repeat(32),
            size_bytes: 7,
            checksum: 1,
            hardware: vec![],
            min_version: None,
            allow_downgrade: false,
        }
    }

    fn wish(release: Release) -> Wish {
        Wish {
            release,
            server_id: Uuid::nil(),
            since_ms: 0,
        }
    }

    #[test]
    fn an_older_release_stays_signable_only_where_that_is_allowed() {
        let mut project = Project::default();
        project.note_signed(3, &release("3"));
        project.note_signed(5, &release("5"));
        let fell = Err(Refused::CounterFell { highest: 5 });
        assert_eq!(project.judge(3, &release("3"), &portal()), fell);
        let lenient = Portal {
            older_releases: true,
            ..portal()
        };
        let known = Ok(Verdict::Known);
        assert_eq!(project.judge(3, &release("3"), &lenient), known);
        assert_eq!(project.judge(5, &release("5"), &portal()), known);
        // One that was never signed stays below.
        assert_eq!(project.judge(4, &release("4"), &lenient), fell);
        assert_eq!(project.judge(6, &release("6"), &portal()), Ok(Verdict::New));
    }

    #[test]
    fn a_counter_stands_for_one_image() {
        let mut project = Project::default();
        project.note_signed(3, &release("3"));
        let others = [
            Release {
                sha256: "cd".repeat(32),
                ..release("3")
            },
            Release {
                size_bytes: 8,
                ..release("3")
            },
            Release {
                checksum: 2,
                ..release("3")
            },
            release("4"),
        ];
        for other in others {
            let answer = project.judge(3, &other, &portal());
            assert_eq!(answer, Err(Refused::OtherImage), "{other:?}");
        }
    }

    #[test]
    fn an_approval_holds_for_what_was_approved_and_nothing_else() {
        let mut project = Project::default();
        assert_eq!(
            project.judge(1, &release("1"), &careful()),
            Ok(Verdict::Wish)
        );
        project.wishes.insert(1, wish(release("1")));
        let waits = Err(Refused::AwaitsApproval);
        assert_eq!(project.judge(1, &release("1"), &careful()), waits);
        let swapped = Release {
            sha256: "cd".repeat(32),
            ..release("1")
        };
        assert_eq!(
            project.judge(1, &swapped, &careful()),
            Err(Refused::OtherImage)
        );

        assert_eq!(project.approve(1, "Grace", 5), Some(release("1")));
        assert_eq!(project.approve(1, "Grace", 5), None, "once");
        assert_eq!(
            project.judge(1, &release("1"), &careful()),
            Ok(Verdict::New)
        );
        let bolder = Release {
            allow_downgrade: true,
            ..release("1")
        };
        assert_eq!(project.judge(1, &bolder, &careful()), Ok(Verdict::Wish));

        project.note_signed(1, &release("1"));
        assert_eq!(
            project.judge(1, &release("1"), &careful()),
            Ok(Verdict::Known)
        );
    }

    #[test]
    fn wishes_and_memories_are_bounded() {
        let mut project = Project::default();
        for counter in 0..MAX_WISHES as u64 {
            project.wishes.insert(counter + 1, wish(release("1")));
        }
        let waits = Err(Refused::AwaitsApproval);
        assert_eq!(project.judge(99, &release("99"), &careful()), waits);
        for counter in 1..=MAX_SIGNED as u64 + 2 {
            project.note_signed(counter, &release("1"));
        }
        assert_eq!(project.signed.len(), MAX_SIGNED);
        let lenient = Portal {
            older_releases: true,
            ..portal()
        };
        let forgotten = project.judge(2, &release("1"), &lenient);
        assert!(
            matches!(forgotten, Err(Refused::CounterFell { .. })),
            "{forgotten:?}"
        );
        assert_eq!(
            project.judge(3, &release("1"), &lenient),
            Ok(Verdict::Known)
        );
    }
}
