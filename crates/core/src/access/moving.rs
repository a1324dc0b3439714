//! Somebody's address changed: what they have open follows.

use std::sync::Arc;

use gatehouse_types::access::{AccessSession, EndReason, SessionState};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    Access,
    sessions::{MINUTE_MS, finished, to_session},
};
use crate::{Actor, Error, Result};

impl Access {
    /// Moves one's own open session to the address that asks, with the time that is left.
    ///
    /// The new session opens first; then the old one closes, as `replaced`. A router that does
    /// not answer yields a new session in state `failed`, and the old one stays open. The flag
    /// says whether a session was made: none is where one is open for this address already. It is
    /// brought to its end even when whoever asked no longer listens.
    ///
    /// # Errors
    /// When there is no such open session, it is another account's, the address cannot be told
    /// or does not fit, the service is not granted any more, or a limit is reached.
    pub async fn move_session(
        self: &Arc<Self>,
        actor: &Actor,
        id: Uuid,
    ) -> Result<(AccessSession, bool)> {
        let (access, actor) = (Arc::clone(self), actor.clone());
        // Cut off half-way it would leave both addresses in.
        let moving = async move { access.open_here_end_there(&actor, id).await };
        let moved = tokio::spawn(moving.in_current_span()).await;
        moved.map_err(Error::internal)?
    }

    async fn open_here_end_there(&self, actor: &Actor, id: Uuid) -> Result<(AccessSession, bool)> {
        let old = self.find_session(actor, id).await?;
        if old.user_id != actor.account()?.id || old.guest.is_some() {
            return Err(Error::Forbidden(
                "A session moves to the address of whoever opened it; nobody else can ask for that.",
            ));
        }
        if old.state != SessionState::Open || self.is_expired(&old) {
            return Err(finished());
        }
        let client_ip = actor.ip.ok_or(Error::NoClientAddress)?;
        if client_ip == old.client_ip {
            return Ok((to_session(old), false));
        }
        let service = self.find_service(actor, old.service_id).await?;
        let longest_ms = self.ports.now_ms() + service.max_minutes * MINUTE_MS;
        let until_ms = old.expires_at_ms.min(longest_ms);
        let (new, is_new) = self.open_until(actor, &service, until_ms, 1).await?;
        if new.state == SessionState::Open {
            self.end_session(actor, old, EndReason::Replaced).await?;
        }
        Ok((new, is_new))
    }
}
