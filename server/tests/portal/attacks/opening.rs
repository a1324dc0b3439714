//! Opening for longer, more often or a moment later than one may.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Watch;
use crate::{
    access::House,
    daemon::open,
    furnish::text_of,
    harness::{Ask, ask, get, post},
};

#[tokio::test]
async fn minutes_in_a_form_are_a_plain_number_or_nothing_opens() {
    let house = House::new().await;
    let watch = Watch::begin();
    let form = |minutes: &str| {
        let fields = [("service_id", house.service.as_str()), ("minutes", minutes)];
        let form = post("/api/ui/open_session").form(&fields);
        house.portal.send(form.cookie(&house.owner.cookie))
    };
    for minutes in [
        "0",
        "-0",
        "-1",
        "61",
        "1e1",
        "1.5",
        "0x10",
        "5;reboot",
        "5 -j ACCEPT",
        "5\0",
        "５",
        "null",
        "NaN",
        "Infinity",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        &"9".repeat(400),
    ] {
        let answer = form(minutes).await;
        let way = answer.header("location").to_owned();
        assert!(
            way.starts_with("/?error=invalid&field="),
            "{minutes:.30}: {way}"
        );
        let page = get(&way).cookie(&house.owner.cookie);
        assert_eq!(house.portal.send(page).await.status, 200);
    }
    let service = &house.service;
    for doubled in [
        format!("service_id={service}&minutes=5&minutes=60"),
        format!("service_id={service}&service_id={service}"),
        format!("service_id={service}&minutes[]=5"),
        format!("service_id={service}&minutes[a]=5&minutes=5"),
        format!("service_id[]={service}"),
    ] {
        let form = post("/api/ui/open_session")
            .header("content-type", "application/x-www-form-urlencoded")
            .cookie(&house.owner.cookie)
            .body(doubled.clone());
        let answer = house.portal.send(form).await;
        let is_refused = answer.status == 400 || answer.header("location").contains("error=");
        assert!(is_refused, "{doubled}: {answer:?}");
    }
    assert_eq!(house.held().await, 0);
    house.stands(watch).await;
}

