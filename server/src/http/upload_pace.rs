//! The patience that the sender of a request body is given.
//!
//! A limit on silence alone is kept by one byte now and then, for days. So waiting for the sender
//! is paid from a credit that every byte adds to. The time in which the portal itself does not
//! ask for more costs nothing.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::pace::Alarm;

/// How slowly a body may come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slowest {
    /// So far it may fall behind, and so long it may stand still.
    pub(super) credit: Duration,
    /// The rate that it may fall behind.
    pub(super) bytes_per_s: u32,
}

/// The sender of a body fell too far behind the slowest rate.
#[derive(Debug)]
pub(super) struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body came too slowly")
    }
}

impl std::error::Error for TooSlow {}

/// What a sender may still make the portal wait.
#[derive(Debug)]
struct Credit {
    slowest: Slowest,
    left: Duration,
    waiting_since: Option<Instant>,
}

impl Credit {
    fn new(slowest: Slowest) -> Self {
        Self {
            slowest,
            left: slowest.credit,
            waiting_since: None,
        }
    }

    /// Begins or goes on to wait; answers when the credit will be spent.
    fn wait(&mut self, now: Instant) -> Instant {
        *self.waiting_since.get_or_insert(now) + self.left
    }

    /// Ends a wait, if there was one, and adds what the bytes earn.
    fn receive(&mut self, now: Instant, bytes: usize) {
        if let Some(since) = self.waiting_since.take() {
            self.left = self.left.saturating_sub(now - since);
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let earned_s = f64::from(bytes) / f64::from(self.slowest.bytes_per_s);
        let earned = Duration::from_secs_f64(earned_s);
        self.left = self.slowest.credit.min(self.left + earned);
    }
}

/// A body that fails with [`TooSlow`] once its sender's credit is spent.
#[derive(Debug)]
pub(super) struct PacedBody<B> {
    body: B,
    credit: Credit,
    alarm: Alarm,
}

impl<B> PacedBody<B> {
    pub(super) fn new(body: B, slowest: Slowest) -> Self {
        Self {
            body,
            credit: Credit::new(slowest),
            alarm: Alarm::default(),
        }
    }

    fn is_credit_spent(&mut self, cx: &mut Context<'_>) -> bool {
        self.alarm.set(self.credit.wait(Instant::now()));
        self.alarm.rings(cx)
    }
}

impl<B> HttpBody for PacedBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                let data = frame
                    .as_ref()
                    .and_then(|frame| frame.as_ref().ok()?.data_ref());
                self.credit
                    .receive(Instant::now(), data.map_or(0, Bytes::len));
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending if self.is_credit_spent(cx) => Poll::Ready(Some(Err(TooSlow.into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, Instant};

    use super::{Credit, Slowest};

    const SLOWEST: Slowest = Slowest {
        credit: Duration::from_mins(1),
        bytes_per_s: 1024,
    };

    /// Lets so many chunks of so many bytes come, each so long after the one before, while the
    /// portal is busy with each for a while. Answers in which of them the sender is given up.
    fn given_up_in(chunks: u32, chunk_bytes: usize, every_s: u64, busy_s: u64) -> Option<u32> {
        let mut now = Instant::now();
        let mut credit = Credit::new(SLOWEST);
        for chunk in 1..=chunks {
            let arrival = now + Duration::from_secs(every_s);
            if credit.wait(now) < arrival {
                return Some(chunk);
            }
            credit.receive(arrival, chunk_bytes);
            now = arrival + Duration::from_secs(busy_s);
        }
        None
    }

    #[test]
    fn a_byte_now_and_then_buys_no_time() {
        assert_eq!(given_up_in(1_000_000, 1, 5, 0), Some(13));
    }

    #[test]
    fn what_keeps_the_rate_may_take_its_day() {
        let a_large_image = given_up_in(64 * 1024, 1024, 1, 0);
        assert_eq!(a_large_image, None);
        let in_gusts = given_up_in(1000, 59 * 1024, 59, 0);
        assert_eq!(in_gusts, None);
    }

    #[test]
    fn a_quick_start_saves_no_credit_for_later() {
        assert_eq!(given_up_in(2, 64 << 20, 60, 0), None);
        assert_eq!(given_up_in(2, 64 << 20, 61, 0), Some(1));
        let mut credit = Credit::new(SLOWEST);
        let now = Instant::now();
        credit.receive(now, 64 << 20);
        assert_eq!(credit.wait(now), now + SLOWEST.credit);
    }

    #[test]
    fn a_short_body_may_come_slowly() {
        assert_eq!(given_up_in(10, 1, 5, 0), None);
    }

    #[test]
    fn waiting_goes_on_from_where_it_began() {
        let (mut credit, start) = (Credit::new(SLOWEST), Instant::now());
        credit.wait(start);
        let later = start + Duration::from_secs(10);
        assert_eq!(credit.wait(later), start + SLOWEST.credit);
    }

    #[test]
    fn the_sender_does_not_pay_while_the_portal_is_busy() {
        assert_eq!(given_up_in(100, 1024, 1, 1000), None);
    }
}
