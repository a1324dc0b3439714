//! What the original's own daemon makes of our words: each `add` stacks one more rule, and each
//! `del` takes away one, which it has to name to the port on the LAN host.

use std::sync::{Arc, Mutex};

use gatehouse_core::ports::router_link::{
    LinkProtocol, RouterCommand, RouterFailure, RouterLink, RouterTarget, Rule,
};
use gatehouse_router_protocol::{
    legacy_v1::{
        ANSWER_FAIL, ANSWER_OK, Door, LegacyCommand, LegacyKey, LegacyRequest, is_whole_request,
    },
    secret::Secret,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{Router, link, rule};

/// The rules of an original daemon, each with its port on the LAN host; the newest comes first.
#[derive(Default)]
struct Chain(Mutex<Vec<(Door, u16)>>);

impl Chain {
    fn rules(&self) -> Vec<(Door, u16)> {
        self.0.lock().expect("no panic while held").clone()
    }

    /// Does what iptables is called for, and says whether that went well.
    fn obey(&self, command: LegacyCommand) -> bool {
        let mut rules = self.0.lock().expect("no panic while held");
        match command {
            LegacyCommand::Add {
                door, port_dst_lan, ..
            } => rules.insert(0, (door, port_dst_lan)),
            LegacyCommand::Del { door, port_dst_lan } => {
                let named = (door, port_dst_lan.unwrap_or(door.port_dst));
                let Some(index) = rules.iter().position(|rule| *rule == named) else {
                    return false;
                };
                rules.remove(index);
            }
            LegacyCommand::Flush => rules.clear(),
        }
        true
    }
}

/// Starts an original daemon with this router's keys and certificate.
async fn start(router: &Router) -> (RouterTarget, Arc<Chain>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    let key = LegacyKey::derive(&Secret::new(&router.made.aes_key));
    let chain = Arc::new(Chain::default());
    tokio::spawn(serve(listener, router.acceptor(), key, Arc::clone(&chain)));
    (router.target(address, LinkProtocol::Original), chain)
}

/// Answers one portal after the other, and each one request.
async fn serve(listener: TcpListener, acceptor: TlsAcceptor, key: LegacyKey, chain: Arc<Chain>) {
    loop {
        let (tcp, _) = listener.accept().await.expect("a portal");
        let mut stream = acceptor.accept(tcp).await.expect("TLS");
        let command = read_command(&mut stream, &key).await;
        let answer = if chain.obey(command) {
            ANSWER_OK
        } else {
            ANSWER_FAIL
        };
        stream.write_all(answer).await.expect("takes the answer");
        stream.flush().await.expect("takes the answer");
    }
}

async fn read_command(stream: &mut (impl AsyncRead + Unpin), key: &LegacyKey) -> LegacyCommand {
    let mut received = Vec::new();
    loop {
        let read_bytes = stream.read_buf(&mut received).await.expect("a request");
        assert!(read_bytes > 0, "the portal keeps its side open");
        let Some(opened) = key.open(&received) else {
            continue;
        };
        if is_whole_request(&opened.message) {
            let request = LegacyRequest::parse(&opened.message);
            return request.expect("the original's words").command;
        }
    }
}

#[tokio::test]
async fn a_session_that_was_prolonged_twice_leaves_no_rule_behind() {
    let router = Router::new();
    let (target, chain) = start(&router).await;
    let send = async |command| link().send(&target, command).await.expect("does it");
    send(RouterCommand::Add(rule(), 1799)).await;
    send(RouterCommand::Extend(rule(), 3599)).await;
    send(RouterCommand::Extend(rule(), 5399)).await;
    assert_eq!(chain.rules().len(), 3, "each stacks one more");
    assert!(send(RouterCommand::Del(rule())).await.proves_keys);
    assert_eq!(chain.rules(), []);
}

#[tokio::test]
async fn closing_takes_away_nobody_elses_rule() {
    let router = Router::new();
    let (target, chain) = start(&router).await;
    let neighbours = Rule {
        client_ip: [203, 0, 113, 8].into(),
        ..rule()
    };
    for rule in [neighbours, rule()] {
        let opened = link().send(&target, RouterCommand::Add(rule, 60)).await;
        opened.expect("opens");
    }
    let closed = link().send(&target, RouterCommand::Del(rule())).await;
    closed.expect("closes");
    assert_eq!(chain.rules().len(), 1);
    let again = link().send(&target, RouterCommand::Del(rule())).await;
    assert!(matches!(again, Err(RouterFailure::Refused(_))), "{again:?}");
    assert_eq!(chain.rules().len(), 1);
}
