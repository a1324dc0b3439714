//! nginx with a configuration of our own, as the peer for static files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::portal::Portal;
use crate::postgres::free_port;
use crate::process::{self, Managed, find};

/// A running nginx that serves one folder; it stops when this value goes.
pub(super) struct Nginx {
    /// Where it is.
    pub(super) url: String,
    _process: Managed,
}

impl Nginx {
    /// Starts it on a free port, with as many workers as cores and the usual settings for static files.
    ///
    /// # Errors
    /// When it does not answer within five seconds.
    pub(super) fn start(web_root: &Path) -> Result<Self> {
        let port = free_port()?;
        let dir = web_root.display();
        // As root its workers would change to a user that cannot read a private folder.
        let user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let config = format!(
            "{user} worker_processes auto; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=100;\n\
             client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;\n\
             uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;\n\
             server {{ listen 127.0.0.1:{port}; root {dir}; }} }}\n"
        );
        let config_file = web_root.join("nginx.conf");
        fs::write(&config_file, config)?;
        fs::set_permissions(web_root, fs::Permissions::from_mode(0o755))?;
        let program = find("nginx").unwrap_or_else(|| "/usr/sbin/nginx".into());
        let process = Managed::start(
            process::command(program)
                .arg("-c")
                .arg(&config_file)
                .arg("-e")
                .arg(web_root.join("error.log")),
        )?;
        let nginx = Self {
            url: format!("http://127.0.0.1:{port}"),
            _process: process,
        };
        nginx.wait(web_root)?;
        Ok(nginx)
    }

    fn wait(&self, web_root: &Path) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !Portal::at(self.url.clone()).answers("/nginx.conf") {
            if Instant::now() > deadline {
                let log =
                    fs::read_to_string(web_root.join("error.log")).context("nginx wrote no log")?;
                bail!("nginx does not answer: {log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}
