//! How many sessions may live at a time. They are counted where they are written down, so that of
//! many clicks at once no more come in than there is room for.

use gatehouse_types::codes;

use crate::{
    Error,
    ports::access::{Full, LiveCounts},
};

/// How many sessions one account may have at a time.
pub(super) const LIVE_PER_USER: i64 = 32;
/// How many sessions of one service there may be at a time, whoever opens them.
const LIVE_PER_SERVICE: i64 = 64;
/// How many sessions one address may have at a time, whoever sits behind it.
const LIVE_PER_ADDRESS: i64 = 64;

/// As many as there may be, where `ending` of the account's sessions for the service make room for
/// another.
pub(super) const fn most_live(ending: i64) -> LiveCounts {
    LiveCounts {
        of_user: LIVE_PER_USER + ending,
        of_service: LIVE_PER_SERVICE + ending,
        of_address: LIVE_PER_ADDRESS,
    }
}

pub(super) fn no_room(full: Full) -> Error {
    let (code, detail) = match full {
        Full::User => (
            codes::LIMIT_REACHED,
            format!("You have {LIVE_PER_USER} sessions open. Close one first."),
        ),
        Full::Service => (
            codes::SERVICE_LIMIT_REACHED,
            format!("This service is open {LIVE_PER_SERVICE} times. One of them must end first."),
        ),
        Full::Address => (
            codes::ADDRESS_LIMIT_REACHED,
            format!(
                "{LIVE_PER_ADDRESS} sessions are open for your address. One of them must end first."
            ),
        ),
    };
    Error::conflict(code, detail)
}
