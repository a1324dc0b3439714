//! Every operation of the OpenAPI document with a request that fits it, so that a test over all
//! of them forgets none: an operation that is new and unknown here panics.

use serde_json::{Value, json};

use crate::{
    furnish::{DEVICE, PROJECT, Person},
    harness::{Ask, ask},
};

const SOME_ID: &str = "018f2b5c-0000-7000-8000-000000000001";

/// An operation: method, path template, and the path with ids in it.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) template: String,
    path: String,
}

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Nobody needs to be signed in.
    Anyone,
    /// Any account.
    Owners,
    /// Admins only.
    Admins,
    /// Devices with their token.
    Devices,
}

pub(crate) fn all() -> Vec<Operation> {
    let document = serde_json::to_value(gatehouse_server::api::document()).expect("a document");
    let paths = document["paths"].as_object().expect("paths");
    let operations: Vec<Operation> = paths
        .iter()
        .flat_map(|(template, methods)| {
            let methods = methods.as_object().expect("methods");
            // HEAD has no body to look at, and OPTIONS tells everybody the same.
            let with_body = |method: &&String| !matches!(method.as_str(), "head" | "options");
            methods.keys().filter(with_body).map(|method| Operation {
                method: method.to_uppercase(),
                template: template.clone(),
                path: filled(template),
            })
        })
        .collect();
    assert!(operations.len() > 50, "{} operations", operations.len());
    operations
}

fn filled(template: &str) -> String {
    template
        .replace("{project}", PROJECT)
        .replace("{version}", "1.0.0")
        .replace("{device_id}", DEVICE)
        .replace("{id}", SOME_ID)
        .replace("{login_id}", SOME_ID)
        .replace("{service_id}", SOME_ID)
        .replace("{jti}", SOME_ID)
}

impl Operation {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    pub(crate) fn changes(&self) -> bool {
        self.method != "GET"
    }

    pub(crate) fn is_for(&self) -> For {
        let template = self.template.as_str();
        match (self.method.as_str(), template) {
            (_, "/api/login" | "/admin/generate_token") => For::Anyone,
            (_, path) if path.starts_with("/api/v1/device/") => For::Devices,
            ("GET", "/api/v1/services" | "/api/v1/services/{id}")
            | (
                _,
                "/api/ack"
                | "/service/"
                | "/service/{id}"
                | "/conn/req/{service_id}"
                | "/session/remove/{id}"
                | "/api/v1/events"
                // One's own; somebody else's do not exist.
                | "/api/v1/users/{id}/logins"
                | "/api/v1/users/{id}/logins/{login_id}",
            ) => For::Owners,
            (_, path) if path.starts_with("/api/v1/me")
                || path.starts_with("/api/v1/sessions")
                || path.starts_with("/api/v1/invitations") => {
                For::Owners
            }
            _ => For::Admins,
        }
    }

    /// A request that could succeed as far as its form goes.
    pub(crate) fn ask(&self) -> Ask {
        let request = ask(&self.method, &self.path);
        if self.template.contains("/uploads") {
            return request
                .header("tus-resumable", "1.0.0")
                .header("upload-length", "8")
                .header("upload-metadata", "version MS4wLjA=")
                .header("upload-offset", "0")
                .header("content-type", "application/offset+octet-stream")
                .body("an image");
        }
        match self.body() {
            Some(Value::String(image)) => request.body(image),
            Some(body) => request.json(&body),
            None => request,
        }
    }

    /// The same with one member more in its JSON; nothing where that is a member already, or where
    /// no JSON is taken.
    pub(crate) fn ask_with(&self, member: &str, value: Value) -> Option<Ask> {
        let mut body = self.body()?;
        let before = body.as_object_mut()?.insert(member.to_owned(), value);
        before
            .is_none()
            .then(|| ask(&self.method, &self.path).json(&body))
    }

    pub(crate) fn ask_as(&self, person: &Person) -> Ask {
        self.ask().cookie(&person.cookie)
    }

    /// What the operation takes: JSON, the image of an upload, or nothing.
    fn body(&self) -> Option<Value> {
        Some(match (self.method.as_str(), self.template.as_str()) {
            ("GET" | "DELETE", _)
            | ("PATCH", "/api/v1/projects/{project}/uploads/{id}")
            | (
                "POST",
                "/api/v1/routers/{id}/test"
                | "/conn/req/{service_id}"
                | "/session/remove/{id}"
                | "/api/v1/sessions/{id}/move"
                | "/api/v1/projects/{project}/releases/{version}/publish"
                | "/api/v1/projects/{project}/releases/{version}/approve"
                | "/api/v1/projects/{project}/releases/{version}/withdraw"
                | "/api/v1/projects/{project}/releases/{version}/rollout/resume"
                | "/api/v1/projects/{project}/devices/{device_id}/cancel"
                | "/api/v1/projects/{project}/devices/{device_id}/retry"
                | "/api/v1/projects/{project}/gateway_token"
                | "/api/v1/projects/{project}/keys/rotate"
                | "/api/v1/projects/{project}/keys/retire"
                | "/api/v1/projects/{project}/uploads",
            ) => return None,
            ("PATCH", _)
            | (
                "POST",
                "/api/v1/projects/{project}/devices"
                | "/api/v1/projects/{project}/devices/{device_id}/tokens",
            ) => json!({}),
            ("PUT", "/api/v1/services/{id}/grants") => json!({ "users": [] }),
            ("PUT", "/api/v1/projects/{project}/releases/{version}/rollout") => {
                json!({ "percent": 100 })
            }
            ("PUT", "/api/v1/projects/{project}/releases/{version}") => "an image".into(),
            ("POST", "/api/login") => json!({ "user": "ada@example.com", "pass": "x" }),
            ("POST", "/api/ack") => json!({ "count": 1 }),
            ("POST", "/api/v1/users") => {
                json!({ "email": "eve@example.com", "password": "seven quiet herons wade", "role": "admin" })
            }
            ("POST", "/api/v1/routers") => json!({
                "name": "r", "address": "192.0.2.1:9999", "api_key": "k".repeat(16),
                "aes_key": "k".repeat(16), "cert_sha256": "ab".repeat(32), "protocol": 2,
            }),
            ("POST", "/api/v1/services") => json!({
                "name": "s", "router_id": SOME_ID, "lan_ip": "192.168.1.5", "lan_port": 80,
                "public_port": 8000,
            }),
            ("POST", "/api/v1/sessions") => json!({ "service_id": SOME_ID }),
            ("POST", "/api/v1/invitations") => json!({
                "service_id": SOME_ID, "label": "Eve", "expires_minutes": 60, "max_minutes": 5,
            }),
            ("POST", "/api/v1/sessions/{id}/extend") => json!({ "minutes": 1 }),
            ("POST", "/api/v1/projects") => json!({ "name": "fan" }),
            ("POST", "/api/v1/device/report") => json!({ "version": "1.0.0", "state": "failed" }),
            ("POST", "/admin/generate_token") => json!({ "device_id": DEVICE, "project": PROJECT }),
            (method, template) => panic!("say in operations.rs what {method} {template} takes"),
        })
    }
}