#[tokio::test]
async fn a_json_body_that_says_two_things_opens_nothing() {
    let house = House::new().await;
    let watch = Watch::begin();
    let service = &house.service;
    let deep = format!("{{\"service_id\":{}", "[".repeat(10_000));
    for body in [
        format!(r#"{{"service_id":"{service}","minutes":5,"minutes":60}}"#),
        format!(r#"{{"service_id":"{service}","minutes":5,"\u006dinutes":60}}"#),
        format!(r#"{{"service_id":"{service}","service_id":"{service}"}}"#),
        format!(r#"{{"service_id":"{service}","Minutes":5}}"#),
        format!(r#"{{"service_id":"{service}","minutes":5}}{{"minutes":60}}"#),
        format!(r#"[{{"service_id":"{service}","minutes":5}}]"#),
        format!(r#"{{"service_id":["{service}"],"minutes":5}}"#),
        r#"{"service_id":{"$ne":null},"minutes":5}"#.to_owned(),
        format!(r#"{{"service_id":"{service}' OR 1=1 --","minutes":5}}"#),
        format!(r#"{{"service_id":"{service}","minutes":5.0}}"#),
        format!(
            r#"{{"service_id":"{service}","minutes":{}}}"#,
            "9".repeat(400)
        ),
        r#"{"service_id":"\ud800","minutes":5}"#.to_owned(),
        deep,
    ] {
        let request = post("/api/v1/sessions")
            .header("content-type", "application/json")
            .cookie(&house.owner.cookie)
            .body(body.clone());
        let answer = house.portal.send(request).await;
        let is_refused = matches!(answer.status.as_u16(), 400 | 422);
        assert!(is_refused, "{body:.120}: {}", answer.status);
    }
    assert_eq!(house.held().await, 0);
    house.stands(watch).await;
}

#[tokio::test]
async fn a_maximum_that_was_lowered_holds_for_what_is_open_already() {
    let house = House::new().await;
    let session = house.open().await;
    let watch = Watch::begin();
    let path = format!("/api/v1/services/{}", house.service);
    let lower = ask("PATCH", &path).json(&json!({ "default_minutes": 5, "max_minutes": 10 }));
    let lower = lower.cookie(&house.admin.cookie);
    house.portal.send(lower).await.expect(200);
    let extend = format!("/api/v1/sessions/{}/extend", text_of(&session, "id"));
    let extend = post(&extend).json(&json!({ "minutes": 60 }));
    for request in [
        extend.cookie(&house.owner.cookie),
        open(&house.owner, &house.service, &json!(60)),
    ] {
        let refused = house.portal.send(request).await.refused(422, "invalid");
        assert_eq!(refused["field"], "minutes");
    }
    assert_eq!(house.session(text_of(&session, "id")).await, session);
    house.stands(watch).await;
}

/// The request that takes the right away.
type Taking = fn(&House) -> Ask;

fn takings() -> [Taking; 5] {
    [
        |house| {
            let path = format!("/api/v1/services/{}/grants", house.service);
            ask("PUT", &path).json(&json!({ "users": [] }))
        },
        |house| {
            let path = format!("/api/v1/users/{}", house.owner.id);
            ask("PATCH", &path).json(&json!({ "disabled": true }))
        },
        |house| ask("DELETE", &format!("/api/v1/users/{}", house.owner.id)),
        |house| ask("DELETE", &format!("/api/v1/services/{}", house.service)),
        |house| ask("DELETE", &format!("/api/v1/routers/{}", house.router_id)),
    ]
}

/// Clicks and the revocation are on their way together, over a real daemon.
#[tokio::test]
async fn whoever_clicks_fifty_times_while_the_right_goes_is_not_let_in() {
    for (number, taking) in takings().into_iter().enumerate() {
        let house = House::new().await;
        let watch = Watch::begin();
        let clicks = |count| {
            join_all((0..count).map(|_| {
                let click = open(&house.owner, &house.service, &json!(30));
                house.portal.send(click)
            }))
        };
        let taken = house
            .portal
            .send(taking(&house).cookie(&house.admin.cookie));
        let (early, taken, late) = tokio::join!(clicks(25), taken, clicks(25));
        assert!(taken.status.is_success(), "{number}: {}", taken.text());
        for click in early.iter().chain(&late) {
            let is_clear = matches!(click.status.as_u16(), 200 | 201 | 401 | 404 | 409);
            assert!(is_clear, "{number}: {} {}", click.status, click.text());
        }
        let after = open(&house.owner, &house.service, &json!(30));
        let after = house.portal.send(after).await.status.as_u16();
        assert!(matches!(after, 401 | 404), "{number}: {after}");
        house.nothing_is_open(number).await;
        house.stands(watch).await;
    }
}

impl House {
    async fn nothing_is_open(&self, number: usize) {
        let access = &self.portal.installation.portal.access;
        access.keep().await.expect("keeps");
        let list = get("/api/v1/sessions").cookie(&self.admin.cookie);
        let list = self.portal.send(list).await.expect(200);
        for session in list["items"].as_array().expect("a list") {
            assert_ne!(session["finished_at"], Value::Null, "{number}: {session}");
        }
        let entry = self.router.entry("again");
        let again = self.portal.add_router(&self.admin, &entry).await;
        let held = self.router.holds(&self.portal, &self.admin, &again).await;
        assert_eq!(held, 0, "{number}");
    }
}

#[tokio::test]
async fn fifty_clicks_over_form_api_and_original_path_make_one_session() {
    let house = House::new().await;
    let watch = Watch::begin();
    let click = |number: usize| {
        let request = match number % 3 {
            0 => open(&house.owner, &house.service, &json!(30)),
            1 => post(&format!("/conn/req/{}", house.service)).cookie(&house.owner.cookie),
            _ => post("/api/ui/open_session")
                .form(&[("service_id", &*house.service), ("minutes", "30")])
                .cookie(&house.owner.cookie),
        };
        house.portal.send(request)
    };
    for answer in join_all((0..50).map(click)).await {
        let is_clear = matches!(answer.status.as_u16(), 200 | 201 | 302 | 303);
        assert!(is_clear, "{} {}", answer.status, answer.text());
    }
    let list = get("/api/v1/sessions").cookie(&house.owner.cookie);
    let list = house.portal.send(list).await.expect(200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(house.held().await, 1);
    house.stands(watch).await;
}
