//! Daemons that speak the original's protocol: they open and close, and tell nothing.

use std::time::Duration;

use gatehouse_core::ports::{
    random_bytes,
    router_link::{RouterCommand, RouterFailure, RouterReply, RouterTarget, Rule},
};
use gatehouse_router_protocol::{
    client::{ClientError, Link, greet},
    legacy_v1::{Door, LegacyCommand, TIMEOUT_MINUTES, client::exchange},
};
use tokio::time::Instant;

use super::{DaemonLink, gatehouse::to_route, link_to, to_failure};

/// What the core lost on its way here by rounding down: 30 minutes arrive as 1,799 s, and must not
/// become 29 minutes.
const ROUNDING_S: u32 = 2;

/// How often a rule is taken away at the most. The original says FAIL once none is left, but our
/// own daemon says OK to this protocol's `del` however often it comes.
const MOST_DELS: usize = 8;

/// No `del` is sent again later than this. The last one may take 10 s, and a command 15 s.
const REPEATING_LASTS: Duration = Duration::from_secs(5);

impl DaemonLink {
    /// A ping goes as far as the pinned certificate: this protocol has no question without a deed.
    pub(super) async fn send_original(
        &self,
        router: &RouterTarget,
        command: RouterCommand,
    ) -> Result<RouterReply, RouterFailure> {
        let link = link_to(router);
        let Some(command) = to_legacy(command)? else {
            let reached_ip = greet(&link).await.map_err(|error| to_failure(&error))?;
            return Ok(RouterReply {
                reached_ip,
                ..RouterReply::default()
            });
        };
        let done = match command {
            LegacyCommand::Del { .. } => self.take_all_away(&link, command).await,
            LegacyCommand::Add { .. } | LegacyCommand::Flush => {
                self.ask_original(&link, command).await
            }
        };
        done.map_err(|error| to_failure(&error))?;
        Ok(RouterReply {
            proves_keys: true,
            ..RouterReply::default()
        })
    }

    /// Repeats a `del` until no rule is left. The original stacks one more rule on the others each
    /// time that a session is opened or prolonged, and takes one away at a time.
    async fn take_all_away(&self, link: &Link, del: LegacyCommand) -> Result<(), ClientError> {
        let began = Instant::now();
        self.ask_original(link, del).await?;
        for _ in 1..MOST_DELS {
            if began.elapsed() >= REPEATING_LASTS {
                break;
            }
            match self.ask_original(link, del).await {
                Ok(()) => {}
                // What the first one took away was there, so now nothing is.
                Err(ClientError::AnsweredFail) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn ask_original(&self, link: &Link, command: LegacyCommand) -> Result<(), ClientError> {
        exchange(link, command, random_bytes(self.rng.as_ref())).await
    }
}

/// Prolonging is opening again. `None` is the ping.
fn to_legacy(command: RouterCommand) -> Result<Option<LegacyCommand>, RouterFailure> {
    Ok(match command {
        RouterCommand::Add(rule, duration_s) | RouterCommand::Extend(rule, duration_s) => {
            Some(LegacyCommand::Add {
                door: door_of(rule)?,
                port_dst_lan: rule.lan_port,
                timeout_minutes: whole_minutes(duration_s),
            })
        }
        RouterCommand::Del(rule) => Some(LegacyCommand::Del {
            door: door_of(rule)?,
            port_dst_lan: Some(rule.lan_port),
        }),
        RouterCommand::Ping => None,
    })
}

fn door_of(rule: Rule) -> Result<Door, RouterFailure> {
    Door::of(&to_route(rule)).map_err(|error| {
        RouterFailure::Refused(format!("the router speaks the original protocol: {error}"))
    })
}

/// The rule's end is not later than the row's, except in the last minute, which is whole here.
fn whole_minutes(duration_s: u32) -> u16 {
    let minutes = duration_s.saturating_add(ROUNDING_S) / 60;
    u16::try_from(minutes)
        .unwrap_or(u16::MAX)
        .clamp(*TIMEOUT_MINUTES.start(), *TIMEOUT_MINUTES.end())
}

pub(super) fn cannot(what: &str) -> RouterFailure {
    RouterFailure::Refused(format!(
        "the router speaks the original protocol, which cannot {what}: run gatehouse-routerd on it"
    ))
}

#[cfg(test)]
mod tests {
    use super::whole_minutes;

    #[test]
    fn minutes_are_rounded_down_but_for_what_the_way_took() {
        for (duration_s, minutes) in [
            (1, 1),
            (59, 1),
            (119, 2),
            (117, 1),
            (1800, 30),
            (1798, 30),
            (1797, 29),
            (480 * 60, 480),
            (u32::MAX, 998),
        ] {
            assert_eq!(whole_minutes(duration_s), minutes, "{duration_s} s");
        }
    }
}
