//! Forms that come back refused: what was typed returns in a URL of bearable length, a secret never.

use crate::{
    furnish::{DEVICE, PROJECT},
    harness::{Portal, ask, get, post},
};
use serde_json::json;

/// What every browser and proxy takes.
const URL_MAX_BYTES: usize = 2048;
const SECRET: &str = "hidden";

/// Each form with the fields that people type and those that are secret.
const FORMS: [(&str, &[&str], &[&str]); 19] = [
    ("/login", &["email", "next"], &["password"]),
    ("/api/ui/change_own_password", &[], &["current", "password"]),
    ("/api/ui/create_user", &["email", "role"], &["password"]),
    ("/api/ui/change_user", &["email", "role"], &["password"]),
    ("/api/ui/create_router", ROUTER, &["api_key", "aes_key"]),
    ("/api/ui/change_router", ROUTER, &["api_key", "aes_key"]),
    ("/api/ui/create_service", SERVICE, &[]),
    ("/api/ui/change_service", SERVICE, &[]),
    (
        "/api/ui/create_project",
        &["project", "title", "description", "hardware"],
        &[],
    ),
    (
        "/api/ui/change_project",
        &["title", "description", "hardware"],
        &[],
    ),
    (
        "/api/ui/create_device",
        &["name", "group", "device_id", "controller_id", "channel"],
        &[],
    ),
    (
        "/api/ui/change_device",
        &["name", "group", "channel", "attributes"],
        &[],
    ),
    (
        "/api/ui/create_token",
        &["expires_minutes", "current_fw"],
        &[],
    ),
    ("/api/ui/change_release", &["notes"], &[]),
    (
        "/api/ui/change_release_rules",
        &["channel", "min_version"],
        &[],
    ),
    (
        "/api/ui/change_rollout",
        &[
            "percent",
            "groups",
            "starts_at",
            "from_hour",
            "to_hour",
            "error_threshold_percent",
            "deadline_minutes",
        ],
        &[],
    ),
    ("/api/ui/change_delivery", &["poll_s", "quota_bytes"], &[]),
    ("/api/ui/extend_session", &["minutes"], &[]),
    (
        "/api/ui/create_invitation",
        &[
            "service_id",
            "label",
            "expires_minutes",
            "max_uses",
            "max_minutes",
        ],
        &[],
    ),
];
const ROUTER: &[&str] = &["name", "address", "cert_sha256"];
const SERVICE: &[&str] = &[
    "name",
    "description",
    "icon",
    "router_id",
    "lan_ip",
    "lan_port",
    "public_port",
    "protocol",
    "kind",
    "url_path",
    "default_minutes",
    "max_minutes",
];
/// What the pages put into their forms beside what people type.
const GIVEN: [(&str, &str); 4] = [
    ("id", DEVICE),
    ("project", PROJECT),
    ("version", "1.0.0"),
    ("device_id", DEVICE),
];

/// Sends the form with `text` in every field that people type, and answers where it leads.
async fn refused(portal: &Portal, cookie: &str, form: usize, text: &str) -> String {
    let (path, typed, secrets) = FORMS[form];
    let given = GIVEN.into_iter().filter(|(name, _)| !typed.contains(name));
    let fields: Vec<_> = (typed.iter().map(|name| (*name, text)))
        .chain(secrets.iter().map(|name| (*name, SECRET)))
        .chain(given)
        .collect();
    let answer = portal.send(post(path).form(&fields).cookie(cookie)).await;
    let location = answer.header("location").to_owned();
    assert!(location.contains("error="), "{path}: {answer:?}");
    location
}

#[tokio::test]
async fn a_long_text_does_not_come_back_in_a_url() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let text = format!("/{}", "\u{e4}".repeat(1000));
    for (number, (path, ..)) in FORMS.iter().enumerate() {
        let location = refused(&portal, &admin.cookie, number, &text).await;
        let bytes = location.len();
        assert!(bytes <= URL_MAX_BYTES, "{path}: {bytes} bytes");
    }
}

#[tokio::test]
async fn a_secret_does_not_come_back_in_a_url() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    for (number, (path, ..)) in FORMS.iter().enumerate() {
        let location = refused(&portal, &admin.cookie, number, "/").await;
        assert!(!location.contains(SECRET), "{path}: {location}");
    }
}

#[tokio::test]
async fn a_long_version_of_an_upload_does_not_come_back_in_a_url() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let version = "x".repeat(3000);
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"version\"\r\n\r\n{version}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\nimage\r\n--b--\r\n"
    );
    let upload = post("/admin/projects/lamp/upload")
        .header("content-type", "multipart/form-data; boundary=b")
        .cookie(&admin.cookie)
        .body(form);
    assert_eq!(
        portal.send(upload).await.header("location"),
        "/admin/projects/lamp/upload?error=invalid&field=upload.version"
    );
}

/// Two admins at one account: the second one's page is older, and saves only what they changed.
#[tokio::test]
async fn a_form_that_was_drawn_before_undoes_nothing() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let owner = portal.owner().await;
    let id = owner.id.to_string();
    let path = format!("/admin/users/{id}");
    let page = portal.send(get(&path).cookie(&admin.cookie)).await.text();
    let drawn: Vec<(String, String)> = ["drawn[email]", "drawn[role]", "drawn[disabled]"]
        .into_iter()
        .map(|name| (name.to_owned(), hidden_value(&page, name)))
        .collect();
    let disabled = json!({ "disabled": true });
    let change = ask("PATCH", &format!("/api/v1/users/{id}"));
    let changed = portal
        .send(change.cookie(&admin.cookie).json(&disabled))
        .await;
    changed.expect(200);

    let mut fields = vec![
        ("id", &*id),
        ("email", "renamed@example.org"),
        ("role", "owner"),
    ];
    fields.extend(drawn.iter().map(|(name, value)| (&**name, &**value)));
    let saved = portal
        .send(
            post("/api/ui/change_user")
                .form(&fields)
                .cookie(&admin.cookie),
        )
        .await;
    assert!(saved.header("location").contains("ok="), "{saved:?}");
    let user = get(&format!("/api/v1/users/{id}")).cookie(&admin.cookie);
    let user = portal.send(user).await.expect(200);
    assert_eq!(user["email"], "renamed@example.org");
    assert_eq!(user["disabled"], true, "the other admin's change is gone");
}

fn hidden_value(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page.split_once(&start).expect("the field is there").1;
    rest.split_once('"').expect("its end").0.to_owned()
}
