//! Who asks for firmware: a device by header or query, an admin by cookie, or anybody.

use axum::extract::{FromRequestParts, RawQuery};
use gatehouse_core::{
    Actor, Error,
    firmware::{LastingToken, TARGET_TOKEN_CHARS},
};
use http::{header::AUTHORIZATION, request::Parts};

use super::fetch::Fetch;
use crate::{
    api::auth::{Origin, Visitor, bearer},
    config::QueryToken,
    http::problem::Problem,
    state::AppState,
};

/// What came along to tell who asks, and for which bytes.
pub(crate) struct Asker {
    pub(crate) fetch: Fetch,
    query_token: Option<String>,
    origin: Actor,
    visitor: Option<Actor>,
}

impl FromRequestParts<AppState> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let Ok(Origin(origin)) = Origin::from_request_parts(parts, app).await;
        let Ok(RawQuery(query)) = RawQuery::from_request_parts(parts, app).await;
        let Ok(fetch) = Fetch::from_request_parts(parts, app).await;
        let query_token = query.as_deref().and_then(token_in);
        let has_token = query_token.is_some() || parts.headers.contains_key(AUTHORIZATION);
        let by_cookie = !has_token && !app.config.no_jwt;
        let visitor = if by_cookie {
            Some(Visitor::from_request_parts(parts, app).await?.0)
        } else {
            None
        };
        Ok(Self {
            fetch,
            query_token,
            origin,
            visitor,
        })
    }
}

impl Asker {
    /// Whoever it is; with `no_jwt` no token is looked at.
    pub(super) async fn actor(&self, app: &AppState, project: &str) -> Result<Actor, Problem> {
        if app.config.no_jwt {
            return Ok(self.origin.clone());
        }
        match self.token(app)? {
            Some(token) => self.authenticate(app, project, token).await,
            None => Ok(self.visitor.as_ref().unwrap_or(&self.origin).clone()),
        }
    }

    /// A device, which must have shown its token: without one nobody knows what to pick for it.
    pub(crate) async fn device(&self, app: &AppState, project: &str) -> Result<Actor, Problem> {
        let token = self.token(app)?.ok_or(Error::Unauthenticated(
            "Missing token: send `Authorization: Bearer` or `?token=`.",
        ))?;
        self.authenticate(app, project, token).await
    }

    /// Whether the token that came along was good until it was revoked.
    pub(crate) fn is_revoked(&self, app: &AppState) -> bool {
        let token = self.token(app).ok().flatten();
        token.is_some_and(|token| app.portal.firmware.is_revoked(token))
    }

    /// The token in the query, which links in an answer have to carry on.
    pub(crate) fn query_token(&self) -> Option<&str> {
        self.query_token.as_deref()
    }

    async fn authenticate(
        &self,
        app: &AppState,
        project: &str,
        token: &str,
    ) -> Result<Actor, Problem> {
        let (firmware, origin) = (&app.portal.firmware, &self.origin);
        Ok(match lasting(token) {
            Some((device, secret)) => {
                let token = LastingToken::Target(secret);
                firmware
                    .authenticate_controller(origin, project, device, token)
                    .await?
            }
            None => firmware.authenticate_device(origin, token)?,
        })
    }

    fn token(&self, app: &AppState) -> Result<Option<&str>, Problem> {
        match (bearer(self.fetch.headers())?, self.query_token()) {
            (Some(header), Some(query)) if header != query => Err(Problem::bad_request(
                "The tokens in the header and in the query differ.",
            )),
            (Some(header), _) => Ok(Some(header)),
            (None, Some(query)) => take_query_token(app, query).map(Some),
            (None, None) => Ok(None),
        }
    }
}

fn take_query_token<'a>(app: &AppState, token: &'a str) -> Result<&'a str, Problem> {
    match app.config.query_token {
        QueryToken::Allow => Ok(token),
        QueryToken::Warn => {
            tracing::warn!(
                "a device sent its token in the query; send `Authorization: Bearer` instead"
            );
            Ok(token)
        }
        QueryToken::Deny => Err(Error::Unauthenticated(
            "Tokens in the query are not taken here: send `Authorization: Bearer`.",
        )
        .into()),
    }
}

/// Takes apart what nodes show whose configuration is written once: the device's id and its target
/// token with a dot between. A JWT has two dots, and no part of it looks like a target token.
fn lasting(token: &str) -> Option<(&str, &str)> {
    let (device, secret) = token.rsplit_once('.')?;
    let is_target = secret.len() == TARGET_TOKEN_CHARS
        && secret
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    (is_target && !device.contains('.')).then_some((device, secret))
}

/// A JWT needs no decoding: its alphabet is safe in a query.
fn token_in(query: &str) -> Option<String> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("token="))
        .map(str::to_owned)
}
