//! Who did what, from where, on what, with which result: appended, never changed.

use std::{collections::BTreeMap, fmt::Display};

use gatehouse_types::{
    Page, PageQuery, Timestamp,
    audit::{AuditEntry, AuditQuery},
};
use serde::Serialize;
use serde_json::Value;
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

/// Tells which members got another value, such as `poll_s=300, two_person_approval=false`.
///
/// They come in the order of the alphabet and with their values as JSON, so that no text can be
/// taken for another member. Those in `long_texts` come without their values.
pub(crate) fn changes<T: Serialize>(before: &T, after: &T, long_texts: &[&str]) -> String {
    let (before, after) = (members(before), members(after));
    let changed = after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(*value));
    let words = changed.map(|(name, value)| {
        if long_texts.contains(&name.as_str()) {
            name.clone()
        } else {
            format!("{name}={value}")
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

fn members(value: &impl Serialize) -> BTreeMap<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members.into_iter().collect(),
        _ => BTreeMap::new(),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_changed_is_told_and_no_text_looks_like_a_member() {
        let before = json!({ "title": "Lamp", "notes": "", "paused": false, "quota": 5 });
        let after =
            json!({ "title": "a, paused=true", "notes": "long", "paused": false, "quota": null });
        assert_eq!(
            changes(&before, &after, &["notes"]),
            "notes, quota=null, title=\"a, paused=true\""
        );
        assert_eq!(changes(&after, &after, &["notes"]), "");
    }
}
