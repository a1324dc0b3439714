//! Requests of protocol version 1, with the same limits, table and replay window as our own.

use super::Service;
use gatehouse_router_protocol::legacy_v1::{
    ANSWER_FAIL, ANSWER_OK, Door, LegacyCommand, LegacyRequest, Opened, is_whole_request,
};
use gatehouse_router_protocol::message::{Command, Protocol, Route};
use std::net::IpAddr;
use tracing::{info, warn};

impl Service {
    /// Tells whether clients of the original daemon are answered.
    pub(crate) fn speaks_legacy(&self) -> bool {
        self.legacy_key.is_some()
    }

    /// Opens what a connection has sent so far; `None` while that is no whole request of version 1.
    pub(crate) fn open_legacy(&self, received: &[u8]) -> Option<Opened> {
        let opened = self.legacy_key.as_ref()?.open(received)?;
        is_whole_request(&opened.message).then_some(opened)
    }

    /// Does what a request of version 1 asks for, and gives the answer.
    ///
    /// Whatever is wrong with it, the answer is the same; the log says precisely what it was.
    pub(crate) async fn handle_legacy(&self, peer: IpAddr, opened: &Opened) -> &'static [u8] {
        match self.accept_legacy(opened).await {
            Err(reason) => {
                warn!(%peer, "version 1, not accepted: {reason}");
                ANSWER_FAIL
            }
            Ok(command) => match self.execute(command_of(command)).await {
                Ok(_) => ANSWER_OK,
                Err(denied) => {
                    info!(%peer, code = %denied.code, "version 1, refused: {}", denied.reason);
                    ANSWER_FAIL
                }
            },
        }
    }

    async fn accept_legacy(&self, opened: &Opened) -> Result<LegacyCommand, String> {
        let request = LegacyRequest::parse(&opened.message).map_err(|error| error.to_string())?;
        if !self.api_key.same_as(&request.api_key) {
            return Err("the API key is wrong".into());
        }
        let (digest, now_ms) = (opened.digest, self.clock.now_ms());
        self.with_journal(move |journal| journal.admit_legacy(digest, now_ms))
            .await?;
        Ok(request.command)
    }
}

/// Says the same in our own words, so that there is one way through policy and table.
fn command_of(command: LegacyCommand) -> Command {
    match command {
        LegacyCommand::Add {
            door,
            port_dst_lan,
            timeout_minutes,
        } => Command::Add {
            session_id: door.session_id(),
            route: route_of(door, port_dst_lan),
            duration_s: u32::from(timeout_minutes) * 60,
        },
        // Here a door leads to one port at a time, so it is found without that port.
        LegacyCommand::Del { door, .. } => Command::Del {
            session_id: door.session_id(),
        },
        LegacyCommand::Flush => Command::Flush,
    }
}

fn route_of(door: Door, port_dst_lan: u16) -> Route {
    Route {
        ip_src: door.ip_src.into(),
        port_dst: door.port_dst,
        ip_dst_lan: door.ip_dst_lan.into(),
        port_dst_lan,
        protocol: Protocol::Tcp,
    }
}
