//! What devices say of their actions and of themselves.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Stage, is_hawkbits_error, is_thanks, local, path};
use crate::{
    furnish::{PROJECT, image, text_of},
    harness::{ask, get, post},
};

fn closed() -> Value {
    json!({ "execution": "closed", "result": { "finished": "success" }, "details": ["Stopped."] })
}

#[tokio::test]
async fn every_step_is_thanked_for_and_after_the_last_one_it_is_gone() {
    let stage = Stage::new().await;
    let id = stage.begin().await;
    assert_eq!(stage.state().await, "pending");
    for (execution, finished, state) in [
        ("download", "none", "downloading"),
        ("downloaded", "none", "downloading"),
        ("proceeding", "none", "installing"),
        ("rejected", "none", "installing"),
        ("scheduled", "none", "installing"),
        ("closed", "success", "succeeded"),
    ] {
        is_thanks(&stage.says(&id, execution, finished).await);
        assert_eq!(stage.state().await, state, "{execution}");
    }
    // SWUpdate repeats its last word when the answer was lost.
    is_thanks(&stage.says(&id, "closed", "success").await);
    is_hawkbits_error(&stage.says(&id, "proceeding", "none").await, 410);
    is_hawkbits_error(&stage.says(&id, "closed", "failure").await, 410);
    assert_eq!(stage.device().await["current_version"], "1.1.0");
    let links = &stage.poll().await["_links"];
    assert!(links.get("deploymentBase").is_none(), "{links}");
    let installed = local(text_of(&links["installedBase"], "href")).to_owned();
    assert_eq!(stage.send(get(&installed)).await.expect(200)["id"], id);
}

#[tokio::test]
async fn whatever_a_device_has_to_say_is_cut_and_never_refused() {
    let stage = Stage::new().await;
    let id = stage.begin().await;
    let lines: Vec<String> = (0..100)
        .map(|number| format!("{number} {}", "x".repeat(2_000)))
        .collect();
    let status =
        json!({ "execution": "proceeding", "result": { "finished": "none" }, "details": lines });
    is_thanks(&stage.tell(&id, "deploymentBase", &status).await);
    let kept = stage.device().await;
    let kept = text_of(&kept["action"], "detail");
    assert!(
        kept.starts_with("0 xxx") && kept.chars().count() == 4_000,
        "{}",
        kept.len()
    );
    for odd in [
        json!({ "id": 7, "time": "20140511T121314", "status": { "execution": "proceeding" } }),
        json!({ "id": null, "time": 1_700_000_000, "status": { "execution": "resumed", "code": 200 }, "more": {} }),
        json!({ "status": { "execution": "proceeding", "result": { "finished": "none", "progress": { "cnt": 2, "of": 0 } }, "details": "no list" } }),
    ] {
        let told = post(&path(&format!("/deploymentBase/{id}/feedback"))).json(&odd);
        is_thanks(&stage.send(told).await);
    }
    for unreadable in ["", "[]", "{}", "{\"status\":{}}", "not json"] {
        let told = post(&path(&format!("/deploymentBase/{id}/feedback"))).body(unreadable);
        is_hawkbits_error(&stage.send(told).await, 400);
    }
}

/// The next word takes the place of the last one; without a line of its own nobody learns later
/// why the device hesitated.
#[tokio::test]
async fn what_a_device_rejected_stays_in_its_timeline() {
    let stage = Stage::new().await;
    let id = stage.begin().await;
    is_thanks(&stage.says(&id, "proceeding", "none").await);
    let battery = json!({ "execution": "rejected", "result": { "finished": "none" }, "details": ["On battery."] });
    is_thanks(&stage.tell(&id, "deploymentBase", &battery).await);
    assert_eq!(stage.device().await["action"]["detail"], "On battery.");
    is_thanks(&stage.says(&id, "rejected", "none").await);
    is_thanks(&stage.says(&id, "closed", "success").await);
    let timeline = format!(
        "/api/v1/projects/{PROJECT}/devices/{}/timeline",
        stage.device_id
    );
    let lines = stage.as_admin(get(&timeline)).await.expect(200);
    let lines = lines.as_array().expect("lines").iter();
    // Lines of one millisecond stand in any order.
    let told: BTreeSet<(&str, &str)> = lines
        .map(|line| (text_of(line, "state"), text_of(line, "detail")))
        .collect();
    let expected = [
        ("installing", ""),
        ("installing", "On battery."),
        ("installing", "The device rejected it."),
        ("pending", ""),
        ("succeeded", ""),
    ];
    assert_eq!(told, BTreeSet::from(expected));
}

#[tokio::test]
async fn a_failure_ends_the_attempt_and_a_further_one_has_another_number() {
    let stage = Stage::new().await;
    let first = stage.begin().await;
    let status = json!({ "execution": "closed", "result": { "finished": "failure" }, "code": -7, "details": ["No room."] });
    is_thanks(&stage.tell(&first, "deploymentBase", &status).await);
    let device = stage.device().await;
    assert_eq!(device["action"]["state"], "failed");
    assert_eq!(device["action"]["detail"], "code -7\nNo room.");
    let links = &stage.poll().await["_links"];
    assert!(links.get("deploymentBase").is_none(), "{links}");
    stage.order("retry").await;
    assert_ne!(stage.begin().await, first);
}

