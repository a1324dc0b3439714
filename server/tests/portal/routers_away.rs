//! Routers that are away, are not who they say, or are told nonsense: no door opens.

use serde_json::{Value, json};

use crate::{
    access::House,
    daemon::{dead_router, open},
    furnish::text_of,
    harness::{Portal, ask, get, post},
};

#[tokio::test]
async fn a_router_that_is_down_gives_a_failed_session_and_never_an_open_one() {
    let portal = Portal::open().await;
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let router = portal.add_router(&admin, &dead_router("dead").await).await;
    let service = portal.add_service(&admin, &router, 8001, &[&owner]).await;
    let session = portal
        .send(open(&owner, &service, &json!(5)))
        .await
        .expect(201);
    assert_eq!(
        (&session["state"], &session["end_reason"]),
        (&json!("failed"), &json!("router_unreachable"))
    );
    assert_eq!(session["url"], Value::Null);
    let form = post("/api/ui/open_session").form(&[("service_id", service.as_str())]);
    let answer = portal.send(form.cookie(&owner.cookie)).await;
    let page = answer.header("location").to_owned();
    assert!(page.starts_with("/sessions/"), "{page}");
    let page = portal.send(get(&page).cookie(&owner.cookie)).await;
    assert_eq!(page.status, 200);
    let test = post(&format!("/api/v1/routers/{router}/test")).cookie(&admin.cookie);
    let test = portal.send(test).await.expect(200);
    assert_eq!(test["reachable"], false, "{test}");
}

#[tokio::test]
async fn a_daemon_with_another_certificate_or_key_is_not_trusted() {
    let house = House::new().await;
    for (member, value, reason) in [
        ("cert_sha256", "ab".repeat(32), "router_unreachable"),
        ("aes_key", "k".repeat(20), "router_unreachable"),
        // Only here the daemon could read who asks, and say no.
        ("api_key", "k".repeat(20), "router_refused"),
    ] {
        let mut entry = house.router.entry(member);
        entry[member] = value.into();
        let router = house.portal.add_router(&house.admin, &entry).await;
        let service = house
            .portal
            .add_service(&house.admin, &router, 8001, &[&house.owner])
            .await;
        let session = house
            .portal
            .send(open(&house.owner, &service, &json!(5)))
            .await
            .expect(201);
        assert_eq!(session["state"], "failed", "{member}");
        assert_eq!(session["end_reason"], reason, "{member}");
    }
    assert_eq!(house.held().await, 0);
}

#[tokio::test]
async fn closing_waits_for_a_router_that_is_away() {
    let mut house = House::new().await;
    let session = house.open().await;
    let id = text_of(&session, "id").to_owned();
    house.router.stop().await;
    let path = format!("/api/v1/sessions/{id}");
    let closing = house
        .portal
        .send(ask("DELETE", &path).cookie(&house.owner.cookie))
        .await
        .expect(200);
    assert_eq!(
        (&closing["state"], &closing["end_reason"]),
        (&json!("closing"), &json!("revoked"))
    );
    let busy = house
        .portal
        .send(open(&house.owner, &house.service, &json!(5)))
        .await;
    busy.refused(409, "conflict");
    let extend = post(&format!("{path}/extend")).json(&json!({ "minutes": 5 }));
    house
        .portal
        .send(extend.cookie(&house.owner.cookie))
        .await
        .refused(409, "finished");
    let keep = || house.portal.installation.portal.access.keep();
    keep().await.expect("keeps");
    assert_eq!(house.session(&id).await["state"], "closing");
    house.router.resume().await;
    house
        .portal
        .installation
        .portal
        .access
        .keep()
        .await
        .expect("keeps");
    let closed = house.session(&id).await;
    assert_eq!(
        (&closed["state"], &closed["end_reason"]),
        (&json!("closed"), &json!("revoked"))
    );
}

#[tokio::test]
async fn a_router_keeps_its_way_while_doors_are_open_on_it() {
    let house = House::new().await;
    house.open().await;
    let path = format!("/api/v1/routers/{}", house.router_id);
    let change = async |change: Value| {
        let change = ask("PATCH", &path).json(&change);
        let answer = house.portal.send(change.cookie(&house.admin.cookie));
        answer.await.status
    };
    assert_eq!(change(json!({ "address": "192.0.2.9:9999" })).await, 409);
    // A router that was set up anew has other keys, and its sessions must not wait for their end.
    for kept_address in [
        json!({ "name": "attic" }),
        json!({ "cert_sha256": "ab".repeat(32) }),
        json!({ "api_key": "k".repeat(20) }),
    ] {
        assert_eq!(change(kept_address.clone()).await, 200, "{kept_address}");
    }
}

