//! A device in the field, its token, and a project with releases that it may have.

use axum::body::Bytes;
use serde_json::{Value, json};

use crate::{
    furnish::{DEVICE, PROJECT, Person, image, text_of},
    harness::{Answer, Ask, Portal, ask, get},
};

pub(crate) struct Field {
    pub(crate) portal: Portal,
    pub(crate) admin: Person,
    /// It says nothing of what the device runs.
    pub(crate) token: String,
}

impl Field {
    /// A portal with this environment whose project has these releases, all published.
    pub(crate) async fn with(variables: &[(&str, &str)], versions: &[&str]) -> Self {
        let portal = Portal::with(variables).await;
        let admin = portal.admin().await;
        portal.project(&admin, PROJECT).await;
        let token = portal.device_token(PROJECT).await;
        let token = text_of(&token, "token").to_owned();
        let field = Self {
            portal,
            admin,
            token,
        };
        for version in versions {
            field.release(version, bytes_of(version)).await;
        }
        field
    }

    /// The same on the same data after a restart with another environment.
    pub(crate) async fn again(self, variables: &[(&str, &str)]) -> Self {
        Self {
            portal: self.portal.again(variables).await,
            ..self
        }
    }

    pub(crate) async fn release(&self, version: &str, bytes: Bytes) -> Value {
        let uploaded = self.portal.upload(&self.admin, version, bytes).await;
        uploaded.expect(201);
        self.portal.publish(&self.admin, version).await
    }

    /// Sends something with the device's token.
    pub(crate) async fn send(&self, ask: Ask) -> Answer {
        self.portal.send(ask.bearer(&self.token)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(get(path)).await
    }

    /// What the portal tells an admin of the device, with everything that it heard so far.
    pub(crate) async fn device(&self) -> Value {
        let firmware = &self.portal.installation.portal.firmware;
        firmware.flush_progress().await.expect("writes");
        let path = format!("/api/v1/projects/{PROJECT}/devices/{DEVICE}");
        let asked = get(&path).cookie(&self.admin.cookie);
        self.portal.send(asked).await.expect(200)
    }

    /// Insists on what the newest action of the device came to.
    #[track_caller]
    pub(crate) fn insist(device: &Value, version: &str, state: &str) {
        let action = &device["action"];
        assert_eq!(
            (&action["version"], &action["state"]),
            (&json!(version), &json!(state)),
            "{device}"
        );
    }

    pub(crate) async fn revoke(&self) {
        let list = get("/api/v1/tokens").cookie(&self.admin.cookie);
        let list = self.portal.send(list).await.expect(200);
        let path = format!("/api/v1/tokens/{}", text_of(&list["items"][0], "jti"));
        let answer = self
            .portal
            .send(ask("DELETE", &path).cookie(&self.admin.cookie));
        assert_eq!(answer.await.status, 204);
    }
}

/// Each release has a length and bytes of its own, from the first one on.
pub(crate) fn bytes_of(version: &str) -> Bytes {
    let number = version.bytes().map(u32::from).sum::<u32>();
    let mark = number.to_le_bytes()[0];
    let bytes = image(number * 37);
    bytes.iter().map(|byte| byte ^ mark).collect()
}
