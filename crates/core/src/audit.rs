//! Who did what, from where, on what, with which result: appended, never changed.

use std::fmt::Display;

use gatehouse_types::{
    Page, PageQuery, Timestamp,
    audit::{AuditEntry, AuditQuery},
};
use uuid::Uuid;

use crate::{
    Actor, Error, Result,
    actor::Who,
    ports::{Ports, audit::AuditFilter},
};

/// The audit trail.
#[derive(Clone)]
pub struct Audit {
    ports: Ports,
}

/// What is noted; the actor, time and request come from around it.
#[derive(Debug, Clone)]
pub struct Note<'a> {
    /// Such as `session.open`.
    pub action: &'static str,
    /// Such as `service`.
    pub target_kind: &'static str,
    /// Which one.
    pub target_id: String,
    /// `ok`, `refused` or `failed`.
    pub result: &'static str,
    /// More words; never a secret.
    pub detail: &'a str,
}

impl<'a> Note<'a> {
    /// Something that was done.
    pub fn ok(action: &'static str, target_kind: &'static str, target_id: impl Display) -> Self {
        Self {
            action,
            target_kind,
            target_id: target_id.to_string(),
            result: "ok",
            detail: "",
        }
    }

    /// The same with another result.
    #[must_use]
    pub const fn result(mut self, result: &'static str) -> Self {
        self.result = result;
        self
    }

    /// The same with more words.
    #[must_use]
    pub const fn detail(mut self, detail: &'a str) -> Self {
        self.detail = detail;
        self
    }
}

impl Audit {
    pub(crate) const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Appends a line.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn note(&self, actor: &Actor, note: Note<'_>) -> Result<()> {
        let (actor_kind, actor_id, actor_name) = describe(&actor.who);
        let entry = AuditEntry {
            id: self.ports.new_id(),
            at: Timestamp(self.ports.now_ms()),
            actor_kind: actor_kind.into(),
            actor_id,
            actor_name,
            ip: actor.ip.map(|ip| ip.to_string()),
            action: note.action.into(),
            target_kind: note.target_kind.into(),
            target_id: note.target_id,
            result: note.result.into(),
            detail: note.detail.into(),
            request_id: actor.request_id.clone(),
        };
        Ok(self.ports.store.append_audit(&entry).await?)
    }

    /// Lists lines for an admin, newest first.
    ///
    /// # Errors
    /// When the actor is no admin or a filter cannot be read.
    pub async fn list(&self, actor: &Actor, query: &AuditQuery) -> Result<Page<AuditEntry>> {
        actor.require_admin()?;
        let limit = PageQuery {
            limit: query.limit,
            after: None,
        }
        .limit()?;
        let filter = AuditFilter {
            actor: non_empty(query.actor.as_ref()),
            action: non_empty(query.action.as_ref()),
            target: non_empty(query.target.as_ref()),
            from_ms: query.from.map(|moment| moment.0),
            to_ms: query.to.map(|moment| moment.0),
            before: cursor(query.after.as_deref())?,
        };
        let rows = self.ports.store.list_audit(&filter, limit + 1).await?;
        Ok(Page::cut(rows, limit, |row| row.id.to_string()))
    }
}

/// Reads the cursor of a list that is ordered by id.
pub(crate) fn cursor(after: Option<&str>) -> Result<Option<Uuid>> {
    after
        .filter(|text| !text.is_empty())
        .map(|text| {
            text.parse()
                .map_err(|_| Error::invalid("after", "Send the `next` of the page before."))
        })
        .transpose()
}

fn non_empty(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty() && !text.contains('\0'))
}

fn describe(who: &Who) -> (&'static str, Option<String>, String) {
    match who {
        Who::Nobody => ("nobody", None, String::new()),
        Who::Account(account) => (
            "account",
            Some(account.id.to_string()),
            account.email.clone(),
        ),
        Who::Device(device) => (
            "device",
            Some(device.device_id.to_string()),
            device.project.clone(),
        ),
        Who::Guest(guest) => (
            "guest",
            Some(guest.invitation_id.to_string()),
            guest.label.clone(),
        ),
        Who::AdminSecret => ("admin_secret", None, "admin secret".into()),
        Who::System => ("system", None, "gatehouse".into()),
    }
}
