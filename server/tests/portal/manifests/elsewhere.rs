//! The co-signer on another host: moving it there, and what devices and admins hear when it does
//! not sign.

use std::path::PathBuf;

use gatehouse_manifest::Manifest;
use serde_json::Value;

use gatehouse_cosigner::Clock as HostClock;

use super::{
    MANIFEST, check,
    cosigner_host::{CoSignerHost, right_time},
};
use crate::{
    field::{Field, bytes_of},
    furnish::text_of,
    harness::{Answer, get},
};

const STATUS: &str = "/api/v1/cosigner";

/// A portal with a release, and a co-signer elsewhere that trusts it and knows no project yet.
struct Apart {
    field: Field,
    host: CoSignerHost,
    status: Value,
    _folder: tempfile::TempDir,
}

impl Apart {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let host = CoSignerHost::start(folder.path()).await;
        let url = host.url();
        let environment = [
            ("GATEHOUSE_COSIGNER_URL", url.as_str()),
            ("GATEHOUSE_COSIGNER_TIMEOUT_MS", "10000"),
        ];
        let field = Field::with(&environment, &["1.1.0"]).await;
        let status = status(&field).await;
        host.trust(text_of(&status, "identity_pem"));
        Self {
            field,
            host,
            status,
            _folder: folder,
        }
    }

    /// Insists that a device gets nothing and is told to come back, and answers the problem.
    async fn refused(&self, code: &str) -> Value {
        let answer = self.field.get(MANIFEST).await;
        let wait_s: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((1..=3600).contains(&wait_s), "{wait_s}");
        answer.refused(503, code)
    }

    /// Insists on a state, and answers since when and its words.
    async fn state(&self, state: &str) -> (String, String) {
        let found = status(&self.field).await;
        assert_eq!(found["state"], state, "{found}");
        let [since, detail] = ["since", "detail"].map(|member| text_of(&found, member).to_owned());
        (since, detail)
    }
}

async fn status(field: &Field) -> Value {
    let asked = get(STATUS).cookie(&field.admin.cookie);
    let answer: Answer = field.portal.send(asked).await;
    answer.expect(200)
}

#[tokio::test]
async fn devices_notice_nothing_when_the_cosigner_moves_to_another_host_and_back() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let keys = field.keys().await;
    check(&field.manifest("").await, &keys).expect("holds");
    let here = status(&field).await;
    assert_eq!(
        (&here["kind"], &here["state"]),
        (&"in_process".into(), &"ok".into())
    );

    let inside = field.portal.folder.path().join("data/cosigner");
    let outside: PathBuf = field.portal.folder.path().join("another-host");
    std::fs::rename(&inside, &outside).expect("moves");
    let mut host = CoSignerHost::start(&outside).await;
    host.trust(text_of(&here, "identity_pem"));
    let field = field
        .again(&[("GATEHOUSE_COSIGNER_URL", &host.url())])
        .await;

    let there = status(&field).await;
    assert_eq!(
        (&there["kind"], &there["state"], &there["url"]),
        (&"service".into(), &"ok".into(), &host.url().into())
    );
    assert_eq!(there["server_id"], here["server_id"]);
    let manifest = field.manifest("").await;
    check(&manifest, &keys).expect("the device knows both keys");
    let signed = Manifest::parse(&manifest).expect("a manifest");
    assert_eq!(signed.signers().count(), 2, "the portal's own is taken off");
    assert_eq!(field.keys().await, keys);
    assert!(!inside.exists(), "no second set of keys is made");

    host.stop().await;
    drop(host);
    std::fs::rename(&outside, &inside).expect("moves");
    let field = field.again(&[]).await;
    field.release("1.2.0", bytes_of("1.2.0")).await;
    let claims = check(&field.manifest("").await, &keys).expect("holds");
    assert_eq!(claims.version, "1.2.0");
}

