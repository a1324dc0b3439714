//! `/admin/projects/{project}/devices/{device}`

use gatehouse_core::Result;
use gatehouse_types::{
    Page as Part,
    firmware::{Device as Record, DeviceTokenInfo, TokenQuery},
    limits,
};
use leptos::prelude::*;
use uuid::Uuid;

use super::{
    device_secret::{Fresh, connect_section, fresh_secret, take_fresh},
    device_timeline::{self, Line},
    devices::{channel_choices, last_seen, last_state, running},
    loading::{loaded, path_value, typed},
    projects::no_jwt_banner,
    release::channel_word,
    tokens::token_table,
};
use crate::{
    components::{
        Button, Card, Confirm, EmptyState, Fact, Facts, KeptFresh, LivePart, NextPage, Page,
        PolledUpdates, PostForm, Section, SelectField, TextArea, TextField, Time,
    },
    context::PageContext,
    format::fill,
    links,
    visit::Visit,
};

/// How many tokens the page lists before it sends people to the list of all.
const TOKENS_SHOWN: i64 = 10;

struct Found {
    device: Record,
    lines: Vec<Line>,
    tokens: Part<DeviceTokenInfo>,
    fresh: Fresh,
    public_url: String,
}

/// One device: what it runs, its update and its past, its tokens, and its settings.
#[component]
pub fn Device() -> impl IntoView {
    let visit = Visit::current();
    let page = PageContext::current();
    let project = path_value::<String>("project");
    let id = path_value::<Uuid>("device");
    loaded(
        async move { load(&visit, &page, &project?, id?).await },
        show,
    )
}

async fn load(visit: &Visit, page: &PageContext, project: &str, id: Uuid) -> Result<Found> {
    let (firmware, actor) = (&visit.portal.firmware, &visit.actor);
    let query = TokenQuery {
        project: Some(project.to_owned()),
        device: Some(id),
        limit: Some(TOKENS_SHOWN),
        after: None,
    };
    let events = firmware.device_timeline(actor, project, id).await?;
    let reports = firmware.list_reports(actor, project, id).await?;
    Ok(Found {
        device: firmware.device(actor, project, id).await?,
        lines: device_timeline::merged(events, reports),
        tokens: firmware.list_tokens(actor, &query).await?,
        fresh: take_fresh(visit, page),
        public_url: visit.public_url.to_string(),
    })
}

fn show(found: Found) -> impl IntoView {
    let texts = &PageContext::current().messages().device;
    let Found {
        device,
        lines,
        tokens,
        fresh,
        public_url,
    } = found;
    let title = fill(texts.title, &[("name", &device.name)]);
    let up = (
        links::devices(&device.project).into_url(),
        device.project.clone(),
    );
    let current_fw = device.current_version.as_deref().unwrap_or("1.0.0");
    let connect = connect_section(&device, &fresh, &public_url);
    let fresh = fresh_secret(fresh, &public_url, current_fw);
    let rev = device_timeline::rev(&device, &lines);
    let part = |name: &str| LivePart {
        name: name.to_owned(),
        rev: rev.clone(),
        says: None,
    };
    let (known, update, past) = (part("known"), part("update"), part("past"));
    let current = device_timeline::current(&device);
    let tokens = token_list(&device, tokens);
    let token_form = token_form(&device);
    let settings = settings(&device);
    view! {
        <Page title=title back=up>
            {no_jwt_banner()}
            {fresh}
            <KeptFresh part=known>{facts(device)}</KeptFresh>
            <Section title=texts.update_title>
                <KeptFresh part=update>{current}</KeptFresh>
            </Section>
            <Section title=texts.timeline>
                <KeptFresh part=past>{device_timeline::timeline(lines)}</KeptFresh>
            </Section>
            <Section title=texts.tokens>{tokens}</Section>
            <Section title=texts.make_token>
                <Card>{token_form}</Card>
            </Section>
            {connect}
            <Section title=texts.settings>{settings}</Section>
            <PolledUpdates />
        </Page>
    }
}

fn facts(device: Record) -> impl IntoView {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.device, &messages.common);
    let group = if device.group.is_empty() {
        "–".to_owned()
    } else {
        device.group
    };
    let controller_id = device
        .controller_id
        .map(|id| view! { <Fact term=texts.controller_id><code>{id}</code></Fact> });
    let channel = channel_word(device.channel);
    let attributes = device
        .attributes
        .into_iter()
        .map(|(name, value)| view! { <Fact term=name>{value}</Fact> })
        .collect_view();
    view! {
        <Facts>
            <Fact term=messages.project.device_id><code>{device.device_id.to_string()}</code></Fact>
            {controller_id}
            <Fact term=messages.project.group>{group}</Fact>
            <Fact term=texts.channel>{channel}</Fact>
            <Fact term=texts.current>{running(device.current_version)}</Fact>
            <Fact term=texts.last_report>{last_state(device.last_state)}</Fact>
            <Fact term=common.last_seen>{last_seen(device.last_seen_at)}</Fact>
            <Fact term=common.created_at><Time at_ms=device.created_at.0 /></Fact>
            {attributes}
        </Facts>
    }
}

