//! What the daemon does in its LAN: connecting to ports and waking hosts, with real sockets.

use crate::harness::{Home, Running};
use gatehouse_router_protocol::client::{ClientError, Connection};
use gatehouse_router_protocol::mac::MacAddress;
use gatehouse_router_protocol::message::{Answer, Command, ErrorCode};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

const CARD: [u8; 6] = [0x02, 0x00, 0x5e, 0x10, 0x00, 0x01];

fn code(outcome: Result<Answer, ClientError>) -> ErrorCode {
    match outcome.unwrap_err() {
        ClientError::Refused { code, .. } => code,
        other => panic!("not a coded refusal: {other}"),
    }
}

fn wake() -> Command {
    Command::Wake {
        mac: MacAddress::new(CARD).unwrap(),
    }
}

/// A home whose loopback counts as LAN.
fn home_on_loopback(more: &str) -> Home {
    let home = Home::make();
    home.edit(
        "allow_private_sources = false",
        &format!("allow_private_sources = true\n{more}"),
    );
    home
}

/// A LAN port that lets nobody in any more: it listens, and its queue is full.
struct BlackHole {
    target: SocketAddr,
    _listener: tokio::net::TcpListener,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    async fn dig() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let target = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(connected) =
            timeout(Duration::from_millis(300), TcpStream::connect(target)).await
        {
            queue.push(connected.unwrap());
        }
        Self {
            target,
            _listener: listener,
            _queue: queue,
        }
    }
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_down_within_three_seconds() {
    let home = home_on_loopback("");
    let daemon = home.start().await;
    let hole = BlackHole::dig().await;
    let mut connection = Connection::open(&daemon.link).await.unwrap();
    let probe = Command::Probe {
        target: hole.target,
    };
    let asked = Instant::now();
    let outcome = connection.request(probe, daemon.stamp()).await;
    assert_eq!(code(outcome), ErrorCode::Unreachable);
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
    assert!(asked.elapsed() > Duration::from_secs(1), "it waited");
    daemon.stop().await;
}

#[tokio::test]
async fn sixteen_ports_are_tried_at_once_and_no_more() {
    let home = home_on_loopback("");
    let daemon = home.start().await;
    let hole = BlackHole::dig().await;
    let target = hole.target;
    // Handshakes take long on a busy machine, and all are to ask within a second.
    let mut connections = Vec::new();
    for _ in 0..20 {
        connections.push(Connection::open(&daemon.link).await.unwrap());
    }
    let mut probes = JoinSet::new();
    for mut connection in connections {
        let stamp = daemon.stamp();
        probes
            .spawn(async move { code(connection.request(Command::Probe { target }, stamp).await) });
    }
    let codes = probes.join_all().await;
    let busy = codes
        .iter()
        .filter(|&&code| code == ErrorCode::Busy)
        .count();
    assert_eq!(busy, 4, "{codes:?}");
    let down = ErrorCode::Unreachable;
    assert_eq!(codes.iter().filter(|&&code| code == down).count(), 16);
}

#[tokio::test]
async fn nothing_outside_the_lan_is_connected_to() {
    let home = Home::make();
    let daemon = home.start().await;
    for target in [
        "8.8.8.8:53",
        "169.254.169.254:80",
        "127.0.0.1:22",
        "192.168.2.1:80",
        "192.168.1.255:80",
        "[::1]:80",
        "224.0.0.1:80",
    ] {
        let target = target.parse().unwrap();
        let outcome = daemon.ask(Command::Probe { target }).await;
        assert_eq!(code(outcome), ErrorCode::TargetNotAllowed, "{target}");
    }
    daemon.stop().await;
}

/// Gives the packets that come until none has come for half a second; the first may take long.
async fn packets_of(listener: &UdpSocket) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut buffer = [0; 200];
    let mut patience = Duration::from_secs(30);
    while let Ok(received) = timeout(patience, listener.recv_from(&mut buffer)).await {
        packets.push(buffer[..received.unwrap().0].to_vec());
        patience = Duration::from_millis(500);
    }
    packets
}

async fn waking(daemon: &Running, listener: &UdpSocket) -> Vec<Vec<u8>> {
    let (answer, packets) = tokio::join!(daemon.ask(wake()), packets_of(listener));
    assert_eq!(answer, Ok(Answer::Done));
    packets
}

#[tokio::test]
async fn a_host_is_woken_by_broadcast_and_more_than_once() {
    let listener = UdpSocket::bind("127.255.255.255:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let home = home_on_loopback(&format!("wake_broadcasts = [\"{address}\"]"));
    let daemon = home.start().await;
    let packets = waking(&daemon, &listener).await;
    let magic = [[0xff; 6].to_vec(), CARD.repeat(16)].concat();
    assert_eq!(packets, vec![magic; 3]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_lan_without_broadcasts_wakes_nobody_and_says_so() {
    let home = home_on_loopback("wake_broadcasts = []");
    let daemon = home.start().await;
    assert_eq!(code(daemon.ask(wake()).await), ErrorCode::Unsupported);
    daemon.stop().await;
}
