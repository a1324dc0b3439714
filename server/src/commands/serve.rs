use crate::{
    composition::Installation,
    config::Config,
    http::{
        descriptors,
        listen::{Limits, Listener},
        shutdown, tls,
    },
    logging,
    refusal::Refusal,
};

/// `gatehouse serve`: opens the data, listens, and serves until SIGTERM or Ctrl-C.
pub(super) async fn serve(config: Config) -> Result<(), Refusal> {
    logging::init(config.log_format, &config.log_filter)?;
    warn_of_open_doors(&config);
    let tls = config
        .tls
        .as_ref()
        .map(|files| tls::server_config(&files.cert, &files.key))
        .transpose()?;
    let stop = shutdown::requested()?;
    let limits = limits();
    let installation = Installation::open(config).await?;
    installation.sweep().await?;
    let listener = Listener::bind(installation.config.listen, tls, limits).await?;
    let public_url = installation.config.public_url(listener.address());
    let front = installation.front(&public_url)?;
    let background = installation.start_background();
    announce(&installation, &listener, &public_url).await?;
    let stop = async {
        stop.await;
        // They would go on for ever, and a browser comes back by itself.
        installation.portal.access.end_streams();
    };
    let all_left = listener.serve(front, stop).await;
    for task in background {
        task.abort();
    }
    if let Err(error) = installation.portal.firmware.flush_progress().await {
        tracing::warn!(%error, "the last sightings of devices could not be written down");
    }
    installation.store.close().await;
    tracing::info!(all_left, "stopped");
    Ok(())
}

fn limits() -> Limits {
    let open_files = descriptors::raise_limit();
    let limits = Limits::default().within(open_files);
    let connections = limits.connections;
    tracing::info!(open_files, connections, "as many may be open at once");
    limits
}

async fn announce(
    installation: &Installation,
    listener: &Listener,
    public_url: &str,
) -> Result<(), Refusal> {
    let scheme = if installation.config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    println!("listening on {scheme}://{}", listener.address());
    let token = installation
        .portal
        .identity
        .setup_token()
        .await
        .map_err(|error| Refusal::new(error.to_string()))?;
    if let Some(token) = token {
        println!(
            "No account exists yet. Set the portal up within 30 minutes at:\n{public_url}/setup?token={token}"
        );
    }
    Ok(())
}

fn warn_of_open_doors(config: &Config) {
    if config.no_jwt {
        tracing::warn!(
            "no_jwt is on: anybody who reaches this portal can download every published firmware"
        );
    }
    if config.insecure_http && config.tls.is_none() {
        tracing::warn!("insecure_http is on: passwords and tokens cross the network in the clear");
    }
}
