//! How a service is woken, as the API and the form take it.

use serde_json::json;

use crate::{
    daemon::dead_router,
    furnish::{Person, text_of},
    harness::{Portal, ask, get, post},
};

const SECRET: (&str, &str) = ("GATEHOUSE_WAKE_WEBHOOK_SECRET", "sixteen bytes at least");
const ORIGINS: (&str, &str) = ("GATEHOUSE_WAKE_WEBHOOK_ORIGINS", "https://home.example.org");

async fn service(portal: &Portal, admin: &Person) -> String {
    let router = portal.add_router(admin, &dead_router("home").await).await;
    portal.add_service(admin, &router, 8001, &[]).await
}

#[tokio::test]
async fn a_wake_is_kept_shown_and_taken_away() {
    let portal = Portal::with(&[SECRET, ORIGINS]).await;
    let admin = portal.admin().await;
    let path = format!("/api/v1/services/{}", service(&portal, &admin).await);
    let change = |wake| {
        ask("PATCH", &path)
            .json(&json!({ "wake": wake }))
            .cookie(&admin.cookie)
    };
    for wake in [
        json!({ "kind": "wol", "mac": "02:00:5e:10:00:01" }),
        json!({ "kind": "webhook", "url": "https://home.example.org/wake" }),
        json!(null),
    ] {
        let changed = portal.send(change(wake.clone())).await.expect(200);
        assert_eq!(changed["wake"], wake);
        let name = ask("PATCH", &path)
            .json(&json!({ "name": "nas" }))
            .cookie(&admin.cookie);
        portal.send(name).await.expect(200);
        let shown = portal
            .send(get(&path).cookie(&admin.cookie))
            .await
            .expect(200);
        assert_eq!(shown["wake"], wake, "what is missing stays");
    }
}

#[tokio::test]
async fn what_cannot_wake_is_refused_with_the_name_of_its_member() {
    let portal = Portal::with(&[SECRET, ORIGINS]).await;
    let admin = portal.admin().await;
    let path = format!("/api/v1/services/{}", service(&portal, &admin).await);
    for (wake, field) in [
        (json!({ "kind": "wol", "mac": "-j ACCEPT" }), "wake.mac"),
        (
            json!({ "kind": "wol", "mac": "ff:ff:ff:ff:ff:ff" }),
            "wake.mac",
        ),
        (
            json!({ "kind": "webhook", "url": "https://evil.example/" }),
            "wake.url",
        ),
        (
            json!({ "kind": "webhook", "url": "http://169.254.169.254/latest" }),
            "wake.url",
        ),
        (
            json!({ "kind": "webhook", "url": "file:///etc/passwd" }),
            "wake.url",
        ),
    ] {
        let change = ask("PATCH", &path)
            .json(&json!({ "wake": wake }))
            .cookie(&admin.cookie);
        let refused = portal.send(change).await.refused(422, "invalid");
        assert!(
            text_of(&refused, "field").starts_with(field),
            "{wake}: {refused}"
        );
    }
    for shapeless in [
        json!({ "kind": "shell", "mac": "x" }),
        json!({ "kind": "wol", "mac": "02:00:5e:10:00:01", "port": 9 }),
        json!({ "kind": "wol" }),
        json!("wol"),
    ] {
        let change = ask("PATCH", &path).json(&json!({ "wake": shapeless }));
        let answer = portal.send(change.cookie(&admin.cookie)).await;
        answer.refused(422, "invalid");
    }
    let plain = Portal::with(&[ORIGINS]).await;
    let admin = plain.admin().await;
    let path = format!("/api/v1/services/{}", service(&plain, &admin).await);
    let wake = json!({ "wake": { "kind": "webhook", "url": "https://home.example.org/" } });
    let change = ask("PATCH", &path).json(&wake).cookie(&admin.cookie);
    let refused = plain.send(change).await.refused(422, "invalid");
    assert_eq!(
        refused["field"], "wake.url",
        "there is no secret to sign with"
    );
}

#[tokio::test]
async fn the_form_keeps_a_wake_and_says_what_is_wrong_at_its_field() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let id = service(&portal, &admin).await;
    let path = format!("/api/v1/services/{id}");
    let kept = portal
        .send(get(&path).cookie(&admin.cookie))
        .await
        .expect(200);
    let router = text_of(&kept, "router_id").to_owned();
    let form = |mac: &str| {
        post("/api/ui/change_service").cookie(&admin.cookie).form(&[
            ("id", &id),
            ("name", "nas"),
            ("description", ""),
            ("icon", "disk"),
            ("router_id", &router),
            ("lan_ip", "192.168.1.50"),
            ("lan_port", "80"),
            ("public_port", "8001"),
            ("protocol", "tcp"),
            ("kind", "web"),
            ("url_path", "/"),
            ("default_minutes", "30"),
            ("max_minutes", "60"),
            ("wake", "wol"),
            ("mac", mac),
            ("url", ""),
        ])
    };
    let refused = portal.send(form("02:00")).await;
    let back = refused.header("location").to_owned();
    assert!(
        back.contains("field=wake.mac") && back.contains("mac=02"),
        "{back}"
    );
    let page = portal.send(get(&back).cookie(&admin.cookie)).await.text();
    assert!(page.contains("A hardware address looks like"), "{page}");

    let taken = portal.send(form("02:00:5e:10:00:01")).await;
    assert!(
        taken.header("location").contains("ok=saved"),
        "{}",
        taken.header("location")
    );
    let shown = portal
        .send(get(&path).cookie(&admin.cookie))
        .await
        .expect(200);
    assert_eq!(
        shown["wake"],
        json!({ "kind": "wol", "mac": "02:00:5e:10:00:01" })
    );
}
