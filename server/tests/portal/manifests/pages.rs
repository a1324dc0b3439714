//! What the pages say of keys, co-signer and signed releases.

use gatehouse_manifest::Claims;
use serde_json::Value;

use super::{MANIFEST, check, cosigner_host::CoSignerHost};
use crate::{
    field::{Field, bytes_of},
    furnish::{PROJECT, text_of},
    harness::{get, post},
};

const KEYS_PAGE: &str = "/admin/projects/lamp/keys";
const RELEASE_PAGE: &str = "/admin/projects/lamp/releases/1.1.0";

impl Field {
    async fn page(&self, path: &str) -> String {
        let asked = get(path).cookie(&self.admin.cookie);
        let answer = self.portal.send(asked).await;
        assert_eq!(answer.status, 200, "{path}");
        answer.text()
    }

    /// Sends a form of the keys page and answers where it leads.
    async fn keys_form(&self, form: &str) -> String {
        let path = format!("/api/ui/{form}_project_key");
        let form = post(&path).form(&[("project", PROJECT)]);
        let answer = self.portal.send(form.cookie(&self.admin.cookie)).await;
        answer.header("location").to_owned()
    }
}

/// A portal that asks a co-signer elsewhere, which trusts it, and its identity at that co-signer.
async fn apart(folder: &tempfile::TempDir) -> (Field, CoSignerHost, Value) {
    let host = CoSignerHost::start(folder.path()).await;
    let url = host.url();
    let environment = [
        ("GATEHOUSE_COSIGNER_URL", url.as_str()),
        ("GATEHOUSE_COSIGNER_TIMEOUT_MS", "10000"),
    ];
    let field = Field::with(&environment, &["1.1.0"]).await;
    let asked = get("/api/v1/cosigner").cookie(&field.admin.cookie);
    let status = field.portal.send(asked).await.expect(200);
    host.trust(text_of(&status, "identity_pem"));
    (field, host, status)
}

fn insist(html: &str, words: &[&str]) {
    for word in words {
        assert!(html.contains(word), "{word}: {html}");
    }
}

#[tokio::test]
async fn a_key_is_replaced_in_two_steps_that_say_what_they_end() {
    let field = Field::with(&[], &[]).await;
    let before = field.page(KEYS_PAGE).await;
    let api = field.keys().await;
    let pem = text_of(&api, "cosigner_pem").lines().nth(1).expect("PEM");
    insist(
        &before,
        &[pem, "Weaker than a second host", "/keys?format=header"],
    );
    assert!(!before.contains("retire_project_key"), "{before}");

    let way = field.keys_form("rotate").await;
    assert_eq!(way, format!("{KEYS_PAGE}?ok=key_made"));
    let during = field.page(KEYS_PAGE).await;
    insist(&during, &["Takes over next", "This ends the key "]);
    assert!(!during.contains("rotate_project_key"), "{during}");
    let twice = field.keys_form("rotate").await;
    assert!(twice.contains("?error="), "{twice}");

    let way = field.keys_form("retire").await;
    assert_eq!(way, format!("{KEYS_PAGE}?ok=key_ended"));
    let after = field.page(KEYS_PAGE).await;
    assert!(!after.contains("Takes over next"), "{after}");
    assert_ne!(field.keys().await["project_pem"], api["project_pem"]);
    let project = field.page("/admin/projects/lamp").await;
    assert!(
        project.contains(&format!("href=\"{KEYS_PAGE}\"")),
        "{project}"
    );
}

#[tokio::test]
async fn an_owner_sees_no_keys_and_a_project_that_is_not_there_has_none() {
    let field = Field::with(&[], &[]).await;
    let owner = field.portal.owner().await;
    let asked = get(KEYS_PAGE).cookie(&owner.cookie);
    assert_eq!(field.portal.send(asked).await.status, 403);
    let asked = get("/admin/projects/nothing/keys").cookie(&field.admin.cookie);
    assert_eq!(field.portal.send(asked).await.status, 404);
}

#[tokio::test]
async fn the_release_page_tells_what_the_manifest_says() {
    let field = Field::with(&[], &["1.1.0"]).await;
    insist(&field.page(RELEASE_PAGE).await, &["Not asked yet"]);
    let claims: Claims = check(&field.manifest("").await, &field.keys().await).expect("holds");
    let html = field.page(RELEASE_PAGE).await;
    let size = format!("{} bytes; it reads not one more", claims.size_bytes);
    let crc32 = format!("<code>{:08x}</code>", claims.checksum);
    insist(
        &html,
        &["badge-good\">Signed<", &claims.sha256, &size, &crc32],
    );
    assert!(
        html.contains(&format!("<dd>{}<br>", claims.release_counter)),
        "{html}"
    );
}

#[tokio::test]
async fn the_pages_of_a_revoked_portal_say_so_in_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (field, host, status) = apart(&folder).await;
    field.manifest("").await;
    insist(
        &field.page(KEYS_PAGE).await,
        &[
            "As a service at http://127.0.0.1",
            "badge-good\">Answers<",
            text_of(&status, "server_id"),
        ],
    );

    host.revoke(text_of(&status, "server_id"));
    field.get(MANIFEST).await.refused(503, "cosigner_refused");
    let release = field.page(RELEASE_PAGE).await;
    insist(
        &release,
        &[
            "badge-bad\">Portal revoked<",
            "no longer trusts this portal",
        ],
    );
    let keys = field.page(KEYS_PAGE).await;
    insist(
        &keys,
        &[
            "badge-bad\">Refuses this portal<",
            "gatehouse-cosigner trust portal",
        ],
    );
}

#[tokio::test]
async fn a_release_that_awaits_approval_names_the_command_for_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (field, host, status) = apart(&folder).await;
    let identity = text_of(&status, "identity_pem");
    host.trust_with(identity, |portal| portal.needs_approval = true);
    field.release("1.2.0", bytes_of("1.2.0")).await;
    field.get(MANIFEST).await.refused(503, "cosigner_refused");
    let html = field.page("/admin/projects/lamp/releases/1.2.0").await;
    let keys = field.keys().await;
    let command = format!("approve {} 2 --as NAME", text_of(&keys, "project_id"));
    insist(&html, &["badge-busy\">Waits for approval<", &command]);
}

#[tokio::test]
async fn while_the_cosigner_is_down_both_pages_say_since_when_and_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (field, mut host, _) = apart(&folder).await;
    host.stop().await;
    let html = field.page(KEYS_PAGE).await;
    insist(
        &html,
        &[
            "badge-bad\">Unreachable<",
            "The bundle is not complete yet",
            "cosigner.url",
        ],
    );
    let (_, state) = html.split_once(">Unreachable<").expect("its state");
    let (state, _) = state.split_once("</dd>").expect("a fact");
    assert!(
        state.contains("since") && state.contains("<time datetime="),
        "{state}"
    );
    assert!(!html.contains("?format="), "nothing to download: {html}");
    field
        .get(MANIFEST)
        .await
        .refused(503, "cosigner_unreachable");
    insist(
        &field.page(RELEASE_PAGE).await,
        &["badge-bad\">Unreachable<", "go on asking"],
    );
}
