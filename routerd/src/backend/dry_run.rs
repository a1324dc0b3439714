//! Opens nothing and says in the log what it would do.

use super::{Backend, Repairs, ToolError, Traffic};
use crate::table::{Change, Passage, Table};
use tracing::info;

/// The backend for trying things out.
#[derive(Debug)]
pub struct DryRun;

impl Backend for DryRun {
    fn name(&self) -> &'static str {
        "dry-run"
    }

    fn enforce(&mut self, _wanted: &[Passage]) -> Result<Repairs, ToolError> {
        Ok(Repairs::default())
    }

    fn change(
        &mut self,
        change: &Change,
        _table: &Table,
        now_ms: u64,
    ) -> Result<Traffic, ToolError> {
        for route in change.closed_routes() {
            info!(
                "dry run: would shut {} out of {}/{} and end its connections",
                route.ip_src,
                route.target(),
                route.protocol,
            );
        }
        for passage in &change.after {
            if !change.before.contains(passage) {
                tell_open(passage, now_ms);
            }
        }
        Ok(Traffic::new())
    }

    fn keep_up(&mut self, _any_ended: bool, _: &Table, _now_ms: u64) -> Result<(), ToolError> {
        Ok(())
    }

    fn traffic(&mut self) -> Result<Traffic, ToolError> {
        Ok(Traffic::default())
    }
}

fn tell_open(passage: &Passage, now_ms: u64) {
    let route = &passage.route;
    info!(
        "dry run: would let {} reach {}/{} through port {} for {} s",
        route.ip_src,
        route.target(),
        route.protocol,
        route.port_dst,
        passage.ends_at_ms.saturating_sub(now_ms).div_ceil(1000),
    );
}
