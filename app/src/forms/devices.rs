//! The forms of devices.

use std::collections::BTreeMap;

use gatehouse_core::Error;
use gatehouse_types::{
    firmware::{DeviceChange, DeviceWithToken, NewDevice},
    rollout::Channel,
};
use leptos::prelude::*;

use super::{
    filled,
    once::{self, Secret},
    parsed,
    releases::parsed_channel,
};
use crate::{i18n::Notice, links, visit::Visit};

/// Registers a device and goes to its page, which shows its target token once.
#[server(prefix = "/api/ui", endpoint = "create_device")]
pub async fn create_device(
    project: String,
    #[server(default)] name: String,
    #[server(default)] group: String,
    #[server(default)] device_id: String,
    #[server(default)] controller_id: String,
    #[server(default)] channel: String,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let made = async {
        let new = NewDevice {
            device_id: filled(device_id.clone())
                .map(|id| parsed("device_id", &id))
                .transpose()?,
            name: name.clone(),
            group: group.clone(),
            controller_id: filled(controller_id.trim().to_owned()),
            channel: chosen_channel(&channel)?.unwrap_or_default(),
            ..NewDevice::default()
        };
        visit
            .portal
            .firmware
            .create_device(&visit.actor, &project, &new)
            .await
    };
    match made.await {
        Ok(DeviceWithToken {
            device,
            target_token,
        }) => {
            let id = device.device_id;
            once::keep(
                &visit.actor,
                id,
                device.created_at.0,
                Secret::TargetToken(target_token),
            );
            let id = id.to_string();
            links::device(&project, &id)
                .with("shown", &id)
                .succeed(Notice::Created);
        }
        Err(error) => links::devices(&project)
            .typed([
                ("name", &*name),
                ("group", &*group),
                ("device_id", &*device_id),
                ("controller_id", &*controller_id),
                ("channel", &*channel),
            ])
            .fail(&error),
    }
    Ok(())
}

/// Changes a device's name, group, channel and attributes.
#[server(prefix = "/api/ui", endpoint = "change_device")]
pub async fn change_device(
    project: String,
    device_id: String,
    #[server(default)] name: String,
    #[server(default)] group: String,
    #[server(default)] channel: String,
    #[server(default)] attributes: String,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let way = links::device(&project, &device_id);
    let changed = async {
        let change = DeviceChange {
            name: Some(name.clone()),
            group: Some(group.clone()),
            channel: chosen_channel(&channel)?,
            attributes: Some(read_attributes(&attributes)?),
        };
        let id = parsed("device_id", &device_id)?;
        visit
            .portal
            .firmware
            .change_device(&visit.actor, &project, id, &change)
            .await
    };
    match changed.await {
        Ok(_) => way.succeed(Notice::Saved),
        Err(error) => way
            .typed([
                ("name", &*name),
                ("group", &*group),
                ("channel", &*channel),
                ("attributes", &*attributes),
            ])
            .fail(&error),
    }
    Ok(())
}

/// Tells a device to stop what it installs.
#[server(prefix = "/api/ui", endpoint = "cancel_action")]
pub async fn cancel_action(project: String, device_id: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let cancelled = async {
        let id = parsed("device_id", &device_id)?;
        let firmware = &visit.portal.firmware;
        firmware.cancel_action(&visit.actor, &project, id).await
    };
    links::device(&project, &device_id).report(&cancelled.await, Notice::ActionCancelled);
    Ok(())
}

/// Lets a device try again at once.
#[server(prefix = "/api/ui", endpoint = "retry_action")]
pub async fn retry_action(project: String, device_id: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let retried = async {
        let id = parsed("device_id", &device_id)?;
        let firmware = &visit.portal.firmware;
        firmware.retry_action(&visit.actor, &project, id).await
    };
    links::device(&project, &device_id).report(&retried.await, Notice::ActionRetried);
    Ok(())
}

/// Removes a device and goes to the list.
#[server(prefix = "/api/ui", endpoint = "remove_device")]
pub async fn remove_device(project: String, device_id: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let removed = async {
        let id = parsed("device_id", &device_id)?;
        visit
            .portal
            .firmware
            .remove_device(&visit.actor, &project, id)
            .await
    };
    match removed.await {
        Ok(()) => links::devices(&project).succeed(Notice::Removed),
        Err(error) => links::device(&project, &device_id).fail(&error),
    }
    Ok(())
}

fn chosen_channel(word: &str) -> gatehouse_core::Result<Option<Channel>> {
    let word = Some(word).filter(|word| !word.is_empty());
    word.map(parsed_channel).transpose()
}

/// Reads attributes, one a line: a name, `=`, a value. Empty lines say nothing.
fn read_attributes(text: &str) -> gatehouse_core::Result<BTreeMap<String, String>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let pair = |line: &str| match line.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(Error::invalid(
            "attributes",
            "Write one attribute a line, such as room=hall.",
        )),
    };
    lines.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_pairs_and_a_line_without_one_is_refused() {
        let read = read_attributes("room = hall\r\n\r\nnote=a=b\n").unwrap();
        let pairs: Vec<_> = read
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(pairs, [("note", "a=b"), ("room", "hall")]);
        for wrong in ["hall", "=hall", "a=1\nb"] {
            let refused = read_attributes(wrong).unwrap_err();
            assert!(
                matches!(
                    refused,
                    Error::Invalid {
                        field: "attributes",
                        ..
                    }
                ),
                "{wrong}"
            );
        }
    }
}
