//! Things of others, rights that somebody would like to have, and ways around the doors.

use gatehouse_types::account::Role;
use serde_json::{Value, json};

use super::Watch;
use crate::{
    access::House,
    daemon::open,
    furnish::{ADMIN, DEVICE, PASSWORD, PROJECT, Person, text_of},
    harness::{Answer, Ask, Portal, ask, get, post},
    operations::{self, For},
};

/// Members that somebody would send to be more than they are.
const COVETED: [&str; 8] = [
    "role",
    "user_id",
    "is_admin",
    "owner_id",
    "created_at",
    "granted_to",
    "client_ip",
    "__proto__",
];

/// Those of them that an admin may send.
const TAKEN: [(&str, &str); 1] = [("PATCH /api/v1/users/{id}", "role")];

#[tokio::test]
async fn no_operation_takes_a_member_that_would_raise_rights() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let device = portal.device_token(PROJECT).await;
    let watch = Watch::begin();
    let mut tried = 0;
    for operation in operations::all() {
        let name = operation.name();
        // The original passes over members that it does not know.
        if operation.template == "/admin/generate_token" {
            continue;
        }
        for member in COVETED {
            let Some(request) = operation.ask_with(member, json!("admin")) else {
                continue;
            };
            if TAKEN.contains(&(name.as_str(), member)) {
                continue;
            }
            let request = match operation.is_for() {
                For::Devices => request.bearer(text_of(&device, "token")),
                _ => request.cookie(&admin.cookie),
            };
            let answer = portal.send(request).await;
            assert_eq!(answer.status, 422, "{name} {member}: {}", answer.text());
            assert_eq!(answer.json()["field"], member, "{name}");
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried} members");
    watch.end(&portal, &[text_of(&device, "token")]).await;
}

#[tokio::test]
async fn a_session_of_somebody_else_does_not_exist_in_any_spelling() {
    let house = House::new().await;
    let session = house.open().await;
    let id = text_of(&session, "id");
    let eve = house.portal.person("eve@example.com", Role::Owner).await;
    let watch = Watch::begin();
    let send = |request: Ask| house.portal.send(request.cookie(&eve.cookie));
    let simple = id.replace('-', "");
    for spelling in [
        id.to_owned(),
        id.to_uppercase(),
        simple.clone(),
        format!("%7B{id}%7D"),
        format!("urn:uuid:{id}"),
        format!("{id}%00"),
        format!("{id}%20"),
        format!("{id};a=b"),
        format!("..%2F{id}"),
    ] {
        let path = format!("/api/v1/sessions/{spelling}");
        for request in [
            get(&path),
            ask("DELETE", &path),
            post(&format!("{path}/extend")).json(&json!({ "minutes": 60 })),
            post(&format!("{path}/move")),
            post(&format!("/session/remove/{spelling}")),
            get(&format!("/sessions/{spelling}")),
        ] {
            let answer = send(request).await;
            let is_nothing = matches!(answer.status.as_u16(), 400 | 404);
            assert!(is_nothing, "{path}: {}", answer.status);
            assert!(!answer.text().contains("Service 8001"), "{path}");
        }
    }
    for (form, fields) in [
        ("close_session", &[("id", id), ("back", "session")][..]),
        ("extend_session", &[("id", id), ("minutes", "60")]),
        ("move_session", &[("id", id)]),
        ("open_session", &[("service_id", &*house.service)]),
        (
            "create_invitation",
            &[
                ("service_id", &*house.service),
                ("label", "x"),
                ("expires_minutes", "60"),
                ("max_uses", "1"),
                ("max_minutes", "5"),
            ],
        ),
    ] {
        let answer = send(post(&format!("/api/ui/{form}")).form(fields)).await;
        let way = answer.header("location");
        assert!(way.contains("error=not_found"), "{form}: {way}");
    }
    assert_eq!(house.session(id).await, session, "nobody touched it");
    assert_eq!(house.held().await, 1);
    house.stands(watch).await;
}

