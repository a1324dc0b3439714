//! What the portal has written down, compared with what each router holds, and set right.
//!
//! A row is older than its rule. So a rule whose row is over, or that has none, is a leftover; and
//! an open row without its rule lost it: somebody emptied the router's tables, or its daemon came
//! back with an older journal. Several portals may do all of this at once.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt, future::join_all, stream};
use gatehouse_types::access::{EndReason, SessionState};
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    Access,
    sessions::{rule, seconds_until},
};
use crate::{
    Actor, Result,
    ports::{
        access::{AccessSessionRecord, RouterRecord, SessionFilter},
        router_link::{HeldSession, RouterCommand, RouterFailure},
    },
};

/// How long one router is given; the next round goes on where this one stopped.
const PATIENCE: Duration = Duration::from_secs(15);
/// How far apart the ends of a row and of its rule may be: whole seconds, and the way there.
const TOLERANCE_MS: i64 = 2_000;
/// More sessions than a daemon holds.
const ROWS: i64 = 10_000;
/// Commands on their way to one router.
const AT_A_TIME: usize = 8;

/// What a router held when it was asked.
struct Holdings {
    before_ms: i64,
    after_ms: i64,
    held: HashMap<Uuid, HeldSession>,
}

impl Holdings {
    /// Whether the router lets through what the row says, until then.
    fn agree_with(&self, row: &AccessSessionRecord) -> bool {
        self.held.get(&row.id).is_some_and(|held| {
            let ends_ms = (self.before_ms + held.remaining_ms - TOLERANCE_MS)
                ..=(self.after_ms + held.remaining_ms + TOLERANCE_MS);
            held.rule == rule(row) && ends_ms.contains(&row.expires_at_ms)
        })
    }
}

impl Access {
    /// Asks every router how it is and what it holds, and sets right what differs; called about
    /// every 10 s. No router waits for another.
    ///
    /// # Errors
    /// When the database does not answer; the next round tries again.
    pub async fn reconcile(&self) -> Result<()> {
        let routers = self.ports.store.list_routers().await?;
        let rounds = routers.into_iter().map(|router| self.spend_a_round(router));
        join_all(rounds).await.into_iter().collect()
    }

    async fn spend_a_round(&self, router: RouterRecord) -> Result<()> {
        let round = timeout(PATIENCE, self.reconcile_with(&router)).await;
        round.unwrap_or_else(|_| {
            tracing::warn!(router_id = %router.id, "a router was too slow to be set right; going on in the next round");
            Ok(())
        })
    }

    async fn reconcile_with(&self, router: &RouterRecord) -> Result<()> {
        // Who does not answer this is asked nothing else, and so costs one wait.
        if self.send(router, RouterCommand::Ping).await.is_err() {
            return Ok(());
        }
        let open = SessionFilter {
            router_id: Some(router.id),
            state: Some(SessionState::Open),
            // Says nothing more, but keeps the history out of it.
            unfinished_only: true,
            ..SessionFilter::default()
        };
        // The rows are read before the rules are: what opens in between lacks nothing.
        let rows = self.ports.store.list_sessions(open, ROWS).await?;
        let Some(holdings) = self.holdings(router).await else {
            return Ok(());
        };
        self.note_traffic(&rows, &holdings).await?;
        self.take_leftovers_away(router, &rows, &holdings).await?;
        let differ = rows.iter().filter(|row| !holdings.agree_with(row));
        let differ: Vec<Uuid> = differ.map(|row| row.id).collect();
        let mending = stream::iter(differ)
            .map(|id| self.set_right(router, id, &holdings))
            .buffer_unordered(AT_A_TIME);
        mending
            .fold(Ok(()), |all, one| async { all.and(one) })
            .await
    }

    /// What the router holds; `None` where it cannot or does not tell.
    async fn holdings(&self, router: &RouterRecord) -> Option<Holdings> {
        let before_ms = self.ports.now_ms();
        let listed = match self.target(router) {
            Ok(target) => self.ports.router_link.list(&target).await,
            Err(failure) => Err(failure),
        };
        let after_ms = self.ports.now_ms();
        match listed {
            Ok(listed) => listed.map(|listed| Holdings {
                before_ms,
                after_ms,
                held: listed
                    .into_iter()
                    .map(|held| (held.rule.session_id, held))
                    .collect(),
            }),
            Err(failure) => {
                self.note_health(router, &Err(failure));
                None
            }
        }
    }