#[tokio::test]
async fn extending_over_a_router_that_is_away_keeps_the_old_end() {
    let mut house = House::new().await;
    let session = house.open().await;
    house.router.stop().await;
    let path = format!("/api/v1/sessions/{}/extend", text_of(&session, "id"));
    let answer = house
        .portal
        .send(
            post(&path)
                .json(&json!({ "minutes": 60 }))
                .cookie(&house.owner.cookie),
        )
        .await;
    answer.refused(503, "unavailable");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(house.session(text_of(&session, "id")).await, session);
}

#[tokio::test]
async fn shell_option_and_mask_tricks_reach_no_daemon() {
    let house = House::new().await;
    let service = json!({
        "name": "s", "router_id": house.router_id, "lan_ip": "192.168.1.9", "lan_port": 80, "public_port": 9000,
    });
    for (member, value) in [
        ("lan_ip", json!("1.1.1.1; reboot")),
        ("lan_ip", json!("192.168.1.4/00")),
        ("lan_ip", json!("-j ACCEPT")),
        ("lan_ip", json!("$(reboot)")),
        ("lan_ip", json!("127.0.0.1")),
        ("lan_ip", json!("0x7f.1")),
        ("lan_ip", json!("")),
        ("lan_port", json!(0)),
        ("lan_port", json!(65536)),
        ("lan_port", json!(-1)),
        ("lan_port", json!("80")),
        ("public_port", json!(22)),
        ("public_port", json!(65535)),
        ("url_path", json!("javascript:alert(1)")),
        ("url_path", json!("//evil")),
        ("icon", json!("<svg onload=1>")),
        ("protocol", json!("icmp")),
        ("kind", json!("shell")),
        ("name", json!("a\u{202e}b")),
        ("name", json!("")),
        ("max_minutes", json!(481)),
        ("default_minutes", json!(0)),
        ("wake", json!({})),
        ("router_id", json!("018f2b5c-0000-7000-8000-000000000001")),
    ] {
        let mut new = service.clone();
        new[member] = value.clone();
        let answer = house
            .portal
            .send(
                post("/api/v1/services")
                    .json(&new)
                    .cookie(&house.admin.cookie),
            )
            .await;
        assert_eq!(answer.status, 422, "{member} {value}: {}", answer.text());
    }
    for (member, value) in [
        ("address", "169.254.169.254:80"),
        ("address", "[fe80::1]:1"),
        ("address", "127.1:9999"),
        ("address", "http://x:1"),
        ("address", "x:1/../"),
        ("address", "user@x:1"),
        ("api_key", "short"),
        ("cert_sha256", "zz"),
        ("name", ""),
    ] {
        let mut entry = house.router.entry("odd");
        entry[member] = value.into();
        let answer = house
            .portal
            .send(
                post("/api/v1/routers")
                    .json(&entry)
                    .cookie(&house.admin.cookie),
            )
            .await;
        assert_eq!(answer.refused(422, "invalid")["field"], member, "{value}");
    }
    let outside = house.portal.send(
        ask("PATCH", &format!("/api/v1/services/{}", house.service))
            .json(&json!({ "lan_ip": "10.9.9.9" }))
            .cookie(&house.admin.cookie),
    );
    outside.await.expect(200);
    let session = house
        .portal
        .send(open(&house.owner, &house.service, &json!(5)))
        .await
        .expect(201);
    assert_eq!(
        (&session["state"], &session["end_reason"]),
        (&json!("failed"), &json!("router_refused")),
        "the daemon knows its LAN"
    );
    let private = open(&house.owner, &house.service, &json!(5)).peer("192.168.1.77");
    assert_eq!(
        house.portal.send(private).await.expect(201)["state"],
        "failed"
    );
    assert_eq!(house.held().await, 0);
}

#[tokio::test]
async fn a_routers_keys_never_come_back() {
    let house = House::new().await;
    let entry = house.router.entry("home");
    for request in [
        get("/api/v1/routers"),
        get(&format!("/api/v1/routers/{}", house.router_id)),
        get(&format!("/admin/routers/{}", house.router_id)),
        get("/api/v1/audit"),
    ] {
        let answer = house.portal.send(request.cookie(&house.admin.cookie)).await;
        assert_eq!(answer.status, 200);
        for key in ["api_key", "aes_key"] {
            assert!(!answer.text().contains(text_of(&entry, key)), "{key}");
        }
    }
    let database =
        std::fs::read(house.portal.folder.path().join("data/gatehouse.db")).expect("reads");
    let journal =
        std::fs::read(house.portal.folder.path().join("data/gatehouse.db-wal")).unwrap_or_default();
    let key = text_of(&entry, "aes_key").as_bytes();
    for file in [database, journal] {
        assert!(
            !file.windows(key.len()).any(|window| window == key),
            "keys are sealed in the database"
        );
    }
}
