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

/// Tells whether connections are to be deleted: the configuration wants it and the tool is there.
pub(crate) fn are_cut(config: &Config) -> bool {
    let wanted = match config.backend {
        BackendKind::Nft => config.flow_offload,
        BackendKind::Iptables => true,
        BackendKind::DryRun => false,
    };
    let there = find_tool(CONNTRACK).is_some();
    if wanted && !there {
        warn!(
            "conntrack is not installed: connections that the router offloads live on after their session"
        );
    }
    wanted && there
}

/// Deletes the connections of one route; a failure is only logged, the guard stands anyway.
pub(crate) fn cut(route: &Route) {
    match run_tool(CONNTRACK, &arguments(route), "") {
        Ok(_) => {}
        Err(ToolError::Refused {
            code: NOTHING_DELETED,
            complaint,
            ..
        }) if complaint.contains("0 flow entries") => {}
        Err(failure) => warn!("connections were not cut: {failure}"),
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
