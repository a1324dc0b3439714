//! Calls to home backends, which wake hosts: only where the operator allowed it, and only to the
//! address that was looked at.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
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
use rustls::{ClientConfig, RootCertStore};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::config::{Config, origin};

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
    pub(crate) fn new(config: &Config) -> Self {
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows the usual versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            origins: config.webhook_origins.clone(),
            networks: config.webhook_networks.clone(),
            tls: TlsConnector::from(Arc::new(tls)),
        }
    }

    fn allowed(&self, url: &str) -> Result<Uri, String> {
        let uri: Uri = url.parse().map_err(|_| wanted())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wanted());
        };
        let own = origin(&format!("{scheme}://{authority}")).map_err(|_| wanted())?;
        if url.len() > URL_MAX_BYTES || url.contains('#') {
            return Err(wanted());
        }
        if self.origins.contains(&own) {
            Ok(uri)
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
        let uri = self.allowed(url)?;
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
            let stream =
                stream.map_err(|error| format!("The home backend's TLS failed ({error})."))?;
            exchange(stream, request).await
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
    fn check(&self, url: &str) -> Result<(), String> {
        self.allowed(url).map(drop)
    }

    async fn call(&self, url: &str, token: &str) -> Result<(), String> {
        let posted = timeout(PATIENCE, self.post(url, token)).await;
        posted.unwrap_or_else(|_| Err("The home backend did not answer within 5 s.".to_owned()))
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;
    use crate::{cli::Flags, config::Environment};

    const TOKEN: &str = "a.b.c";

    fn webhooks(origins: &str, networks: &str) -> HttpWebhooks {
        let mut environment = Environment::new();
        environment.insert("GATEHOUSE_WAKE_WEBHOOK_ORIGINS".into(), origins.into());
        environment.insert("GATEHOUSE_WAKE_WEBHOOK_NETWORKS".into(), networks.into());
        let config = Config::load(&Flags::default(), &environment, |path| {
            std::fs::read_to_string(path)
        });
        HttpWebhooks::new(&config.expect("holds together"))
    }

    /// Answers one request with `answer`, and tells what was asked.
    async fn backend(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let heard = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("reads"));
            }
            stream.write_all(answer.as_bytes()).await.expect("answers");
            String::from_utf8(head).expect("text")
        });
        (address, heard)
    }

    #[tokio::test]
    async fn the_backend_gets_a_post_with_the_token() {
        let (address, heard) =
            backend("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
        let origin = format!("http://{address}");
        let webhooks = webhooks(&origin, "127.0.0.0/8");
        let called = webhooks
            .call(&format!("{origin}/wake?host=nas"), TOKEN)
            .await;
        assert_eq!(called, Ok(()));
        let heard = heard.await.expect("ends");
        assert!(
            heard.starts_with("POST /wake?host=nas HTTP/1.1\r\n"),
            "{heard}"
        );
        assert!(heard.contains("authorization: Bearer a.b.c\r\n"), "{heard}");
        assert!(heard.contains(&format!("host: {address}\r\n")), "{heard}");
    }

    #[tokio::test]
    async fn a_redirect_and_an_error_are_failures() {
        for answer in [
            "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
            "garbage\r\n\r\n",
        ] {
            let (address, heard) = backend(answer).await;
            let origin = format!("http://{address}");
            let webhooks = webhooks(&origin, "127.0.0.1");
            assert!(webhooks.call(&origin, TOKEN).await.is_err(), "{answer}");
            heard.await.expect("was asked once");
        }
    }

    #[tokio::test]
    async fn nothing_is_called_that_the_operator_did_not_allow() {
        let (address, heard) = backend("HTTP/1.1 204 No Content\r\n\r\n").await;
        let own = format!("http://{address}");
        let nothing = webhooks("", "");
        assert!(nothing.call(&own, TOKEN).await.is_err());
        let other_networks = webhooks(&own, "10.0.0.0/8");
        assert!(other_networks.call(&own, TOKEN).await.is_err());
        let by_name = webhooks("http://localhost:1", "");
        let refused = by_name.call("http://localhost:1/", TOKEN).await;
        assert!(refused.is_err_and(|why| why.contains("no public address")));
        assert!(!heard.is_finished(), "nobody came");
        heard.abort();
    }

    #[test]
    fn an_address_is_allowed_by_scheme_host_and_port() {
        let webhooks = webhooks("https://Home.example.org, http://10.0.0.5:8080", "");
        for good in [
            "https://home.example.org/wake",
            "https://home.example.org:443/",
            "http://10.0.0.5:8080/a?b=c",
        ] {
            assert_eq!(webhooks.check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/wake",
            "http://home.example.org/wake",
            "https://home.example.org:8443/",
            "https://home.example.org.evil.example/",
            "https://home.example.org@evil.example/",
            "https://evil@home.example.org/",
            "https://home.example.org/#x",
            "http://10.0.0.5/",
            "file:///etc/passwd",
            "https://home.example.org/\r\nHost: x",
        ] {
            assert!(webhooks.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_of_nobody_or_of_a_lan_are_not_public() {
        for own in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:0:1::",
            "::ffff:10.0.0.1",
        ] {
            let ip: IpAddr = own.parse().expect("an address");
            assert!(!is_public(ip.to_canonical()), "{own}");
        }
        for public in ["1.1.1.1", "203.0.113.7", "2606:4700::1111"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }
}
