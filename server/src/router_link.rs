//! The core's way to router daemons, over our own protocol or the original's.

mod gatehouse;
mod original;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use gatehouse_core::ports::{
    Clock, Rng, random_bytes,
    router_link::{
        HeldSession, LinkProtocol, Probed, RouterCommand, RouterFailure, RouterLink, RouterReply,
        RouterTarget,
    },
};
use gatehouse_router_protocol::{
    client::{ClientError, Link, Stamp},
    message::ErrorCode,
};
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
        let started = Instant::now();
        let mut reply = match router.protocol {
            LinkProtocol::Gatehouse => self.send_ours(router, command).await?,
            LinkProtocol::Original => self.send_original(router, command).await?,
        };
        reply.latency_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Ok(reply)
    }

    async fn list(&self, router: &RouterTarget) -> Result<Option<Vec<HeldSession>>, RouterFailure> {
        match router.protocol {
            LinkProtocol::Gatehouse => self.list_ours(router).await.map(Some),
            LinkProtocol::Original => Ok(None),
        }
    }

    async fn probe(
        &self,
        router: &RouterTarget,
        lan_port: SocketAddr,
    ) -> Result<Option<Probed>, RouterFailure> {
        match router.protocol {
            LinkProtocol::Gatehouse => self.probe_ours(router, lan_port).await.map(Some),
            LinkProtocol::Original => Ok(None),
        }
    }

    async fn wake(&self, router: &RouterTarget, mac: [u8; 6]) -> Result<(), RouterFailure> {
        match router.protocol {
            LinkProtocol::Gatehouse => self.wake_ours(router, mac).await,
            LinkProtocol::Original => Err(original::cannot("wake hosts")),
        }
    }
}

impl DaemonLink {
    fn stamp(&self) -> Stamp {
        Stamp {
            ts_ms: self.clock.now_ms().unsigned_abs(),
            random: random_bytes(self.rng.as_ref()),
        }
    }
}

fn link_to(router: &RouterTarget) -> Link {
    Link {
        address: router.address.clone(),
        cert_sha256: router.cert_sha256,
        api_key: router.api_key.clone(),
        aes_key: router.aes_key.clone(),
    }
}

/// Sorts by what may have happened on the router.
fn to_failure(error: &ClientError) -> RouterFailure {
    match error {
        ClientError::Refused {
            code: ErrorCode::Busy,
            ..
        } => RouterFailure::NotNow(error.to_string()),
        // Its firewall may have taken the first half of it.
        ClientError::Refused {
            code: ErrorCode::Internal,
            ..
        } => RouterFailure::Failed(error.to_string()),
        ClientError::Refused { .. }
        | ClientError::NotAccepted
        | ClientError::AnsweredFail
        | ClientError::ClockDifference { .. } => RouterFailure::Refused(error.to_string()),
        ClientError::AnswerTimeout | ClientError::NoAnswer | ClientError::MalformedAnswer(_) => {
            RouterFailure::Unsure(error.to_string())
        }
        ClientError::UnknownHost(_)
        | ClientError::ForbiddenAddress(_)
        | ClientError::Unreachable(_)
        | ClientError::ConnectionRefused
        | ClientError::ConnectTimeout
        | ClientError::HungUp
        | ClientError::WrongCertificate
        | ClientError::Tls
        | ClientError::RequestTooLong => RouterFailure::Unreachable(error.to_string()),
    }
}
