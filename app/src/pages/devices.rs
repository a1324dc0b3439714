//! `/admin/projects/{project}/devices`

use gatehouse_core::Result;
use gatehouse_types::{
    Page as Part, PageQuery,
    firmware::{Device, Project, ReportState},
    limits,
    rollout::Channel,
};
use leptos::prelude::*;

use super::{
    loading::{loaded, path_value, typed},
    projects::no_jwt_banner,
};
use crate::{
    components::{
        Button, Card, Choice, DataTable, EmptyState, NextPage, Page, PostForm, Section,
        SelectField, StateBadge, TextField, Time, action_state,
    },
    context::PageContext,
    links,
    visit::Visit,
};

/// The devices of a project, and the form that registers one.
#[component]
pub fn Devices() -> impl IntoView {
    let visit = Visit::current();
    let name = path_value::<String>("project");
    let after = PageContext::current().query_value("after");
    let load = async move { load(&visit, &name?, after).await };
    loaded(load, |(project, devices)| show(&project, devices))
}

async fn load(visit: &Visit, name: &str, after: Option<String>) -> Result<(Project, Part<Device>)> {
    let firmware = &visit.portal.firmware;
    let project = firmware.project(&visit.actor, name)?;
    let query = PageQuery { limit: None, after };
    Ok((
        project,
        firmware.list_devices(&visit.actor, name, &query).await?,
    ))
}

fn show(project: &Project, devices: Part<Device>) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().project;
    let next = devices.next.map(|after| {
        links::devices(&project.name)
            .with("after", &after)
            .into_url()
    });
    let list = if devices.items.is_empty() {
        view! { <EmptyState title=texts.no_devices_title hint=texts.no_devices_here /> }.into_any()
    } else {
        table(devices.items).into_any()
    };
    let up = (
        links::project(&project.name).into_url(),
        project.title.clone(),
    );
    let form = register_form(&project.name);
    view! {
        <Page title=texts.devices intro=texts.devices_intro back=up>
            {no_jwt_banner()}
            {list}
            <NextPage href=next />
            <Section title=texts.add_device>
                <Card>{form}</Card>
            </Section>
        </Page>
    }
}

fn table(devices: Vec<Device>) -> impl IntoView {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.project, &messages.common);
    let heads = vec![
        texts.device,
        texts.group,
        texts.runs,
        common.last_seen,
        common.state,
    ];
    let rows = devices.into_iter().map(row).collect_view();
    view! { <DataTable caption=texts.devices heads=heads>{rows}</DataTable> }
}

fn row(device: Device) -> impl IntoView {
    let href = links::device(&device.project, &device.device_id.to_string()).into_url();
    let state = newest_state(&device);
    view! {
        <tr>
            <td><a href=href>{device.name}</a></td>
            <td>{device.group}</td>
            <td>{running(device.current_version)}</td>
            <td>{last_seen(device.last_seen_at)}</td>
            <td>{state}</td>
        </tr>
    }
}

/// The version that a device said it runs.
pub(super) fn running(version: Option<String>) -> AnyView {
    let never_said = PageContext::current().messages().project.never_said;
    match version {
        Some(version) => view! { <code>{version}</code> }.into_any(),
        None => view! { <span class="muted">{never_said}</span> }.into_any(),
    }
}

/// How long ago a device was heard of.
pub(super) fn last_seen(at: Option<gatehouse_types::Timestamp>) -> AnyView {
    let never = PageContext::current().messages().common.never;
    match at {
        Some(at) => view! { <Time at_ms=at.0 relative=true /> }.into_any(),
        None => view! { <span class="muted">{never}</span> }.into_any(),
    }
}

/// How far it is with its newest action; what it last reported when it was offered nothing.
fn newest_state(device: &Device) -> AnyView {
    match &device.action {
        Some(action) => view! { <StateBadge state=action_state(action.state) /> }.into_any(),
        None => last_state(device.last_state).into_any(),
    }
}

/// What a device's channel may be.
pub(super) fn channel_choices() -> Vec<Choice> {
    let texts = &PageContext::current().messages().device;
    vec![
        Choice::new(Channel::Stable.as_str(), texts.channel_stable),
        Choice::new(Channel::Beta.as_str(), texts.channel_beta),
    ]
}

/// What a device last reported, as a badge.
pub(super) fn last_state(state: Option<ReportState>) -> impl IntoView {
    view! { <StateBadge state=state.map_or("silent", ReportState::as_str) /> }
}

fn register_form(project: &str) -> impl IntoView + use<> {
    let page = PageContext::current();
    let messages = page.messages();
    let texts = &messages.project;
    let project = project.to_owned();
    view! {
        <PostForm action="/api/ui/create_device">
            <input type="hidden" name="project" value=project />
            <TextField
                name="name"
                label=messages.common.name
                hint=texts.device_name_hint
                value=typed(&page, "name", "")
                max_chars=limits::NAME_MAX_CHARS
            />
            <TextField
                name="group"
                label=texts.group
                hint=texts.group_hint
                value=typed(&page, "group", "")
                max_chars=limits::NAME_MAX_CHARS
            />
            <SelectField
                name="channel"
                label=messages.device.channel
                options=channel_choices()
                selected=typed(&page, "channel", Channel::Stable.as_str())
            />
            <TextField
                name="controller_id"
                label=messages.device.controller_id
                hint=messages.device.controller_id_hint
                value=typed(&page, "controller_id", "")
                max_chars=128
                mono=true
            />
            <TextField
                name="device_id"
                label=texts.device_id
                hint=texts.device_id_hint
                value=typed(&page, "device_id", "")
                mono=true
            />
            <Button>{texts.add_device}</Button>
        </PostForm>
    }
}