    async fn note_traffic(&self, rows: &[AccessSessionRecord], holdings: &Holdings) -> Result<()> {
        let counts: Vec<(Uuid, i64)> = rows
            .iter()
            .filter_map(|row| {
                let counted = holdings.held.get(&row.id)?.traffic_bytes;
                counted
                    .filter(|_| counted > row.traffic_bytes)
                    .map(|bytes| (row.id, bytes))
            })
            .collect();
        if counts.is_empty() {
            return Ok(());
        }
        Ok(self.ports.store.note_traffic(&counts).await?)
    }

    async fn take_leftovers_away(
        &self,
        router: &RouterRecord,
        rows: &[AccessSessionRecord],
        holdings: &Holdings,
    ) -> Result<()> {
        let mut unexplained = holdings.held.clone();
        unexplained.retain(|id, _| is_ours(*id));
        for row in rows {
            unexplained.remove(&row.id);
        }
        let taking = stream::iter(unexplained.into_values())
            .map(|held| self.take_leftover_away(router, held))
            .buffer_unordered(AT_A_TIME);
        taking.fold(Ok(()), |all, one| async { all.and(one) }).await
    }

    /// The row is read after the rule was seen, so it needs no grace: it was there before it.
    async fn take_leftover_away(&self, router: &RouterRecord, held: HeldSession) -> Result<()> {
        let session_id = held.rule.session_id;
        let row = self.ports.store.session(session_id).await?;
        if row.is_some_and(|row| row.finished_at_ms.is_none()) {
            return Ok(());
        }
        let gone = self
            .send(router, RouterCommand::Del(held.rule))
            .await
            .is_ok();
        tracing::warn!(%session_id, router_id = %router.id, gone, "a router let somebody through whose session is over");
        Ok(())
    }

    /// Gives an open session the rule that its row says; a router that refuses ends it.
    async fn set_right(&self, router: &RouterRecord, id: Uuid, holdings: &Holdings) -> Result<()> {
        let now_stored = self.ports.store.session(id).await?;
        let Some(row) = now_stored.filter(|row| {
            row.state == SessionState::Open && !self.is_expired(row) && !holdings.agree_with(row)
        }) else {
            return Ok(());
        };
        let left_s = seconds_until(row.expires_at_ms, self.ports.now_ms());
        match self
            .send(router, RouterCommand::Add(rule(&row), left_s))
            .await
        {
            Ok(_) => {
                tracing::warn!(session_id = %id, router_id = %router.id, left_s, "a router had lost an open session or its end; it has it again");
                self.check_still_open(id).await
            }
            Err(RouterFailure::Refused(reason)) => {
                tracing::warn!(session_id = %id, router_id = %router.id, reason, "a router lost an open session and refuses to have it again");
                self.end_session(&Actor::system(), row, EndReason::RouterRefused)
                    .await
            }
            Err(RouterFailure::NotNow(reason) | RouterFailure::Failed(reason)) => {
                tracing::warn!(session_id = %id, router_id = %router.id, reason, "a router lost an open session and cannot have it again now; trying again");
                Ok(())
            }
            Err(RouterFailure::Unreachable(_) | RouterFailure::Unsure(_)) => Ok(()),
        }
    }

    /// Who closed it while its rule was set right found nothing to take away.
    async fn check_still_open(&self, id: Uuid) -> Result<()> {
        let now_stored = self.ports.store.session(id).await?;
        match now_stored.filter(|row| row.state != SessionState::Open) {
            Some(ended) => self.close_again(ended).await,
            None => Ok(()),
        }
    }
}

/// An original portal may use the same daemon; what it opened has ids of another kind.
fn is_ours(session_id: Uuid) -> bool {
    session_id.get_version_num() == 7
}
