//! The stream of events as programs and browsers read it.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    daemon::{Router, open},
    furnish::{PASSWORD, text_of},
    harness::{Portal, get},
    program::Home,
};

const SOON: Duration = Duration::from_secs(30);
/// More than the time between two heartbeats, and less than twice that.
const A_BEAT: Duration = Duration::from_secs(28);

/// The next block of lines; `None` when the stream has ended.
async fn block(stream: &mut Body, patience: Duration) -> Option<String> {
    let frame = timeout(patience, stream.frame()).await.expect("in time")?;
    let bytes = frame.expect("no break").into_data().expect("data");
    Some(String::from_utf8(bytes.to_vec()).expect("text"))
}

fn value_of<'a>(block: &'a str, name: &str) -> &'a str {
    let line = block.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} in {block}"))
        .trim_start_matches(": ")
}

async fn end_login(portal: &Portal, token: &str) {
    let logins = portal.send(get("/api/v1/me/logins").bearer(token)).await;
    let logins = logins.expect(200);
    let logins = logins["items"].as_array().expect("items");
    let own = logins.iter().find(|login| login["current"] == true);
    let id = text_of(own.expect("is listed"), "id");
    let path = format!("/api/v1/me/logins/{id}");
    let ended = crate::harness::ask("DELETE", &path).bearer(token);
    assert_eq!(portal.send(ended).await.status, 204);
}

