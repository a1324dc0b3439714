//! The patience that one connection is given.
//!
//! hyper's own header timer also counts the silence between two requests, so it cannot be short
//! for the one and long for the other. The stream below hyper can: it knows from [`Pace`] whether
//! a request is being worked on, and from the bytes whether a request head has begun.
//!
//! The clocks are cheap on purpose: a timer is armed once and moved on when it rings too early, not
//! once a request. hyper need not even read again after an answer for the silence to count.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How far the requests of one connection have come.
#[derive(Debug)]
pub(super) struct Pace {
    started: Instant,
    begun: AtomicU64,
    ended: AtomicU64,
    /// Of the open requests, those that go on when the peer takes more of the answer.
    at_peer: AtomicU64,
    /// When the peer's turn last began, counted from `started`.
    handed_ms: AtomicU64,
    /// When the last request ended, counted from `started`.
    ended_ms: AtomicU64,
    multiplexed: AtomicBool,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            at_peer: AtomicU64::new(0),
            handed_ms: AtomicU64::new(0),
            ended_ms: AtomicU64::new(0),
            multiplexed: AtomicBool::new(false),
        }
    }

    /// Notes a request; it counts as open until the answer given back is dropped.
    pub(super) fn begin(self: &Arc<Self>, version: http::Version) -> OpenRequest {
        self.begun.fetch_add(1, Ordering::AcqRel);
        if version == http::Version::HTTP_2 {
            self.multiplexed.store(true, Ordering::Release);
        }
        OpenRequest {
            pace: Arc::clone(self),
            waits_for_peer: false,
        }
    }

    fn end(&self) {
        self.ended_ms.store(self.now_ms(), Ordering::Release);
        self.ended.fetch_add(1, Ordering::AcqRel);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn at(&self, counted_ms: &AtomicU64) -> Instant {
        self.started + Duration::from_millis(counted_ms.load(Ordering::Acquire))
    }

    /// Answers since when no request is open, unless one is.
    fn idle_since(&self) -> Option<Instant> {
        (self.open() == 0).then(|| self.at(&self.ended_ms))
    }

    fn open(&self) -> u64 {
        let ended = self.ended.load(Ordering::Acquire);
        self.begun.load(Ordering::Acquire) - ended
    }

    /// Answers since when nothing goes on before the peer makes room for it. Over HTTP/1 a write
    /// that waits shows that; HTTP/2 has windows of its own and does not even try to write.
    fn peers_turn_since(&self) -> Option<Instant> {
        let open = self.open();
        (open > 0 && self.at_peer.load(Ordering::Acquire) == open).then(|| self.at(&self.handed_ms))
    }
}

/// One request between its head and the last byte of its answer.
#[derive(Debug)]
pub(super) struct OpenRequest {
    pace: Arc<Pace>,
    waits_for_peer: bool,
}

impl OpenRequest {
    /// Notes whether the peer has to take more before the answer goes on; for HTTP/2 only.
    pub(super) fn wait_for_peer(&mut self, waits: bool) {
        if !self.pace.multiplexed.load(Ordering::Acquire) {
            return;
        }
        if waits {
            self.pace
                .handed_ms
                .store(self.pace.now_ms(), Ordering::Release);
        }
        match (self.waits_for_peer, waits) {
            (false, true) => self.pace.at_peer.fetch_add(1, Ordering::AcqRel),
            (true, false) => self.pace.at_peer.fetch_sub(1, Ordering::AcqRel),
            _unchanged => 0,
        };
        self.waits_for_peer = waits;
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.wait_for_peer(false);
        self.pace.end();
    }
}

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a request head to its end.
    pub(super) head: Duration,
    /// From one request to the first byte of the next.
    pub(super) idle: Duration,
    /// While the peer takes none of what is written.
    pub(super) stall: Duration,
    /// What a peer with several requests open takes of them at least, over the time of `idle`.
    pub(super) slowest_bytes_per_s: u32,
}

/// A stream that fails with [`io::ErrorKind::TimedOut`] once the patience is over.
#[derive(Debug)]
pub(super) struct PacedStream<S> {
    stream: S,
    pace: Arc<Pace>,
    patience: Patience,
    /// The number of requests when `head` was last set.
    seen: u64,
    /// What was written since `idle` last rang.
    written_bytes: u64,
    head: Alarm,
    idle: Alarm,
    stall: Alarm,
}

impl<S> PacedStream<S> {
    pub(super) fn new(stream: S, pace: Arc<Pace>, patience: Patience) -> Self {
        let (head, idle, stall) = (Alarm::default(), Alarm::default(), Alarm::default());
        Self {
            stream,
            pace,
            patience,
            seen: 0,
            written_bytes: 0,
            head,
            idle,
            stall,
        }
    }

    /// Forgets the clock of a head that has become a request meanwhile.
    fn note_progress(&mut self) {
        let begun = self.pace.begun.load(Ordering::Acquire);
        if begun != self.seen {
            self.seen = begun;
            self.head.unset();
        }
    }

    fn note_bytes(&mut self) {
        // Between requests HTTP/2 sends frames of its own, which begin no head.
        let begins_head =
            !self.pace.multiplexed.load(Ordering::Acquire) && self.pace.idle_since().is_some();
        if begins_head {
            self.head.set_if_unset(self.patience.head);
        }
    }

    fn is_silent_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        if self.head.rings(cx) {
            return true;
        }
        self.idle.set_if_unset(self.patience.idle);
        while self.idle.rings(cx) {
            let now = Instant::now();
            let due = self.resting_since().unwrap_or(now) + self.patience.idle;
            if due <= now {
                return true;
            }
            self.written_bytes = 0;
            self.idle.set(due);
        }
        false
    }

    /// Answers since when it is the peer who does nothing, unless something is going on.
    fn resting_since(&self) -> Option<Instant> {
        let takes_nothing = || {
            let least =
                self.patience.idle.as_millis() * u128::from(self.patience.slowest_bytes_per_s);
            u128::from(self.written_bytes) * 1000 < least
        };
        let idle_since = self.pace.idle_since();
        idle_since.or_else(|| self.pace.peers_turn_since().filter(|_| takes_nothing()))
    }

    fn count(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.written_bytes += *bytes as u64;
        }
    }

    /// Passes a finished write on and times one that waits.
    fn watch_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall.unset();
            return written;
        }
        self.stall.set_if_unset(self.patience.stall);
        if self.stall.rings(cx) {
            Poll::Ready(Err(timed_out()))
        } else {
            Poll::Pending
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.note_progress();
        let filled = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            if buf.filled().len() > filled {
                this.note_bytes();
            }
            return Poll::Ready(read);
        }
        if this.is_silent_too_long(cx) {
            Poll::Ready(Err(timed_out()))
        } else {
            Poll::Pending
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.count(&written);
        this.watch_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.count(&written);
        this.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch_write(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch_write(cx, shut)
    }
}

fn timed_out() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the peer kept the connection waiting",
    )
}

/// A deadline that may move often and costs a timer only now and then.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    fn set_if_unset(&mut self, after: Duration) {
        self.at.get_or_insert_with(|| Instant::now() + after);
    }

    pub(super) fn set(&mut self, at: Instant) {
        self.at = Some(at);
    }

    fn unset(&mut self) {
        self.at = None;
    }

    /// Tells whether the deadline has passed; if not, the task is woken when it has.
    pub(super) fn rings(&mut self, cx: &mut Context<'_>) -> bool {
        self.poll_ring(cx).is_ready()
    }

    fn poll_ring(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if at < timer.deadline() {
            timer.as_mut().reset(at);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
    }
}