#[tokio::test]
async fn what_another_project_has_is_not_found_in_this_one() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.0").await;
    let made = portal.device_token(PROJECT).await;
    portal.project(&admin, "fan").await;
    let watch = Watch::begin();
    let send = |request: Ask| portal.send(request.cookie(&admin.cookie));
    let device = format!("/api/v1/projects/fan/devices/{DEVICE}");
    let release = "/api/v1/projects/fan/releases/1.0.0";
    for request in [
        get(&device),
        ask("PATCH", &device).json(&json!({ "name": "mine" })),
        ask("DELETE", &device),
        get(release),
        ask("PATCH", release).json(&json!({ "notes": "mine" })),
        ask("DELETE", release),
        post(&format!("{release}/publish")),
        post(&format!("{release}/withdraw")),
        get("/firmware/fan/lamp-1.0.0.bin"),
        get("/firmware/fan/..%2Flamp%2Flamp-1.0.0.bin"),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status, 404, "{}", answer.text());
    }
    let token = text_of(&made, "token");
    for path in [
        "/firmware/fan/fan-1.0.0.bin",
        "/firmware/fan/lamp-1.0.0.bin",
    ] {
        let answer = portal.send(get(path).bearer(token)).await;
        assert!(matches!(answer.status.as_u16(), 403 | 404), "{path}");
    }
    let kept = send(get(&format!("/api/v1/projects/{PROJECT}/devices/{DEVICE}"))).await;
    assert_ne!(kept.expect(200)["name"], "mine");
    let image = portal.send(get("/firmware/lamp/lamp-1.0.0.bin").bearer(token));
    assert_eq!(image.await.status, 200);
    watch.end(&portal, &[token]).await;
}

impl House {
    /// Everything that an admin sees, which no owner's form may change.
    async fn inventory(&self) -> Vec<Value> {
        let mut seen = Vec::new();
        for path in [
            "/api/v1/users",
            "/api/v1/routers",
            "/api/v1/services",
            "/api/v1/projects",
            "/api/v1/tokens",
            "/api/v1/projects/lamp/devices",
            "/api/v1/projects/lamp/releases",
            "/api/v1/sessions",
            "/api/v1/invitations",
        ] {
            let list = get(path).cookie(&self.admin.cookie);
            let mut items = self.portal.send(list).await.expect(200)["items"].clone();
            items
                .as_array_mut()
                .expect("a list")
                .iter_mut()
                .for_each(|item| item["health"] = Value::Null);
            seen.push(items);
        }
        seen
    }

    /// A form with every field that any form has, about the thing with this id.
    fn greedy_form(&self, path: &str, id: &str) -> Ask {
        let service = self.service.as_str();
        post(path).form(&[
            ("id", id),
            ("user_id", id),
            ("login_id", id),
            ("jti", id),
            ("device_id", DEVICE),
            ("service_id", service),
            ("router_id", &self.router_id),
            ("project", PROJECT),
            ("version", "1.0.0"),
            ("email", "eve@example.com"),
            ("password", "eight quiet herons wade"),
            ("current", "wrong"),
            ("role", "admin"),
            ("name", "mine"),
            ("title", "mine"),
            ("notes", "mine"),
            ("label", "mine"),
            ("group", "mine"),
            ("description", "mine"),
            ("hardware", "mine"),
            ("icon", "disk"),
            ("address", "192.0.2.66:9999"),
            ("api_key", "kkkkkkkkkkkkkkkkkkkk"),
            ("aes_key", "kkkkkkkkkkkkkkkkkkkk"),
            ("lan_ip", "192.168.1.66"),
            ("lan_port", "66"),
            ("public_port", "6666"),
            ("protocol", "tcp"),
            ("kind", "web"),
            ("url_path", "/"),
            ("default_minutes", "5"),
            ("max_minutes", "5"),
            ("minutes", "5"),
            ("expires_minutes", "5"),
            ("max_uses", "1"),
            ("users", id),
        ])
    }
}

#[tokio::test]
async fn a_form_does_nothing_for_an_owner_that_is_not_the_owners() {
    let house = House::new().await;
    house.portal.release(&house.admin, "1.0.0").await;
    let made = house.portal.device_token(PROJECT).await;
    let session = house.open().await;
    let eve = house.portal.person("eve@example.com", Role::Owner).await;
    let before = house.inventory().await;
    let watch = Watch::begin();
    let ids = [
        eve.id.to_string(),
        house.admin.id.to_string(),
        house.router_id.clone(),
        house.service.clone(),
        text_of(&session, "id").to_owned(),
        text_of(&made["payload"], "jti").to_owned(),
    ];
    let forms: Vec<&str> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, _)| path)
        .collect();
    assert!(forms.len() > 25, "{forms:?}");
    for path in forms {
        for id in &ids {
            let form = house.greedy_form(path, id).cookie(&eve.cookie);
            let answer = house.portal.send(form).await;
            let went_well = answer.header("location").contains("ok=");
            let is_about_own_sign_ins = path.ends_with("end_other_sign_ins");
            assert_eq!(went_well, is_about_own_sign_ins, "{path}: {answer:?}");
        }
    }
    assert_eq!(house.inventory().await, before);
    assert_eq!(role_of(&house.portal, &eve).await, "owner");
    house.stands(watch).await;
}

