//! Wake-on-LAN: the portal is not in the LAN, and its broadcasts would not get there.

use crate::policy::Denied;
use gatehouse_router_protocol::mac::MacAddress;
use gatehouse_router_protocol::message::{Answer, ErrorCode};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::sleep;
use tracing::{info, warn};

/// Nobody confirms these packets, and a switch whose port has just come up drops the first.
const ROUNDS: usize = 3;
const PAUSE: Duration = Duration::from_millis(100);

const SYNC_BYTES: usize = 6;
const REPETITIONS: usize = 16;

/// Sends magic packets to these broadcast addresses.
#[derive(Debug)]
pub(super) struct Waker {
    broadcasts: Vec<SocketAddrV4>,
}

impl Waker {
    pub(super) fn new(broadcasts: Vec<SocketAddrV4>) -> Self {
        Self { broadcasts }
    }

    /// Sends the packets of one host; what became of them nobody knows.
    pub(super) async fn wake(&self, mac: MacAddress) -> Result<Answer, Denied> {
        if self.broadcasts.is_empty() {
            return Err(Denied::new(
                ErrorCode::Unsupported,
                "no network in lan_cidrs has a broadcast address: set wake_broadcasts in the router daemon's configuration",
            ));
        }
        let sent = self.send(mac).await.map_err(|error| {
            warn!("no Wake-on-LAN packet for {mac} could be sent: {error}");
            Denied::new(
                ErrorCode::Internal,
                format!(
                    "no Wake-on-LAN packet could be sent: {error}; check wake_broadcasts in the router daemon's configuration"
                ),
            )
        })?;
        info!("sent {sent} Wake-on-LAN packets for {mac}");
        Ok(Answer::Done)
    }

    /// Counts the packets that went out; one network that is down does not keep the others asleep.
    async fn send(&self, mac: MacAddress) -> io::Result<usize> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.set_broadcast(true)?;
        let packet = magic_packet(mac);
        let (mut sent, mut failure) = (0, None);
        for round in 0..ROUNDS {
            if round > 0 {
                sleep(PAUSE).await;
            }
            for broadcast in &self.broadcasts {
                match socket.send_to(&packet, broadcast).await {
                    Ok(_) => sent += 1,
                    Err(error) => failure = Some(error),
                }
            }
        }
        match failure {
            Some(error) if sent == 0 => Err(error),
            _ => Ok(sent),
        }
    }
}

fn magic_packet(mac: MacAddress) -> Vec<u8> {
    [vec![0xff; SYNC_BYTES], mac.bytes().repeat(REPETITIONS)].concat()
}
