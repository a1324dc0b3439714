//! A pinned daemon whose answers come late, twice, cut or as garbage, in both protocols.

use crate::harness::{Home, START_MS, fresh_stamp};
use crate::hostile::acceptor;
use gatehouse_router_protocol::client::{ClientError, Connection, Link, greet};
use gatehouse_router_protocol::frame::{FrameBuffer, read_frame};
use gatehouse_router_protocol::legacy_v1::{self, LegacyCommand};
use gatehouse_router_protocol::message::{Answer, Command, Request, Response};
use gatehouse_router_protocol::seal::{Direction, LinkKey};
use gatehouse_router_protocol::secret::Secret;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;

struct Impostor {
    home: Home,
    listener: TcpListener,
    link: Link,
}

impl Impostor {
    async fn new() -> Self {
        let home = Home::make();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = home.link(listener.local_addr().unwrap());
        Self {
            home,
            listener,
            link,
        }
    }

    async fn accept(&self) -> TlsStream<TcpStream> {
        let (tcp, _) = self.listener.accept().await.unwrap();
        acceptor(&self.home).accept(tcp).await.unwrap()
    }

    fn key(&self) -> LinkKey {
        LinkKey::derive(&Secret::new(&self.home.made.aes_key))
    }

    /// Reads the next request and makes a proper answer to it.
    async fn proper_answer(
        &self,
        stream: &mut TlsStream<TcpStream>,
        received: &mut FrameBuffer,
    ) -> Vec<u8> {
        let frame = read_frame(stream, received).await.unwrap().unwrap();
        let json = self.key().open(Direction::Request, &frame).unwrap();
        let response = Response {
            id: Request::parse(&json).unwrap().envelope.id,
            outcome: Ok(Answer::Done),
        };
        let line = self
            .key()
            .seal(Direction::Answer, [1; 12], &response.to_json());
        (line.unwrap() + "\n").into_bytes()
    }
}

async fn ping(connection: &mut Connection) -> Result<Answer, ClientError> {
    connection
        .request(Command::Ping, fresh_stamp(START_MS))
        .await
}

#[tokio::test]
async fn an_answer_that_comes_twice_does_not_pass_for_the_next_one() {
    let impostor = Impostor::new().await;
    let daemon = async {
        let (mut stream, mut received) = (impostor.accept().await, FrameBuffer::default());
        let answer = impostor.proper_answer(&mut stream, &mut received).await;
        stream.write_all(&answer.repeat(2)).await.unwrap();
        stream.flush().await.unwrap();
        sleep(Duration::from_secs(30)).await;
    };
    let portal = async {
        let mut connection = Connection::open(&impostor.link).await.unwrap();
        assert_eq!(ping(&mut connection).await, Ok(Answer::Done));
        let error = ping(&mut connection).await.unwrap_err().to_string();
        assert!(error.contains("it answers another request"), "{error}");
    };
    tokio::select! {
        () = daemon => panic!("the portal waits without end"),
        () = portal => {}
    }
}

#[tokio::test]
async fn an_answer_that_comes_late_does_not_pass_for_the_next_one() {
    let impostor = Impostor::new().await;
    let daemon = async {
        let (mut stream, mut received) = (impostor.accept().await, FrameBuffer::default());
        let answer = impostor.proper_answer(&mut stream, &mut received).await;
        sleep(Duration::from_millis(5500)).await;
        stream.write_all(&answer).await.unwrap();
        stream.flush().await.unwrap();
        sleep(Duration::from_secs(30)).await;
    };
    let portal = async {
        let mut connection = Connection::open(&impostor.link).await.unwrap();
        let asked = Instant::now();
        let late = ping(&mut connection).await;
        assert_eq!(late, Err(ClientError::AnswerTimeout));
        assert!((4..8).contains(&asked.elapsed().as_secs()));
        let error = ping(&mut connection).await.unwrap_err().to_string();
        assert!(error.contains("it answers another request"), "{error}");
    };
    tokio::select! {
        () = daemon => panic!("the portal waits without end"),
        () = portal => {}
    }
}

