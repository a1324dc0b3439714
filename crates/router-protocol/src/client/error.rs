//! Why a daemon could not be asked, in words for the admin of the portal.

use crate::frame::ReadFrameError;
use crate::message::ErrorCode;
use std::io;
use std::net::IpAddr;

/// Why the portal got no useful answer from a router daemon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The address has no form `host:port`, or its name does not resolve.
    #[error("{0} cannot be found: check the router's address, it has the form host:port")]
    UnknownHost(String),
    /// The address belongs to a range where no router can be.
    #[error(
        "{0} is a link-local, multicast or unspecified address and cannot be a router: check the router's address"
    )]
    ForbiddenAddress(IpAddr),
    /// The network does not lead there.
    #[error("the router cannot be reached ({0}): check its address and the network")]
    Unreachable(io::ErrorKind),
    /// The host is there, and nothing listens on the port.
    #[error(
        "the router refused the connection: check that gatehouse-routerd runs and listens on this port"
    )]
    ConnectionRefused,
    /// No connection, or no TLS on it, in time.
    #[error(
        "the router did not answer within 5 s: check its address and that its firewall lets this portal in"
    )]
    ConnectTimeout,
    /// The daemon hung up before TLS was set up.
    #[error(
        "the router daemon hung up at once: check that this portal's address is in its allowed_portals"
    )]
    HungUp,
    /// The certificate is not the pinned one.
    #[error(
        "the router shows another certificate than the one pinned: check its SHA-256 with `gatehouse-routerd check`"
    )]
    WrongCertificate,
    /// TLS could not be set up.
    #[error(
        "no TLS connection to the router could be made: check that the port is that of gatehouse-routerd"
    )]
    Tls,
    /// The daemon took the request and closed the connection without a word.
    #[error(
        "the router daemon closed the connection without an answer: check that the AES key is the same on both sides"
    )]
    NoAnswer,
    /// No answer in time; what was asked for may have been done.
    #[error("the router daemon took the request but did not answer within 5 s")]
    AnswerTimeout,
    /// The daemon could open the request and did not accept it, although the clocks agree.
    #[error(
        "the router daemon does not accept the request: check that the API key is the same on both sides; its log has the reason"
    )]
    NotAccepted,
    /// An original daemon did not do it.
    #[error(
        "the router daemon answered FAIL: check that the API key is the same on both sides; its log has the reason"
    )]
    AnsweredFail,
    /// The clocks are too far apart.
    #[error(
        "the clocks of portal and router are {difference_s} s apart, more than the 60 s allowed: set them both by NTP"
    )]
    ClockDifference {
        /// The difference in whole seconds.
        difference_s: u64,
    },
    /// What came is not an answer to this request.
    #[error("the router daemon's answer makes no sense: {0}")]
    MalformedAnswer(String),
    /// The request does not fit into one frame.
    #[error("the request is too long for the router protocol")]
    RequestTooLong,
    /// The daemon understood and refused.
    #[error("the router daemon refused: {reason} ({code})")]
    Refused {
        /// The reason for programs.
        code: ErrorCode,
        /// The reason for people.
        reason: String,
    },
}

impl ClientError {
    pub(super) fn unreachable(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::ConnectionRefused,
            kind => Self::Unreachable(kind),
        }
    }

    pub(super) fn from_handshake(error: &io::Error) -> Self {
        use rustls::{CertificateError, Error};
        let tls = error
            .get_ref()
            .and_then(|source| source.downcast_ref::<Error>());
        match (tls, error.kind()) {
            (
                Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
                _,
            ) => Self::WrongCertificate,
            (Some(_), _) => Self::Tls,
            _ => Self::HungUp,
        }
    }
}

impl From<ReadFrameError> for ClientError {
    fn from(error: ReadFrameError) -> Self {
        match error {
            ReadFrameError::TooLong(too_long) => Self::MalformedAnswer(too_long.to_string()),
            ReadFrameError::Io(_) => Self::NoAnswer,
        }
    }
}
