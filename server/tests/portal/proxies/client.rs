//! Requests from an address of choice, over TLS to the proxy or plainly to a portal.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::ClientConfig;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::socket::{halves, header_in};

const HOST: &str = "gatehouse.example.org";
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Client {
    pub(super) to: SocketAddr,
    pub(super) from: Ipv4Addr,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// An answer as it came.
pub(super) struct Heard {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = &self.body[..self.body.len().min(300)];
        write!(f, "{}{}", self.head, String::from_utf8_lossy(start))
    }
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> &str {
        header_in(&self.head, name)
    }

    /// How many lines of this name there are.
    pub(super) fn times(&self, name: &str) -> usize {
        let names = self.head.lines().filter_map(|line| line.split_once(':'));
        names
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .count()
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

impl Client {
    pub(super) async fn get(&self, path: &str, lines: &[&str]) -> Heard {
        self.send("GET", path, lines, b"").await
    }

    pub(super) async fn post(&self, path: &str, lines: &[&str], json: &Value) -> Heard {
        let lines = [lines, &["Content-Type: application/json"]].concat();
        self.send("POST", path, &lines, &super::body_of(json)).await
    }

    /// Sends one request on a connection of its own and reads all of the answer.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        lines: &[&str],
        body: &[u8],
    ) -> Heard {
        let length = format!("Content-Length: {}", body.len());
        let own = [format!("Host: {HOST}"), "Connection: close".into()];
        let mut head = vec![format!("{method} {path} HTTP/1.1")];
        head.extend(own);
        head.extend(lines.iter().map(ToString::to_string));
        if !body.is_empty() || method == "POST" {
            head.push(length);
        }
        let head = format!("{}\r\n\r\n", head.join("\r\n"));
        let request = [head.as_bytes(), body].concat();
        let answer = timeout(PATIENCE, self.talk(&request)).await;
        let answer = answer.expect("answers in time").expect("answers");
        read(&answer)
    }

    async fn talk(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let tcp = self.connect().await?;
        match &self.tls {
            None => exchange(tcp, request).await,
            Some(config) => {
                let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
                let name = HOST.try_into().expect("a name");
                exchange(connector.connect(name, tcp).await?, request).await
            }
        }
    }

    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.from, 0)))?;
        socket.connect(self.to).await
    }
}

async fn exchange<S>(stream: S, request: &[u8]) -> io::Result<Vec<u8>>
where
    S: AsyncRead + AsyncWrite,
{
    let (mut from, mut to) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let sending = async {
        to.write_all(request).await?;
        to.flush().await
    };
    let receiving = async {
        match from.read_to_end(&mut answer).await {
            // Not every proxy says goodbye; the length tells whether all of it came.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            done => done.map(drop),
        }
    };
    let (sent, received) = tokio::join!(sending, receiving);
    sent.and(received)?;
    Ok(answer)
}

fn read(answer: &[u8]) -> Heard {
    let (head, body) = halves(answer);
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Heard {
        status: status.unwrap_or_else(|| panic!("no status: {head}")),
        head,
        body: body.to_vec(),
    }
}
