//! One id for each request, in its answer, its problem document and its log lines.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;
use uuid::Uuid;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The name of one request for support and logs; it says nothing about time or traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Runs `work` so that [`current`] answers this id inside it.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Runs `work` like [`RequestId::scope`], without a future.
    #[cfg(test)]
    pub fn scope_sync<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, work)
    }

    /// Spells the id as a header value.
    #[expect(
        clippy::missing_panics_doc,
        reason = "hexadecimal digits and hyphens are always header text"
    )]
    pub fn header_value(self) -> HeaderValue {
        let mut text = Uuid::encode_buffer();
        HeaderValue::from_str(self.0.as_hyphenated().encode_lower(&mut text))
            .expect("hexadecimal digits and hyphens are header text")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Answers the id of the request that the running task works for, if it works for one.
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(|id| *id).ok()
}

/// Gives out ids, unique within this process and, by its random start, among processes.
#[derive(Debug)]
pub struct RequestIds {
    process: [u8; 8],
    count: AtomicU64,
}

impl RequestIds {
    /// Starts a row of ids from eight random bytes.
    pub fn new(process: [u8; 8]) -> Self {
        Self {
            process,
            count: AtomicU64::new(u64::from_be_bytes(process)),
        }
    }

    /// Gives out the next id.
    pub fn next(&self) -> RequestId {
        // An odd multiplier keeps the numbers distinct and hides how many there were.
        let number = self
            .count
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.process);
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        RequestId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::RequestIds;

    #[test]
    fn ids_do_not_repeat() {
        let ids = RequestIds::new([0xff; 8]);
        let given: HashSet<_> = (0..10_000).map(|_| ids.next().to_string()).collect();
        assert_eq!(given.len(), 10_000);
    }
}
