//! What devices are answered, in hawkBit's words.

use std::borrow::Cow;

use gatehouse_core::{
    firmware::{CatalogRelease, Deployment, Orders},
    ports::firmware::ReleaseRecord,
};
use gatehouse_types::{image::ImageKind, rollout::ActionState};
use serde_json::{Map, Value, json};

const SWU: &str = ".swu";

/// Longer, and clients that read the hours as a time of day give up.
const SLEEP_MAX_S: u64 = 24 * 60 * 60 - 1;

/// Whether the device has to stop, or did.
pub(super) fn is_called_off(deployment: &Deployment) -> bool {
    matches!(
        deployment.state,
        ActionState::Cancelling | ActionState::Cancelled
    )
}

/// The answer to a poll: what to do, as links, and when to ask again.
pub(super) fn orders(base: &str, orders: &Orders) -> Value {
    let mut links = Map::new();
    let mut link = |name: &str, href: String| links.insert(name.into(), json!({ "href": href }));
    if let Some(id) = orders.cancel {
        link("cancelAction", format!("{base}/cancelAction/{id}"));
    } else if let Some(id) = orders.install {
        // Another text for another attempt, since clients take the same text for the same deployment.
        link(
            "deploymentBase",
            format!("{base}/deploymentBase/{id}?c={id}"),
        );
    }
    if let Some(id) = orders.installed {
        link("installedBase", format!("{base}/installedBase/{id}"));
    }
    if orders.wants_attributes {
        link("configData", format!("{base}/configData"));
    }
    json!({ "config": { "polling": { "sleep": sleep(orders.next_poll_s) } }, "_links": links })
}

/// `HH:MM:SS`, always 8 characters.
fn sleep(seconds: u64) -> String {
    let seconds = seconds.min(SLEEP_MAX_S);
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// What is to be installed: one chunk with one artifact.
pub(super) fn deployment(base: &str, deployment: &Deployment) -> Value {
    let record = &deployment.release.record;
    json!({
        "id": deployment.number.to_string(),
        "deployment": {
            "download": "forced",
            "update": "forced",
            "chunks": [{
                "part": "bApp",
                "version": record.version,
                "name": record.file_name,
                "artifacts": [artifact(base, &deployment.release)],
                "metadata": [{ "key": "manifest_url", "value": format!("{base}/manifest") }],
            }],
        },
    })
}

/// What the image is called here: SWUpdate takes only what ends like one of its own.
pub(super) fn file_name(record: &ReleaseRecord) -> Cow<'_, str> {
    let facts = record.image.as_ref();
    let is_swu = facts.is_some_and(|facts| facts.kind == ImageKind::Swupdate);
    if is_swu && !record.file_name.ends_with(SWU) {
        Cow::Owned(format!("{}{SWU}", record.file_name))
    } else {
        Cow::Borrowed(&record.file_name)
    }
}

/// One file with its digests and where it lies.
pub(super) fn artifact(base: &str, release: &CatalogRelease) -> Value {
    let record = &release.record;
    let file_name = file_name(record);
    let href = format!(
        "{base}/softwaremodules/{}/artifacts/{file_name}",
        record.number
    );
    json!({
        "filename": file_name,
        "hashes": {
            "sha1": record.artifact.sha1,
            "md5": record.artifact.md5,
            "sha256": record.artifact.sha256,
        },
        "size": record.artifact.size_bytes,
        "_links": {
            "download": { "href": href },
            "download-http": { "href": href },
            "md5sum": { "href": format!("{href}.MD5SUM") },
        },
    })
}

/// Which action to stop.
pub(super) fn cancel(id: i32) -> Value {
    json!({ "id": id.to_string(), "cancelAction": { "stopId": id.to_string() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_has_eight_characters_whatever_its_length() {
        for (seconds, expected) in [
            (0, "00:00:00"),
            (5, "00:00:05"),
            (3_725, "01:02:05"),
            (86_400, "23:59:59"),
            (u64::MAX, "23:59:59"),
        ] {
            assert_eq!(sleep(seconds), expected);
        }
    }

    fn all() -> Orders {
        Orders {
            install: Some(64),
            cancel: None,
            installed: Some(65),
            wants_attributes: true,
            next_poll_s: 60,
        }
    }

    #[test]
    fn a_device_that_has_to_stop_is_not_told_to_install() {
        let told = orders(
            "https://portal/lamp/controller/v1/7",
            &Orders {
                cancel: Some(64),
                ..all()
            },
        );
        let links = told["_links"].as_object().expect("links");
        let names: Vec<&String> = links.keys().collect();
        assert_eq!(names, ["cancelAction", "configData", "installedBase"]);
    }

    #[test]
    fn a_poll_reads_as_hawkbit_writes_it() {
        assert_eq!(
            orders("https://portal/lamp/controller/v1/7", &all()),
            json!({
                "config": { "polling": { "sleep": "00:01:00" } },
                "_links": {
                    "deploymentBase": { "href": "https://portal/lamp/controller/v1/7/deploymentBase/64?c=64" },
                    "installedBase": { "href": "https://portal/lamp/controller/v1/7/installedBase/65" },
                    "configData": { "href": "https://portal/lamp/controller/v1/7/configData" },
                },
            })
        );
    }
}
