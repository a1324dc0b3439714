//! Many devices in one process, in compressed time: minutes for them are seconds here.
//!
//! Each shows a token of its own, since the portal follows what every device runs: two that
//! showed the same one would look like a device that keeps falling back to its old version.

use std::future::Future;
use std::mem;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gatehouse_types::{Version, firmware::ReportState};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::download::Download;
use crate::intake::Intake;
use crate::random::jitter;
use crate::token::token_file;
use crate::update::{tell, tell_failure, tell_refusal};
use crate::{Answer, Failure, Keys, Kind, Memory, Offer, Portal, Tally, Token, growing_waits};

/// How a simulated fleet behaves.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The devices.
    pub members: Vec<Member>,
    /// The two keys that sign their releases; without them signatures are not checked.
    pub keys: Option<Keys>,
    /// So many of a hundred updates fail once the image is fetched, 0..=100.
    pub fail_percent: u8,
    /// Each device first asks after so many milliseconds.
    pub first_check_ms: RangeInclusive<u64>,
    /// And then again after each so many milliseconds.
    pub poll_ms: RangeInclusive<u64>,
    /// How long a device takes to start the new image.
    pub restart_ms: RangeInclusive<u64>,
}

/// One device of a fleet, as it is when the simulation begins.
#[derive(Debug, Clone)]
pub struct Member {
    /// What it shows the portal.
    pub token: Token,
    /// The version it runs.
    pub current_fw: String,
}

/// Reads devices from a file: one a line, its token and then the version it runs, if it is not `current_fw`.
///
/// # Errors
/// When the file cannot be read, or a line holds something else.
pub fn members(path: &Path, current_fw: &str) -> Result<Vec<Member>, Failure> {
    let text = token_file(path)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| member(line, current_fw)).collect()
}

fn member(line: &str, current_fw: &str) -> Result<Member, Failure> {
    let (token, version) = line.trim().split_once(' ').unwrap_or((line, current_fw));
    if version.parse::<Version>().is_err() {
        let sentence = "a line of --token-file is a token, or a token, a space and a version";
        return Err(Failure::new(Kind::Usage, sentence));
    }
    Ok(Member {
        token: Token::new(token)?,
        current_fw: version.to_owned(),
    })
}

/// Lets the fleet live until `end`, then tells what it met; what is under way is dropped.
pub async fn simulate(portal: &Portal, fleet: &Fleet, end: impl Future<Output = ()>) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let habits = Arc::new(fleet.clone());
    let mut devices = JoinSet::new();
    for Member { token, current_fw } in &fleet.members {
        let device = SimulatedDevice {
            portal: portal.showing(token),
            fleet: Arc::clone(&habits),
            current_fw: current_fw.clone(),
            unconfirmed: None,
            memory: fleet.keys.as_ref().map(Keys::no_memory),
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
    fleet: Arc<Fleet>,
    current_fw: String,
    /// What it just installed, until the portal has heard the new version.
    unconfirmed: Option<Offer>,
    /// What it remembers of manifests, when it has keys to check them with.
    memory: Option<Memory>,
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
        let Answer::Install(offer) = self.check().await? else {
            return Ok(());
        };
        let offer = self.sign_off(*offer).await?;
        self.try_on(&offer).await?;
        if jitter(&(1..=100)) <= u64::from(self.fleet.fail_percent) {
            return self.come_to_grief(&offer).await;
        }
        sleep(drawn(&self.fleet.restart_ms)).await;
        if let Some(memory) = &mut self.memory {
            memory.finish();
        }
        self.current_fw.clone_from(&offer.version);
        self.unconfirmed = Some(offer);
        self.check().await.map(drop)
    }

    /// The offer as two keys signed it, or as it came where the fleet has no keys.
    async fn sign_off(&mut self, offer: Offer) -> Result<Offer, Failure> {
        let (Some(keys), Some(memory)) = (&self.fleet.keys, &mut self.memory) else {
            return Ok(offer);
        };
        let signed = keys
            .sign_off(&self.portal, &offer, &self.current_fw, memory, &[])
            .await;
        match &signed {
            Ok(Offer {
                signed: Some(claims),
                ..
            }) => memory.begin(claims),
            Ok(_) => {}
            Err(failure) => tell_refusal(&self.portal, &offer.version, failure).await,
        }
        signed
    }

    /// Asks with the version it runs; the first time with a new one, that confirms the update.
    async fn check(&mut self) -> Result<Answer, Failure> {
        let asked_at = Instant::now();
        let answer = self.portal.check(&self.current_fw).await?;
        self.note(|tally| tally.note_check(asked_at.elapsed()));
        if let Some(offer) = self.unconfirmed.take() {
            self.note(|tally| tally.note_update(offer.size_bytes));
            self.portal
                .report(&offer.version, ReportState::Succeeded, "")
                .await?;
        }
        Ok(answer)
    }

    /// The new image says that it does not work, or the old one comes up again without a word.
    async fn come_to_grief(&mut self, offer: &Offer) -> Result<(), Failure> {
        self.note(Tally::note_mishap);
        if jitter(&(0..=1)) == 0 {
            let detail = "This simulated device was told to fail.";
            return self
                .portal
                .report(&offer.version, ReportState::Failed, detail)
                .await;
        }
        sleep(drawn(&self.fleet.restart_ms)).await;
        self.check().await.map(drop)
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
        if let Err(failure) = download.run(&mut Intake::discarding(offer)).await {
            tell_failure(&self.portal, &offer.version, &failure).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_a_device_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, "one\r\n\n two 1.1.0\n").unwrap();
        let read = members(&path, "1.0.0").unwrap();
        let shown = read
            .iter()
            .map(|member| (member.token.header(), member.current_fw.as_str()));
        let shown: Vec<_> = shown.collect();
        assert_eq!(shown[0], ("Bearer one".parse().unwrap(), "1.0.0"));
        assert_eq!(shown[1], ("Bearer two".parse().unwrap(), "1.1.0"));
        std::fs::write(&path, "a token and words\n").unwrap();
        let refusal = members(&path, "1.0.0").unwrap_err();
        assert_eq!(refusal.kind(), Kind::Usage);
        assert!(!refusal.to_string().contains("words"));
    }
}
