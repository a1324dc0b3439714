//! What stands between a portal and a signature.

use std::path::Path;

use gatehouse_manifest::{Claims, MAX_MANIFEST_BYTES, Manifest, Refusal, SigningKey, cosigner_kid};
use uuid::Uuid;

use crate::audit::{Audit, Event, record};
use crate::bearers::{Caller, Used};
use crate::cached::Cached;
use crate::folder::Folder;
use crate::form::{check_plain, check_release, check_times};
use crate::portal::{KnownPortal, Portal, Projects, Star};
use crate::project::{Project, Release, Verdict, Wish};
use crate::rate::Rates;
use crate::{OpenError, ProjectKeys, Refused, keys};

/// Keys, trust and memory in one folder, and the rules for using them.
///
/// Everything it decides by is read from the folder again once it changes there, so several may share
/// one folder. Each call may wait for the disk.
pub struct CoSigner {
    pub(crate) folder: Folder,
    pub(crate) entropy: fn(&mut [u8]),
    pub(crate) keys: Cached<SigningKey>,
    pub(crate) portals: Cached<KnownPortal>,
    pub(crate) projects: Cached<Project>,
    pub(crate) used_bearers: Used,
    pub(crate) audit: Audit,
    rates: Rates,
    /// What the portal may do that this co-signer is a part of.
    own: Portal,
}

/// How a portal stands with the co-signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The portal's id.
    pub server_id: Uuid,
    /// What the co-signer's owner calls it.
    pub name: String,
    /// Since when it is trusted no more, in milliseconds since the Unix epoch.
    pub revoked_at_ms: Option<i64>,
}

/// Somebody who asks for a signature, with what it may have.
struct Asking<'a> {
    portal: &'a Portal,
    server_id: Option<Uuid>,
}

