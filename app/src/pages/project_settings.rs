//! What a project's page changes: its words, its delivery, its gateway token, and whether it exists.

use gatehouse_types::{firmware::Project, limits};
use leptos::prelude::*;
use uuid::Uuid;

use super::{loading::typed, projects::text_fields};
use crate::{
    components::{
        Banner, Button, Card, Checkbox, CodeBlock, Confirm, PostButton, PostForm, Section,
        TextField, Tone,
    },
    context::PageContext,
    format::fill,
    forms::{
        once::{self, Secret},
        projects::{DELIVERY, MIB_BYTES},
    },
    visit::Visit,
};

/// The forms, one below the other.
pub(super) fn settings(project: &Project) -> impl IntoView + use<> {
    let messages = PageContext::current().messages();
    let texts = &messages.project;
    let remove = fill(texts.remove_warning, &[("project", &project.title)]);
    let named = vec![("project", project.name.clone())];
    let (delivery, gateway, words) = (delivery(project), gateway(project), words(project));
    view! {
        <Section title=texts.delivery>
            <Card>{delivery}</Card>
        </Section>
        <Section title=messages.connect.gateway>{gateway}</Section>
        <Section title=texts.settings>
            <Card>{words}</Card>
            <Confirm
                summary=texts.remove
                warning=remove
                action="/api/ui/remove_project"
                button=texts.remove
                extra=named
            />
        </Section>
    }
}

fn words(project: &Project) -> impl IntoView + use<> {
    let page = PageContext::current();
    let messages = page.messages();
    let name = project.name.clone();
    let title = typed(&page, "title", &project.title);
    let others = text_fields(&page, &project.description, &project.hardware.join(", "));
    view! {
        <PostForm action="/api/ui/change_project">
            <input type="hidden" name="project" value=name />
            <TextField
                name="title"
                label=messages.projects.title_field
                value=title
                required=true
                max_chars=limits::NAME_MAX_CHARS
            />
            {others}
            <Button>{messages.common.save}</Button>
        </PostForm>
    }
}

fn delivery(project: &Project) -> impl IntoView + use<> {
    let page = PageContext::current();
    let messages = page.messages();
    let texts = &messages.project;
    let name = project.name.clone();
    let quota = project
        .quota_bytes
        .map(|bytes| (bytes / MIB_BYTES).to_string());
    let poll = typed(&page, "poll_s", &project.poll_s.to_string());
    let quota = typed(&page, "quota_bytes", &quota.unwrap_or_default());
    let (two_persons, registers) = (
        project.two_person_approval,
        project.registers_unknown_devices,
    );
    view! {
        <PostForm action="/api/ui/change_delivery">
            <input type="hidden" name="project" value=name />
            <TextField
                name="poll_s"
                label=texts.poll
                hint=texts.poll_hint
                scope=DELIVERY
                kind="number"
                range=(5, 86_400)
                required=true
                value=poll
            />
            <TextField
                name="quota_bytes"
                label=texts.quota
                hint=texts.quota_hint
                scope=DELIVERY
                kind="number"
                range=(0, i64::MAX / MIB_BYTES)
                value=quota
            />
            <Checkbox
                name="two_person_approval"
                label=texts.two_person
                hint=texts.two_person_hint
                scope=DELIVERY
                checked=two_persons
            />
            <Checkbox
                name="registers_unknown_devices"
                label=texts.registers
                hint=texts.registers_hint
                scope=DELIVERY
                checked=registers
            />
            <Button>{messages.common.save}</Button>
        </PostForm>
    }
}

fn gateway(project: &Project) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().connect;
    let named = || vec![("project", project.name.clone())];
    let values = [("project", project.title.as_str())];
    let forms = if project.has_gateway_token {
        view! {
            <p>{texts.gateway_some}</p>
            <Confirm
                summary=texts.gateway_replace
                warning=fill(texts.gateway_replace_warning, &values)
                action="/api/ui/create_gateway_token"
                button=texts.gateway_replace
                extra=named()
            />
            <Confirm
                summary=texts.gateway_end
                warning=fill(texts.gateway_end_warning, &values)
                action="/api/ui/revoke_gateway_token"
                button=texts.gateway_end
                extra=named()
            />
        }
        .into_any()
    } else {
        view! {
            <p>{texts.gateway_none}</p>
            <PostButton action="/api/ui/create_gateway_token" extra=named()>{texts.gateway_make}</PostButton>
        }
        .into_any()
    };
    view! {
        <p>{texts.gateway_hint}</p>
        {forms}
    }
}

/// A gateway token that was made a moment ago.
pub(super) enum FreshToken {
    /// The URL names none.
    NotAsked,
    /// Here it is, this once.
    Here(String),
    /// It was shown before, or waited for too long.
    Gone,
}

/// Takes the token that the page's query names, if it is still there.
pub(super) fn take_fresh(visit: &Visit, page: &PageContext) -> FreshToken {
    let Some(id) = page.query_value("shown") else {
        return FreshToken::NotAsked;
    };
    let id: Option<Uuid> = id.parse().ok();
    match id.and_then(|id| once::take(&visit.actor, id, page.now_ms)) {
        Some(Secret::GatewayToken(token)) => FreshToken::Here(token),
        _ => FreshToken::Gone,
    }
}

/// Shows a fresh gateway token with what it is for.
pub(super) fn fresh_gateway_token(token: FreshToken) -> AnyView {
    let messages = PageContext::current().messages();
    let texts = &messages.connect;
    let token = match token {
        FreshToken::NotAsked => return ().into_any(),
        FreshToken::Gone => {
            return view! { <Banner tone=Tone::Idle>{texts.gateway_gone}</Banner> }.into_any();
        }
        FreshToken::Here(token) => token,
    };
    view! {
        <Section title=texts.gateway>
            <Banner tone=Tone::Warn>{messages.common.shown_once}</Banner>
            <p>{texts.gateway_hint}</p>
            <CodeBlock label=texts.gateway text=token copy=true />
        </Section>
    }
    .into_any()
}
