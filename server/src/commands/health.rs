//! `gatehouse health`: is the portal on this machine ready? For containers, which ask every so often.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use gatehouse_core::client_address::ForwardHeader;
use gatehouse_router_protocol::client::{fingerprint, tls_config};
use http::{StatusCode, Uri, uri::Scheme};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    cli::Flags,
    config::{Config, TlsFiles},
    http::proxy_protocol::FOR_ITSELF,
    refusal::Refusal,
};

const PATIENCE: Duration = Duration::from_secs(3);
const NOTHING: &[u8] = b"";
const STATUS_LINE_BYTES: u64 = "HTTP/1.1 200".len() as u64;

/// Fails unless the URL, or else the configured portal, answers 200 within 3 s.
///
/// The configuration is asked only where it is needed: it may be the portal's secret.
pub(super) async fn health(
    mut flags: Flags,
    url: Option<String>,
    load: impl Fn(&Flags) -> Result<Config, Refusal>,
) -> Result<(), Refusal> {
    // The portal may have been started with it; this command opens no port.
    flags.insecure_http = true;
    let (url, greeting) = if let Some(url) = url {
        (url, NOTHING)
    } else {
        let config = load(&flags)?;
        (own_url(&config)?, greeting(&config))
    };
    let uri = readable(&url)?;
    let pin = if uri.scheme() == Some(&Scheme::HTTPS) {
        Some(own_fingerprint(load(&flags)?.tls)?)
    } else {
        None
    };
    let answer = timeout(PATIENCE, ask(&uri, pin, greeting)).await;
    let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let status = answer.map_err(|error| {
        Refusal::new(format!(
            "{url} does not answer ({error}). Start the portal, or name its address with --url."
        ))
    })?;
    if status != StatusCode::OK {
        return Err(Refusal::new(format!(
            "{url} answers {status}. Look into the log of the portal."
        )));
    }
    println!("{url} answers {status}.");
    Ok(())
}

/// Where this machine reaches a portal that listens as configured.
fn own_address(config: &Config) -> Result<SocketAddr, Refusal> {
    if config.listen.port() == 0 {
        return Err(Refusal::new(
            "The portal listens on a port that it picks itself. Name its address with --url.",
        ));
    }
    let ip = match config.listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, config.listen.port()))
}

fn own_url(config: &Config) -> Result<String, Refusal> {
    let address = own_address(config)?;
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    Ok(format!("{scheme}://{address}/readyz"))
}

/// Where this machine is one of those that hand on connections, the portal waits for their header.
fn greeting(config: &Config) -> &'static [u8] {
    let proxies = &config.trusted_proxies;
    let is_trusted = own_address(config).is_ok_and(|address| {
        proxies
            .iter()
            .any(|proxies| proxies.contains(&address.ip()))
    });
    if is_trusted && config.forwarded_header == ForwardHeader::ProxyProtocol {
        FOR_ITSELF
    } else {
        NOTHING
    }
}

fn readable(url: &str) -> Result<Uri, Refusal> {
    let uri = url.parse::<Uri>().ok();
    uri.filter(|uri| uri.scheme().is_some() && uri.authority().is_some())
        .filter(|uri| [Some("http"), Some("https")].contains(&uri.scheme_str()))
        .ok_or_else(|| {
            Refusal::new(format!(
                "{url} is no http:// or https:// address. Name the portal as this machine reaches it, such as http://127.0.0.1:3000/readyz."
            ))
        })
}

/// The portal's own certificate is trusted as it is: its name is that of the world outside.
fn own_fingerprint(tls: Option<TlsFiles>) -> Result<[u8; 32], Refusal> {
    let Some(TlsFiles { cert, .. }) = tls else {
        return Err(Refusal::new(
            "An https:// address is asked with the portal's own certificate. Name tls.cert and tls.key as for the portal.",
        ));
    };
    let certificate = CertificateDer::from_pem_file(&cert).map_err(|error| {
        Refusal::new(format!(
            "tls.cert {} holds no certificate in PEM form ({error}).",
            cert.display()
        ))
    })?;
    Ok(fingerprint(&certificate))
}

