//! Invitations as their owners make, see and end them.

use gatehouse_types::account::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    access::House,
    furnish::{Person, text_of},
    harness::{Answer, Ask, ask, get, post},
};

impl House {
    /// What an invitation for an hour says; the service lasts 60 minutes at the most.
    pub(crate) fn wish(&self) -> Value {
        json!({
            "service_id": self.service, "label": "Plumber", "expires_minutes": 60,
            "max_uses": 2, "max_minutes": 20,
        })
    }

    async fn wish_with(&self, member: &str, value: Value) -> Answer {
        let mut wish = self.wish();
        wish[member] = value;
        self.portal.send(invite(&self.owner, &wish)).await
    }

    /// Invites once and answers what the API says.
    pub(crate) async fn invitation(&self) -> Value {
        let made = self.portal.send(invite(&self.owner, &self.wish())).await;
        made.expect(201)
    }
}

fn invite(person: &Person, wish: &Value) -> Ask {
    post("/api/v1/invitations")
        .json(wish)
        .cookie(&person.cookie)
}

#[tokio::test]
async fn an_invitation_is_made_listed_and_revoked_and_its_link_shown_once() {
    let house = House::new().await;
    let made = house.invitation().await;
    let link = text_of(&made, "link");
    let token = link.strip_prefix("http://127.0.0.1:3000/guest?token=");
    assert_eq!(token.map(str::len), Some(43), "256 bits: {link}");
    let about = [
        ("state", json!("active")),
        ("label", json!("Plumber")),
        ("service_name", json!("Service 8001")),
        ("invited_by", json!("bo@example.com")),
        ("uses", json!(0)),
        ("max_uses", json!(2)),
        ("max_minutes", json!(20)),
        ("revoked_at", Value::Null),
        ("last_opened_at", Value::Null),
    ];
    for (member, value) in about {
        assert_eq!(made[member], value, "{member}");
    }
    let path = format!("/api/v1/invitations/{}", text_of(&made, "id"));
    let (portal, cookie) = (&house.portal, &*house.owner.cookie);
    let shown = portal.send(get(&path).cookie(cookie)).await.expect(200);
    assert_eq!(shown.get("link"), None, "never again");
    let listed = get("/api/v1/invitations").cookie(cookie);
    assert_eq!(
        portal.send(listed).await.expect(200)["items"],
        json!([shown])
    );
    for _ in 0..2 {
        let revoked = portal.send(ask("DELETE", &path).cookie(cookie)).await;
        assert_eq!(revoked.status, 204);
    }
    let after = portal.send(get(&path).cookie(cookie)).await.expect(200);
    assert_eq!(after["state"], "revoked");
}

#[tokio::test]
async fn a_list_of_invitations_has_pages() {
    let house = House::new().await;
    for _ in 0..3 {
        house.invitation().await;
    }
    let (portal, cookie) = (&house.portal, &*house.owner.cookie);
    let page = |query: &str| {
        let path = format!("/api/v1/invitations{query}");
        portal.send(get(&path).cookie(cookie))
    };
    let first = page("?limit=2").await.expect(200);
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
    let next = format!("?limit=2&after={}", text_of(&first, "next"));
    let rest = page(&next).await.expect(200);
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["next"], Value::Null);
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=501", "limit"),
        ("?after=x", "after"),
    ] {
        assert_eq!(page(query).await.refused(422, "invalid")["field"], field);
    }
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_by_name() {
    let house = House::new().await;
    let cases = [
        ("label", json!("")),
        ("label", json!("   ")),
        ("label", json!("x".repeat(81))),
        ("label", json!("a\0b")),
        ("label", json!("a\r\nb")),
        ("expires_minutes", json!(0)),
        ("expires_minutes", json!(-1)),
        ("expires_minutes", json!(43_201)),
        ("expires_minutes", json!(i64::MAX)),
        ("max_uses", json!(0)),
        ("max_uses", json!(-1)),
        ("max_uses", json!(101)),
        ("max_minutes", json!(0)),
        ("max_minutes", json!(61)),
        ("user_id", json!(Uuid::nil())),
        ("client_ip", json!("198.51.100.1")),
        ("token", json!("mine")),
    ];
    for (member, value) in cases {
        let refused = house.wish_with(member, value.clone()).await;
        let refused = refused.refused(422, "invalid");
        assert_eq!(refused["field"], member, "{value}");
    }
    let other_kinds = [
        ("label", json!(7)),
        ("max_uses", json!(1.5)),
        ("max_uses", json!("3")),
        ("max_uses", Value::Null),
        ("max_minutes", json!(1e9)),
        ("expires_minutes", json!(1e30)),
        ("service_id", json!("1")),
    ];
    for (member, value) in other_kinds {
        let refused = house.wish_with(member, value).await;
        refused.refused(422, "invalid");
    }
    for most in [
        ("expires_minutes", 43_200),
        ("max_uses", 100),
        ("max_minutes", 60),
    ] {
        house.wish_with(most.0, json!(most.1)).await.expect(201);
    }
}