#[tokio::test]
async fn a_session_is_told_with_its_number_and_all_that_is_known_of_it() {
    let portal = Portal::open().await;
    let background = portal.installation.start_background();
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let router = Router::start().await;
    let router_id = portal.add_router(&admin, &router.entry("home")).await;
    let service = portal
        .add_service(&admin, &router_id, 8001, &[&owner])
        .await;

    let answer = portal
        .begin(get("/api/v1/events").cookie(&owner.cookie))
        .await;
    assert_eq!(answer.status(), 200);
    let headers = answer.headers();
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(headers["cache-control"], "no-cache");
    assert_eq!(headers["x-accel-buffering"], "no");
    let mut stream = answer.into_body();
    assert!(
        block(&mut stream, SOON)
            .await
            .is_some_and(|block| block.starts_with(':'))
    );

    let opened = portal
        .send(open(&owner, &service, &json!(30)))
        .await
        .expect(201);
    let told = loop {
        let told = block(&mut stream, SOON).await.expect("goes on");
        if told.contains("\"open\"") {
            break told;
        }
    };
    assert_eq!(value_of(&told, "event"), "session");
    let session: Value = serde_json::from_str(value_of(&told, "data")).expect("JSON");
    assert_eq!(session, opened);
    let seen = value_of(&told, "id").to_owned();
    drop(stream);

    let path = format!("/api/v1/sessions/{}", text_of(&opened, "id"));
    let closed = crate::harness::ask("DELETE", &path).cookie(&owner.cookie);
    portal.send(closed).await.expect(200);
    let token = portal.api_token(&owner.email).await;
    let again = get("/api/v1/events")
        .bearer(&token)
        .header("last-event-id", &seen);
    let mut stream = portal.begin(again).await.into_body();
    block(&mut stream, SOON).await.expect("a greeting");
    let missed = block(&mut stream, SOON).await.expect("goes on");
    assert!(
        missed.contains("\"closed\"") && missed.contains("\"revoked\""),
        "{missed}"
    );
    background.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn the_services_of_a_dashboard_are_told_as_they_are() {
    let portal = Portal::open().await;
    let background = portal.installation.start_background();
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let router = Router::start().await;
    let router_id = portal.add_router(&admin, &router.entry("home")).await;
    let service = portal
        .add_service(&admin, &router_id, 8001, &[&owner])
        .await;
    let page = portal.send(get("/").cookie(&owner.cookie)).await.text();
    let part = format!("data-live=\"state-{service}\"");
    assert!(
        page.contains(&part) && page.contains("Service state unknown"),
        "{page}"
    );

    let asked = get("/api/v1/events?services=true").cookie(&owner.cookie);
    let mut stream = portal.begin(asked).await.into_body();
    block(&mut stream, SOON).await.expect("a greeting");
    let told = block(&mut stream, SOON).await.expect("goes on");
    assert_eq!(value_of(&told, "event"), "services");
    let services: Value = serde_json::from_str(value_of(&told, "data")).expect("JSON");
    assert_eq!(text_of(&services[0], "id"), service);
    // Whether a host of that address lives where this test runs is not ours to say.
    let shown = match text_of(&services[0], "state") {
        "up" => "Service up",
        "down" => "Service down",
        other => panic!("{other}: the router answers"),
    };
    let page = portal.send(get("/").cookie(&owner.cookie)).await.text();
    assert!(page.contains(shown), "{page}");
    background.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_stream_beats_and_ends_with_its_sign_in() {
    let portal = Portal::open().await;
    let owner = portal.owner().await;
    let stays = portal
        .begin(get("/api/v1/events").cookie(&owner.cookie))
        .await;
    let token = portal.api_token(&owner.email).await;
    let goes = portal.begin(get("/api/v1/events").bearer(&token)).await;
    let (mut stays, mut goes) = (stays.into_body(), goes.into_body());
    for stream in [&mut stays, &mut goes] {
        block(stream, SOON).await.expect("a greeting");
    }
    end_login(&portal, &token).await;

    let (beat, end) = tokio::join!(block(&mut stays, A_BEAT), block(&mut goes, A_BEAT));
    assert!(beat.is_some_and(|beat| beat.starts_with(':')));
    assert_eq!(end, None);
}

#[tokio::test]
async fn nothing_is_told_after_the_sign_in_ended() {
    let portal = Portal::open().await;
    let background = portal.installation.start_background();
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let router = Router::start().await;
    let router_id = portal.add_router(&admin, &router.entry("home")).await;
    let service = portal
        .add_service(&admin, &router_id, 8001, &[&owner])
        .await;
    let token = portal.api_token(&owner.email).await;
    let listening = get("/api/v1/events").bearer(&token);
    let mut stream = portal.begin(listening).await.into_body();
    block(&mut stream, SOON).await.expect("a greeting");
    end_login(&portal, &token).await;
    // The look at the sign-in that began the stream holds for a second.
    sleep(Duration::from_millis(1100)).await;
    let opened = portal.send(open(&owner, &service, &json!(30))).await;
    opened.expect(201);
    assert_eq!(block(&mut stream, SOON).await, None);
    background.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn one_stream_too_many_is_asked_to_come_back() {
    let portal = Portal::open().await;
    let owner = portal.owner().await;
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(
            portal
                .begin(get("/api/v1/events").cookie(&owner.cookie))
                .await,
        );
    }
    let refused = portal
        .send(get("/api/v1/events").cookie(&owner.cookie))
        .await;
    refused.refused(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "30");
}

/// Without being told, the streams would be cut off after eight seconds.
#[test]
fn sigterm_ends_a_hundred_open_streams_at_once() {
    let home = Home::new();
    let people: Vec<_> = (0..4)
        .map(|number| format!("p{number}@example.com"))
        .collect();
    for email in &people {
        let words = [
            "admin",
            "create",
            "--email",
            email,
            "--owner",
            "--password-stdin",
        ];
        assert!(home.run(&words, PASSWORD).status.success());
    }
    let portal = home.serve(&[]);
    let mut streams = Vec::new();
    for email in &people {
        let login = json!({ "user": email, "pass": PASSWORD }).to_string();
        let head = "POST /api/login HTTP/1.1\r\nContent-Type: application/json";
        let answer = portal.ask(head, &login);
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let answer: Value = serde_json::from_str(body).expect("JSON");
        let token = text_of(&answer, "token").to_owned();
        streams.extend((0..25).map(|_| begin_stream(&portal.address, &token)));
    }
    assert_eq!(streams.len(), 100);
    let (status, took, log) = portal.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(took < Duration::from_secs(7), "{took:?}");
    assert!(log.contains("all_left=true"), "{log}");
    let read = Instant::now();
    for mut stream in streams {
        let mut rest = String::new();
        while stream.read_line(&mut rest).is_ok_and(|bytes| bytes > 0) {}
        assert!(rest.ends_with("0\r\n\r\n"), "a whole end: {rest:?}");
    }
    assert!(read.elapsed() < SOON);
}

fn begin_stream(address: &str, token: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("connects");
    let head = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sends");
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).expect("answers");
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    while line != "retry: 3000\n" {
        line.clear();
        assert!(stream.read_line(&mut line).expect("goes on") > 0);
    }
    stream
}
