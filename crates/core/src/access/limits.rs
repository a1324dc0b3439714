//! How many sessions may live at a time.

use std::net::IpAddr;

use gatehouse_types::codes;
use uuid::Uuid;

use super::Access;
use crate::{Error, Result};

/// How many sessions one account may have at a time.
pub(super) const LIVE_PER_USER: i64 = 32;
/// How many sessions of one service there may be at a time, whoever opens them.
const LIVE_PER_SERVICE: i64 = 64;
/// How many sessions one address may have at a time, whoever sits behind it.
const LIVE_PER_ADDRESS: i64 = 64;

impl Access {
    /// Refuses one session more where there are enough; `ending` of the account's sessions for
    /// this service make room for it.
    pub(super) async fn check_room(
        &self,
        user_id: Uuid,
        service_id: Uuid,
        client_ip: IpAddr,
        ending: i64,
    ) -> Result<()> {
        let store = &self.ports.store;
        let live = store
            .count_live_sessions(user_id, service_id, client_ip)
            .await?;
        if live.of_user - ending >= LIVE_PER_USER {
            return Err(Error::conflict(
                codes::LIMIT_REACHED,
                format!("You have {LIVE_PER_USER} sessions open. Close one first."),
            ));
        }
        if live.of_service - ending >= LIVE_PER_SERVICE {
            return Err(Error::conflict(
                codes::SERVICE_LIMIT_REACHED,
                format!(
                    "This service is open {LIVE_PER_SERVICE} times. One of them must end first."
                ),
            ));
        }
        if live.of_address >= LIVE_PER_ADDRESS {
            return Err(Error::conflict(
                codes::ADDRESS_LIMIT_REACHED,
                format!(
                    "{LIVE_PER_ADDRESS} sessions are open for your address. One of them must end first."
                ),
            ));
        }
        Ok(())
    }
}
