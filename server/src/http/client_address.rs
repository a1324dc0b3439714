//! What a handler may know about where a request came from.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use gatehouse_core::client_address::{NoClientAddress, Resolver};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::problem::Problem;

/// The connection that a request came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnInfo {
    /// Who is at the other end: the client, or a proxy that hands on requests.
    pub peer: SocketAddr,
    /// Whether the portal itself ended the TLS.
    pub tls: bool,
}

/// The client's address as far as it can be told; every request carries one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub Result<IpAddr, NoClientAddress>);

impl ClientAddress {
    /// Resolves the client of a request with these headers from this peer.
    pub fn resolve(resolver: &Resolver, peer: IpAddr, headers: &HeaderMap) -> Self {
        let header = resolver.header().of_requests();
        let lines = header.into_iter().flat_map(|name| headers.get_all(name));
        Self(resolver.resolve(peer, lines.map(HeaderValue::as_bytes)))
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        // Without the front nobody resolved an address, and then there is none.
        Ok(parts
            .extensions
            .get()
            .copied()
            .unwrap_or(Self(Err(NoClientAddress))))
    }
}

impl From<NoClientAddress> for Problem {
    fn from(_: NoClientAddress) -> Self {
        gatehouse_core::Error::NoClientAddress.into()
    }
}
