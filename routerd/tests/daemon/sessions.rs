//! Opening, extending and ending sessions over the real link.

use crate::harness::{Home, add, route};
use gatehouse_router_protocol::client::{ClientError, Connection};
use gatehouse_router_protocol::message::{Answer, Command, ErrorCode, Protocol, Route};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(1);

fn code<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> ErrorCode {
    match outcome.unwrap_err() {
        ClientError::Refused { code, .. } => code,
        other => panic!("not a coded refusal: {other}"),
    }
}

#[tokio::test]
async fn a_session_is_opened_listed_extended_and_ends_by_itself() {
    let home = Home::make();
    let daemon = home.start().await;
    let Answer::Session(opened) = daemon.ask(add(1, 60)).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        (opened.session_id, opened.route, opened.remaining_ms),
        (SESSION, route(), 60_000)
    );

    daemon.clock.pass_ms(50_000);
    assert_eq!(daemon.sessions().await[0].remaining_ms, 10_000);
    let extend = Command::Extend {
        session_id: SESSION,
        duration_s: 120,
    };
    daemon.ask(extend.clone()).await.unwrap();

    daemon.clock.pass_ms(119_999);
    assert_eq!(daemon.sessions().await[0].remaining_ms, 1);
    daemon.clock.pass_ms(1);
    assert!(daemon.sessions().await.is_empty());
    assert_eq!(code(daemon.ask(extend).await), ErrorCode::UnknownSession);
    daemon.stop().await;
}

#[tokio::test]
async fn adding_and_deleting_can_be_repeated() {
    let home = Home::make();
    let daemon = home.start().await;
    for _ in 0..2 {
        daemon.ask(add(1, 60)).await.unwrap();
        assert_eq!(daemon.sessions().await.len(), 1);
    }
    for _ in 0..2 {
        let answer = daemon
            .ask(Command::Del {
                session_id: SESSION,
            })
            .await;
        assert_eq!(answer, Ok(Answer::Done));
        assert!(daemon.sessions().await.is_empty());
    }
    daemon.stop().await;
}

#[tokio::test]
async fn many_sessions_are_listed_over_pages_and_flushed_at_once() {
    let home = Home::make();
    let daemon = home.start().await;
    let mut connection = Connection::open(&daemon.link).await.unwrap();
    for session in 1..=70 {
        connection
            .request(add(session, 60), daemon.stamp())
            .await
            .unwrap();
    }
    let ids: Vec<u128> = daemon
        .sessions()
        .await
        .iter()
        .map(|open| open.session_id.as_u128())
        .collect();
    assert_eq!(ids, (1..=70).collect::<Vec<u128>>());
    assert_eq!(
        daemon.ask(Command::Flush).await,
        Ok(Answer::Flushed { removed: 70 })
    );
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn the_daemon_tells_its_state_and_limits() {
    let home = Home::make();
    let daemon = home.start().await;
    daemon.ask(add(1, 60)).await.unwrap();
    let Answer::Status(status) = daemon.ask(Command::Ping).await.unwrap() else {
        panic!()
    };
    assert_eq!(status.backend, "dry-run");
    assert_eq!(status.now_ms, crate::harness::START_MS);
    assert_eq!(
        (status.sessions, status.max_sessions, status.max_minutes),
        (1, 256, 480)
    );
    daemon.stop().await;
}

#[tokio::test]
async fn the_daemon_refuses_what_its_owner_did_not_allow() {
    let home = Home::make();
    home.edit("max_sessions = 256", "max_sessions = 1");
    let daemon = home.start().await;
    let with = |route: Route| Command::Add {
        session_id: SESSION,
        route,
        duration_s: 60,
    };
    for (command, expected) in [
        (
            with(Route {
                ip_src: [10, 0, 0, 1].into(),
                ..route()
            }),
            ErrorCode::SourceNotAllowed,
        ),
        (
            with(Route {
                ip_src: [224, 0, 0, 1].into(),
                ..route()
            }),
            ErrorCode::SourceNotAllowed,
        ),
        (
            with(Route {
                ip_dst_lan: [8, 8, 8, 8].into(),
                ..route()
            }),
            ErrorCode::TargetNotAllowed,
        ),
        (
            with(Route {
                port_dst: 22,
                ..route()
            }),
            ErrorCode::PortNotAllowed,
        ),
        (
            with(Route {
                port_dst: daemon.address.port(),
                ..route()
            }),
            ErrorCode::PortNotAllowed,
        ),
        (add(1, 480 * 60 + 1), ErrorCode::DurationNotAllowed),
    ] {
        assert_eq!(code(daemon.ask(command).await), expected);
    }
    assert!(daemon.sessions().await.is_empty());
    daemon.ask(add(1, 480 * 60)).await.unwrap();
    assert_eq!(
        code(daemon.ask(add(2, 60)).await),
        ErrorCode::TooManySessions
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_public_port_leads_to_one_target_at_a_time() {
    let home = Home::make();
    let daemon = home.start().await;
    daemon.ask(add(1, 60)).await.unwrap();
    daemon
        .ask(add(2, 60))
        .await
        .expect("the same target may be shared");
    let elsewhere = |protocol| Command::Add {
        session_id: Uuid::from_u128(3),
        route: Route {
            port_dst_lan: 81,
            protocol,
            ..route()
        },
        duration_s: 60,
    };
    assert_eq!(
        code(daemon.ask(elsewhere(Protocol::Tcp)).await),
        ErrorCode::PortInUse
    );
    daemon
        .ask(elsewhere(Protocol::Udp))
        .await
        .expect("UDP has ports of its own");
    daemon.stop().await;
}

#[tokio::test]
async fn a_probe_tells_whether_the_target_takes_connections() {
    let home = Home::make();
    home.edit(
        "allow_private_sources = false",
        "allow_private_sources = true",
    );
    let daemon = home.start().await;
    let lan_host = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = lan_host.local_addr().unwrap();
    let Answer::Reachable { latency_ms } = daemon.ask(Command::Probe { target }).await.unwrap()
    else {
        panic!()
    };
    assert!(latency_ms < 2000);
    drop(lan_host);
    assert_eq!(
        code(daemon.ask(Command::Probe { target }).await),
        ErrorCode::Unreachable
    );
    let outside: SocketAddr = "192.0.2.1:80".parse().unwrap();
    let refused = daemon.ask(Command::Probe { target: outside }).await;
    assert_eq!(code(refused), ErrorCode::TargetNotAllowed);
    daemon.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_idle_connections() {
    let home = Home::make();
    let daemon = home.start().await;
    let mut connection = Connection::open(&daemon.link).await.unwrap();
    connection
        .request(Command::Ping, daemon.stamp())
        .await
        .unwrap();
    let stamp = daemon.stamp();
    let asked = Instant::now();
    daemon.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(4), "a step has five");
    assert_eq!(
        connection.request(Command::Ping, stamp).await,
        Err(ClientError::NoAnswer)
    );
}
