//! Many devices in one process, in compressed time: minutes for them are seconds here.

use std::future::Future;
use std::mem;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gatehouse_types::firmware::ReportState;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::download::Download;
use crate::intake::Intake;
use crate::random::jitter;
use crate::update::tell;
use crate::{Answer, Failure, Offer, Portal, Tally, growing_waits};

/// How a simulated fleet behaves.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// How many devices there are.
    pub devices: u32,
    /// The version they all start from.
    pub current_fw: String,
    /// Each device first asks after so many milliseconds.
    pub first_check_ms: RangeInclusive<u64>,
    /// And then again after each so many milliseconds.
    pub poll_ms: RangeInclusive<u64>,
}

/// Lets the fleet live until `end`, then tells what it met; what is under way is dropped.
pub async fn simulate(portal: &Portal, fleet: &Fleet, end: impl Future<Output = ()>) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut devices = JoinSet::new();
    for _ in 0..fleet.devices {
        let device = SimulatedDevice {
            portal: portal.clone(),
            fleet: fleet.clone(),
            current_fw: fleet.current_fw.clone(),
            tally: Arc::clone(&tally),
        };
        devices.spawn(device.live());
    }
    end.await;
    devices.shutdown().await;
    mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner))
}

struct SimulatedDevice {
    portal: Portal,
    fleet: Fleet,
    current_fw: String,
    tally: Arc<Mutex<Tally>>,
}

impl SimulatedDevice {
    async fn live(mut self) {
        let mut wait = drawn(&self.fleet.first_check_ms);
        loop {
            sleep(wait).await;
            wait = drawn(&self.fleet.poll_ms);
            if let Err(failure) = self.check_and_update().await {
                self.note(|tally| tally.note_error(failure.kind()));
                wait = failure.wait(wait);
            }
        }
    }

    async fn check_and_update(&mut self) -> Result<(), Failure> {
        let asked_at = Instant::now();
        let answer = self.portal.check(&self.current_fw).await?;
        self.note(|tally| tally.note_check(asked_at.elapsed()));
        let Answer::Install(offer) = answer else {
            return Ok(());
        };
        self.try_on(&offer).await?;
        self.portal
            .report(&offer.version, ReportState::Succeeded, "")
            .await?;
        self.note(|tally| tally.note_update(offer.size_bytes));
        self.current_fw = offer.version;
        Ok(())
    }

    /// Fetches and checks the image as a real device would, and keeps nothing of it.
    async fn try_on(&self, offer: &Offer) -> Result<(), Failure> {
        let waits = growing_waits();
        let download = Download {
            portal: &self.portal,
            offer,
            waits: &waits,
            progress: &|_, _| {},
        };
        tell(&download, ReportState::Downloading).await;
        if let Err(failure) = download.run(&mut Intake::discarding()).await {
            let detail = failure.to_string();
            // The failure itself is what the tally has to hear of.
            let _ = self
                .portal
                .report(&offer.version, ReportState::Failed, &detail)
                .await;
            return Err(failure);
        }
        tell(&download, ReportState::Installing).await;
        Ok(())
    }

    fn note(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn drawn(range_ms: &RangeInclusive<u64>) -> Duration {
    Duration::from_millis(jitter(range_ms))
}