#[tokio::test]
async fn a_portal_that_was_revoked_or_never_trusted_gets_no_signature_and_says_so() {
    let apart = Apart::new().await;
    apart.field.manifest("").await;
    apart.host.revoke(text_of(&apart.status, "server_id"));
    let told = apart.refused("cosigner_refused").await;
    assert!(text_of(&told, "detail").contains("revoked"), "{told}");
    let (_, detail) = apart.state("refused").await;
    assert!(detail.contains("no longer trusts"), "{detail}");
    let update = apart.field.get("/api/v1/device/update").await;
    assert_eq!(update.status, 200, "devices go on asking");

    apart.host.trust(text_of(&apart.status, "identity_pem"));
    apart.state("ok").await;
    apart.field.manifest("").await;
}

#[tokio::test]
async fn a_cosigner_that_never_heard_of_the_portal_is_told_apart_from_one_that_is_down() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let host = CoSignerHost::start(folder.path()).await;
    let url = host.url();
    let field = Field::with(&[("GATEHOUSE_COSIGNER_URL", &url)], &["1.1.0"]).await;
    let found = status(&field).await;
    assert_eq!(found["state"], "refused", "{found}");
    assert!(
        text_of(&found, "detail").contains("does not know"),
        "{found}"
    );
    field.get(MANIFEST).await.refused(503, "cosigner_refused");
    field
        .get(super::KEYS)
        .await
        .refused(503, "cosigner_refused");
}

#[tokio::test]
async fn while_the_cosigner_is_down_devices_wait_and_the_status_says_since_when() {
    let mut apart = Apart::new().await;
    let keys = apart.field.keys().await;
    apart.field.manifest("").await;
    let (up_since, _) = apart.state("ok").await;
    apart.host.stop().await;

    let told = apart.refused("cosigner_unreachable").await;
    assert!(text_of(&told, "detail").len() > 10, "{told}");
    let (down_since, detail) = apart.state("unreachable").await;
    assert!(detail.contains("cannot be reached"), "{detail}");
    assert!(down_since >= up_since);
    apart.refused("cosigner_unreachable").await;
    let (still, _) = apart.state("unreachable").await;
    assert_eq!(still, down_since, "the first failure counts");

    apart.host.resume().await;
    apart.state("ok").await;
    check(&apart.field.manifest("").await, &keys).expect("holds again");
}

#[tokio::test]
async fn clocks_more_than_two_minutes_apart_are_named_as_the_reason() {
    let mut apart = Apart::new().await;
    let a_little: [HostClock; 2] = [|| right_time() - 100_000, || right_time() + 100_000];
    for clock in a_little {
        apart.host.go_by(clock).await;
        apart.field.manifest("").await;
        apart.state("ok").await;
    }
    let too_much: [HostClock; 2] = [|| right_time() - 600_000, || right_time() + 600_000];
    for clock in too_much {
        apart.host.go_by(clock).await;
        let told = apart.refused("cosigner_clock").await;
        assert!(text_of(&told, "detail").contains("clock"), "{told}");
        let (_, detail) = apart.state("clock").await;
        let mut around = 595..=605;
        assert!(
            around.any(|seconds| detail.contains(&format!("{seconds} s"))),
            "{detail}"
        );
    }
    apart.host.go_by(right_time).await;
    apart.field.manifest("").await;
}

#[tokio::test]
async fn a_release_is_not_signed_until_a_second_person_approved_it_at_the_cosigner() {
    let apart = Apart::new().await;
    let identity = text_of(&apart.status, "identity_pem");
    apart.host.trust_with(identity, |portal| {
        portal.needs_approval = true;
    });
    let told = apart.refused("cosigner_refused").await;
    assert!(text_of(&told, "detail").contains("approve"), "{told}");
    apart.state("ok").await;
    apart.host.approve_all();
    apart.field.manifest("").await;
    apart.field.release("1.2.0", bytes_of("1.2.0")).await;
    apart.refused("cosigner_refused").await;
}

#[tokio::test]
async fn signatures_beyond_the_rate_are_refused_until_there_is_room() {
    let apart = Apart::new().await;
    let identity = text_of(&apart.status, "identity_pem");
    apart.host.trust_with(identity, |portal| {
        portal.per_hour = Some(2);
    });
    apart.field.manifest("").await;
    apart.field.manifest("").await;
    let told = apart.refused("cosigner_refused").await;
    assert!(text_of(&told, "detail").contains("too many"), "{told}");
}