fn token_list(device: &Record, tokens: Part<DeviceTokenInfo>) -> AnyView {
    let messages = PageContext::current().messages();
    if tokens.items.is_empty() {
        let texts = &messages.device;
        return view! { <EmptyState title=texts.no_tokens_title hint=texts.no_tokens_hint /> }
            .into_any();
    }
    let id = device.device_id.to_string();
    let all = links::tokens()
        .with("project", &device.project)
        .with("device", &id);
    let more = tokens
        .next
        .map(|after| all.with("after", &after).into_url());
    let back = links::device(&device.project, &id).into_url();
    view! {
        {token_table(tokens.items, &back)}
        <NextPage href=more />
    }
    .into_any()
}

fn hidden(device: &Record) -> Vec<(&'static str, String)> {
    vec![
        ("project", device.project.clone()),
        ("device_id", device.device_id.to_string()),
    ]
}

fn hidden_inputs(device: &Record) -> impl IntoView + use<> {
    hidden(device)
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view()
}

fn token_form(device: &Record) -> impl IntoView + use<> {
    let page = PageContext::current();
    let texts = &page.messages().device;
    let named = hidden_inputs(device);
    let known = device.current_version.as_deref().unwrap_or_default();
    let current_fw = typed(&page, "current_fw", known);
    view! {
        <p>{texts.make_token_hint}</p>
        <PostForm action="/api/ui/create_token">
            {named}
            <TextField
                name="expires_minutes"
                label=texts.expires_minutes
                hint=texts.expires_hint
                kind="number"
                range=(1, 1440)
                value=typed(&page, "expires_minutes", "")
            />
            <TextField
                name="current_fw"
                label=texts.current_fw
                value=current_fw
                max_chars=limits::NAME_MAX_CHARS
                mono=true
            />
            <Button>{texts.make_token}</Button>
        </PostForm>
    }
}

fn settings(device: &Record) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().device;
    let form = change_form(device);
    view! {
        <Card>{form}</Card>
        <Confirm
            summary=texts.remove
            warning=fill(texts.remove_warning, &[("name", &device.name)])
            action="/api/ui/remove_device"
            button=texts.remove
            extra=hidden(device)
        />
    }
}

fn change_form(device: &Record) -> impl IntoView + use<> {
    let page = PageContext::current();
    let messages = page.messages();
    let named = hidden_inputs(device);
    let attributes: Vec<String> = device
        .attributes
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let name = typed(&page, "name", &device.name);
    let group = typed(&page, "group", &device.group);
    let channel = typed(&page, "channel", device.channel.as_str());
    let attributes = typed(&page, "attributes", &attributes.join("\n"));
    view! {
        <PostForm action="/api/ui/change_device">
            {named}
            <TextField
                name="name"
                label=messages.common.name
                value=name
                required=true
                max_chars=limits::NAME_MAX_CHARS
            />
            <TextField
                name="group"
                label=messages.project.group
                hint=messages.project.group_hint
                value=group
                max_chars=limits::NAME_MAX_CHARS
            />
            <SelectField
                name="channel"
                label=messages.device.channel
                options=channel_choices()
                selected=channel
            />
            <TextArea
                name="attributes"
                label=messages.device.attributes
                hint=messages.device.attributes_hint
                value=attributes
            />
            <Button>{messages.common.save}</Button>
        </PostForm>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        context::tests::context,
        forms::once::Secret,
        pages::firmware_tests::{assert_sound, demo_device, render},
    };

    fn page(fresh: Fresh) -> String {
        let found = Found {
            device: demo_device(),
            lines: Vec::new(),
            tokens: Part {
                items: Vec::new(),
                next: None,
            },
            fresh,
            public_url: "https://gate.example".to_owned(),
        };
        render(context(""), || show(found))
    }

    #[test]
    fn the_page_says_how_to_connect_the_device_and_keeps_fresh() {
        let html = page(Fresh::NotAsked);
        assert!(
            html.contains("room=hall") && html.contains("target_name = 0000"),
            "{html}"
        );
        assert!(html.contains("data-live=\"update\"") && html.contains("TARGET_TOKEN"));
        assert!(html.contains("/ota/esp-idf/lamp?current_fw="), "{html}");
        assert_eq!(html.matches("class=\"live\"").count(), 1);
        assert_sound(&html);
    }

    #[test]
    fn a_fresh_token_comes_with_the_command_that_uses_it() {
        let html = page(Fresh::Here(Secret::DownloadToken("jwt.jwt.jwt".to_owned())));
        assert!(html.contains("Authorization: Bearer jwt.jwt.jwt"), "{html}");
        assert!(html.contains("current_fw=1.0.1") && html.contains("?token=jwt.jwt.jwt"));
        let lasting = page(Fresh::Here(Secret::TargetToken("t0t0".to_owned())));
        assert!(lasting.contains("targettoken = \"t0t0\""), "{lasting}");
    }

    #[test]
    fn a_secret_that_is_gone_is_explained() {
        assert!(page(Fresh::Gone).contains("shown already"));
    }
}
