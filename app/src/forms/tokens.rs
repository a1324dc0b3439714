//! The forms of device tokens.

use gatehouse_types::firmware::NewDeviceToken;
use leptos::prelude::*;

use super::{
    Way, filled,
    once::{self, Secret},
    parsed,
};
use crate::{i18n::Notice, links, visit::Visit};

/// Makes a download token and goes to the device's page, which shows it once.
#[server(prefix = "/api/ui", endpoint = "create_token")]
pub async fn create_token(
    project: String,
    device_id: String,
    #[server(default)] expires_minutes: String,
    #[server(default)] current_fw: String,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let way = links::device(&project, &device_id);
    let made = async {
        let wish = NewDeviceToken {
            expires_minutes: filled(expires_minutes.clone())
                .map(|minutes| parsed("expires_minutes", &minutes))
                .transpose()?,
            current_fw: filled(current_fw.clone()),
        };
        let id = parsed("device_id", &device_id)?;
        visit
            .portal
            .firmware
            .create_token(&visit.actor, &project, id, &wish)
            .await
    };
    match made.await {
        Ok(made) => {
            let (jti, made_at_ms) = (made.payload.jti, made.payload.iat * 1000);
            once::keep(
                &visit.actor,
                jti,
                made_at_ms,
                Secret::DownloadToken(made.token),
            );
            way.with("shown", &jti.to_string()).succeed(Notice::Created);
        }
        Err(error) => way
            .typed([
                ("expires_minutes", &*expires_minutes),
                ("current_fw", &*current_fw),
            ])
            .fail(&error),
    }
    Ok(())
}

/// Revokes a device token and goes back to the page that asked for it.
#[server(prefix = "/api/ui", endpoint = "revoke_token")]
pub async fn revoke_token(
    jti: String,
    #[server(default)] back: String,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let revoked = async {
        visit
            .portal
            .firmware
            .revoke_token(&visit.actor, parsed("jti", &jti)?)
            .await
    };
    own_page(back).report(&revoked.await, Notice::TokenRevoked);
    Ok(())
}

/// A form can be made to say anything; only an admin page of this portal is gone back to.
fn own_page(back: String) -> Way {
    let is_ours = back.starts_with("/admin/") && back.bytes().all(|byte| byte.is_ascii_graphic());
    if is_ours {
        Way::to(back)
    } else {
        links::tokens()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_in_the_portal() {
        let page = |back: &str| own_page(back.to_owned()).into_url();
        assert_eq!(
            page("/admin/tokens?project=lamp"),
            "/admin/tokens?project=lamp"
        );
        for foreign in [
            "",
            "//evil.example/admin/",
            "https://evil.example",
            "/admin/\r\nx: y",
            "/admin/é",
        ] {
            assert_eq!(page(foreign), "/admin/tokens", "{foreign:?}");
        }
    }
}
