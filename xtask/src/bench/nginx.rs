//! nginx with a configuration of our own, as the peer for static files; it asks for no token.

use std::fs;

use anyhow::Result;

use super::peer::Peer;
use super::stage::{Certificate, Stage};
use crate::postgres::free_port;
use crate::process::{self, Managed, find};

/// Starts it on a free port, with as many workers as cores and the usual settings for static files.
///
/// # Errors
/// When it does not take connections.
pub(super) fn start(stage: &Stage, tls: Option<&Certificate>) -> Result<Peer> {
    let port = free_port()?;
    let folder = stage.new_folder()?;
    // As root its workers would change to a user that cannot read a private folder.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let listen = match tls {
        None => format!("listen 127.0.0.1:{port};"),
        Some(pair) => format!(
            "listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {}; ssl_certificate_key {};",
            pair.cert.display(),
            pair.key.display()
        ),
    };
    let (dir, web_root) = (folder.display(), stage.web_root());
    let config = format!(
        "{user} worker_processes auto; daemon off; pid {dir}/pid; error_log stderr;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=100;\n\
         client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;\n\
         uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;\n\
         server {{ {listen} root {}; }} }}\n",
        web_root.display()
    );
    let config_file = folder.join("nginx.conf");
    fs::write(&config_file, config)?;
    let program = find("nginx").unwrap_or_else(|| "/usr/sbin/nginx".into());
    let mut nginx = process::command(program);
    nginx.arg("-c").arg(config_file).args(["-e", "stderr"]);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let peer = Peer {
        name: "nginx, no token",
        url: format!("{scheme}://127.0.0.1:{port}"),
        header: None,
        process: Managed::start(&mut nginx)?,
    };
    peer.wait(port)
}
