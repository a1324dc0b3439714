//! Memory and database of the fleet kept alike: the writing, the following, the first reading.

use super::{Firmware, fleet::Key, words::releases_of};
use crate::Result;

/// Devices that are read at a time.
const PAGE: i64 = 10_000;
/// Devices that are written down in one transaction; whoever else wants to write comes in between.
const BATCH: usize = 20_000;

impl Firmware {
    /// Writes down what devices did since the last time; called every few seconds.
    ///
    /// # Errors
    /// When the database does not answer; what is not written is kept for the next time.
    pub async fn flush_progress(&self) -> Result<()> {
        let mut waiting = self.fleet.take_unwritten();
        while !waiting.is_empty() {
            let batch = waiting.split_off(waiting.len().saturating_sub(BATCH));
            self.fleet.touch(releases_of(&batch));
            if let Err(error) = self.ports.store.save_progress(&batch).await {
                waiting.extend(batch);
                self.fleet.keep_unwritten(waiting);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Reads every device into memory, so that no first word of one costs a row; called once after the start.
    ///
    /// # Errors
    /// When the database does not answer; devices are then read when they speak.
    pub async fn load_fleet(&self) -> Result<()> {
        let began_at_ms = self.ports.now_ms();
        // What changes while it is read is read once more, and nothing from before.
        let seq = self.ports.store.fleet_seq().await?;
        let (mut after, mut devices) = (None, 0);
        loop {
            let page = self.ports.store.load_fleet(after, PAGE).await?;
            devices += page.len();
            for device in &page {
                self.fleet.learn(device);
            }
            let Some(last) = page.last() else {
                break;
            };
            after = Some((last.project_id, last.device_id));
            tokio::task::yield_now().await;
        }
        self.fleet.set_seq(seq);
        self.fleet.set_whole();
        let duration_ms = self.ports.now_ms() - began_at_ms;
        tracing::info!(devices, duration_ms, "read the fleet into memory");
        Ok(())
    }

    /// Reads a device into memory again after a change of its row.
    pub(super) async fn relearn(&self, (project_id, device_id): Key) -> Result<()> {
        if let Some(device) = self.ports.store.fleet_device(project_id, device_id).await? {
            self.fleet.learn(&device);
        }
        Ok(())
    }

    /// Takes over what other instances wrote of devices.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn follow_fleet(&self) -> Result<()> {
        let newest = self.ports.store.fleet_seq().await?;
        while self.fleet.seq() < newest {
            let before = self.fleet.seq();
            let (seq, changes) = self.ports.store.fleet_changes(before, PAGE).await?;
            for change in &changes {
                self.fleet.learn_change(change);
            }
            self.fleet.set_seq(seq);
            if seq <= before {
                break;
            }
        }
        Ok(())
    }
}
