//! Sign-in sessions: closed means closed at the next request.

use serde_json::{Value, json};

use crate::{
    furnish::{ADMIN, PASSWORD, Person, cookie_of, text_of},
    harness::{Portal, ask, get, post},
};

async fn logins(portal: &Portal, cookie: &str) -> Vec<Value> {
    let page = portal
        .send(get("/api/v1/me/logins").cookie(cookie))
        .await
        .expect(200);
    page["items"].as_array().expect("a list").clone()
}

async fn is_signed_in(portal: &Portal, cookie: &str) -> bool {
    portal.send(get("/api/v1/me").cookie(cookie)).await.status == 200
}

async fn second_browser(portal: &Portal, person: &Person) -> String {
    cookie_of(&portal.sign_in(&person.email, PASSWORD).await).expect("signs in")
}

#[tokio::test]
async fn a_cookie_that_signed_out_is_dead_wherever_it_was_copied_to() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let out = portal.send(post("/logout").cookie(&admin.cookie)).await;
    assert_eq!(
        (out.status.as_u16(), out.header("location")),
        (303, "/login?ok=signed_out")
    );
    assert!(
        out.header("set-cookie").contains("Max-Age=0"),
        "{}",
        out.header("set-cookie")
    );
    assert!(!is_signed_in(&portal, &admin.cookie).await);
    let page = portal.send(get("/account").cookie(&admin.cookie)).await;
    assert_eq!(page.header("location"), "/login?next=%2Faccount");
}

#[tokio::test]
async fn every_sign_in_has_a_secret_of_its_own_whatever_cookie_came_along() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let planted = "gatehouse=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let form = [("email", ADMIN), ("password", PASSWORD)];
    let answer = portal
        .send(post("/login").form(&form).cookie(planted))
        .await;
    let given = cookie_of(&answer).expect("signs in");
    assert_ne!(given, planted);
    assert_ne!(given, admin.cookie);
    assert!(!is_signed_in(&portal, planted).await);
}

#[tokio::test]
async fn a_lost_laptop_is_signed_out_from_the_account_page() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let laptop = second_browser(&portal, &admin).await;
    let list = logins(&portal, &admin.cookie).await;
    assert_eq!(list.len(), 2);
    let lost = list
        .iter()
        .find(|login| login["current"] == false)
        .expect("the laptop");
    assert_eq!(lost["ip"], "203.0.113.7");
    let path = format!("/api/v1/me/logins/{}", text_of(lost, "id"));
    assert_eq!(
        portal
            .send(ask("DELETE", &path).cookie(&admin.cookie))
            .await
            .status,
        204
    );
    assert!(!is_signed_in(&portal, &laptop).await);
    assert!(is_signed_in(&portal, &admin.cookie).await);
    portal
        .send(ask("DELETE", &path).cookie(&admin.cookie))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn all_other_sign_ins_end_with_one_click() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let (laptop, token) = (
        second_browser(&portal, &admin).await,
        portal.api_token(ADMIN).await,
    );
    let answer = portal
        .send(
            post("/api/ui/end_other_sign_ins")
                .form(&[])
                .cookie(&admin.cookie),
        )
        .await;
    assert_eq!(
        answer.header("location"),
        "/account?ok=logins_closed",
        "{}",
        answer.text()
    );
    assert!(!is_signed_in(&portal, &laptop).await);
    portal
        .send(get("/api/v1/me").bearer(&token))
        .await
        .refused(401, "unauthenticated");
    assert!(is_signed_in(&portal, &admin.cookie).await);
}

#[tokio::test]
async fn an_admin_ends_anybodys_sign_in() {
    let portal = Portal::open().await;
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let path = format!("/api/v1/users/{}/logins", owner.id);
    let list = portal
        .send(get(&path).cookie(&admin.cookie))
        .await
        .expect(200);
    let one = format!("{path}/{}", text_of(&list["items"][0], "id"));
    assert_eq!(
        portal
            .send(ask("DELETE", &one).cookie(&admin.cookie))
            .await
            .status,
        204
    );
    assert!(!is_signed_in(&portal, &owner.cookie).await);
}

#[tokio::test]
async fn a_new_password_or_a_disabled_account_ends_what_was_signed_in() {
    let portal = Portal::open().await;
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let token = portal.api_token(&owner.email).await;
    let path = format!("/api/v1/users/{}", owner.id);
    let change = |body: Value| portal.send(ask("PATCH", &path).json(&body).cookie(&admin.cookie));
    change(json!({ "password": "nine loud cranes sleep" }))
        .await
        .expect(200);
    assert!(!is_signed_in(&portal, &owner.cookie).await);
    portal
        .send(get("/api/v1/me").bearer(&token))
        .await
        .refused(401, "unauthenticated");

    let signed_in = portal.sign_in(&owner.email, "nine loud cranes sleep").await;
    let cookie = cookie_of(&signed_in).expect("the new password is in force");
    change(json!({ "disabled": true })).await.expect(200);
    assert!(!is_signed_in(&portal, &cookie).await);
    assert!(cookie_of(&portal.sign_in(&owner.email, "nine loud cranes sleep").await).is_none());
    change(json!({ "disabled": false })).await.expect(200);
    assert!(
        !is_signed_in(&portal, &cookie).await,
        "an ended sign-in never comes back"
    );
}

#[tokio::test]
async fn a_removed_account_is_gone_with_its_tokens() {
    let portal = Portal::open().await;
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let token = portal.api_token(&owner.email).await;
    let path = format!("/api/v1/users/{}", owner.id);
    assert_eq!(
        portal
            .send(ask("DELETE", &path).cookie(&admin.cookie))
            .await
            .status,
        204
    );
    assert!(!is_signed_in(&portal, &owner.cookie).await);
    portal
        .send(get("/api/v1/me").bearer(&token))
        .await
        .refused(401, "unauthenticated");
    portal
        .send(get(&path).cookie(&admin.cookie))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_list_of_sign_ins_is_read_page_by_page() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.sign_in(ADMIN, PASSWORD).await;
    let list = async |path: String| {
        portal
            .send(get(&path).cookie(&admin.cookie))
            .await
            .expect(200)
    };
    for path in [
        "/api/v1/me/logins".to_owned(),
        format!("/api/v1/users/{}/logins", admin.id),
    ] {
        let whole = list(path.clone()).await;
        let first = list(format!("{path}?limit=1")).await;
        assert_eq!(first["next"], first["items"][0]["id"]);
        let second = list(format!("{path}?limit=1&after={}", text_of(&first, "next"))).await;
        assert_eq!(
            (&first["items"][0], &second["items"][0]),
            (&whole["items"][0], &whole["items"][1])
        );
        assert_eq!(
            (&whole["next"], &second["next"]),
            (&Value::Null, &Value::Null)
        );
    }
}
