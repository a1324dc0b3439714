//! RAUC from 1.15 on: it polls four bytes, then reads the bundle from its end and in many ranges.

use serde_json::json;

use crate::{
    field::{Field, bytes_of},
    harness::{Answer, Ask, ask, get},
};

const PATH: &str = "/ota/rauc/lamp";

fn poll(version: &str) -> Ask {
    get(PATH)
        .header("user-agent", "rauc/1.15")
        .header("rauc-system-version", version)
        .header("range", "bytes=0-3")
}

#[tokio::test]
async fn a_poll_tells_of_a_bundle_once() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let bundle = bytes_of("1.1.0");
    let offered = field.send(poll("1.0.0")).await;
    assert_eq!(
        (offered.status.as_u16(), &offered.body[..]),
        (206, &bundle[..4])
    );
    let place = format!("bytes 0-3/{}", bundle.len());
    assert_eq!(offered.header("content-range"), place);
    let etag = offered.header("etag").to_owned();
    let again = field
        .send(poll("1.0.0").header("if-none-match", &etag))
        .await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let other = field
        .send(poll("1.0.0").header("if-none-match", "\"another\""))
        .await;
    assert_eq!(other.status, 206);
}

#[tokio::test]
async fn the_bundle_comes_in_any_order_and_the_new_system_confirms_it() {
    let field = Field::with(&[], &["1.0.0", "1.1.0"]).await;
    let bundle = bytes_of("1.1.0");
    let etag = field.send(poll("1.0.0")).await.header("etag").to_owned();
    // The signature stands at the end and is read first.
    let size = bundle.len();
    for (start, end) in [
        (size - 8, size),
        (size - 900, size - 8),
        (0, 4),
        (4, 131),
        (131, 4000),
        (17, 18),
    ] {
        let range = format!("bytes={start}-{}", end - 1);
        let part: Answer = field.send(get(PATH).header("range", &range)).await;
        assert_eq!(
            (part.status.as_u16(), &part.body[..]),
            (206, &bundle[start..end]),
            "{range}"
        );
        assert_eq!(part.header("etag"), etag);
    }
    let device = field.device().await;
    Field::insist(&device, "1.1.0", "downloading");
    assert_eq!(
        device["action"]["progress_percent"],
        json!(null),
        "its end says nothing"
    );

    let back = field.send(poll("1.1.0")).await;
    assert_eq!((back.status.as_u16(), back.body.len()), (204, 0));
    assert!(back.header("retry-after").parse::<u64>().is_ok());
    Field::insist(&field.device().await, "1.1.0", "succeeded");
    let same = field
        .send(poll("1.1.0").header("if-none-match", &etag))
        .await;
    assert_eq!(same.status, 304);
}

#[tokio::test]
async fn a_bundle_that_is_published_meanwhile_does_not_mix_in() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let old = bytes_of("1.1.0");
    field.send(poll("1.0.0")).await;
    field.release("1.2.0", bytes_of("1.2.0")).await;
    let part = field.send(get(PATH).header("range", "bytes=100-199")).await;
    assert_eq!(part.body, old[100..200]);
    assert_eq!(field.send(poll("1.0.0")).await.body, bytes_of("1.2.0")[..4]);
    let part = field.send(get(PATH).header("range", "bytes=100-199")).await;
    assert_eq!(part.body, bytes_of("1.2.0")[100..200]);
}

/// RAUC trusts the signature that it read at the end; with another release's beginning before it,
/// the system would write half of each and fail.
#[tokio::test]
async fn the_beginning_belongs_to_the_end_that_was_read_before() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let old = bytes_of("1.1.0");
    field.send(poll("1.0.0")).await;
    let part = async |start: usize, last: usize| {
        let range = format!("bytes={start}-{last}");
        field.send(get(PATH).header("range", &range)).await
    };
    let size = old.len();
    let end = part(size - 8, size - 1).await;
    assert_eq!(end.body, old[size - 8..]);
    field.release("1.2.0", bytes_of("1.2.0")).await;
    for (start, last) in [(0, 511), (512, 1023), (0, 4), (0, 0)] {
        let read = part(start, last).await;
        assert_eq!(read.body, old[start..=last], "{start}-{last}");
        assert_eq!(read.header("etag"), end.header("etag"));
        let place = format!("bytes {start}-{last}/{size}");
        assert_eq!(read.header("content-range"), place);
    }
    Field::insist(&field.device().await, "1.1.0", "downloading");
    assert_eq!(field.send(poll("1.0.0")).await.body, bytes_of("1.2.0")[..4]);
    assert_eq!(part(0, 511).await.body, bytes_of("1.2.0")[..512]);
}

#[tokio::test]
async fn a_system_whose_version_is_none_of_ours_is_offered_the_newest() {
    let field = Field::with(&[], &["1.1.0"]).await;
    for version in ["2024.05-r1 (scarthgap)", "x"] {
        assert_eq!(field.send(poll(version)).await.status, 206, "{version}");
    }
}

#[tokio::test]
async fn without_a_bundle_there_is_no_content() {
    let field = Field::with(&[], &[]).await;
    assert_eq!(field.send(poll("1.0.0")).await.status, 204);
    field.release("1.1.0", bytes_of("1.1.0")).await;
    let withdraw = ask("POST", "/api/v1/projects/lamp/releases/1.1.0/withdraw");
    let withdraw = withdraw.cookie(&field.admin.cookie);
    field.portal.send(withdraw).await.expect(200);
    assert_eq!(field.send(poll("1.0.0")).await.status, 204);
    field.get("/ota/rauc/fan").await.refused(403, "forbidden");
    field.revoke().await;
    field
        .send(poll("1.0.0"))
        .await
        .refused(401, "unauthenticated");
}
