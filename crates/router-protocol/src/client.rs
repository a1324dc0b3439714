//! The portal's end of the link.
//!
//! [`exchange`] is one request over one connection; [`Connection`] carries several. Both give up
//! after [`STEP_TIMEOUT`] for connecting with TLS and again for each answer.

mod error;
mod pin;
mod public_key;

pub use error::ClientError;
pub use pin::{fingerprint, tls_config};

use crate::frame::{FrameBuffer, read_frame};
use crate::message::{
    Answer, Command, Envelope, ErrorCode, OpenSession, Request, RequestNonce, Response,
};
use crate::replay::MAX_CLOCK_DIFFERENCE_MS;
use crate::seal::{Direction, LinkKey, SEAL_NONCE_BYTES};
use crate::secret::Secret;
use rustls::pki_types::ServerName;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long connecting with TLS may take, and how long each answer may.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a daemon is and what it shares with the portal.
#[derive(Clone)]
pub struct Link {
    /// `host:port`; an IPv6 address in brackets.
    pub address: String,
    /// The SHA-256 of the daemon's certificate in DER form.
    pub cert_sha256: [u8; 32],
    /// The key that every request names.
    pub api_key: String,
    /// The text that the sealing key is derived from.
    pub aes_key: String,
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Link")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The time and the randomness of one request.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The portal's clock, in milliseconds since the Unix epoch.
    pub ts_ms: u64,
    /// Fresh random bytes: 16 for the id, 16 for the nonce, 12 for the seal. Never use them twice.
    pub random: [u8; Stamp::RANDOM_BYTES],
}

impl Stamp {
    /// How many random bytes one request takes.
    pub const RANDOM_BYTES: usize = 16 + 16 + SEAL_NONCE_BYTES;

    /// Gives the id that the request will have and its answer repeat.
    pub fn request_id(&self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(self.piece(0)).into_uuid()
    }

    fn piece<const N: usize>(&self, offset: usize) -> [u8; N] {
        std::array::from_fn(|index| self.random[offset + index])
    }
}

/// Connects, asks once, and hangs up.
///
/// # Errors
/// [`ClientError`] in words that an admin can act on.
pub async fn exchange(link: &Link, command: Command, stamp: Stamp) -> Result<Answer, ClientError> {
    Connection::open(link).await?.request(command, stamp).await
}

/// Lists all open sessions, page by page over one connection; `next_stamp` is called for each page.
///
/// # Errors
/// [`ClientError`], also when the pages do not come to an end.
pub async fn list_all(
    link: &Link,
    mut next_stamp: impl FnMut() -> Stamp,
) -> Result<Vec<OpenSession>, ClientError> {
    let mut connection = Connection::open(link).await?;
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let answer = connection
            .request(Command::List { after }, next_stamp())
            .await?;
        let Answer::Sessions { sessions, next } = answer else {
            return Err(ClientError::MalformedAnswer("it is not a list".into()));
        };
        all.extend(sessions);
        match next {
            None => return Ok(all),
            // Ids rise from page to page, so a daemon cannot keep the portal turning.
            Some(_) if next <= after => {
                return Err(ClientError::MalformedAnswer("its pages do not end".into()));
            }
            Some(_) => after = next,
        }
    }
}

/// An open, pinned connection to a daemon.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    received: FrameBuffer,
    key: LinkKey,
    api_key: Secret,
}

impl Connection {
    /// Connects with TLS and checks the pin.
    ///
    /// # Errors
    /// [`ClientError`] if the daemon cannot be reached or is not the pinned one.
    pub async fn open(link: &Link) -> Result<Self, ClientError> {
        Ok(Self {
            stream: open_stream(link).await?,
            received: FrameBuffer::default(),
            key: LinkKey::derive(&Secret::new(&link.aes_key)),
            api_key: Secret::new(&link.api_key),
        })
    }

    /// The address that the daemon was reached at, of all those that its name has.
    pub fn peer_ip(&self) -> Option<IpAddr> {
        peer_ip(&self.stream)
    }

    /// Sends one request and waits for its answer. After an error the connection is of no more use.
    ///
    /// # Errors
    /// [`ClientError`] if no proper answer comes or the daemon refuses.
    pub async fn request(&mut self, command: Command, stamp: Stamp) -> Result<Answer, ClientError> {
        timeout(STEP_TIMEOUT, self.converse(command, stamp))
            .await
            .map_err(|_| ClientError::AnswerTimeout)?
    }