async fn ask(uri: &Uri, pin: Option<[u8; 32]>, greeting: &[u8]) -> io::Result<StatusCode> {
    let host = uri.host().unwrap_or_default();
    let port = uri
        .port_u16()
        .unwrap_or(if pin.is_some() { 443 } else { 80 });
    let mut tcp = TcpStream::connect(format!("{host}:{port}")).await?;
    tcp.write_all(greeting).await?;
    let Some(pin) = pin else {
        return converse(tcp, uri).await;
    };
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
    let name = name.map_err(io::Error::other)?;
    let connector = TlsConnector::from(Arc::new(tls_config(pin)));
    let tls = connector.connect(name, tcp).await.map_err(|error| {
        io::Error::other(format!(
            "{error}; if tls.cert has been renewed, the portal takes it at its next start"
        ))
    })?;
    converse(tls, uri).await
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    uri: &Uri,
) -> io::Result<StatusCode> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: gatehouse-health\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    stream
        .take(STATUS_LINE_BYTES)
        .read_to_string(&mut line)
        .await?;
    line.strip_prefix("HTTP/1.1 ")
        .and_then(|code| StatusCode::from_bytes(code.as_bytes()).ok())
        .ok_or_else(|| io::Error::other("that is no HTTP/1.1 answer"))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use tempfile::TempDir;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::{config::Environment, http::tls};

    fn configured(flags: &Flags) -> Result<Config, Refusal> {
        Config::load(flags, &Environment::new(), |path| fs::read_to_string(path))
    }

    async fn asked(flags: Flags, url: Option<&str>) -> Result<(), String> {
        let said = health(flags, url.map(str::to_owned), configured).await;
        said.map_err(|refusal| refusal.to_string())
    }

    /// Answers one connection with `answer` and returns what `gatehouse health` says to it.
    async fn answered(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("is bound");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.expect("reads");
            stream.write_all(answer.as_bytes()).await.expect("writes");
            String::from_utf8(request[..length].to_vec()).expect("is text")
        });
        let url = format!("http://{address}/readyz?a=b");
        let said = asked(Flags::default(), Some(&url)).await;
        let request = server.await.expect("ends");
        let expected = format!("GET /readyz?a=b HTTP/1.1\r\nHost: {address}\r\n");
        assert!(request.starts_with(&expected), "{request}");
        said
    }

    #[tokio::test]
    async fn only_200_is_healthy() {
        assert_eq!(
            answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await,
            Ok(())
        );
        for (answer, words) in [
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "answers 503"),
            ("HTTP/1.1 204 No Content\r\n\r\n", "answers 204"),
            ("SSH-2.0-OpenSSH_9.2\r\n", "no HTTP/1.1 answer"),
            ("", "no HTTP/1.1 answer"),
        ] {
            let refusal = answered(answer).await.expect_err("refuses");
            assert!(refusal.contains(words), "{answer:?}: {refusal}");
        }
    }

    #[tokio::test]
    async fn a_silent_portal_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("is bound"));
        let refusal = asked(Flags::default(), Some(&url)).await;
        let refusal = refusal.expect_err("refuses");
        assert!(refusal.contains("timed out"), "{refusal}");
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        for url in [
            "ftp://127.0.0.1:3000/readyz",
            "127.0.0.1:3000",
            "/readyz",
            "",
        ] {
            let refusal = asked(Flags::default(), Some(url)).await;
            let refusal = refusal.expect_err("refuses");
            assert!(refusal.contains("no http:// or https://"), "{refusal}");
        }
    }

    /// A certificate with its key in a folder.
    struct Pair {
        folder: TempDir,
    }

    impl Pair {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let made = rcgen::generate_simple_self_signed(["portal.example".to_owned()])
                .expect("a certificate");
            let write = |name, pem| fs::write(folder.path().join(name), pem).expect("writes");
            write("cert.pem", made.cert.pem());
            write("key.pem", made.signing_key.serialize_pem());
            Self { folder }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn flags(&self, listen: SocketAddr) -> Flags {
            Flags {
                listen: Some(listen.to_string()),
                tls_cert: Some(self.path("cert.pem").display().to_string()),
                tls_key: Some(self.path("key.pem").display().to_string()),
                ..Flags::default()
            }
        }
    }

    #[tokio::test]
    async fn a_portal_with_tls_is_known_by_its_own_certificate_and_no_other() {
        let (own, other) = (Pair::new(), Pair::new());
        let config = tls::server_config(&own.path("cert.pem"), &own.path("key.pem"));
        let acceptor = TlsAcceptor::from(config.expect("a pair"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("is bound");
        let server = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.expect("accepts");
                // A client that trusts another certificate hangs up here.
                if let Ok(mut stream) = acceptor.accept(tcp).await {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    stream.write_all(answer).await.expect("writes");
                    stream.shutdown().await.expect("closes");
                }
            }
        });
        let url = format!("https://{address}/readyz");
        assert_eq!(asked(own.flags(address), None).await, Ok(()));
        assert_eq!(asked(own.flags(address), Some(&url)).await, Ok(()));
        let refusal = asked(other.flags(address), Some(&url)).await;
        let refusal = refusal.expect_err("refuses");
        assert!(refusal.contains("does not answer"), "{refusal}");
        let refusal = asked(Flags::default(), Some(&url)).await;
        let refusal = refusal.expect_err("refuses");
        assert!(refusal.contains("Name tls.cert"), "{refusal}");
        server.abort();
    }

    #[test]
    fn the_configuration_tells_where_to_ask() {
        let url = |listen: &str, insecure_http| {
            let flags = Flags {
                listen: Some(listen.into()),
                insecure_http,
                ..Flags::default()
            };
            own_url(&configured(&flags).expect("loads")).map_err(|refusal| refusal.to_string())
        };
        for (listen, expected) in [
            ("127.0.0.1:3000", "http://127.0.0.1:3000/readyz"),
            ("0.0.0.0:80", "http://127.0.0.1:80/readyz"),
            ("[::]:8080", "http://[::1]:8080/readyz"),
            ("192.0.2.1:3000", "http://192.0.2.1:3000/readyz"),
        ] {
            assert_eq!(url(listen, true).as_deref(), Ok(expected));
        }
        let refusal = url("127.0.0.1:0", false).expect_err("refuses");
        assert!(refusal.contains("--url"), "{refusal}");
    }

    #[tokio::test]
    async fn a_portal_that_was_started_insecurely_is_asked_all_the_same() {
        // Bound without listening, so that no other test gets the port.
        let taken = tokio::net::TcpSocket::new_v4().expect("a socket");
        taken
            .bind("127.0.0.1:0".parse().expect("an address"))
            .expect("binds");
        let port = taken.local_addr().expect("is bound").port();
        let flags = Flags {
            listen: Some(format!("0.0.0.0:{port}")),
            ..Flags::default()
        };
        let refusal = asked(flags, None).await.expect_err("nobody is there");
        let expected = format!("http://127.0.0.1:{port}/readyz does not answer");
        assert!(refusal.starts_with(&expected), "{refusal}");
    }
}
