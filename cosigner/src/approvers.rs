//! The second person: who may approve, with what password, and what waits for it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audit::{Event, record};
use crate::folder::cannot;
use crate::project::Project;
use crate::{CoSigner, Refused, Release, Wish};

/// OWASP's figures for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// As many as the portal asks for.
const MIN_PASSWORD_CHARS: usize = 15;
const MAX_PASSWORD_BYTES: usize = 1024;

/// Password hashes by name.
#[derive(Default, Serialize, Deserialize)]
struct Approvers(BTreeMap<String, String>);

impl CoSigner {
    /// Lets somebody approve releases, or gives them another password.
    ///
    /// # Errors
    /// A sentence when the name is empty, the password too short or too long, or the folder cannot be
    /// written.
    pub fn add_approver(&self, name: &str, password: &str, now_ms: i64) -> Result<(), String> {
        if name.trim().is_empty() {
            return Err("An approver has a name.".to_owned());
        }
        if password.chars().count() < MIN_PASSWORD_CHARS || password.len() > MAX_PASSWORD_BYTES {
            return Err(format!(
                "A password has {MIN_PASSWORD_CHARS} characters or more, and at most {MAX_PASSWORD_BYTES} bytes."
            ));
        }
        let mut salt = [0; 16];
        (self.entropy)(&mut salt);
        let hash = argon2()
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|error| format!("The password cannot be hashed ({error})."))?;
        self.write_approver(name, hash.to_string(), now_ms)
            .map_err(|refused| refused.to_string())
    }

    fn write_approver(&self, name: &str, hash: String, now_ms: i64) -> Result<(), Refused> {
        let lock = self.folder.lock()?;
        let mut approvers = self.approvers()?;
        approvers.0.insert(name.to_owned(), hash);
        let event = Event::new("approver_added").saying(name);
        record(&self.folder, &lock, &event, now_ms)?;
        let path = self.folder.approvers();
        self.folder.replace(&path, &crate::json(&approvers), &lock)
    }

    fn approvers(&self) -> Result<Approvers, Refused> {
        let path = self.folder.approvers();
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| {
                Refused::Storage(format!("{} is damaged: {error}", path.display()))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Approvers::default()),
            Err(error) => Err(cannot("read", &path, &error)),
        }
    }

    /// Lists what waits for a second person, by project and counter.
    ///
    /// # Errors
    /// [`Refused::Storage`].
    pub fn pending(&self) -> Result<Vec<(Uuid, u64, Wish)>, Refused> {
        let mut waiting = Vec::new();
        for project_id in self.folder.ids_in("projects")? {
            let project = self.projects.read(&self.folder.project(project_id))?;
            let wishes = project.map(|project| project.wishes.clone());
            let wishes = wishes.into_iter().flatten();
            waiting.extend(wishes.map(|(counter, wish)| (project_id, counter, wish)));
        }
        Ok(waiting)
    }

    /// Lets a release be signed that waits for it, and answers which.
    ///
    /// # Errors
    /// A sentence when the password is not this person's, nothing waits under this counter, or the
    /// folder cannot be written.
    pub fn approve(
        &self,
        project_id: Uuid,
        release_counter: u64,
        name: &str,
        password: &str,
        now_ms: i64,
    ) -> Result<Release, String> {
        let refused = |refused: Refused| refused.to_string();
        let approvers = self.approvers().map_err(refused)?;
        let is_theirs = approvers.0.get(name).is_some_and(|stored| {
            PasswordHash::new(stored)
                .is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
        });
        if !is_theirs {
            let event = Event::new("approval_refused").of_project(project_id);
            let event = event.counting(Some(release_counter)).saying(name);
            let lock = self.folder.lock().map_err(refused)?;
            record(&self.folder, &lock, &event, now_ms).map_err(refused)?;
            return Err(format!("This is not the password of the approver {name}."));
        }
        let event = Event::new("approved").saying(name);
        self.end_wish(project_id, release_counter, event, now_ms, |project| {
            project.approve(release_counter, name, now_ms)
        })
    }

    /// Forgets a wish and answers for what, so that another release may be asked for under its counter.
    ///
    /// # Errors
    /// A sentence when nothing waits under this counter, or the folder cannot be written.
    pub fn reject(
        &self,
        project_id: Uuid,
        release_counter: u64,
        now_ms: i64,
    ) -> Result<Release, String> {
        let event = Event::new("rejected");
        self.end_wish(project_id, release_counter, event, now_ms, |project| {
            Some(project.wishes.remove(&release_counter)?.release)
        })
    }

    fn end_wish(
        &self,
        project_id: Uuid,
        release_counter: u64,
        event: Event,
        now_ms: i64,
        end: impl FnOnce(&mut Project) -> Option<Release>,
    ) -> Result<Release, String> {
        let refused = |refused: Refused| refused.to_string();
        let path = self.folder.project(project_id);
        let lock = self.folder.lock().map_err(refused)?;
        let project = self.projects.read_anew(&path).map_err(refused)?;
        let mut project = project.unwrap_or_default();
        let release = end(&mut project).ok_or_else(|| {
            format!(
                "No release with the counter {release_counter} waits for approval in this project."
            )
        })?;
        let event = event.of_project(project_id).counting(Some(release_counter));
        record(&self.folder, &lock, &event, now_ms)
            .and_then(|()| self.folder.replace(&path, &crate::json(&project), &lock))
            .map_err(refused)?;
        Ok(release)
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("OWASP's figures are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}
