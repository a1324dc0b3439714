//! The core's way to router daemons, over protocol version 2.

use std::sync::Arc;

use async_trait::async_trait;
use gatehouse_core::ports::{
    Clock, Rng, random_bytes,
    router_link::{RouterCommand, RouterFailure, RouterLink, RouterReply, RouterTarget, Rule},
};
use gatehouse_router_protocol::{
    client::{ClientError, Link, Stamp, exchange},
    message::{Answer, Command, Protocol, Route},
};
use gatehouse_types::access::Transport;
use tokio::time::Instant;

/// Talks to daemons over TLS with a pinned certificate.
pub(crate) struct DaemonLink {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
}

#[async_trait]
impl RouterLink for DaemonLink {
    async fn send(
        &self,
        router: &RouterTarget,
        command: RouterCommand,
    ) -> Result<RouterReply, RouterFailure> {
        let link = Link {
            address: router.address.clone(),
            cert_sha256: router.cert_sha256,
            api_key: router.api_key.clone(),
            aes_key: router.aes_key.clone(),
        };
        let sent_ms = self.clock.now_ms();
        let stamp = Stamp {
            ts_ms: sent_ms.unsigned_abs(),
            random: random_bytes(self.rng.as_ref()),
        };
        let started = Instant::now();
        let answer = exchange(&link, to_command(command), stamp)
            .await
            .map_err(to_failure)?;
        let latency_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let mut reply = RouterReply {
            latency_ms,
            ..RouterReply::default()
        };
        if let Answer::Status(status) = answer {
            // The daemon looked at its clock about half way through.
            reply.clock_difference_ms =
                Some(status.now_ms.cast_signed() - sent_ms - latency_ms / 2);
            reply.sessions = Some(i64::from(status.sessions));
        }
        Ok(reply)
    }
}

fn to_command(command: RouterCommand) -> Command {
    match command {
        RouterCommand::Add(rule, duration_s) => Command::Add {
            session_id: rule.session_id,
            route: to_route(rule),
            duration_s,
        },
        RouterCommand::Extend(rule, duration_s) => Command::Extend {
            session_id: rule.session_id,
            duration_s,
        },
        RouterCommand::Del(rule) => Command::Del {
            session_id: rule.session_id,
        },
        RouterCommand::Ping => Command::Ping,
    }
}

fn to_route(rule: Rule) -> Route {
    Route {
        ip_src: rule.client_ip,
        port_dst: rule.public_port,
        ip_dst_lan: rule.lan_ip,
        port_dst_lan: rule.lan_port,
        protocol: match rule.transport {
            Transport::Tcp => Protocol::Tcp,
            Transport::Udp => Protocol::Udp,
        },
    }
}

fn to_failure(error: ClientError) -> RouterFailure {
    match error {
        ClientError::Refused { .. } | ClientError::NotAccepted => {
            RouterFailure::Refused(error.to_string())
        }
        ClientError::AnswerTimeout | ClientError::MalformedAnswer(_) => {
            RouterFailure::Unsure(error.to_string())
        }
        other => RouterFailure::Unreachable(other.to_string()),
    }
}
