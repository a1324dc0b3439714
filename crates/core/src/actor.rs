//! Who asks, from where.

use std::net::IpAddr;

use gatehouse_types::account::Role;
use uuid::Uuid;

use crate::{Error, Result};

/// Who asks for something, and from where.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who.
    pub who: Who,
    /// The resolved address of the client; `None` when it cannot be told.
    pub ip: Option<IpAddr>,
    /// The request that carries the wish.
    pub request_id: Option<String>,
}

/// The kinds of visitor.
#[derive(Debug, Clone)]
pub enum Who {
    /// Nobody is signed in.
    Nobody,
    /// Somebody with an account.
    Account(Account),
    /// A device with its token.
    Device(DeviceActor),
    /// Somebody who holds the link of an invitation.
    Guest(GuestActor),
    /// A program that knows the admin secret of POST `/admin/generate_token`.
    AdminSecret,
    /// The portal itself: its keeper or its command line.
    System,
}

/// An account that signed in.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account.
    pub id: Uuid,
    /// Its e-mail address.
    pub email: String,
    /// What it may do.
    pub role: Role,
    /// The sign-in session it came with.
    pub sign_in_id: Uuid,
    /// The count of changes to services and grants that was read along with it, if it was.
    pub change_seq: Option<i64>,
}

/// Somebody without an account who was invited.
#[derive(Debug, Clone)]
pub struct GuestActor {
    /// The invitation.
    pub invitation_id: Uuid,
    /// What it is labelled with.
    pub label: String,
}

/// A device that showed a good token.
#[derive(Debug, Clone)]
pub struct DeviceActor {
    /// The project the token is good for.
    pub project_id: Uuid,
    /// Its name.
    pub project: String,
    /// The device.
    pub device_id: Uuid,
    /// The version it said it ran when its token was made; a target token carries none.
    pub fw_version: Option<String>,
}

impl Actor {
    /// Nobody, from an address.
    pub const fn nobody(ip: Option<IpAddr>, request_id: Option<String>) -> Self {
        Self {
            who: Who::Nobody,
            ip,
            request_id,
        }
    }

    /// The portal itself.
    pub const fn system() -> Self {
        Self {
            who: Who::System,
            ip: None,
            request_id: None,
        }
    }

    /// The same origin with another identity.
    #[must_use]
    pub fn as_who(&self, who: Who) -> Self {
        Self {
            who,
            ip: self.ip,
            request_id: self.request_id.clone(),
        }
    }

    /// The account that asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody with an account is signed in.
    pub fn account(&self) -> Result<&Account> {
        match &self.who {
            Who::Account(account) => Ok(account),
            _ => Err(Error::Unauthenticated("Sign in first.")),
        }
    }

    /// Lets admins and the portal itself pass.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in, [`Error::Forbidden`] for an owner.
    pub fn require_admin(&self) -> Result<()> {
        if matches!(self.who, Who::System) {
            return Ok(());
        }
        match self.account()?.role {
            Role::Admin => Ok(()),
            Role::Owner => Err(Error::Forbidden("Only admins may do this.")),
        }
    }

    /// Whether an admin or the portal itself asks.
    pub fn is_admin(&self) -> bool {
        self.require_admin().is_ok()
    }

    /// The device that asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when no device token came along.
    pub fn device(&self) -> Result<&DeviceActor> {
        match &self.who {
            Who::Device(device) => Ok(device),
            _ => Err(Error::Unauthenticated("A device token is needed.")),
        }
    }
}