#[tokio::test]
async fn a_daemon_that_dies_over_a_request_gave_no_answer() {
    let impostor = Impostor::new().await;
    for sent_bytes in [0, 1, 50] {
        let daemon = async {
            let (mut stream, mut received) = (impostor.accept().await, FrameBuffer::default());
            let answer = impostor.proper_answer(&mut stream, &mut received).await;
            stream.write_all(&answer[..sent_bytes]).await.unwrap();
            stream.flush().await.unwrap();
        };
        let portal = async {
            let mut connection = Connection::open(&impostor.link).await.unwrap();
            ping(&mut connection).await
        };
        let ((), outcome) = tokio::join!(daemon, portal);
        assert_eq!(outcome, Err(ClientError::NoAnswer), "{sent_bytes} bytes");
    }
}

/// Asks a daemon of version 1 that says these pieces, and then nothing more or hangs up.
async fn legacy_outcome(pieces: &[&[u8]], hangs_up: bool) -> Result<(), ClientError> {
    let impostor = Impostor::new().await;
    let daemon = async {
        let mut stream = impostor.accept().await;
        let mut request = [0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        assert!(!request[..length].contains(&b'\n'));
        for piece in pieces {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
            sleep(Duration::from_millis(20)).await;
        }
        if !hangs_up {
            sleep(Duration::from_secs(30)).await;
        }
    };
    let asking = legacy_v1::client::exchange(&impostor.link, LegacyCommand::Flush, [1; 16]);
    tokio::pin!(asking);
    tokio::select! {
        outcome = &mut asking => outcome,
        () = daemon => asking.await,
    }
}

#[tokio::test]
async fn of_version_1_only_its_two_words_count() {
    for pieces in [&[&b"OK"[..]][..], &[b"O", b"K"]] {
        for hangs_up in [true, false] {
            assert_eq!(legacy_outcome(pieces, hangs_up).await, Ok(()));
        }
    }
    for pieces in [&[&b"FAIL"[..]][..], &[b"F", b"A", b"IL"]] {
        let outcome = legacy_outcome(pieces, true).await;
        assert_eq!(outcome, Err(ClientError::AnsweredFail));
    }
    for garbage in [
        &b"OKAY"[..],
        b"ok",
        b"FAILOK",
        b" OK",
        b"\0",
        b"HTTP/1.1 200 OK\r\n",
        &[b'O'; 64],
    ] {
        let outcome = legacy_outcome(&[garbage], false).await;
        assert!(
            matches!(outcome, Err(ClientError::MalformedAnswer(_))),
            "{outcome:?}"
        );
    }
    for cut in [&[][..], &[&b"O"[..]], &[b"FAI"]] {
        let outcome = legacy_outcome(cut, true).await;
        assert_eq!(outcome, Err(ClientError::NoAnswer), "{cut:?}");
    }
}

#[tokio::test]
async fn a_daemon_of_version_1_that_says_nothing_is_given_up_after_five_seconds() {
    let asked = Instant::now();
    let outcome = legacy_outcome(&[b"O"], false).await;
    assert_eq!(outcome, Err(ClientError::AnswerTimeout));
    assert!((4..8).contains(&asked.elapsed().as_secs()));
}

#[tokio::test]
async fn greeting_goes_as_far_as_the_certificate() {
    let impostor = Impostor::new().await;
    let mut wrong = impostor.link.clone();
    wrong.cert_sha256[0] ^= 1;
    for (link, expected) in [
        (&impostor.link, Ok(())),
        (&wrong, Err(ClientError::WrongCertificate)),
    ] {
        let daemon = async {
            let (tcp, _) = impostor.listener.accept().await.unwrap();
            let _ = acceptor(&impostor.home).accept(tcp).await;
        };
        let (outcome, ()) = tokio::join!(greet(link), daemon);
        assert_eq!(outcome.map(drop), expected);
    }
}
