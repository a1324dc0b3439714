//! An owner who comes from elsewhere, or from inside.

use serde_json::{Value, json};

use crate::{
    access::House,
    furnish::text_of,
    harness::{Ask, get, post},
};

const CAFE: &str = "198.51.100.20";

impl House {
    fn follow(&self, session: &Value) -> Ask {
        let path = format!("/api/v1/sessions/{}/move", text_of(session, "id"));
        post(&path).cookie(&self.owner.cookie)
    }

    async fn dashboard_from(&self, peer: &str) -> String {
        let page = get("/").cookie(&self.owner.cookie).peer(peer);
        self.portal.send(page).await.text()
    }
}

#[tokio::test]
async fn a_session_follows_its_owner_to_another_address() {
    let house = House::new().await;
    let home = house.open().await;
    let cafe = house.portal.send(house.follow(&home).peer(CAFE)).await;
    let cafe = cafe.expect(201);
    assert_eq!(cafe["state"], "open");
    assert_eq!(cafe["client_ip"], CAFE);
    assert_eq!(cafe["expires_at"], home["expires_at"]);
    let old = house.session(text_of(&home, "id")).await;
    assert_eq!(
        (&old["state"], &old["end_reason"]),
        (&json!("closed"), &json!("replaced"))
    );
    assert_eq!(house.held().await, 1);
    let again = house.portal.send(house.follow(&home).peer(CAFE)).await;
    again.refused(409, "finished");
    let there = house.portal.send(house.follow(&cafe).peer(CAFE)).await;
    assert_eq!(there.expect(200), cafe);
}

#[tokio::test]
async fn nothing_in_the_request_says_where_a_session_moves_to() {
    let house = House::new().await;
    let home = house.open().await;
    let forged = house
        .follow(&home)
        .header("x-forwarded-for", CAFE)
        .header("forwarded", "for=198.51.100.20")
        .json(&json!({ "ip_src": CAFE, "client_ip": CAFE }));
    let stays = house.portal.send(forged).await.expect(200);
    assert_eq!(stays, home, "it moves to where the request came from");
    let admins = format!("/api/v1/sessions/{}/move", text_of(&home, "id"));
    let admins = post(&admins).cookie(&house.admin.cookie).peer(CAFE);
    house.portal.send(admins).await.refused(403, "forbidden");
    assert_eq!(house.session(text_of(&home, "id")).await, home);
}

#[tokio::test]
async fn the_dashboard_offers_to_move_what_is_open_for_another_address() {
    let house = House::new().await;
    let home = house.open().await;
    let here = house.dashboard_from("203.0.113.7").await;
    assert!(here.contains("This address") && !here.contains("move_session"));
    let there = house.dashboard_from(CAFE).await;
    assert!(there.contains("move_session") && !there.contains("This address"));
    let over_v6 = house.dashboard_from("2001:db8::7").await;
    assert!(!over_v6.contains("move_session"), "it could not open there");
    let form = post("/api/ui/move_session").form(&[("id", text_of(&home, "id"))]);
    let form = form.cookie(&house.owner.cookie).peer(CAFE);
    let moved = house.portal.send(form).await;
    assert_eq!(moved.header("location"), "/?ok=session_moved");
    assert_eq!(house.held().await, 1);
}

#[tokio::test]
async fn who_is_in_the_lan_already_is_led_straight_to_the_service() {
    let house = House::new().await;
    let inside = house.dashboard_from("192.168.1.20").await;
    assert!(
        inside.contains("href=\"http://192.168.1.50:80/web\""),
        "{inside}"
    );
    assert!(!inside.contains("/api/ui/open_session"));
    let outside = house.dashboard_from("203.0.113.7").await;
    assert!(!outside.contains("192.168.1.50"));
    assert!(outside.contains("/api/ui/open_session"));
}