async fn role_of(portal: &Portal, person: &Person) -> Value {
    let me = get("/api/v1/me").cookie(&person.cookie);
    portal.send(me).await.expect(200)["role"].clone()
}

#[tokio::test]
async fn the_forms_shut_the_last_admin_out_no_more_than_the_api_does() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let watch = Watch::begin();
    let id = admin.id.to_string();
    for (form, fields) in [
        ("remove_user", vec![]),
        ("change_user", vec![("role", "owner")]),
        ("change_user", vec![("role", "admin"), ("disabled", "on")]),
    ] {
        let mut fields = fields;
        fields.extend([("id", &*id), ("email", ADMIN)]);
        let request = post(&format!("/api/ui/{form}")).form(&fields);
        let answer = portal.send(request.cookie(&admin.cookie)).await;
        let way = answer.header("location");
        assert!(way.contains("error=last_admin"), "{form}: {way}");
    }
    assert_eq!(role_of(&portal, &admin).await, "admin");
    watch.end(&portal, &[admin.cookie_secret()]).await;
}

#[tokio::test]
async fn no_spelling_of_a_path_and_no_header_leads_an_owner_to_what_is_the_admins() {
    let house = House::new().await;
    let watch = Watch::begin();
    let send = |request: Ask| house.portal.send(request.cookie(&house.owner.cookie));
    for path in [
        "/ADMIN/users",
        "//admin/users",
        "/./admin/users",
        "/admin//users",
        "/admin/./users",
        "/x/../admin/users",
        "/x/%2e%2e/admin/users",
        "/%61dmin/users",
        "/%2561dmin/users",
        "/admin/users/",
        "/admin/users;x",
        "/admin/users%00",
        "/admin%2Fusers",
        "/login/../admin/users",
        "/api/v1//users",
        "/api/v1/users/",
        "/API/v1/users",
        "/api/v1/../v1/users",
        "/api/v1/%75sers",
        "/admin/audit.csv/",
        "/admin/AUDIT.csv",
    ] {
        tells_nothing(&send(get(path)).await, path);
    }
    for header in ["x-original-url", "x-rewrite-url", "x-forwarded-prefix"] {
        for path in ["/admin/users", "/api/v1/users"] {
            tells_nothing(&send(get("/").header(header, path)).await, header);
        }
    }
    let users = format!("/api/v1/users/{}", house.owner.id);
    for header in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ] {
        let removal = get("/api/v1/me").header(header, "DELETE");
        assert_eq!(send(removal).await.status, 200, "{header}");
        let removal = post(&format!("{users}?_method=DELETE")).header(header, "DELETE");
        let removal = removal.cookie(&house.admin.cookie);
        assert_eq!(house.portal.send(removal).await.status, 405, "{header}");
    }
    assert_eq!(role_of(&house.portal, &house.owner).await, "owner");
    house.stands(watch).await;
}

#[track_caller]
fn tells_nothing(answer: &Answer, of: &str) {
    let text = answer.text();
    assert!(!text.contains(ADMIN) && !text.contains("router_id"), "{of}");
}

/// A right that is gone is gone for what was signed in before, however it was signed in.
#[tokio::test]
async fn an_account_that_is_disabled_opens_nothing_with_any_of_its_credentials() {
    let house = House::new().await;
    let token = house.portal.api_token(&house.owner.email).await;
    let watch = Watch::begin();
    let disable = ask("PATCH", &format!("/api/v1/users/{}", house.owner.id));
    let disable = disable.json(&json!({ "disabled": true }));
    let disable = disable.cookie(&house.admin.cookie);
    house.portal.send(disable).await.expect(200);
    let wish = json!({ "service_id": house.service, "minutes": 5 });
    for request in [
        open(&house.owner, &house.service, &json!(5)),
        post("/api/v1/sessions").json(&wish).bearer(&token),
        post(&format!("/conn/req/{}", house.service)).bearer(&token),
    ] {
        let answer = house.portal.send(request).await;
        answer.refused(401, "unauthenticated");
    }
    let login = json!({ "user": house.owner.email, "pass": PASSWORD });
    let login = house.portal.send(post("/api/login").json(&login)).await;
    login.refused(401, "unauthenticated");
    assert_eq!(house.held().await, 0);
    house.stands(watch).await;
}
