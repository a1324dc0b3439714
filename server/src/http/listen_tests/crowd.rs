//! More connections than there are places, for all or for one.

use std::time::Duration;

use gatehouse_core::client_address::{ForwardHeader, Resolver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tls::self_signed;
use super::{Limits, Listener, PATIENT, Server, quick, read_to_close, read_until};

#[tokio::test]
async fn connections_over_the_limit_wait_their_turn() {
    let server = Server::start(
        Limits {
            connections: 1,
            ..quick()
        },
        None,
    )
    .await;
    let mut first = server.connect().await;
    first
        .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sends");
    read_until(&mut first, "hello").await;
    let mut second = server.connect().await;
    second
        .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sends");
    assert!(
        timeout(Duration::from_millis(200), second.read_u8())
            .await
            .is_err(),
        "no place yet"
    );
    drop(first);
    read_until(&mut second, "hello").await;
}

fn two_for_each() -> Limits {
    Limits {
        connections_per_client: 2,
        counts_loopback: true,
        ..quick()
    }
}

/// Opens a connection that has been answered and stays.
async fn served(server: &Server) -> TcpStream {
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sends");
    read_until(&mut stream, "hello").await;
    stream
}

#[tokio::test]
async fn one_client_gets_his_share_of_places_and_no_more() {
    let server = Server::start(two_for_each(), None).await;
    let first = served(&server).await;
    let _second = served(&server).await;
    let answer = read_to_close(&mut server.connect().await).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer:?}");
    assert!(answer.contains("\r\nRetry-After: 5\r\n"), "{answer}");

    drop(first);
    // The place is free once the portal has noticed, which no client can see from outside.
    let mut refused = 0;
    loop {
        let mut again = server.connect().await;
        again
            .write_all(b"GET /hello HTTP/1.0\r\n\r\n")
            .await
            .expect("sends");
        if read_to_close(&mut again).await.ends_with("hello") {
            break;
        }
        refused += 1;
        assert!(refused < 10_000, "the place never becomes free");
    }
}

#[tokio::test]
async fn over_tls_who_has_his_share_is_closed_before_the_handshake() {
    let limits = Limits {
        handshake: PATIENT,
        ..two_for_each()
    };
    let server = Server::start(limits, Some(self_signed().0)).await;
    // Silent, so that they stay until their handshake is given up.
    let _others = [server.connect().await, server.connect().await];
    let mut third = server.connect().await;
    let mut nothing = Vec::new();
    let closed = timeout(PATIENT / 2, third.read_to_end(&mut nothing)).await;
    assert!(closed.is_ok(), "it waits for a handshake like the others");
    assert!(nothing.is_empty(), "{nothing:?}");
}

#[tokio::test]
async fn a_trusted_proxy_and_this_machine_bring_as_many_as_they_like() {
    let listen = async |limits| {
        let any_port = "127.0.0.1:0".parse().expect("an address");
        let listener = Listener::bind(any_port, None, limits).await;
        listener.expect("a free port")
    };
    let loopback = vec!["127.0.0.0/8".parse().expect("a network")];
    let proxies = Resolver::new(loopback, ForwardHeader::XForwardedFor);
    let uncounted = Limits {
        counts_loopback: false,
        ..two_for_each()
    };
    for server in [
        Server::behind(proxies, listen(two_for_each()).await),
        Server::behind(Resolver::default(), listen(uncounted).await),
    ] {
        let mut all = Vec::new();
        for _ in 0..5 {
            all.push(served(&server).await);
        }
    }
}
