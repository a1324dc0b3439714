//! Deleting connections from the kernel's table, for packets that no rule sees any longer.
//!
//! With nftables the guard ends live connections by itself, with a reset, and this is not needed.
//! Where the router offloads flows, their packets bypass the guard; and a guard of iptables ends
//! where another program puts an ACCEPT before it.

use crate::backend::{ToolError, find_tool, run_tool};
use crate::config::{BackendKind, Config};
use gatehouse_router_protocol::message::Route;
use tracing::warn;

const CONNTRACK: &str = "conntrack";

/// What `conntrack` exits with when there was no such connection.
const NOTHING_DELETED: Option<i32> = Some(1);

/// How long after a natural end connections are deleted once more. The kernel may end its rule a
/// moment after our clock does, and who sends without a pause comes in again until then.
const CUT_AGAIN_MS: u64 = 2000;

/// How many are deleted in one go. Each is a process of its own, and commands wait for it.
const CUTS_AT_ONCE: usize = 20;

/// The connections that have to be deleted, now or in a moment.
#[derive(Debug)]
pub(crate) struct Cutter {
    is_wanted: bool,
    waiting: Vec<Cut>,
}

#[derive(Debug, Clone, Copy)]
struct Cut {
    route: Route,
    due_ms: u64,
}

impl Cutter {
    /// Deletes connections only where the configuration wants it and the tool is there.
    pub(crate) fn new(config: &Config) -> Self {
        let is_wanted = match config.backend {
            BackendKind::Nft => config.flow_offload,
            BackendKind::Iptables => true,
            BackendKind::DryRun => false,
        };
        let is_there = find_tool(CONNTRACK).is_some();
        if is_wanted && !is_there {
            warn!(
                "conntrack is not installed: connections that the router offloads live on after their session"
            );
        }
        Self {
            is_wanted: is_wanted && is_there,
            waiting: Vec::new(),
        }
    }

    /// Takes routes down that no rule lets through once the firewall has taken the change. They
    /// come before all others: somebody asked for it.
    pub(crate) fn closed(&mut self, routes: impl IntoIterator<Item = Route>) {
        if self.is_wanted {
            let cuts = routes.into_iter().map(|route| Cut { route, due_ms: 0 });
            self.waiting.splice(0..0, cuts);
        }
    }

    /// Takes a route down whose rule ends by itself at about this moment.
    pub(crate) fn ended(&mut self, route: Route, now_ms: u64) {
        self.push(route, 0);
        self.push(route, now_ms + CUT_AGAIN_MS);
    }

    fn push(&mut self, route: Route, due_ms: u64) {
        if self.is_wanted {
            self.waiting.push(Cut { route, due_ms });
        }
    }

    /// Deletes the connections that are due, but for those of routes that are open again: 20 at
    /// the most, and the rest the next times.
    ///
    /// A failure is only logged, the guard stands anyway. After a call that hung the rest waits for
    /// the next time, so that they do not hang one after the other.
    pub(crate) fn cut_due(&mut self, now_ms: u64, is_open: impl Fn(&Route) -> bool) {
        let mut due = self
            .waiting
            .extract_if(.., |cut| cut.due_ms <= now_ms)
            .filter(|cut| !is_open(&cut.route))
            .take(CUTS_AT_ONCE)
            .collect::<Vec<_>>()
            .into_iter();
        for Cut { route, .. } in due.by_ref() {
            if let Err(failure) = delete(&route) {
                warn!("connections were not cut: {failure}");
                if matches!(failure, ToolError::TooSlow(_)) {
                    break;
                }
            }
        }
        self.waiting.extend(due);
    }
}

fn delete(route: &Route) -> Result<(), ToolError> {
    match run_tool(CONNTRACK, &arguments(route), "") {
        Err(ToolError::Refused {
            code: NOTHING_DELETED,
            complaint,
            ..
        }) if complaint.contains("0 flow entries") => Ok(()),
        outcome => outcome.map(drop),
    }
}

fn arguments(route: &Route) -> Vec<String> {
    let family = if route.ip_src.is_ipv4() {
        "ipv4"
    } else {
        "ipv6"
    };
    [
        "-D",
        "-f",
        family,
        "-p",
        &route.protocol.to_string(),
        "--orig-src",
        &route.ip_src.to_string(),
        "--orig-port-dst",
        &route.port_dst.to_string(),
        "--reply-src",
        &route.ip_dst_lan.to_string(),
        "--reply-port-src",
        &route.port_dst_lan.to_string(),
    ]
    .map(str::to_owned)
    .to_vec()
}
