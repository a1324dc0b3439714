//! Running the service.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_cosigner::{CoSigner, Limits, router, serve};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tracing_subscriber::EnvFilter;

use crate::cli::Run;
use crate::console::say;
use crate::system::now_ms;

/// Signing waits for the disk at most, and seldom.
const WAITING_THREADS: usize = 16;
const SETTLE_EVERY: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(cosigner: CoSigner, how: &Run) -> Result<(), String> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(WAITING_THREADS)
        .build()
        .map_err(|error| format!("The program cannot start ({error})."))?;
    runtime.block_on(listen(Arc::new(cosigner), how))
}

async fn listen(cosigner: Arc<CoSigner>, how: &Run) -> Result<(), String> {
    let tls = match (&how.tls_cert, &how.tls_key) {
        (Some(cert), Some(key)) => Some(acceptor(cert, key)?),
        _ if how.listen.ip().is_loopback() || how.insecure_http => None,
        _ => {
            return Err(format!(
                "Others reach {}: name --tls-cert and --tls-key, or, behind a proxy that has TLS, --insecure-http.",
                how.listen
            ));
        }
    };
    let cannot_listen = |error| format!("Cannot listen on {} ({error}).", how.listen);
    let listener = TcpListener::bind(how.listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let stop = stop_signal()?;
    say(&format!("listening on {address}\n"))?;
    let routes = router(Arc::clone(&cosigner), now_ms);
    tokio::select! {
        () = serve(listener, tls, routes, Limits::default(), stop) => {}
        () = settle(Arc::clone(&cosigner)) => {}
    }
    cosigner
        .close(now_ms())
        .map_err(|refused| refused.to_string())
}

async fn settle(cosigner: Arc<CoSigner>) {
    let mut tick = interval(SETTLE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let cosigner = Arc::clone(&cosigner);
        match spawn_blocking(move || cosigner.settle(now_ms())).await {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => tracing::error!(%refused, "what was counted cannot be written"),
            Err(error) => tracing::error!(%error, "what was counted was not written"),
        }
    }
}

fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let unreadable = |path: &Path, error: rustls_pki_types::pem::Error| {
        format!("{} cannot be read as PEM ({error}).", path.display())
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(cert, error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up ({error})."))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| {
            format!(
                "The certificate {} and the key {} cannot be used together ({error}).",
                cert.display(),
                key.display()
            )
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn stop_signal() -> Result<impl Future<Output = ()>, String> {
    let watch =
        |kind| signal(kind).map_err(|error| format!("Signals cannot be watched ({error})."));
    let (mut terminate, mut interrupt) = (
        watch(SignalKind::terminate())?,
        watch(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
