//! The HTTP contract of a running service.

use gatehouse_manifest::{Manifest, PublicKey};

use crate::harness::{PROJECT, Sender, claims_at};
use crate::program::{Place, ask, cosign_path, dial, exchange, get, message, now_s, post};

#[test]
fn the_answer_is_the_message_with_one_signature_more() {
    let (place, sender) = (Place::make(), Sender::new(7));
    place.trust(&sender, &[]);
    let service = place.start(&[]);
    let body = sender.signed(&claims_at(1, now_s()));
    let without_server = format!("/projects/{PROJECT}/cosign");
    for path in [cosign_path(&sender), without_server] {
        let request = post(&path, &message(&sender), &body);
        let answer = exchange(dial(service.address), &request).expect("answers");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            answer.head.contains("content-type: application/jwt"),
            "{answer:?}"
        );
        let end = body.len() - "]}".len();
        assert!(
            answer.body.starts_with(&body[..end]),
            "the rest stays as it was"
        );

        let bearer = format!("Authorization: Bearer {}\r\n", sender.bearer(now_s()));
        let request = get(&format!("/projects/{PROJECT}/keys"), &bearer);
        let keys = exchange(dial(service.address), &request)
            .expect("answers")
            .json();
        assert_eq!(keys["project_id"], PROJECT.to_string());
        assert!(keys["next_cosigner_pem"].is_null(), "{keys}");
        let pem = keys["cosigner_pem"].as_str().expect("text");
        let key = PublicKey::from_pem(pem).expect("a key");
        let manifest = Manifest::parse(&answer.body).expect("a manifest");
        let kid = format!("project/{PROJECT}");
        assert_eq!(manifest.check_signature(&kid, &[key]), Ok(()));
    }
}

#[test]
fn each_refusal_has_its_status_and_its_code() {
    let (place, sender) = (Place::make(), Sender::new(7));
    place.trust(&sender, &["--per-hour", "2"]);
    let service = place.start(&[]);
    let send = |request: &str| exchange(dial(service.address), request).expect("answers");
    let body = sender.signed(&claims_at(1, now_s()));
    let path = cosign_path(&sender);
    let elsewhere = |project: &str| format!("/projects/{project}/cosign");
    let no_bearer = "Content-Type: application/jwt\r\n";
    let other_type = message(&sender).replace("application/jwt", "application/json");
    let late = format!(
        "{no_bearer}Authorization: Bearer {}\r\n",
        sender.bearer(now_s() - 500)
    );
    let too_long = body.clone() + &" ".repeat(16 * 1024);
    let again = message(&sender);
    assert_eq!(send(&post(&path, &again, &body)).status, 200);
    let upper_case = elsewhere(&PROJECT.to_string().to_uppercase());
    let forger = Sender {
        server_id: sender.server_id.clone(),
        ..Sender::new(8)
    };
    let cases = [
        (post(&path, no_bearer, &body), 401, "bad_bearer"),
        (post(&path, &again, &body), 401, "bad_bearer"),
        (
            post(&path, &other_type, &body),
            415,
            "unsupported_media_type",
        ),
        (post(&path, &message(&sender), &too_long), 413, "too_long"),
        (post(&path, &message(&sender), "{"), 400, "malformed"),
        (
            post(
                &path,
                &message(&sender),
                &forger.signed(&claims_at(1, now_s())),
            ),
            422,
            "bad_signature",
        ),
        (post(&path, &message(&forger), &body), 403, "wrong_key"),
        (
            post(&path, &message(&Sender::new(8)), &body),
            403,
            "unknown_portal",
        ),
        (post(&path, &late, &body), 403, "clock_differs"),
        (
            post(&elsewhere("lamp"), &message(&sender), &body),
            404,
            "unknown_project",
        ),
        (
            post(&upper_case, &message(&sender), &body),
            404,
            "unknown_project",
        ),
        (post("/else", &message(&sender), &body), 404, "not_found"),
        (get(&path, &message(&sender)), 405, "method_not_allowed"),
    ];
    for (request, status, code) in cases {
        let answer = send(&request);
        let problem = answer.json();
        assert_eq!(
            (answer.status, &problem["code"]),
            (status, &code.into()),
            "{problem}"
        );
        assert_eq!(problem["status"], status);
        assert!(
            answer.head.contains("application/problem+json"),
            "{answer:?}"
        );
        let detail = problem["detail"].as_str().expect("text");
        assert!(!detail.is_empty(), "{problem}");
        let asks_for_bearer = answer.head.contains("www-authenticate: bearer");
        assert_eq!(asks_for_bearer, status == 401, "{answer:?}");
    }
    assert_eq!(
        ask(service.address, &sender, 1).expect("answers").status,
        200
    );
    let full = ask(service.address, &sender, 1).expect("answers");
    assert_eq!(
        (full.status, full.json()["code"].as_str()),
        (429, Some("too_many"))
    );
    assert!(full.head.contains("retry-after: "), "{full:?}");
}

#[test]
fn a_clock_that_differs_is_told_in_seconds_and_can_be_looked_at() {
    let (place, sender) = (Place::make(), Sender::new(7));
    place.trust(&sender, &[]);
    let service = place.start(&[]);
    let bearer = |at_s| format!("Authorization: Bearer {}\r\n", sender.bearer(at_s));
    let send = |path: &str, bearer: &str| {
        exchange(dial(service.address), &get(path, bearer)).expect("answers")
    };
    let keys = format!("/projects/{PROJECT}/keys");
    let refused = send(&keys, &bearer(now_s() + 500)).json();
    assert_eq!(refused["code"], "clock_differs");
    let off_by_s = refused["off_by_s"].as_i64().expect("a number");
    assert!((470..=500).contains(&off_by_s), "{refused}");
    let words = refused["detail"].as_str().expect("text");
    assert!(words.contains(&format!("{off_by_s} s ahead")), "{words}");

    let status = send("/status", &bearer(now_s() + 500)).json();
    assert_eq!(status["server_id"], sender.server_id);
    assert_eq!(
        (&status["name"], &status["revoked"]),
        (&"workshop".into(), &false.into())
    );
    assert!((now_s() - status["now_s"].as_i64().expect("a number")).abs() < 60);
    place.run(&["revoke", &sender.server_id]);
    assert_eq!(send("/status", &bearer(now_s())).json()["revoked"], true);
    assert_eq!(send("/status", "").status, 401);
    let alive = send("/livez", "");
    assert_eq!((alive.status, alive.body.as_str()), (200, "alive"));
}
