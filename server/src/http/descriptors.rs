//! File descriptors: how many this process may have, and how many connections they bear.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What database, uploads, router links and the log need beside the connections.
const RESERVED: u64 = 64;
/// A connection's socket and the image that it may be sent.
const PER_CONNECTION: u64 = 2;
/// Even the smallest limit lets somebody in; then accepting may have to pause.
const FEWEST: usize = 16;

/// Raises this process's limit of open files to what the system lets it have, and answers it.
///
/// Many systems start programs with 1,024 for the sake of old ones that cannot count further.
pub fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it is");
            limit.current
        }
    };
    current.unwrap_or(u64::MAX)
}

/// Answers how many connections so many open files bear, at most `wanted`.
pub(super) fn connections(open_files: u64, wanted: usize) -> usize {
    let borne = open_files.saturating_sub(RESERVED) / PER_CONNECTION;
    usize::try_from(borne).map_or(wanted, |borne| borne.max(FEWEST).min(wanted))
}

#[cfg(test)]
mod tests {
    use super::connections;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        for (open_files, expected) in [
            (0, 16),
            (100, 18),
            (1024, 480),
            (1 << 20, 20_000),
            (u64::MAX, 20_000),
        ] {
            assert_eq!(connections(open_files, 20_000), expected, "{open_files}");
        }
    }
}
