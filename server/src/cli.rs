//! The command line of `gatehouse`: its words only, no deeds.

mod project;
mod router;

pub use project::{Keys, ProjectCommand};
pub use router::{RouterCommand, Send};

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// One self-hosted portal for owners, admins and devices.
#[derive(Debug, Parser)]
#[command(
    name = "gatehouse",
    version,
    after_help = "Example:\n  gatehouse serve --data-dir /var/lib/gatehouse"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The deeds that `gatehouse` knows.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the portal: pages, JSON API and device listeners
    #[command(
        after_help = "Example:\n  gatehouse serve --config /etc/gatehouse.toml --listen 127.0.0.1:3000"
    )]
    Serve {
        /// The configuration.
        #[command(flatten)]
        flags: Flags,
        /// Print the configuration that would be used, with secrets hidden, and exit
        #[arg(long)]
        print_config: bool,
    },
    /// Manage accounts from the terminal
    #[command(after_help = "Example:\n  gatehouse admin create --email ada@example.com")]
    Admin {
        /// What to do with accounts.
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Talk to a router daemon from the terminal
    #[command(
        after_help = "Example:\n  gatehouse router send --config router.toml '{\"action\":\"ping\"}'"
    )]
    Router {
        /// What to do with router daemons.
        #[command(subcommand)]
        command: RouterCommand,
    },
    /// Look after firmware projects from the terminal
    #[command(after_help = "Example:\n  gatehouse project keys lamp --format pem")]
    Project {
        /// What to do with projects.
        #[command(subcommand)]
        command: ProjectCommand,
    },
    /// Print what a co-signer has to know of this portal, and how the co-signer is
    #[command(
        name = "cosigner",
        after_help = "Example:\n  gatehouse cosigner --data-dir /var/lib/gatehouse"
    )]
    CoSigner {
        /// The configuration.
        #[command(flatten)]
        flags: Flags,
    },
    /// Bring the database to the schema of this version
    #[command(after_help = "Example:\n  gatehouse migrate --data-dir /var/lib/gatehouse")]
    Migrate {
        /// The configuration.
        #[command(flatten)]
        flags: Flags,
    },
    /// Write database, blobs and keys into one file that only you can read
    #[command(
        after_help = "Example:\n  gatehouse backup --data-dir /var/lib/gatehouse gatehouse.backup"
    )]
    Backup {
        /// The configuration.
        #[command(flatten)]
        flags: Flags,
        /// The file to write; it must not exist
        file: PathBuf,
    },
    /// Restore a backup into an empty data folder
    #[command(after_help = "Example:\n  gatehouse restore --data-dir ./restored gatehouse.backup")]
    Restore {
        /// The configuration.
        #[command(flatten)]
        flags: Flags,
        /// The file that `gatehouse backup` wrote
        file: PathBuf,
    },
    /// Take in the firmware folder of the original Flask server
    #[command(
        after_help = "Example:\n  gatehouse import --data-dir /var/lib/gatehouse /srv/ota/www"
    )]
    Import {
        /// The configuration.
        #[command(flatten)]
        flags: Flags,
        /// The folder that holds `firmware/<project>/<file>`, or that `firmware` folder itself
        folder: PathBuf,
    },
    /// Look for what is wrong with this installation
    #[command(after_help = "Example:\n  gatehouse doctor --config /etc/gatehouse.toml")]
    Doctor {
        /// The configuration.
        #[command(flatten)]
        flags: Flags,
    },
    /// Print the key that a home backend checks the portal's wake tokens with
    #[command(
        after_help = "Example:\n  gatehouse wake-key --config /etc/gatehouse.toml https://home.example.org"
    )]
    WakeKey {
        /// The configuration.
        #[command(flatten)]
        flags: Flags,
        /// Scheme, host and port of the home backend, as in wake.webhook_origins
        origin: String,
    },
    /// Print the document that describes the JSON API
    #[command(after_help = "Example:\n  gatehouse openapi > openapi.json")]
    Openapi,
    /// Ask a running portal whether it is ready; for container health checks
    #[command(
        after_help = "Example:\n  gatehouse health --config /etc/gatehouse.toml\n  gatehouse health --url http://127.0.0.1:3000/readyz"
    )]
    Health {
        /// The configuration of the portal that is asked.
        #[command(flatten)]
        flags: Flags,
        /// What to ask [default: /readyz where the configuration listens]
        #[arg(long)]
        url: Option<String>,
    },
}

