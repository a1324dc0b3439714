//! What the pages about firmware say, rendered from plain records.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gatehouse_types::{
    Timestamp,
    firmware::{Device, Project, Release, ReleaseState},
    image::{AppFacts, EspFacts, ImageFacts, ImageKind},
    rollout::{Action, ActionState, Approval, Channel, Rollout},
};
use hydration_context::SsrSharedContext;
use leptos::prelude::*;
use uuid::Uuid;

use crate::context::{PageContext, tests::context};

/// The HTML of a view as the page with this query renders it.
pub(super) fn render<V: IntoView>(page: PageContext, view: impl FnOnce() -> V) -> String {
    let owner = Owner::new_root(Some(Arc::new(SsrSharedContext::new_islands())));
    owner.with(|| {
        leptos_meta::provide_meta_context();
        page.provide();
        view().to_html()
    })
}

pub(super) fn demo_project() -> Project {
    Project {
        id: Uuid::nil(),
        name: "lamp".to_owned(),
        title: "Lámpara".to_owned(),
        description: "In the hall".to_owned(),
        hardware: vec!["esp32s3".to_owned()],
        two_person_approval: false,
        registers_unknown_devices: false,
        has_gateway_token: false,
        quota_bytes: None,
        poll_s: 900,
        created_at: Timestamp(0),
    }
}

pub(super) fn demo_release(state: ReleaseState) -> Release {
    Release {
        project: "lamp".to_owned(),
        version: "1.0.2+b".to_owned(),
        file_name: "lamp-1.0.2_b.bin".to_owned(),
        size_bytes: 2048,
        sha256: "a".repeat(64),
        sha1: "b".repeat(40),
        md5: "c".repeat(32),
        state,
        notes: "First light".to_owned(),
        channel: Channel::Stable,
        min_version: None,
        allow_downgrade: false,
        rollout: Rollout::default(),
        approval: Approval::default(),
        image: None,
        objections: Vec::new(),
        created_at: Timestamp(0),
        published_at: None,
        withdrawn_at: None,
    }
}

pub(super) fn demo_device() -> Device {
    Device {
        device_id: Uuid::from_u128(7),
        project: "lamp".to_owned(),
        name: "Hall".to_owned(),
        controller_id: None,
        group: "beta".to_owned(),
        channel: Channel::Stable,
        attributes: BTreeMap::from([("room".to_owned(), "hall".to_owned())]),
        current_version: Some("1.0.1".to_owned()),
        last_state: None,
        action: None,
        last_seen_at: None,
        created_at: Timestamp(0),
    }
}

pub(super) fn demo_action() -> Action {
    Action {
        number: 5,
        device_id: Uuid::from_u128(7),
        version: "1.0.2".to_owned(),
        state: ActionState::Downloading,
        attempt: 1,
        from_version: Some("1.0.1".to_owned()),
        progress_percent: Some(40),
        detail: String::new(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        retry_at: None,
        finished_at: None,
    }
}

/// An image whose checks say so; without an appended hash its checksum is right.
pub(super) fn demo_image(is_right: Option<bool>) -> ImageFacts {
    let app = AppFacts {
        project_name: "lamp-firmware".to_owned(),
        version: "1.0.2".to_owned(),
        secure_version: 3,
        idf_version: "v5.4.2".to_owned(),
        elf_sha256: "d".repeat(64),
        built_at: "Aug 11 2025 22:49:56".to_owned(),
    };
    let esp = EspFacts {
        chip: "esp32s3".to_owned(),
        segments: 6,
        flash_mode: Some("dio".to_owned()),
        flash_size: Some("8MB".to_owned()),
        flash_freq: Some("80m".to_owned()),
        complete: true,
        checksum_ok: is_right.unwrap_or(true),
        hash_ok: is_right,
        app: Some(app),
    };
    ImageFacts {
        kind: ImageKind::Esp32,
        esp: Some(esp),
    }
}

fn values<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(start.as_str())
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

/// Ids are unique, references find one, and nothing carries an inline style.
pub(super) fn assert_sound(html: &str) {
    let listed = values(html, "id");
    let ids: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(ids.len(), listed.len(), "{listed:?}");
    let references = ["for", "aria-describedby"].map(|name| values(html, name));
    for id in references.iter().flatten().flat_map(|ids| ids.split(' ')) {
        assert!(ids.contains(id), "{id}");
    }
    assert!(!html.contains(" style="), "{html}");
}

#[test]
fn a_banner_warns_where_images_are_free_for_all() {
    let closed = render(context(""), super::projects::no_jwt_banner);
    assert!(!closed.contains("banner"), "{closed}");
    let open = PageContext {
        no_jwt: true,
        ..context("")
    };
    assert!(render(open, super::projects::no_jwt_banner).contains("banner-warn"));
}
