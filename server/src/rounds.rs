//! What goes on without anybody asking.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval_at},
};

/// Does a piece of work at once and then once a period, until the handle ends it.
pub(crate) fn every<F, W>(period: Duration, what: &'static str, work: F) -> JoinHandle<()>
where
    F: Fn() -> W + Send + 'static,
    W: Future<Output = gatehouse_core::Result<()>> + Send,
{
    every_after(Duration::ZERO, period, what, work)
}

/// Does a piece of work once a period, the first time after `first`. A failure is a line in the log.
pub(crate) fn every_after<F, W>(
    first: Duration,
    period: Duration,
    what: &'static str,
    work: F,
) -> JoinHandle<()>
where
    F: Fn() -> W + Send + 'static,
    W: Future<Output = gatehouse_core::Result<()>> + Send,
{
    tokio::spawn(async move {
        let mut ticks = interval_at(Instant::now() + first, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = work().await {
                tracing::warn!(%error, "could not {what}; trying again");
            }
        }
    })
}
