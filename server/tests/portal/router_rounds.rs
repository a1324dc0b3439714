//! What the portal learns from its routers by itself, through a real daemon.

use serde_json::{Value, json};

use crate::{
    access::House,
    furnish::text_of,
    harness::{get, post},
};

impl House {
    async fn reconcile(&self) {
        let access = &self.portal.installation.portal.access;
        access.reconcile().await.expect("reconciles");
    }

    async fn router(&self) -> Value {
        let path = format!("/api/v1/routers/{}", self.router_id);
        let shown = get(&path).cookie(&self.admin.cookie);
        self.portal.send(shown).await.expect(200)
    }

    async fn router_page(&self, query: &str) -> String {
        let path = format!("/admin/routers/{}{query}", self.router_id);
        let page = get(&path).cookie(&self.admin.cookie);
        self.portal.send(page).await.text()
    }
}

#[tokio::test]
async fn a_router_that_lost_its_journal_has_open_sessions_again() {
    let mut house = House::new().await;
    let session = house.open().await;
    house.router.stop().await;
    house.router.forget();
    house.router.resume().await;
    assert_eq!(house.held().await, 0);
    house.reconcile().await;
    assert_eq!(house.held().await, 1);
    let id = text_of(&session, "id");
    assert_eq!(house.session(id).await, session);
}

#[tokio::test]
async fn what_somebody_ended_on_the_router_itself_is_over_in_the_portal_too() {
    let house = House::new().await;
    let session = house.open().await;
    house.router.flush().await;
    house.reconcile().await;
    let over = house.session(text_of(&session, "id")).await;
    assert_eq!(
        (&over["state"], &over["end_reason"]),
        (&json!("closed"), &json!("router_refused"))
    );
    assert_eq!(house.held().await, 0);
}

#[tokio::test]
async fn the_health_of_a_router_is_told_in_json_and_in_words() {
    let mut house = House::new().await;
    assert_eq!(house.router().await.get("health"), None, "nobody asked yet");
    assert!(house.router_page("").await.contains("Not tested"));
    house.reconcile().await;
    let well = house.router().await["health"].clone();
    assert_eq!(well["reachable"], true, "{well}");
    assert_eq!(
        (&well["backend"], &well["sessions"], &well["detail"]),
        (&json!("dry-run"), &json!(0), &Value::Null)
    );
    assert!(well["latency_ms"].is_i64() && well["clock_difference_ms"].is_i64());
    let page = house.router_page("").await;
    assert!(page.contains("Reachable since") && page.contains("the same as the portal"));
    house.router.stop().await;
    let page = house.router_page("?test=1").await;
    assert!(page.contains("Unreachable since"), "{page}");
    let away = house.router().await["health"].clone();
    assert_eq!(away["reachable"], false);
    assert!(away["detail"].is_string(), "{away}");
    let list = get("/admin/routers").cookie(&house.admin.cookie);
    assert!(house.portal.send(list).await.text().contains("Unreachable"));
    let path = format!("/api/v1/routers/{}/test", house.router_id);
    house.router.resume().await;
    house
        .portal
        .send(post(&path).cookie(&house.admin.cookie))
        .await
        .expect(200);
    assert_eq!(house.router().await["health"]["reachable"], true);
}
