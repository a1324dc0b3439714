//! TLS for `axum::serve`, with what the portal uses too: rustls and ring.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Shakes hands with one client after the other, which is enough for a measurement over kept connections.
pub(crate) struct Listener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl Listener {
    /// Takes over a bound listener, with a certificate and its key in PEM files.
    ///
    /// # Errors
    /// When a file cannot be read, or the two do not belong together.
    pub(crate) fn new(tcp: TcpListener, cert: &str, key: &str) -> Result<Self> {
        let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
        Ok(Self {
            tcp,
            tls: Arc::new(config).into(),
        })
    }

    async fn try_accept(&self) -> io::Result<(TlsStream<TcpStream>, SocketAddr)> {
        let (stream, address) = self.tcp.accept().await?;
        stream.set_nodelay(true)?;
        Ok((self.tls.accept(stream).await?, address))
    }
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.try_accept().await {
                Ok(accepted) => return accepted,
                Err(error) => eprintln!("a connection came to nothing: {error}"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
