//! Fetches an image over a bad line: goes on where it was cut off, and believes only the digest.

use std::io;
use std::time::Duration;

use gatehouse_manifest::Refusal;
use http::StatusCode;
use http::header::CONTENT_RANGE;
use reqwest::Response;

use crate::intake::Intake;
use crate::random::jitter;
use crate::{Failure, Kind, Offer, Portal};

/// The waits between five tries: about 1, 2, 4 and 8 seconds, each up to a quarter longer.
pub fn growing_waits() -> [Duration; 4] {
    [1_000, 2_000, 4_000, 8_000]
        .map(|wait_ms| Duration::from_millis(jitter(&(wait_ms..=wait_ms + wait_ms / 4))))
}

/// One image on its way, from whom, and who is told how far it is.
pub(crate) struct Download<'a> {
    pub(crate) portal: &'a Portal,
    pub(crate) offer: &'a Offer,
    /// One wait before each further try.
    pub(crate) waits: &'a [Duration],
    /// Is told the bytes so far and the bytes in all.
    pub(crate) progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Download<'_> {
    /// Fills `intake` with the promised image; when it returns, length and digest are right.
    ///
    /// # Errors
    /// When the tries are used up or another try makes no sense.
    pub(crate) async fn run(&self, intake: &mut Intake) -> Result<(), Failure> {
        let mut waits = self.waits.iter();
        loop {
            let attempt = self.attempt(intake).await;
            intake.flush().await.map_err(|cause| unwritable(&cause))?;
            let Err(failure) = attempt else {
                return Ok(());
            };
            match waits.next() {
                Some(wait) if failure.kind().is_passing() => {
                    tokio::time::sleep(failure.wait(*wait)).await;
                }
                _ => return Err(failure),
            }
        }
    }

    async fn attempt(&self, intake: &mut Intake) -> Result<(), Failure> {
        if intake.received_bytes() > self.offer.size_bytes {
            restart(intake).await?;
        }
        let mut has_older_bytes = intake.received_bytes() > 0;
        if intake.received_bytes() < self.offer.size_bytes {
            let response = self
                .portal
                .image(self.offer, intake.received_bytes())
                .await?;
            has_older_bytes &= self.place(&response, intake).await?;
            self.receive(response, intake).await?;
        }
        self.verify(intake, has_older_bytes).await
    }

    /// Makes `intake` end where the body of `response` begins; tells whether bytes were kept.
    async fn place(&self, response: &Response, intake: &mut Intake) -> Result<bool, Failure> {
        let continues = response.status() == StatusCode::PARTIAL_CONTENT;
        if !continues {
            restart(intake).await?;
        }
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            let sentence = "the portal's image ends before the bytes already here: try again";
            return Err(Failure::new(Kind::Interrupted, sentence));
        }
        if continues && !self.is_our_range(response, intake.received_bytes()) {
            let sentence = "the portal sent another part of the image than was asked for: look at \
                            what stands between it and this device";
            return Err(Failure::new(Kind::BadAnswer, sentence));
        }
        let length_bytes = response.content_length();
        let end_bytes = length_bytes.and_then(|length| length.checked_add(intake.received_bytes()));
        match end_bytes {
            Some(end_bytes) if end_bytes != self.offer.size_bytes => {
                let refusal = if end_bytes > self.offer.size_bytes {
                    Refusal::ImageTooLong
                } else {
                    Refusal::ImageTooShort
                };
                Err(self.wrong_length(refusal, &format!("{end_bytes} bytes")))
            }
            _ => Ok(continues),
        }
    }

    fn is_our_range(&self, response: &Response, start: u64) -> bool {
        let size_bytes = self.offer.size_bytes;
        let wanted = format!("bytes {start}-{}/{size_bytes}", size_bytes - 1);
        response
            .headers()
            .get(CONTENT_RANGE)
            .is_some_and(|range| *range == *wanted)
    }

    async fn receive(&self, mut response: Response, intake: &mut Intake) -> Result<(), Failure> {
        let size_bytes = self.offer.size_bytes;
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| Failure::transport(&error, &self.offer.url))?;
            let Some(chunk) = chunk else {
                break;
            };
            // One byte too many is enough to know, so no more is taken from an endless body.
            let room_bytes = size_bytes + 1 - intake.received_bytes();
            let taken_bytes =
                usize::try_from(room_bytes).map_or(chunk.len(), |room| room.min(chunk.len()));
            intake
                .append(&chunk[..taken_bytes])
                .await
                .map_err(|cause| unwritable(&cause))?;
            if intake.received_bytes() > size_bytes {
                return Err(self.wrong_length(Refusal::ImageTooLong, "more"));
            }
            (self.progress)(intake.received_bytes(), size_bytes);
        }
        if intake.received_bytes() < size_bytes {
            let sentence = "the image ended early: try again";
            return Err(Failure::new(Kind::Interrupted, sentence));
        }
        Ok(())
    }

    async fn verify(&self, intake: &mut Intake, has_older_bytes: bool) -> Result<(), Failure> {
        let Err(refusal) = intake.verdict() else {
            return Ok(());
        };
        restart(intake).await?;
        if has_older_bytes {
            let sentence = "the bytes kept from an earlier try were damaged: try again";
            return Err(Failure::new(Kind::Interrupted, sentence));
        }
        let sentence = format!(
            "the image is not the one that was promised ({}): have the release looked at, and what \
             stands between portal and device",
            refusal.code()
        );
        Err(Failure::new(Kind::BadImage, sentence))
    }

    fn wrong_length(&self, refusal: Refusal, found: &str) -> Failure {
        let sentence = format!(
            "the image should have {} bytes, but the portal sends {found} ({}): have the release \
             looked at",
            self.offer.size_bytes,
            refusal.code()
        );
        Failure::new(Kind::BadImage, sentence)
    }
}

async fn restart(intake: &mut Intake) -> Result<(), Failure> {
    intake.restart().await.map_err(|cause| unwritable(&cause))
}

fn unwritable(cause: &io::Error) -> Failure {
    let sentence = format!("the image cannot be written ({cause}): make room on the disk");
    Failure::new(Kind::Local, sentence)
}
