//! Which device asks: its names in the path and its secret in the `Authorization` header.

use axum::extract::{FromRequestParts, RawPathParams};
use gatehouse_core::{Actor, firmware::LastingToken};
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};

use super::failure::Failure;
use crate::{api::auth::Origin, state::AppState};

/// A device that showed its own token, or for which a gateway speaks.
pub(super) struct Controller {
    /// The device.
    pub actor: Actor,
    /// The absolute URL under which everything of it lies, without a trailing slash.
    pub base: String,
}

impl FromRequestParts<AppState> for Controller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Failure> {
        let Ok(Origin(origin)) = Origin::from_request_parts(parts, app).await;
        let names = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| Failure::not_found())?;
        let named = |wanted: &str| {
            names
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value.to_owned())
                .ok_or_else(Failure::not_found)
        };
        let (tenant, controller_id) = (named("tenant")?, named("controller_id")?);
        let token = token(&parts.headers).ok_or_else(Failure::unauthenticated)?;
        let actor = app
            .portal
            .firmware
            .authenticate_controller(&origin, &tenant, &controller_id, token)
            .await?;
        let base = format!("{}/{tenant}/controller/v1/{controller_id}", app.public_url);
        Ok(Self { actor, base })
    }
}

/// One of the two schemes, spelled as hawkBit's clients do, with one space.
fn token(headers: &HeaderMap) -> Option<LastingToken<'_>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    match value.split_once(' ')? {
        (_, token) if token.is_empty() || token.contains(' ') => None,
        ("TargetToken", token) => Some(LastingToken::Target(token)),
        ("GatewayToken", token) => Some(LastingToken::Gateway(token)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn is_taken(value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
        token(&headers).is_some()
    }

    #[test]
    fn only_the_two_schemes_are_taken_as_clients_spell_them() {
        assert!(is_taken("TargetToken abc") && is_taken("GatewayToken abc"));
        for refused in [
            "targettoken abc",
            "TargetToken  abc",
            "TargetToken abc def",
            "TargetToken ",
            "TargetToken",
            "Bearer abc",
            "",
        ] {
            assert!(!is_taken(refused), "{refused:?}");
        }
    }

    #[test]
    fn two_headers_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("TargetToken a"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("TargetToken b"));
        assert!(token(&headers).is_none());
    }
}