    async fn converse(&mut self, command: Command, stamp: Stamp) -> Result<Answer, ClientError> {
        let request = self.request_of(command, stamp);
        let mut line = self
            .key
            .seal(Direction::Request, stamp.piece(32), &request.to_json())
            .map_err(|_| ClientError::RequestTooLong)?;
        line.push('\n');
        let response = self.send_and_receive(&line).await?;
        if response.id != request.envelope.id {
            return Err(ClientError::MalformedAnswer(
                "it answers another request".into(),
            ));
        }
        response.outcome.map_err(|refusal| {
            let difference_ms = refusal.now_ms.abs_diff(stamp.ts_ms);
            match refusal.code {
                ErrorCode::NotAccepted if difference_ms > MAX_CLOCK_DIFFERENCE_MS => {
                    ClientError::ClockDifference {
                        difference_s: difference_ms / 1000,
                    }
                }
                ErrorCode::NotAccepted => ClientError::NotAccepted,
                code => ClientError::Refused {
                    code,
                    reason: refusal.reason,
                },
            }
        })
    }

    fn request_of(&self, command: Command, stamp: Stamp) -> Request {
        let envelope = Envelope {
            id: stamp.request_id(),
            ts_ms: stamp.ts_ms,
            nonce: RequestNonce(stamp.piece(16)),
            api_key: self.api_key.clone(),
        };
        Request { envelope, command }
    }

    async fn send_and_receive(&mut self, line: &str) -> Result<Response, ClientError> {
        self.stream
            .write_all(line.as_bytes())
            .await
            .map_err(|_| ClientError::NoAnswer)?;
        self.stream
            .flush()
            .await
            .map_err(|_| ClientError::NoAnswer)?;
        let frame = read_frame(&mut self.stream, &mut self.received).await?;
        let json = self
            .key
            .open(Direction::Answer, &frame.ok_or(ClientError::NoAnswer)?)
            .map_err(|error| ClientError::MalformedAnswer(error.to_string()))?;
        Response::parse(&json).map_err(|error| ClientError::MalformedAnswer(error.to_string()))
    }
}

/// Connects with TLS, checks the pin, and hangs up: all that can be learnt of an original daemon
/// without opening or closing anything. Answers the address that it was reached at.
///
/// # Errors
/// [`ClientError`] if the daemon cannot be reached or is not the pinned one.
pub async fn greet(link: &Link) -> Result<Option<IpAddr>, ClientError> {
    let mut stream = open_stream(link).await?;
    let reached = peer_ip(&stream);
    // The pin is checked by now; a daemon that does not take the farewell is there all the same.
    let _ = timeout(STEP_TIMEOUT, stream.shutdown()).await;
    Ok(reached)
}

fn peer_ip(stream: &TlsStream<TcpStream>) -> Option<IpAddr> {
    let peer = stream.get_ref().0.peer_addr().ok()?;
    Some(peer.ip().to_canonical())
}

pub(crate) async fn open_stream(link: &Link) -> Result<TlsStream<TcpStream>, ClientError> {
    timeout(STEP_TIMEOUT, connect(link))
        .await
        .map_err(|_| ClientError::ConnectTimeout)?
}

async fn connect(link: &Link) -> Result<TlsStream<TcpStream>, ClientError> {
    let tcp = connect_tcp(&link.address).await?;
    tcp.set_nodelay(true)
        .map_err(|error| ClientError::unreachable(&error))?;
    // The pin is what identifies the daemon; the name only fills the place and is not sent.
    let name = ServerName::try_from("gatehouse-routerd").expect("a valid DNS name");
    TlsConnector::from(Arc::new(tls_config(link.cert_sha256)))
        .connect(name, tcp)
        .await
        .map_err(|error| ClientError::from_handshake(&error))
}

async fn connect_tcp(address: &str) -> Result<TcpStream, ClientError> {
    let candidates = tokio::net::lookup_host(address)
        .await
        .map_err(|_| ClientError::UnknownHost(address.to_owned()))?;
    let mut failure = ClientError::UnknownHost(address.to_owned());
    for candidate in candidates {
        match connect_candidate(candidate).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Refuses addresses where no router daemon can be but where something else may listen, such as a
/// cloud's metadata service on a link-local address.
async fn connect_candidate(candidate: SocketAddr) -> Result<TcpStream, ClientError> {
    let forbidden = match candidate.ip().to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_link_local() || ip.is_multicast() || ip.is_unspecified() || ip.is_broadcast()
        }
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_multicast() || ip.is_unspecified(),
    };
    if forbidden {
        return Err(ClientError::ForbiddenAddress(candidate.ip()));
    }
    TcpStream::connect(candidate)
        .await
        .map_err(|error| ClientError::unreachable(&error))
}
