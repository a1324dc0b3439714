//! Who asks: each handler's first line says which credentials it takes.
//!
//! A request that carries an `Authorization` header is judged by it alone; a bad token never
//! falls back to the cookie.

use axum::extract::FromRequestParts;
use gatehouse_core::{Actor, Error};
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};

use crate::{
    http::{client_address::ClientAddress, problem::Problem, request_id},
    state::AppState,
};

/// Anybody: the actor has an address and a request, but no identity.
pub struct Origin(pub Actor);

/// Somebody with an account: `Bearer` from `/api/login`, or the browser's cookie.
pub struct SignedIn(pub Actor);

/// Somebody with an account in a browser, or nobody.
pub struct Visitor(pub Actor);

/// A device with its token in the `Authorization` header.
pub struct Device(pub Actor);

/// Somebody with an account, or a device with its token.
pub struct SignedInOrDevice(pub Actor);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let ip = parts
            .extensions
            .get::<ClientAddress>()
            .and_then(|client| client.0.ok());
        Ok(Self(Actor::nobody(
            ip,
            request_id::current().map(|id| id.to_string()),
        )))
    }
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Ok(Origin(origin)) = Origin::from_request_parts(parts, state).await;
        if let Some(token) = bearer(&parts.headers)? {
            return Ok(Self(
                state
                    .portal
                    .identity
                    .authenticate_api_token(&origin, token)
                    .await?,
            ));
        }
        let Visitor(actor) = Visitor::from_request_parts(parts, state).await?;
        actor.account()?;
        Ok(Self(actor))
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Ok(Origin(origin)) = Origin::from_request_parts(parts, state).await;
        let Some(secret) = state.sign_in_cookie.read(&parts.headers) else {
            return Ok(Self(origin));
        };
        let known = state
            .portal
            .identity
            .authenticate_cookie(&origin, &secret)
            .await?;
        Ok(Self(known.unwrap_or(origin)))
    }
}

impl FromRequestParts<AppState> for Device {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Ok(Origin(origin)) = Origin::from_request_parts(parts, state).await;
        let token = bearer(&parts.headers)?.ok_or(Error::Unauthenticated(
            "Missing token: send `Authorization: Bearer`.",
        ))?;
        Ok(Self(
            state.portal.firmware.authenticate_device(&origin, token)?,
        ))
    }
}

impl FromRequestParts<AppState> for SignedInOrDevice {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Ok(Origin(origin)) = Origin::from_request_parts(parts, state).await;
        if let Some(token) = bearer(&parts.headers)?
            && let Ok(device) = state.portal.firmware.authenticate_device(&origin, token)
        {
            return Ok(Self(device));
        }
        let SignedIn(actor) = SignedIn::from_request_parts(parts, state).await?;
        Ok(Self(actor))
    }
}

/// The token of `Authorization: Bearer …`; the scheme is compared without case (RFC 9110 §11.1).
///
/// # Errors
/// 401 when the header stands twice, cannot be read, or names another scheme.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    const INVALID: Error = Error::Unauthenticated("Invalid token");
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(INVALID.into());
    }
    let line = line.to_str().map_err(|_| INVALID)?;
    let (scheme, token) = line.split_once(' ').ok_or(INVALID)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token.trim()))
    } else {
        Err(INVALID.into())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::bearer;

    fn token_of(lines: &[&str]) -> Result<Option<String>, ()> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("authorization", line.parse().expect("a header value"));
        }
        bearer(&headers)
            .map(|token| token.map(str::to_owned))
            .map_err(drop)
    }

    #[test]
    fn the_scheme_is_read_without_case_and_stands_once() {
        assert_eq!(token_of(&[]), Ok(None));
        assert_eq!(token_of(&["bEaReR abc"]), Ok(Some("abc".into())));
        assert_eq!(token_of(&["Basic abc"]), Err(()));
        assert_eq!(token_of(&["Bearer"]), Err(()));
        assert_eq!(token_of(&["Bearer a", "Bearer b"]), Err(()));
    }
}