impl CoSigner {
    /// Opens a folder, and makes it if there is none; `entropy` fills what it gets with random bytes.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(folder: &Path, entropy: fn(&mut [u8])) -> Result<Self, OpenError> {
        Ok(Self {
            folder: Folder::open(folder)?,
            entropy,
            keys: Cached::new(keys::parse),
            portals: Cached::new(KnownPortal::parse),
            projects: Cached::new(Project::parse),
            used_bearers: Used::default(),
            audit: Audit::default(),
            rates: Rates::new(),
            own: in_process(),
        })
    }

    /// Adds our signature for the portal that this co-signer is a part of.
    ///
    /// Nobody else asks, so no signature proves who does. It may sign what it signed before, however
    /// old; a new release has to have a higher counter than all before.
    ///
    /// # Errors
    /// [`Refused`] with what speaks against it.
    pub fn cosign_own(
        &self,
        project_id: Uuid,
        manifest: Manifest,
        now_ms: i64,
    ) -> Result<Manifest, Refused> {
        let asking = Asking {
            portal: &self.own,
            server_id: None,
        };
        self.sign(project_id, &asking, manifest, now_ms)
            .inspect_err(|refused| {
                self.note_refusal(refused, Uuid::nil(), Some(project_id), now_ms);
            })
    }

    /// Adds our signature to what a portal signed and sends with its bearer.
    ///
    /// # Errors
    /// [`Refused`] with what speaks against it.
    pub fn cosign(
        &self,
        project_id: Uuid,
        server_id: &str,
        bearer: &str,
        body: &str,
        now_ms: i64,
    ) -> Result<Manifest, Refused> {
        let caller = self.recognise(bearer).inspect_err(|refused| {
            let event = Event::new("refused").saying(refused.code());
            self.audit.count(&self.folder, event, now_ms);
        })?;
        self.cosign_for(project_id, server_id, &caller, body, now_ms)
            .inspect_err(|refused| {
                let KnownPortal {
                    portal, server_id, ..
                } = caller.known.as_ref();
                let is_theirs =
                    portal.revoked_at_ms.is_none() && portal.projects.contain(project_id);
                self.note_refusal(refused, *server_id, is_theirs.then_some(project_id), now_ms);
            })
    }

    fn cosign_for(
        &self,
        project_id: Uuid,
        server_id: &str,
        caller: &Caller,
        body: &str,
        now_ms: i64,
    ) -> Result<Manifest, Refused> {
        if body.len() > MAX_MANIFEST_BYTES {
            return Err(Refused::TooLong);
        }
        if caller.claims.iss != server_id {
            return Err(Refused::BadBearer);
        }
        self.admit(caller, now_ms)?;
        let known = &caller.known;
        let asking = Asking {
            portal: &known.portal,
            server_id: Some(known.server_id),
        };
        asking.check_place(project_id, now_ms)?;
        let manifest = Manifest::parse(body).map_err(Refused::BadManifest)?;
        manifest
            .check_signature(server_id, std::slice::from_ref(&known.key))
            .map_err(Refused::BadManifest)?;
        self.sign(project_id, &asking, manifest, now_ms)
    }

    /// Gives a project's keys to a portal that may have them signed with.
    ///
    /// # Errors
    /// [`Refused`] with what speaks against it.
    pub fn keys_for(
        &self,
        project_id: Uuid,
        bearer: &str,
        now_ms: i64,
    ) -> Result<ProjectKeys, Refused> {
        let caller = self.recognise(bearer)?;
        self.admit(&caller, now_ms)?;
        if !caller.known.portal.projects.contain(project_id) {
            return Err(Refused::WrongProject);
        }
        self.keys(project_id)
    }

    /// Says how the portal that made a bearer stands, whatever its clock says and also if revoked.
    ///
    /// # Errors
    /// [`Refused::BadBearer`], [`Refused::UnknownPortal`], [`Refused::WrongKey`],
    /// [`Refused::Storage`].
    pub fn standing(&self, bearer: &str) -> Result<Standing, Refused> {
        let known = self.recognise(bearer)?.known;
        Ok(Standing {
            server_id: known.server_id,
            name: known.portal.name.clone(),
            revoked_at_ms: known.portal.revoked_at_ms,
        })
    }

    fn sign(
        &self,
        project_id: Uuid,
        asking: &Asking<'_>,
        mut manifest: Manifest,
        now_ms: i64,
    ) -> Result<Manifest, Refused> {
        let kid = cosigner_kid(&project_id.to_string());
        if manifest.signers().any(|signer| signer == kid) {
            return Err(Refused::BadManifest(Refusal::SignatureDoubled));
        }
        let counter = match manifest.payload::<Claims>() {
            Ok(claims) => {
                check_times(Some(claims.nbf), Some(claims.exp), now_ms)?;
                check_release(&claims)?;
                Some(self.allow_release(project_id, asking, claims, now_ms)?)
            }
            Err(refusal) => {
                check_plain(&manifest, refusal, asking.portal, now_ms)?;
                self.take_from_rate(asking, now_ms)?;
                None
            }
        };
        manifest.add_signature(&kid, self.signing_key(project_id)?.as_ref());
        let event = Event::new("signed").of_project(project_id);
        let event = event.by(asking.server_id).counting(counter);
        self.audit.count(&self.folder, event, now_ms);
        Ok(manifest)
    }

    fn allow_release(
        &self,
        project_id: Uuid,
        asking: &Asking<'_>,
        claims: Claims,
        now_ms: i64,
    ) -> Result<u64, Refused> {
        let counter = claims.release_counter;
        let release = Release::from(claims);
        let path = self.folder.project(project_id);
        // Whatever the verdict: asking costs us the disk, too.
        self.take_from_rate(asking, now_ms)?;
        let project = self.projects.read(&path)?.unwrap_or_default();
        let verdict = project.judge(counter, &release, asking.portal)?;
        if verdict != Verdict::Known {
            self.remember(project_id, asking, counter, &release, now_ms)?;
        }
        Ok(counter)
    }

    /// Judges once more, alone with the folder, and writes what follows.
    fn remember(
        &self,
        project_id: Uuid,
        asking: &Asking<'_>,
        counter: u64,
        release: &Release,
        now_ms: i64,
    ) -> Result<(), Refused> {
        let path = self.folder.project(project_id);
        let lock = self.folder.lock()?;
        let known = self.projects.read_anew(&path)?;
        if known.is_none() {
            self.folder.check_room_in("projects")?;
        }
        let mut project = known.unwrap_or_default();
        let verdict = project.judge(counter, release, asking.portal)?;
        let refused = project.waiting(counter);
        let event = match verdict {
            Verdict::Known => return Ok(()),
            Verdict::New => {
                project.note_signed(counter, release);
                "released"
            }
            Verdict::Changed => {
                project.note_signed(counter, release);
                "changed"
            }
            Verdict::Wish => {
                let wish = Wish {
                    release: release.clone(),
                    server_id: asking.server_id.unwrap_or_default(),
                    since_ms: now_ms,
                };
                project.wishes.insert(counter, wish);
                "asked"
            }
        };
        let event = Event::new(event)
            .of_project(project_id)
            .saying(release.in_words());
        let event = event.by(asking.server_id).counting(Some(counter));
        record(&self.folder, &lock, &event, now_ms)?;
        self.folder.replace(&path, &crate::json(&project), &lock)?;
        match verdict {
            Verdict::Wish => Err(refused),
            Verdict::Known | Verdict::New | Verdict::Changed => Ok(()),
        }
    }

    fn take_from_rate(&self, asking: &Asking<'_>, now_ms: i64) -> Result<(), Refused> {
        match (asking.server_id, asking.portal.per_hour) {
            (Some(server_id), Some(per_hour)) => {
                self.rates.take(&self.folder, server_id, per_hour, now_ms)
            }
            _ => Ok(()),
        }
    }

    /// A path may name any project, and each would be a line of its own: only one that we know is
    /// noted, and only for a portal that may ask for it.
    fn note_refusal(
        &self,
        refused: &Refused,
        server_id: Uuid,
        project_id: Option<Uuid>,
        now_ms: i64,
    ) {
        let event = Event {
            project_id: project_id.filter(|id| self.folder.project(*id).exists()),
            server_id: Some(server_id),
            ..Event::new("refused").saying(refused.code())
        };
        self.audit.count(&self.folder, event, now_ms);
    }

    /// Writes what was counted in memory for a minute; a service calls it now and then.
    ///
    /// # Errors
    /// [`Refused::Storage`].
    pub fn settle(&self, now_ms: i64) -> Result<(), Refused> {
        self.audit.sum_up_due(&self.folder, now_ms);
        self.rates.save_all(&self.folder, now_ms)
    }

    /// Writes all that was counted in memory; the last call of a process.
    ///
    /// # Errors
    /// [`Refused::Storage`].
    pub fn close(&self, now_ms: i64) -> Result<(), Refused> {
        self.audit.sum_up_all(&self.folder, now_ms);
        self.rates.save_all(&self.folder, now_ms)
    }
}

impl Asking<'_> {
    fn check_place(&self, project_id: Uuid, now_ms: i64) -> Result<(), Refused> {
        if !self.portal.projects.contain(project_id) {
            return Err(Refused::WrongProject);
        }
        match self.portal.hours {
            Some(hours) if !hours.contain(now_ms) => Err(Refused::OutsideHours),
            _ => Ok(()),
        }
    }
}

fn in_process() -> Portal {
    Portal {
        name: "in process".to_owned(),
        key_pem: String::new(),
        projects: Projects::Any(Star::Star),
        hours: None,
        per_hour: None,
        needs_approval: false,
        older_releases: true,
        plain_messages: false,
        trusted_at_ms: 0,
        revoked_at_ms: None,
    }
}
