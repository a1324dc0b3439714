//! Accounts, passwords, sign-in sessions and the tokens of programs.

mod email;
mod passwords;
mod setup;
mod sign_in;
mod throttle;
mod users;

pub use setup::SetupLink;
pub use sign_in::{REMEMBERED_MS, SignIn, SignedIn};

use crate::{Error, Result, audit::Audit, jwt::TokenKey, ports::Ports};
use passwords::Passwords;
use throttle::Throttle;

/// The room of accounts and sign-in.
pub struct Identity {
    ports: Ports,
    audit: Audit,
    passwords: Passwords,
    throttle: Throttle,
    api_tokens: TokenKey,
}

impl Identity {
    pub(crate) fn new(ports: Ports, audit: Audit, api_token_key: &[u8; 32]) -> Result<Self> {
        Ok(Self {
            passwords: Passwords::new(ports.rng.clone())?,
            throttle: Throttle::default(),
            api_tokens: TokenKey::new(api_token_key, "gatehouse-api+jwt"),
            ports,
            audit,
        })
    }
}

fn no_such_user() -> Error {
    Error::NotFound("account")
}
