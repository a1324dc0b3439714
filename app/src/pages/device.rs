//! `/admin/projects/{project}/devices/{device}`

use gatehouse_core::Result;
use gatehouse_types::{
    Page as Part,
    firmware::{Device as Record, DeviceTokenInfo, ReportEntry, TokenQuery},
    limits,
};
use leptos::prelude::*;
use uuid::Uuid;

use super::{
    devices::{last_seen, last_state, running},
    loading::{loaded, path_value, typed},
    project::ask_command,
    projects::no_jwt_banner,
    tokens::token_table,
};
use crate::{
    components::{
        Banner, Button, Card, CodeBlock, Confirm, DataTable, EmptyState, Fact, Facts,
        IslandScripts, NextPage, Page, PostForm, Section, StateBadge, TextArea, TextField, Time,
        Tone,
    },
    context::PageContext,
    format::fill,
    forms::once::{self, Secret},
    links,
    visit::Visit,
};

/// How many tokens the page lists before it sends people to the list of all.
const TOKENS_SHOWN: i64 = 10;

struct Found {
    device: Record,
    reports: Vec<ReportEntry>,
    tokens: Part<DeviceTokenInfo>,
    fresh: Fresh,
    public_url: String,
}

/// A secret that was made a moment ago.
enum Fresh {
    /// The URL names none.
    NotAsked,
    /// Here it is, this once.
    Here(Secret),
    /// It was shown before, or waited for too long.
    Gone,
}

/// One device: what it runs and reports, its tokens, and its settings.
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
    Ok(Found {
        device: firmware.device(actor, project, id).await?,
        reports: firmware.list_reports(actor, project, id).await?,
        tokens: firmware.list_tokens(actor, &query).await?,
        fresh: take_fresh(visit, page),
        public_url: visit.public_url.to_string(),
    })
}

fn take_fresh(visit: &Visit, page: &PageContext) -> Fresh {
    let Some(id) = page.query_value("shown") else {
        return Fresh::NotAsked;
    };
    let id: Option<Uuid> = id.parse().ok();
    id.and_then(|id| once::take(&visit.actor, id, page.now_ms))
        .map_or(Fresh::Gone, Fresh::Here)
}

fn show(found: Found) -> impl IntoView {
    let texts = &PageContext::current().messages().device;
    let Found {
        device,
        reports,
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
    let fresh = fresh_secret(fresh, &public_url, current_fw);
    let tokens = token_list(&device, tokens);
    let token_form = token_form(&device, current_fw);
    let settings = settings(&device);
    view! {
        <Page title=title back=up>
            {no_jwt_banner()}
            {fresh}
            {facts(device)}
            <Section title=texts.reports>{report_list(reports)}</Section>
            <Section title=texts.tokens>{tokens}</Section>
            <Section title=texts.make_token>
                <Card>{token_form}</Card>
            </Section>
            <Section title=texts.settings>{settings}</Section>
        </Page>
    }
}

fn fresh_secret(fresh: Fresh, public_url: &str, current_fw: &str) -> AnyView {
    let messages = PageContext::current().messages();
    let texts = &messages.device;
    let (label, hint, token, command) = match fresh {
        Fresh::NotAsked | Fresh::Here(Secret::InvitationLink(_)) => return ().into_any(),
        Fresh::Gone => {
            return view! { <Banner tone=Tone::Idle>{texts.shown_before}</Banner> }.into_any();
        }
        Fresh::Here(Secret::TargetToken(token)) => {
            (texts.target_token, texts.target_token_hint, token, None)
        }
        Fresh::Here(Secret::DownloadToken(token)) => {
            let command = ask_command(public_url, &token, current_fw);
            (texts.token, texts.make_token_hint, token, Some(command))
        }
    };
    let command = command.map(
        |command| view! { <CodeBlock label=messages.project.ask_label text=command copy=true /> },
    );
    view! {
        <IslandScripts />
        <Section title=label>
            <Banner tone=Tone::Warn>{messages.common.shown_once}</Banner>
            <p>{hint}</p>
            <CodeBlock label=label text=token copy=true />
            {command}
        </Section>
    }
    .into_any()
}

fn facts(device: Record) -> impl IntoView {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.device, &messages.common);
    let group = if device.group.is_empty() {
        "–".to_owned()
    } else {
        device.group
    };
    let attributes = device
        .attributes
        .into_iter()
        .map(|(name, value)| view! { <Fact term=name>{value}</Fact> })
        .collect_view();
    view! {
        <Facts>
            <Fact term=messages.project.device_id><code>{device.device_id.to_string()}</code></Fact>
            <Fact term=messages.project.group>{group}</Fact>
            <Fact term=texts.current>{running(device.current_version)}</Fact>
            <Fact term=texts.last_report>{last_state(device.last_state)}</Fact>
            <Fact term=common.last_seen>{last_seen(device.last_seen_at)}</Fact>
            <Fact term=common.created_at><Time at_ms=device.created_at.0 /></Fact>
            {attributes}
        </Facts>
    }
}

fn report_list(reports: Vec<ReportEntry>) -> AnyView {
    let messages = PageContext::current().messages();
    let texts = &messages.device;
    if reports.is_empty() {
        return view! { <EmptyState title=texts.no_reports_title hint=texts.no_reports_hint /> }
            .into_any();
    }
    let heads = vec![
        texts.report_at,
        messages.project.version,
        messages.common.state,
        texts.report_detail,
    ];
    let rows = reports
        .into_iter()
        .map(|report| {
            view! {
                <tr>
                    <td><Time at_ms=report.at.0 /></td>
                    <td><code>{report.version}</code></td>
                    <td><StateBadge state=report.state.as_str() /></td>
                    <td class="words">{report.detail}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <DataTable caption=texts.reports_caption heads=heads>{rows}</DataTable> }.into_any()
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

fn token_form(device: &Record, current_fw: &str) -> impl IntoView + use<> {
    let page = PageContext::current();
    let texts = &page.messages().device;
    let named = hidden_inputs(device);
    let current_fw = typed(&page, "current_fw", current_fw);
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
        pages::firmware_tests::{assert_sound, demo_device, render},
    };

    fn page(fresh: Fresh) -> String {
        let found = Found {
            device: demo_device(),
            reports: Vec::new(),
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
    fn the_page_without_a_fresh_secret_loads_no_wasm() {
        let html = page(Fresh::NotAsked);
        assert!(
            !html.contains("<script") && html.contains("room=hall"),
            "{html}"
        );
        assert_sound(&html);
    }

    #[test]
    fn a_fresh_token_comes_with_the_command_that_uses_it() {
        let html = page(Fresh::Here(Secret::DownloadToken("jwt.jwt.jwt".to_owned())));
        assert!(html.contains("Authorization: Bearer jwt.jwt.jwt"), "{html}");
        assert!(html.contains("current_fw=1.0.1") && html.contains("<script"));
    }

    #[test]
    fn a_secret_that_is_gone_is_explained() {
        assert!(page(Fresh::Gone).contains("shown already"));
    }
}
