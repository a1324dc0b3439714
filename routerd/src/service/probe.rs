//! Connecting to LAN ports, to tell the portal whether they take connections.

use crate::policy::Denied;
use gatehouse_router_protocol::message::{Answer, ErrorCode};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// How many LAN ports are tried at once, so that a page full of tiles is no scan of the LAN.
const MAX_AT_ONCE: usize = 16;

/// How long a probe waits for its turn, and then how long for the host: 3 s in all, which is less
/// than the portal waits for the answer.
const TURN_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects to so many LAN ports at once and no more.
#[derive(Debug)]
pub(super) struct Prober {
    turns: Semaphore,
}

impl Default for Prober {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(MAX_AT_ONCE),
        }
    }
}

impl Prober {
    /// Connects over TCP and hangs up.
    pub(super) async fn probe(&self, target: SocketAddr) -> Result<Answer, Denied> {
        let turn = timeout(TURN_TIMEOUT, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            let reason = format!("{MAX_AT_ONCE} other ports are being tried at the moment");
            return Err(Denied::new(ErrorCode::Busy, reason));
        };
        let started = Instant::now();
        let failure = match timeout(CONNECT_TIMEOUT, TcpStream::connect(target)).await {
            Ok(Ok(_)) => {
                let latency_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
                return Ok(Answer::Reachable { latency_ms });
            }
            Ok(Err(error)) => error.kind().to_string(),
            Err(_) => "no answer within 2 s".to_owned(),
        };
        Err(Denied::new(
            ErrorCode::Unreachable,
            format!("{target} took no connection: {failure}"),
        ))
    }
}