#[tokio::test]
async fn a_newer_release_comes_once_the_older_one_was_given_up() {
    let stage = Stage::new().await;
    let old = stage.begin().await;
    is_thanks(&stage.says(&old, "download", "none").await);
    let newer = stage.portal.upload(&stage.admin, "1.2.0", image(500));
    newer.await.expect(201);
    stage.portal.publish(&stage.admin, "1.2.0").await;
    let links = &stage.poll().await["_links"];
    assert!(
        links["cancelAction"].is_object(),
        "first the old one: {links}"
    );
    is_thanks(&stage.tell(&old, "cancelAction", &closed()).await);
    let new = stage.begin().await;
    is_hawkbits_error(&stage.says(&old, "proceeding", "none").await, 410);
    is_thanks(&stage.says(&new, "proceeding", "none").await);
}

#[tokio::test]
async fn a_cancelled_action_is_gone_and_its_device_is_asked_to_stop() {
    let stage = Stage::new().await;
    let id = stage.begin().await;
    is_thanks(&stage.says(&id, "download", "none").await);
    stage.order("cancel").await;
    let links = &stage.poll().await["_links"];
    assert!(links.get("deploymentBase").is_none(), "{links}");
    let cancel = local(text_of(&links["cancelAction"], "href")).to_owned();
    is_hawkbits_error(
        &stage
            .send(get(&path(&format!("/deploymentBase/{id}"))))
            .await,
        404,
    );
    let told = stage.send(get(&cancel)).await.expect(200);
    assert_eq!(told, json!({ "id": id, "cancelAction": { "stopId": id } }));
    is_thanks(&stage.tell(&id, "cancelAction", &closed()).await);
    assert_eq!(stage.state().await, "cancelled");
    let links = &stage.poll().await["_links"];
    let todo: Vec<&String> = links.as_object().expect("links").keys().collect();
    assert_eq!(todo, ["configData"]);
    is_hawkbits_error(&stage.says(&id, "proceeding", "none").await, 410);
}

#[tokio::test]
async fn a_device_that_does_not_stop_goes_on() {
    let stage = Stage::new().await;
    let id = stage.begin().await;
    is_thanks(&stage.says(&id, "proceeding", "none").await);
    stage.order("cancel").await;
    let rejected = json!({ "execution": "rejected", "result": { "finished": "none" } });
    is_thanks(&stage.tell(&id, "cancelAction", &rejected).await);
    assert_eq!(stage.state().await, "installing");
    assert_eq!(stage.begin().await, id);
    is_hawkbits_error(
        &stage.send(get(&path(&format!("/cancelAction/{id}")))).await,
        404,
    );
    is_thanks(&stage.says(&id, "closed", "success").await);
    assert_eq!(stage.state().await, "succeeded");
}

#[tokio::test]
async fn attributes_are_merged_replaced_and_removed_and_asked_for_once() {
    let stage = Stage::new().await;
    for (mode, data, expected) in [
        (
            json!(null),
            json!({ "hw": "1", "site": "roof" }),
            json!({ "hw": "1", "site": "roof" }),
        ),
        (
            json!("merge"),
            json!({ "hw": "2", "n": 7 }),
            json!({ "hw": "2", "n": "7", "site": "roof" }),
        ),
        (
            json!("remove"),
            json!({ "site": "" }),
            json!({ "hw": "2", "n": "7" }),
        ),
        (
            json!("replace"),
            json!({ "a": "b", "nested": {} }),
            json!({ "a": "b" }),
        ),
    ] {
        let body = json!({ "mode": mode, "data": data, "id": "", "time": 5, "status": { "execution": "closed" } });
        is_thanks(
            &stage
                .send(ask("PUT", &path("/configData")).json(&body))
                .await,
        );
        assert_eq!(stage.device().await["attributes"], expected);
    }
    let links = &stage.poll().await["_links"];
    assert!(links.get("configData").is_none(), "{links}");
    let odd = json!({ "mode": "turn", "data": {} });
    is_hawkbits_error(
        &stage
            .send(ask("PUT", &path("/configData")).json(&odd))
            .await,
        400,
    );
}

#[tokio::test]
async fn whoever_tells_too_much_is_told_to_wait_in_hawkbits_words() {
    let stage = Stage::new().await;
    let id = stage.begin().await;
    // Each of these would be a line of the timeline.
    let mut refused = stage.says(&id, "rejected", "none").await;
    for _ in 0..300 {
        if refused.status != 200 {
            break;
        }
        refused = stage.says(&id, "rejected", "none").await;
    }
    is_hawkbits_error(&refused, 429);
    assert!((1..=2).contains(&refused.header("retry-after").parse().expect("seconds")));
    let poll = stage.send(get(&path(""))).await;
    assert!(matches!(poll.status.as_u16(), 200 | 429), "{}", poll.text());
}

#[tokio::test]
async fn a_number_that_was_never_given_is_unknown_and_one_that_was_is_over() {
    let stage = Stage::new().await;
    let id: i32 = stage.begin().await.parse().expect("a number");
    let never = (id + 1).to_string();
    is_hawkbits_error(&stage.says(&never, "proceeding", "none").await, 404);
    is_thanks(&stage.says(&id.to_string(), "closed", "failure").await);
    is_hawkbits_error(&stage.says(&never, "proceeding", "none").await, 404);
    stage.order("retry").await;
    assert_eq!(stage.begin().await, never);
    is_hawkbits_error(
        &stage.says(&id.to_string(), "proceeding", "none").await,
        410,
    );
    is_thanks(&stage.says(&never, "proceeding", "none").await);
}
