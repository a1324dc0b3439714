//! People, a project with a release, and a device: what most stories begin with.

use axum::body::Bytes;
use gatehouse_core::Actor;
use gatehouse_types::account::{NewUser, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{ADMIN_SECRET, Answer, Portal, ask, post};

pub(crate) const ADMIN: &str = "ada@example.com";
pub(crate) const OWNER: &str = "bo@example.com";
pub(crate) const PASSWORD: &str = "seven quiet herons wade";
pub(crate) const PROJECT: &str = "lamp";
pub(crate) const DEVICE: &str = "e6f87d77-4216-4be1-ab83-b5fa6792b747";

/// Somebody with an account who signed in with a browser.
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) cookie: String,
}

impl Portal {
    pub(crate) async fn admin(&self) -> Person {
        self.person(ADMIN, Role::Admin).await
    }

    pub(crate) async fn owner(&self) -> Person {
        self.person(OWNER, Role::Owner).await
    }

    pub(crate) async fn person(&self, email: &str, role: Role) -> Person {
        let new = NewUser {
            email: email.to_owned(),
            password: PASSWORD.to_owned(),
            role,
        };
        let identity = &self.installation.portal.identity;
        let user = identity
            .create_user(&Actor::system(), &new)
            .await
            .expect("makes the account");
        let cookie = cookie_of(&self.sign_in(email, PASSWORD).await).expect("signs in");
        Person {
            id: user.id,
            email: user.email,
            cookie,
        }
    }

    /// Sends the sign-in form.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let form = post("/login").form(&[("email", email), ("password", password)]);
        self.send(form).await
    }

    pub(crate) async fn api_token(&self, email: &str) -> String {
        let login = json!({ "user": email, "pass": PASSWORD });
        let answer = self.send(post("/api/login").json(&login)).await.expect(200);
        answer["token"].as_str().expect("a token").to_owned()
    }

    pub(crate) async fn project(&self, admin: &Person, name: &str) -> Value {
        let new = post("/api/v1/projects").json(&json!({ "name": name }));
        self.send(new.cookie(&admin.cookie)).await.expect(201)
    }

    pub(crate) async fn upload(&self, admin: &Person, version: &str, image: Bytes) -> Answer {
        let path = format!("/api/v1/projects/{PROJECT}/releases/{version}");
        self.send(ask("PUT", &path).cookie(&admin.cookie).body(image))
            .await
    }

    pub(crate) async fn publish(&self, admin: &Person, version: &str) -> Value {
        let path = format!("/api/v1/projects/{PROJECT}/releases/{version}/publish");
        self.send(post(&path).cookie(&admin.cookie))
            .await
            .expect(200)
    }

    /// Makes the project with one published release, and answers the image.
    pub(crate) async fn release(&self, admin: &Person, version: &str) -> Bytes {
        self.project(admin, PROJECT).await;
        let bytes = image(10_000);
        self.upload(admin, version, bytes.clone()).await.expect(201);
        self.publish(admin, version).await;
        bytes
    }

    /// A device token by the operator's secret.
    pub(crate) async fn device_token(&self, project: &str) -> Value {
        self.generate_token(&json!({ "device_id": DEVICE, "project": project }))
            .await
            .expect(200)
    }

    pub(crate) async fn generate_token(&self, wish: &Value) -> Answer {
        let request = post("/admin/generate_token").header("x-admin-secret", ADMIN_SECRET);
        self.send(request.json(wish)).await
    }
}

/// The sign-in cookie that an answer sets, as a browser would send it back.
pub(crate) fn cookie_of(answer: &Answer) -> Option<String> {
    let line = answer.headers.get("set-cookie")?.to_str().ok()?;
    let pair = line.split(';').next()?;
    let (_, value) = pair.split_once('=')?;
    (!value.is_empty()).then(|| pair.to_owned())
}

/// Bytes that repeat nowhere near, so that a wrong window shows.
pub(crate) fn image(size_bytes: u32) -> Bytes {
    (0..size_bytes)
        .map(|place| place.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect()
}

pub(crate) fn text_of<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("{member} is a text in {value}"))
}