#[tokio::test]
async fn invitations_and_services_of_others_do_not_exist() {
    let house = House::new().await;
    let portal = &house.portal;
    let other = portal.person("cy@example.com", Role::Owner).await;
    let made = house.invitation().await;
    let path = format!("/api/v1/invitations/{}", text_of(&made, "id"));
    for method in ["GET", "DELETE"] {
        let answer = portal.send(ask(method, &path).cookie(&other.cookie)).await;
        answer.refused(404, "not_found");
    }
    let not_granted = portal.send(invite(&other, &house.wish())).await;
    not_granted.refused(404, "not_found");
    let listed = get("/api/v1/invitations").cookie(&other.cookie);
    assert_eq!(portal.send(listed).await.expect(200)["items"], json!([]));
    let form = post("/api/ui/revoke_invitation").form(&[("id", text_of(&made, "id"))]);
    let refused = portal.send(form.cookie(&other.cookie)).await;
    assert_eq!(refused.header("location"), "/invitations?error=not_found");

    let everybodys = get("/api/v1/invitations").cookie(&house.admin.cookie);
    let everybodys = portal.send(everybodys).await.expect(200);
    assert_eq!(
        everybodys["items"][0]["id"], made["id"],
        "an admin sees all"
    );
    assert_eq!(everybodys["items"][0]["state"], "active");
    let by_admin = portal
        .send(ask("DELETE", &path).cookie(&house.admin.cookie))
        .await;
    assert_eq!(by_admin.status, 204);
}

#[tokio::test]
async fn the_form_shows_the_link_once_and_markup_stays_text() {
    let house = House::new().await;
    let (portal, cookie) = (&house.portal, &*house.owner.cookie);
    let label = "\"><svg onload=1>{{7*7}}</script>";
    let form = [
        ("service_id", &*house.service),
        ("label", label),
        ("expires_minutes", "1440"),
        ("max_uses", "1"),
        ("max_minutes", "20"),
    ];
    let made = post("/api/ui/create_invitation").form(&form).cookie(cookie);
    let made = portal.send(made).await;
    let way = made.header("location");
    assert!(
        way.starts_with("/invitations?shown=") && way.ends_with("&ok=created"),
        "{way}"
    );
    let page = portal.send(get(way).cookie(cookie)).await.text();
    assert!(
        page.contains("http://127.0.0.1:3000/guest?token="),
        "{page}"
    );
    assert!(
        !page.contains("<svg onload") && page.contains("&lt;svg onload"),
        "{page}"
    );
    let again = portal.send(get(way).cookie(cookie)).await.text();
    assert!(!again.contains("/guest?token="), "shown once");
    assert!(again.contains("was shown already"), "{again}");

    let refused = [("label", "x"), ("service_id", "1")];
    let refused = post("/api/ui/create_invitation")
        .form(&refused)
        .cookie(cookie);
    let refused = portal.send(refused).await;
    let back = refused.header("location");
    assert!(
        back.starts_with("/invitations/new?service=1&label=x"),
        "{back}"
    );
    let page = portal.send(get(back).cookie(cookie)).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains("value=\"x\""),
        "what was typed is there"
    );
}

#[tokio::test]
async fn the_pages_lead_from_a_service_to_its_invitation() {
    let house = House::new().await;
    let (portal, cookie) = (&house.portal, &*house.owner.cookie);
    let page = |path: &str| portal.send(get(path).cookie(cookie));
    let way = format!("/invitations/new?service={}", house.service);
    let dashboard = page("/").await.text();
    assert!(
        dashboard.contains(&format!("href=\"{way}\"")),
        "{dashboard}"
    );
    assert!(
        dashboard.contains("href=\"/invitations\""),
        "the navigation"
    );
    let form = page(&way).await.text();
    let chosen = format!("<option value=\"{}\" selected", house.service);
    assert!(form.contains(&chosen), "{form}");
    let empty = page("/invitations").await.text();
    assert!(empty.contains("Nobody is invited"), "{empty}");
    let other = portal.person("cy@example.com", Role::Owner).await;
    let nothing = portal
        .send(get("/invitations/new").cookie(&other.cookie))
        .await;
    assert!(
        !nothing.text().contains("create_invitation"),
        "there is nothing to open"
    );
    let stranger = portal.send(get("/invitations")).await;
    assert_eq!(stranger.header("location"), "/login?next=%2Finvitations");
}
