//! The same portal behind the real listener, spoken to in raw bytes.

use std::{net::SocketAddr, time::Duration};

use gatehouse_server::http::listen::{Limits, Listener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use crate::harness::Portal;

const PATIENT: Duration = Duration::from_secs(30);

/// A listening portal.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<bool>,
}

impl Portal {
    pub(crate) async fn listen(&self) -> Served {
        let any_port = "127.0.0.1:0".parse().expect("an address");
        let listener = Listener::bind(any_port, None, Limits::default())
            .await
            .expect("a free port");
        let address = listener.address();
        // Devices that it answers find their images there.
        let front = self.installation.front(&format!("http://{address}"));
        let front = front.expect("an origin");
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(listener.serve(front, async { drop(stopped.await) }));
        Served {
            address,
            stop,
            running,
        }
    }
}

impl Served {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connects")
    }

    /// Sends bytes and reads until the portal closes.
    pub(crate) async fn talk(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("sends");
        let mut answer = Vec::new();
        // A reset is a close too.
        let _ = timeout(PATIENT, stream.read_to_end(&mut answer))
            .await
            .expect("the portal closes in time");
        answer
    }

    pub(crate) async fn stop(self) -> bool {
        self.stop.send(()).expect("it listens to us");
        timeout(PATIENT, self.running)
            .await
            .expect("it stops in time")
            .expect("it did not panic")
    }
}

/// Reads one answer with a `Content-Length` from a connection that stays open.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENT, stream.read_u8()).await.expect("in time");
        head.push(byte.expect("an open connection"));
    }
    let head = String::from_utf8(head).expect("a head in ASCII");
    let length = header_in(&head, "content-length")
        .parse()
        .expect("a length");
    let mut body = vec![0; length];
    timeout(PATIENT, stream.read_exact(&mut body))
        .await
        .expect("in time")
        .expect("a whole body");
    (head, body)
}

/// Cuts an answer into head and body.
pub(crate) fn halves(answer: &[u8]) -> (String, &[u8]) {
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head")
        + 4;
    (
        String::from_utf8(answer[..end].to_vec()).expect("a head in ASCII"),
        &answer[end..],
    )
}

pub(crate) fn header_in<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map_or("", |(_, value)| value)
}
