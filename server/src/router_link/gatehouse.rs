//! Daemons that speak our protocol.

use std::net::{IpAddr, SocketAddr};

use gatehouse_core::ports::router_link::{
    HeldSession, Probed, RouterCommand, RouterFailure, RouterReply, RouterTarget, Rule,
};
use gatehouse_router_protocol::{
    client::{ClientError, Connection, Link, STEP_TIMEOUT, exchange, list_all},
    mac::MacAddress,
    message::{Answer, Command, ErrorCode, OpenSession, Protocol, Route},
};
use gatehouse_types::access::Transport;
use tokio::time::{Instant, timeout};

use super::{DaemonLink, link_to, to_failure};

impl DaemonLink {
    pub(super) async fn send_ours(
        &self,
        router: &RouterTarget,
        command: RouterCommand,
    ) -> Result<RouterReply, RouterFailure> {
        let link = link_to(router);
        let (sent_ms, started) = (self.clock.now_ms(), Instant::now());
        let (answer, reached_ip) = self.ask(&link, to_command(command)).await?;
        let mut reply = RouterReply {
            reached_ip,
            proves_keys: true,
            ..RouterReply::default()
        };
        match answer {
            Answer::Status(status) => {
                // The daemon looked at its clock about half way through.
                let half_way_ms =
                    i64::try_from(started.elapsed().as_millis() / 2).unwrap_or(i64::MAX);
                reply.clock_difference_ms =
                    Some(status.now_ms.cast_signed() - sent_ms - half_way_ms);
                reply.sessions = Some(i64::from(status.sessions));
                reply.version = Some(status.version);
                reply.backend = Some(status.backend);
            }
            Answer::Closed { bytes } => reply.traffic_bytes = Some(signed(bytes)),
            _ => {}
        }
        Ok(reply)
    }

    pub(super) async fn list_ours(
        &self,
        router: &RouterTarget,
    ) -> Result<Vec<HeldSession>, RouterFailure> {
        let sessions = list_all(&link_to(router), || self.stamp())
            .await
            .map_err(|error| to_failure(&error))?;
        Ok(sessions.into_iter().map(to_held).collect())
    }

    pub(super) async fn probe_ours(
        &self,
        router: &RouterTarget,
        lan_port: SocketAddr,
    ) -> Result<Probed, RouterFailure> {
        let command = Command::Probe { target: lan_port };
        match exchange(&link_to(router), command, self.stamp()).await {
            Ok(Answer::Reachable { latency_ms }) => Ok(Probed::Up {
                latency_ms: latency_ms.into(),
            }),
            Ok(_) => Err(RouterFailure::Unsure(
                "the router daemon's answer makes no sense: it is none to a probe".into(),
            )),
            Err(ClientError::Refused {
                code: ErrorCode::Unreachable,
                ..
            }) => Ok(Probed::Down),
            Err(error) => Err(to_failure(&error)),
        }
    }

    pub(super) async fn wake_ours(
        &self,
        router: &RouterTarget,
        mac: [u8; 6],
    ) -> Result<(), RouterFailure> {
        let mac =
            MacAddress::new(mac).map_err(|error| RouterFailure::Refused(error.to_string()))?;
        self.ask(&link_to(router), Command::Wake { mac }).await?;
        Ok(())
    }

    /// Answers also at which address the daemon was reached.
    async fn ask(
        &self,
        link: &Link,
        command: Command,
    ) -> Result<(Answer, Option<IpAddr>), RouterFailure> {
        let asked = async {
            let mut connection = Connection::open(link).await?;
            let reached_ip = connection.peer_ip();
            let answer = connection.request(command, self.stamp()).await?;
            Ok((answer, reached_ip))
        };
        match asked.await {
            Ok(answered) => Ok(answered),
            // A daemon that cannot open our requests hangs up like one that dies over them.
            Err(ClientError::NoAnswer) if self.hangs_up_on_everything(link).await => Err(
                RouterFailure::Unreachable(ClientError::NoAnswer.to_string()),
            ),
            Err(error) => Err(to_failure(&error)),
        }
    }

    /// Tells the two apart: the first is still there for the next request, and hangs up again.
    async fn hangs_up_on_everything(&self, link: &Link) -> bool {
        let again = exchange(link, Command::Ping, self.stamp());
        timeout(STEP_TIMEOUT, again).await == Ok(Err(ClientError::NoAnswer))
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

pub(super) fn to_route(rule: Rule) -> Route {
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

fn to_held(session: OpenSession) -> HeldSession {
    let route = session.route;
    HeldSession {
        rule: Rule {
            session_id: session.session_id,
            client_ip: route.ip_src,
            public_port: route.port_dst,
            lan_ip: route.ip_dst_lan,
            lan_port: route.port_dst_lan,
            transport: match route.protocol {
                Protocol::Tcp => Transport::Tcp,
                Protocol::Udp => Transport::Udp,
            },
        },
        remaining_ms: signed(session.remaining_ms),
        traffic_bytes: session.bytes.map(signed),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
