//! What the pages about firmware say, rendered from plain records.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gatehouse_types::{
    Timestamp,
    firmware::{Device, Project, Release, ReleaseState},
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
        image: None,
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
        group: "beta".to_owned(),
        attributes: BTreeMap::from([("room".to_owned(), "hall".to_owned())]),
        current_version: Some("1.0.1".to_owned()),
        last_state: None,
        last_seen_at: None,
        created_at: Timestamp(0),
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