/// What can be done with accounts from the terminal.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Make an account; the password is asked for
    #[command(
        after_help = "Example:\n  gatehouse admin create --email ada@example.com\n  printf '%s' \"$PASSWORD\" | gatehouse admin create --email bo@example.com --owner --password-stdin"
    )]
    Create {
        /// The configuration.
        #[command(flatten)]
        flags: Flags,
        /// The e-mail address to sign in with
        #[arg(long)]
        email: String,
        /// Make an owner, who has no admin rights
        #[arg(long)]
        owner: bool,
        /// Read the password from standard input instead of asking
        #[arg(long)]
        password_stdin: bool,
    },
}

/// The configuration as flags; they win over the environment and the file.
///
/// Secrets have none: a command line can be read by everybody on the machine.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub struct Flags {
    /// Read the configuration from this TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep database, blobs and keys in this folder [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Listen on this address; port 0 picks one [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// The address that people type, for links and cookies [default: from --listen]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Store uploads here [default: file://<data-dir>/blobs]
    #[arg(long, value_name = "URL")]
    pub blob_url: Option<String>,
    /// Serve TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<String>,
    /// The key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// Believe the forwarding header of these networks, separated by commas
    #[arg(long, value_name = "CIDR,…")]
    pub trusted_proxies: Option<String>,
    /// The forwarding header to believe: x-forwarded-for or forwarded
    #[arg(long, value_name = "NAME")]
    pub forwarded_header: Option<String>,
    /// Listen beyond this machine without TLS
    #[arg(long)]
    pub insecure_http: bool,
    /// Let devices download firmware without a token
    #[arg(long)]
    pub no_jwt: bool,
    /// Tokens in download URLs: allow, warn or deny
    #[arg(long, value_name = "RULE")]
    pub query_token: Option<String>,
    /// Let a trusted proxy send images itself: off, x-accel-redirect or x-sendfile
    #[arg(long, value_name = "HEADER")]
    pub sendfile: Option<String>,
    /// What to name files by towards that proxy [default: /gatehouse-images, or the folder of the blobs]
    #[arg(long, value_name = "PATH")]
    pub sendfile_root: Option<String>,
    /// The largest upload in bytes
    #[arg(long, value_name = "BYTES")]
    pub max_upload_bytes: Option<String>,
    /// Write the log as text or json
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Which events to log, such as info,gatehouse::access=warn
    #[arg(long, value_name = "DIRECTIVES")]
    pub log_filter: Option<String>,
}

impl Flags {
    /// Answers the flags that were given, as configuration keys with their text.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let switch = |on: bool| on.then_some("true");
        [
            ("data_dir", self.data_dir.as_deref()),
            ("listen", self.listen.as_deref()),
            ("public_url", self.public_url.as_deref()),
            ("blob_url", self.blob_url.as_deref()),
            ("tls.cert", self.tls_cert.as_deref()),
            ("tls.key", self.tls_key.as_deref()),
            ("trusted_proxies", self.trusted_proxies.as_deref()),
            ("forwarded_header", self.forwarded_header.as_deref()),
            ("insecure_http", switch(self.insecure_http)),
            ("no_jwt", switch(self.no_jwt)),
            ("query_token", self.query_token.as_deref()),
            ("sendfile", self.sendfile.as_deref()),
            ("sendfile_root", self.sendfile_root.as_deref()),
            ("max_upload_bytes", self.max_upload_bytes.as_deref()),
            ("log.format", self.log_format.as_deref()),
            ("log.filter", self.log_filter.as_deref()),
        ]
        .into_iter()
        .filter_map(|(key, text)| Some((key, text?)))
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser, error::ErrorKind};

    use super::Cli;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command) {
            let example = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                example.contains("Example:\n  gatehouse"),
                "{} shows none",
                command.get_name()
            );
            command
                .get_subcommands()
                .filter(|sub| sub.get_name() != "create")
                .for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        for words in [
            &["gatehouse"][..],
            &["gatehouse", "serv"],
            &["gatehouse", "serve", "--lisen", "x"],
            &["gatehouse", "backup"],
        ] {
            let error = Cli::try_parse_from(words).expect_err("refuses");
            assert_eq!(error.exit_code(), 2, "{words:?}");
        }
        let help = Cli::try_parse_from(["gatehouse", "--help"]).expect_err("prints help");
        assert_eq!((help.kind(), help.exit_code()), (ErrorKind::DisplayHelp, 0));
    }
}
