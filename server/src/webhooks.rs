//! Calls to home backends, which wake hosts: only where the operator allowed it, and only to the
//! address that was looked at.

#[cfg(test)]
mod tests;

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::Path,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use axum::body::Body;
use gatehouse_core::ports::webhooks::Webhooks;
use http::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    config::{Config, origin},
    refusal::Refusal,
};

const PATIENCE: Duration = Duration::from_secs(5);
const URL_MAX_BYTES: usize = 500;

/// Calls what the configuration allows.
pub(crate) struct HttpWebhooks {
    /// Scheme, host and port, as [`origin`] writes them.
    origins: Vec<String>,
    /// Addresses that are not public and may be called all the same.
    networks: Vec<IpNet>,
    tls: TlsConnector,
}

impl HttpWebhooks {
    /// # Errors
    /// A sentence when `wake.webhook_ca_file` holds no certificates.
    pub(crate) fn new(config: &Config) -> Result<Self, Refusal> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        if let Some(file) = &config.webhook_ca_file {
            add_authorities(&mut roots, "wake.webhook_ca_file", file)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows the usual versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            origins: config.webhook_origins.clone(),
            networks: config.webhook_networks.clone(),
            tls: TlsConnector::from(Arc::new(tls)),
        })
    }

    /// The address taken apart, and its origin.
    fn allowed(&self, url: &str) -> Result<(Uri, String), String> {
        let uri: Uri = url.parse().map_err(|_| wanted())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wanted());
        };
        let own = origin(&format!("{scheme}://{authority}")).map_err(|_| wanted())?;
        if url.len() > URL_MAX_BYTES || url.contains('#') {
            return Err(wanted());
        }
        if self.origins.contains(&own) {
            Ok((uri, own))
        } else {
            Err(format!(
                "The operator has not allowed {own}: it is not in wake.webhook_origins."
            ))
        }
    }

    fn may_call(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        is_public(ip) || self.networks.iter().any(|network| network.contains(&ip))
    }

    async fn post(&self, url: &str, token: &str) -> Result<(), String> {
        let (uri, _) = self.allowed(url)?;
        let is_tls = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or_else(wanted)?.to_owned();
        let bare_host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let address = self.resolve(bare_host, port).await?;
        let request = request(&uri, token)?;
        let tcp = TcpStream::connect(address)
            .await
            .map_err(|error| format!("The home backend cannot be reached ({error})."))?;
        let status = if is_tls {
            let name = bare_host.to_owned().try_into().map_err(|_| wanted())?;
            let stream = self.tls.connect(name, tcp).await;
            exchange(stream.map_err(|error| why_no_tls(&error))?, request).await
        } else {
            exchange(tcp, request).await
        };
        let status = status.map_err(|error| format!("The home backend hung up ({error})."))?;
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("The home backend answered {status}."))
        }
    }

    /// Looks the name up once; what is connected to is what was judged.
    async fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr, String> {
        let found = lookup_host((host, port))
            .await
            .map_err(|error| format!("The home backend's name cannot be looked up ({error})."))?;
        let mut allowed = found.filter(|address| self.may_call(address.ip()));
        allowed.next().ok_or_else(|| {
            "The home backend is at no public address, nor in wake.webhook_networks.".to_owned()
        })
    }
}

#[async_trait]
impl Webhooks for HttpWebhooks {
    fn origin(&self, url: &str) -> Result<String, String> {
        self.allowed(url).map(|(_, origin)| origin)
    }

    async fn call(&self, url: &str, token: &str) -> Result<(), String> {
        let posted = timeout(PATIENCE, self.post(url, token)).await;
        posted.unwrap_or_else(|_| Err("The home backend did not answer within 5 s.".to_owned()))
    }
}

/// Believes the certificates of the file that the configuration's `key` names.
///
/// # Errors
/// A sentence when the file holds none.
pub(crate) fn add_authorities(
    roots: &mut RootCertStore,
    key: &str,
    file: &Path,
) -> Result<(), Refusal> {
    let refuse = |why: &dyn std::fmt::Display| {
        Refusal::new(format!(
            "{key} {} holds no certificates in PEM form ({why}).",
            file.display()
        ))
    };
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| refuse(&error))?;
    if found.is_empty() {
        return Err(refuse(&"it is empty"));
    }
    for authority in found {
        roots.add(authority).map_err(|error| refuse(&error))?;
    }
    Ok(())
}

/// What the operator can do about it, where that is known.
fn why_no_tls(error: &io::Error) -> String {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<TlsError>());
    let Some(TlsError::InvalidCertificate(why)) = cause else {
        return format!("The home backend's TLS failed ({error}).");
    };
    match why {
        // An authority that was made anew under its old name signs differently.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => "The home backend's certificate comes from an authority that the portal does not know. Name that authority in wake.webhook_ca_file.".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("The home backend's certificate is for another name ({why}).")
        }
        other => format!("The home backend's certificate cannot be believed ({other})."),
    }
}

fn wanted() -> String {
    "A webhook looks like https://home.example.org/wake.".to_owned()
}

fn request(uri: &Uri, token: &str) -> Result<Request<Body>, String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    Request::post(path)
        .header(header::HOST, authority)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::USER_AGENT, "gatehouse")
        .header(header::CONTENT_LENGTH, "0")
        .body(Body::empty())
        .map_err(|_| wanted())
}

/// One request over one connection. Nothing of the answer but its status is read.
async fn exchange<S>(stream: S, request: Request<Body>) -> Result<StatusCode, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut answered = pin!(sender.send_request(request));
    let answer = tokio::select! {
        biased;
        answer = &mut answered => answer,
        // What it read before it ended is there already.
        _ended = connection => answered.await,
    };
    answer.map(|answer| answer.status())
}

/// Whether an address is anybody's on the internet, and not of a LAN, a carrier or a machine.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let is_shared_by_carrier = first == 100 && (64..128).contains(&second);
            !(first == 0
                || first >= 240
                || v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || is_shared_by_carrier)
        }
        // Global unicast addresses are those under 2000::/3; 2002::/16 wraps IPv4 ones.
        IpAddr::V6(v6) => {
            v6.segments()[0] >> 13 == 1 && v6.segments()[0] != 0x2002 && !is_teredo(v6)
        }
    }
}

fn is_teredo(v6: Ipv6Addr) -> bool {
    v6.segments()[..2] == [0x2001, 0]
}
