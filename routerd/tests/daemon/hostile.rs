//! A pinned daemon that misbehaves: late, foreign and broken answers never pass for good ones.

use crate::harness::{Home, START_MS, fresh_stamp};
use gatehouse_router_protocol::client::{self, ClientError};
use gatehouse_router_protocol::frame::{FrameBuffer, MAX_FRAME_BYTES, read_frame};
use gatehouse_router_protocol::message::{Answer, Command, Response};
use gatehouse_router_protocol::seal::{Direction, LinkKey};
use gatehouse_router_protocol::secret::Secret;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

pub(crate) fn acceptor(home: &Home) -> TlsAcceptor {
    let folder = home.path().join("routerd");
    let cert = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Asks a daemon that answers the request's line with what `reply` makes of it, then waits.
async fn ask_one_that_replies(reply: impl Fn(&Home, Vec<u8>) -> Vec<u8>) -> ClientError {
    let home = Home::make();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = home.link(listener.local_addr().unwrap());
    let daemon = async {
        let mut stream = acceptor(&home)
            .accept(listener.accept().await.unwrap().0)
            .await
            .unwrap();
        let frame = read_frame(&mut stream, &mut FrameBuffer::default())
            .await
            .unwrap()
            .unwrap();
        stream.write_all(&reply(&home, frame)).await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::sleep(Duration::from_secs(20)).await;
    };
    tokio::select! {
        outcome = client::exchange(&link, Command::Ping, fresh_stamp(START_MS)) => outcome.unwrap_err(),
        () = daemon => panic!("the client waits without end"),
    }
}

#[tokio::test]
async fn answers_that_are_none_are_malformed() {
    let foreign_answer = |home: &Home, _: Vec<u8>| {
        let json = Response {
            id: Uuid::from_u128(5),
            outcome: Ok(Answer::Done),
        }
        .to_json();
        let key = LinkKey::derive(&Secret::new(&home.made.aes_key));
        (key.seal(Direction::Answer, [1; 12], &json).unwrap() + "\n").into_bytes()
    };
    let reflected = |_: &Home, mut request: Vec<u8>| {
        request.push(b'\n');
        request
    };
    let outcomes = [
        (
            ask_one_that_replies(foreign_answer).await,
            "it answers another request",
        ),
        (
            ask_one_that_replies(reflected).await,
            "the frame was sealed with another AES key",
        ),
        (
            ask_one_that_replies(|_, _| b"OK\n".to_vec()).await,
            "the frame is not base64",
        ),
        (
            ask_one_that_replies(|_, _| vec![b'A'; MAX_FRAME_BYTES + 1]).await,
            "longer than",
        ),
    ];
    for (error, reason) in outcomes {
        assert!(matches!(&error, ClientError::MalformedAnswer(_)), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_given_up_after_five_seconds() {
    let asked = Instant::now();
    let error = ask_one_that_replies(|_, _| b"QUJD".to_vec()).await;
    assert_eq!(error, ClientError::AnswerTimeout);
    assert!((4..8).contains(&asked.elapsed().as_secs()));
}
