//! The words of the command line, no deeds.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use gatehouse_cosigner::Hours;
use uuid::Uuid;

/// Signs a portal's releases a second time, with keys that the portal does not have.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  gatehouse-cosigner trust workshop --key identity.pem\n  gatehouse-cosigner run --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem"
)]
pub(crate) struct Cli {
    /// The folder with keys, trust and record
    #[arg(
        long,
        global = true,
        env = "GATEHOUSE_COSIGNER_DIR",
        default_value = "/var/lib/gatehouse-cosigner"
    )]
    pub(crate) dir: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the service until SIGTERM
    #[command(
        after_help = "Example:\n  gatehouse-cosigner run --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem"
    )]
    Run(Run),
    /// Trust a portal, or change what it is trusted with
    #[command(
        after_help = "Example:\n  gatehouse-cosigner trust workshop --key identity.pem --hours 07:00-19:00 --approval"
    )]
    Trust(Trust),
    /// Trust a portal no more; it is refused from its next request on
    #[command(
        after_help = "Example:\n  gatehouse-cosigner revoke 5d3c0a52-8f0e-8c3b-9d55-0d7f2f4a9a11"
    )]
    Revoke {
        /// The portal's id, as `portals` shows it
        server_id: Uuid,
    },
    /// List the portals and what they may do
    Portals,
    /// List the releases that wait for a second person
    Pending,
    /// Manage who may approve releases
    Approver {
        #[command(subcommand)]
        command: Approver,
    },
    /// Approve a release that waits; it is signed when the portal asks again
    #[command(
        after_help = "Example:\n  gatehouse-cosigner approve 2c1a7bd0-8f0e-7c3b-9d55-0d7f2f4a9a11 7 --as grace"
    )]
    Approve {
        #[command(flatten)]
        release: WaitingRelease,
        /// Who approves
        #[arg(long = "as", value_name = "NAME")]
        name: String,
        #[command(flatten)]
        password: Password,
    },
    /// Forget a release that waits, so that another one may take its counter
    Reject {
        #[command(flatten)]
        release: WaitingRelease,
    },
    /// Print the public keys of a project; makes the first one
    Keys {
        /// The project's id
        project_id: Uuid,
    },
    /// Make the key that is to take over; the current one goes on signing until `retire`
    Rotate {
        /// The project's id
        project_id: Uuid,
    },
    /// End the current key for good; the next one signs from now on
    Retire {
        /// The project's id
        project_id: Uuid,
    },
    /// Forget a project's releases, after a counter that nobody published; its keys stay
    #[command(
        after_help = "Revoke the portal first: what was signed before may be signed again, also with another image.\n\nExample:\n  gatehouse-cosigner forget 2c1a7bd0-8f0e-7c3b-9d55-0d7f2f4a9a11"
    )]
    Forget {
        /// The project's id
        project_id: Uuid,
    },
    /// Print the record's last lines: trust, keys, approvals, new releases
    Audit(Last),
    /// Print the last lines about what was signed and refused, alike ones summed up by the minute
    Requests(Last),
}

#[derive(Args)]
pub(crate) struct Last {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) last: usize,
}

#[derive(Args)]
pub(crate) struct Run {
    /// Where portals connect to; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// The certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Listen without TLS on an address that others reach, such as behind a proxy that has TLS
    #[arg(long)]
    pub(crate) insecure_http: bool,
}

#[derive(Args)]
pub(crate) struct Trust {
    /// What you call the portal
    pub(crate) name: String,
    /// The portal's identity key, PEM, as `gatehouse cosigner` prints it on the portal
    #[arg(long, value_name = "PEM_FILE")]
    pub(crate) key: PathBuf,
    /// A project that it may ask for, once for each; all projects without this
    #[arg(long = "project", value_name = "ID")]
    pub(crate) projects: Vec<Uuid>,
    /// When it may ask, in UTC, such as 08:00-18:00; always without this
    #[arg(long)]
    pub(crate) hours: Option<Hours>,
    /// How many signatures it gets in an hour; as many as it wants without this
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) per_hour: Option<u32>,
    /// Let a second person approve each release first
    #[arg(long)]
    pub(crate) approval: bool,
    /// Go on signing releases that were signed before a newer one, for channels and stepping stones
    #[arg(long)]
    pub(crate) older_releases: bool,
    /// Also sign messages that are no release manifests; not together with --approval
    #[arg(long, conflicts_with = "approval")]
    pub(crate) plain_messages: bool,
}

#[derive(Subcommand)]
pub(crate) enum Approver {
    /// Add a person, or give one another password
    #[command(after_help = "Example:\n  gatehouse-cosigner approver add grace")]
    Add {
        /// The person's name
        name: String,
        #[command(flatten)]
        password: Password,
    },
}

#[derive(Args)]
pub(crate) struct WaitingRelease {
    /// The project's id, as `pending` shows it
    pub(crate) project_id: Uuid,
    /// The release's counter, as `pending` shows it
    pub(crate) release_counter: u64,
}

#[derive(Args)]
pub(crate) struct Password {
    /// Read the password from a file instead of asking
    #[arg(long = "password-file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
