//! Accounts, sign-in and sign-in sessions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Timestamp, present};

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Opens the services granted to them.
    Owner,
    /// Also runs the portal.
    Admin,
}

impl Role {
    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "owner" => Some(Self::Owner),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// POST `/api/login`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The account's e-mail address.
    pub user: String,
    /// The password.
    pub pass: String,
}

/// The answer of POST `/api/login`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginToken {
    /// A JWT for `Authorization: Bearer`.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// POST `/api/ack`: the owner's app says "seen".
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// How many notices were seen.
    #[serde(default, deserialize_with = "present")]
    pub count: Option<i64>,
}

/// The answer of POST `/api/ack`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Acknowledged {
    /// Always true.
    pub ok: bool,
    /// The account that acknowledged.
    pub user: String,
}

/// GET `/api/v1/me`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// The account.
    pub id: Uuid,
    /// Its e-mail address.
    pub email: String,
    /// Its role.
    pub role: Role,
    /// The address that an access session would let in; `null` when it cannot be told.
    pub client_ip: Option<String>,
}

/// How a sign-in session shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum LoginKind {
    /// A cookie in a browser.
    Browser,
    /// A token from `/api/login`.
    Api,
}

impl LoginKind {
    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Api => "api",
        }
    }
}

/// One sign-in session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginSession {
    /// Names it for DELETE; it is not the secret.
    pub id: Uuid,
    /// A browser or a program.
    pub kind: LoginKind,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// From where it began.
    pub ip: Option<String>,
    /// What the browser or program called itself.
    pub user_agent: String,
    /// Whether this request came with it.
    pub current: bool,
}

/// An account as an admin sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// The account.
    pub id: Uuid,
    /// Its e-mail address.
    pub email: String,
    /// Its role.
    pub role: Role,
    /// Whether it may not sign in.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// POST `/api/v1/users`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// At most 254 characters.
    pub email: String,
    /// 15 characters or more.
    pub password: String,
    /// What the account may do.
    pub role: Role,
}

/// PATCH `/api/v1/users/{id}`: what is missing stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct UserChange {
    /// Another e-mail address.
    #[serde(deserialize_with = "present")]
    pub email: Option<String>,
    /// Another password; ends every sign-in session of the account.
    #[serde(deserialize_with = "present")]
    pub password: Option<String>,
    /// Another role; ends every sign-in session of the account.
    #[serde(deserialize_with = "present")]
    pub role: Option<Role>,
    /// True ends every sign-in session and access session of the account.
    #[serde(deserialize_with = "present")]
    pub disabled: Option<bool>,
}
