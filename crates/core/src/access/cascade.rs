//! What goes away takes its sessions along: an account, a grant, a service, a router.
//!
//! The rows change in one statement, so it is in force for all of them from that moment, and
//! the keeper sees to it that every rule follows. The request itself only gives the routers
//! a moment to answer, so that usually the page it leads to says `closed` already.

use std::time::Duration;

use gatehouse_types::access::EndReason;
use tokio::time::timeout;
use uuid::Uuid;

use super::Access;
use crate::{
    Actor, Result,
    audit::Note,
    ports::access::{AccessSessionRecord, SessionFilter},
};

/// How long a request waits for routers.
const PATIENCE: Duration = Duration::from_secs(2);

impl Access {
    /// Ends the sessions that match, however many they are; what routers do not confirm within
    /// 2 s is left to the keeper.
    pub(crate) async fn end_sessions(
        &self,
        actor: &Actor,
        filter: SessionFilter,
        reason: EndReason,
    ) -> Result<()> {
        let ending = self.begin_closing(actor, filter, reason).await?;
        self.close_for_a_moment(ending).await
    }

    /// Moves the sessions that match to `closing`, and notes how many they were.
    pub(super) async fn begin_closing(
        &self,
        actor: &Actor,
        filter: SessionFilter,
        reason: EndReason,
    ) -> Result<Vec<AccessSessionRecord>> {
        let ending = self.ports.store.begin_closing(filter, reason).await?;
        if !ending.is_empty() {
            let detail = format!("{}, sessions: {}", reason.as_str(), ending.len());
            let (kind, id) = what_went(filter);
            let note = Note::ok("session.close", kind, id).detail(&detail);
            self.audit.note(actor, note).await?;
        }
        Ok(ending)
    }

    /// Moves at most `limit` sessions whose right is gone to `closing`: whoever took it away may
    /// have died before it got to them, or have looked before their rows were there.
    pub(super) async fn end_what_lost_its_right(&self, limit: i64) -> Result<()> {
        for (session, reason) in self.ports.store.sessions_without_right(limit).await? {
            self.mark_closing(&Actor::system(), session, reason).await?;
        }
        Ok(())
    }

    /// Closes sessions on their routers as far as these answer within 2 s.
    pub(super) async fn close_for_a_moment(&self, ending: Vec<AccessSessionRecord>) -> Result<()> {
        // Somebody waits for this: who was silent just now is asked again.
        for session in &ending {
            self.silences.forget(session.router_id);
        }
        timeout(PATIENCE, self.step_all(ending))
            .await
            .unwrap_or(Ok(()))
    }
}

/// Whose sessions end, else of what.
fn what_went(filter: SessionFilter) -> (&'static str, Uuid) {
    let named = [
        ("invitation", filter.invitation_id),
        ("user", filter.user_id),
        ("service", filter.service_id),
        ("router", filter.router_id),
    ];
    let named = named.into_iter().find_map(|(kind, id)| Some((kind, id?)));
    named.unwrap_or_default()
}
