//! The words of `gatehouse router`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value};

/// What can be done with router daemons from the terminal.
#[derive(Debug, Subcommand)]
pub enum RouterCommand {
    /// Send one message to a router daemon and print its answer
    #[command(
        after_help = "Example:\n  gatehouse router send '{\"action\":\"add\",\"ip_src\":\"198.51.100.7\",\"port_dst\":6599,\"ip_dst_lan\":\"192.168.1.3\",\"port_dst_lan\":8080,\"rule_timeout\":10}'\n  gatehouse router send --config router.toml -m '{\"action\":\"list\"}'\n\nThe configuration holds host_name_dst, port_dst, ssl_cert_file (or cert_sha256), aes_key and api_key\n(or aes_key_file and api_key_file), and protocol: 1 for the original daemon, which is the default, or\n2 for gatehouse-routerd. Relative paths in it are relative to the current folder."
    )]
    Send(Send),
}

/// What `gatehouse router send` takes.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["positional", "message"]))]
pub struct Send {
    /// The message: a JSON object
    #[arg(value_name = "MESSAGE", value_parser = json_object)]
    positional: Option<Map<String, Value>>,
    /// The message, as the original's client takes it
    #[arg(short, long, value_name = "MESSAGE", value_parser = json_object)]
    message: Option<Map<String, Value>>,
    /// Where the daemon is and what it shares with us (JSON, or TOML in a file that ends so)
    #[arg(long, value_name = "FILE", default_value = "config/config_client.json")]
    pub config: PathBuf,
    /// Taken for the original's sake, where it chose the file that is the default here
    #[arg(short = 'P', long = "prod", hide = true)]
    _prod: bool,
}

impl Send {
    /// Gives the message, whichever way it was named.
    pub fn message(&self) -> Map<String, Value> {
        let named = self.message.as_ref().or(self.positional.as_ref());
        named.cloned().unwrap_or_default()
    }
}

fn json_object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("it must be a JSON object: {error}"))
}
