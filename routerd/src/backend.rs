//! What enforces the sessions: the kernel's packet filter, or a log that only says what it would do.

pub mod dry_run;
pub mod iptables;
pub mod nftables;
mod tool;

pub(crate) use tool::run as run_tool;
pub use tool::{ToolError, find as find_tool};

use crate::clock::Clock;
use crate::config::{BackendKind, Config};
use crate::table::{Change, Flow, Passage, Table};
use gatehouse_router_protocol::message::{Protocol, Route};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// One way to let passages through and to end them.
///
/// Every operation can be repeated. After an error the firewall may have taken all of it or nothing;
/// [`Backend::enforce`] brings it back to what the table says.
pub trait Backend: Send {
    /// Names the backend as the configuration does.
    fn name(&self) -> &'static str;

    /// Brings the firewall to exactly these passages, whatever it holds, and tells what was amiss.
    fn enforce(&mut self, wanted: &[Passage]) -> Result<Repairs, ToolError>;

    /// Takes over one change. `table` is as it is after it. Tells what was counted until then on the
    /// ways through that it touches, as far as that can be known.
    fn change(&mut self, change: &Change, table: &Table, now_ms: u64)
    -> Result<Traffic, ToolError>;

    /// Is called every second and before each command. `any_ended` says that sessions have left the
    /// table because their time was over; nothing of them may be let through any longer.
    fn keep_up(&mut self, any_ended: bool, table: &Table, now_ms: u64) -> Result<(), ToolError>;

    /// Counts the bytes of both directions since each way through was opened.
    fn traffic(&mut self) -> Result<Traffic, ToolError>;
}

/// Bytes by connection, of those that are open.
pub type Traffic = BTreeMap<Flow, u64>;

/// What the firewall had otherwise than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repairs {
    /// Entries that were not there.
    pub missing: usize,
    /// Entries that nobody had asked for.
    pub strangers: usize,
    /// Entries that led elsewhere or would have ended at another time.
    pub different: usize,
    /// Whether the rules themselves were not there or not ours.
    pub rules: bool,
}

impl Repairs {
    /// Tells whether everything was as it should be.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl std::ops::Add for Repairs {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            missing: self.missing + other.missing,
            strangers: self.strangers + other.strangers,
            different: self.different + other.different,
            rules: self.rules || other.rules,
        }
    }
}

impl fmt::Display for Repairs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = if self.rules { "the rules and " } else { "" };
        write!(
            formatter,
            "{rules}{} missing, {} unknown and {} different entries",
            self.missing, self.strangers, self.different
        )
    }
}

/// How long the rules of a trial live, should nobody take them away.
const TRIAL_MS: u64 = 1000;

/// Gives a passage of each kind between addresses of documentation, for trying the firewall.
fn samples(now_ms: u64) -> Vec<Passage> {
    let hosts: [[IpAddr; 2]; 2] = [
        [[203, 0, 113, 7].into(), [192, 0, 2, 50].into()],
        [
            [0x2001, 0xdb8, 0, 0, 0, 0, 0, 7].into(),
            [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x50].into(),
        ],
    ];
    let of = |[ip_src, ip_dst_lan]: [IpAddr; 2], protocol| Passage {
        route: Route {
            ip_src,
            port_dst: 7890,
            ip_dst_lan,
            port_dst_lan: 80,
            protocol,
        },
        ends_at_ms: now_ms + TRIAL_MS,
    };
    hosts
        .into_iter()
        .flat_map(|hosts| [Protocol::Tcp, Protocol::Udp].map(|protocol| of(hosts, protocol)))
        .collect()
}

/// Makes the backend that the configuration names.
pub fn choose(config: &Config, clock: &Arc<dyn Clock>) -> Box<dyn Backend> {
    match config.backend {
        BackendKind::Nft => Box::new(nftables::Nftables::new(
            config.wan_interfaces.clone(),
            Arc::clone(clock),
        )),
        BackendKind::Iptables => Box::new(iptables::Iptables::new(
            &config.wan_interfaces,
            Arc::clone(clock),
        )),
        BackendKind::DryRun => Box::new(dry_run::DryRun),
    }
}
