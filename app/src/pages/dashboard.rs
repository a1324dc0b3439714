//! `/`: the services that somebody may open, and what is open now.

use gatehouse_types::access::{AccessSession, Service, SessionState};
use leptos::prelude::*;

use super::{
    loading::loaded,
    session_parts::{CloseSession, Extend, OpenService, WayIn},
};
use crate::{
    components::{
        Badge, ButtonLink, Card, EmptyState, IslandScripts, Page, Section, ServiceTile,
        SessionCountdown, StateBadge, Time, Tone,
    },
    context::PageContext,
    format::fill,
    visit::Visit,
};

/// The page that owners start from.
#[component]
pub fn Dashboard() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let load = async move {
        let services = portal.access.list_services(&actor).await?;
        Ok((services, portal.access.live_sessions(&actor).await?))
    };
    loaded(load, |(services, live)| {
        let texts = &PageContext::current().messages().dashboard;
        view! {
            <Page title=texts.title>
                <YourAddress />
                <OpenNow services=services.clone() live=live.clone() />
                <YourServices services=services live=live />
            </Page>
        }
    })
}

#[component]
fn YourAddress() -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().dashboard;
    let (address, note) = match page.client_ip {
        Some(ip) => (
            Some(ip.to_string()),
            fill(texts.address_hint, &[("ip", &ip.to_string())]),
        ),
        None => (None, texts.address_unknown.to_owned()),
    };
    let shown = match address {
        Some(address) => view! { <code>{address}</code> }.into_any(),
        None => view! { <Badge tone=Tone::Warn label=page.messages().common.unknown /> }.into_any(),
    };
    view! {
        <Card>
            <p>{texts.your_address} ": " {shown}</p>
            <p class="muted">{note}</p>
        </Card>
    }
}

#[component]
fn OpenNow(services: Vec<Service>, live: Vec<AccessSession>) -> impl IntoView {
    let texts = &PageContext::current().messages().dashboard;
    let counts_down = live
        .iter()
        .any(|session| session.state == SessionState::Open);
    let empty = live.is_empty() && !services.is_empty();
    let tiles = live
        .into_iter()
        .map(|session| {
            let service = services
                .iter()
                .find(|service| service.id == session.service_id)
                .cloned();
            view! { <OpenTile session=session service=service /> }
        })
        .collect_view();
    view! {
        <Section title=texts.open_now>
            {counts_down.then(|| view! { <IslandScripts /> })}
            {empty.then(|| view! { <EmptyState title=texts.nothing_open_title hint=texts.nothing_open_hint /> })}
            <div class="tiles">{tiles}</div>
        </Section>
    }
}

#[component]
fn OpenTile(session: AccessSession, service: Option<Service>) -> impl IntoView {
    let texts = &PageContext::current().messages().dashboard;
    let (icon, description) = service.as_ref().map_or_else(Default::default, |service| {
        (service.icon.clone(), service.description.clone())
    });
    let details = format!("/sessions/{}", session.id);
    let controls = if session.state == SessionState::Open {
        view! {
            <SessionCountdown expires_at_ms=session.expires_at.0 href=details.clone() />
            <WayIn session=session.clone() />
            <Extend session=session.clone() service=service back="dashboard" />
        }
        .into_any()
    } else {
        view! { <p>{texts.busy}</p> }.into_any()
    };
    view! {
        <ServiceTile icon=icon name=session.service_name.clone() description=description>
            <p><StateBadge state=session.state.as_str() /> " " <code>{session.client_ip.clone()}</code></p>
            {controls}
            <CloseSession session=session back="dashboard" />
            <p><a href=details>{texts.see_session}</a></p>
        </ServiceTile>
    }
}

#[component]
fn YourServices(services: Vec<Service>, live: Vec<AccessSession>) -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().dashboard;
    if services.is_empty() {
        return view! { <Section title=texts.services><NoServices /></Section> }.into_any();
    }
    let own_ip = page.client_ip.map(|ip| ip.to_string());
    let tiles = services
        .into_iter()
        .map(|service| {
            let here = |session: &&AccessSession| {
                session.service_id == service.id && Some(&session.client_ip) == own_ip.as_ref()
            };
            let session = live.iter().find(here).cloned();
            view! { <Tile service=service session=session /> }
        })
        .collect_view();
    view! { <Section title=texts.services><div class="tiles">{tiles}</div></Section> }.into_any()
}

#[component]
fn Tile(service: Service, session: Option<AccessSession>) -> impl IntoView {
    let texts = &PageContext::current().messages().dashboard;
    let state = session
        .as_ref()
        .map_or(SessionState::Closed, |session| session.state);
    let (icon, name, description) = (
        service.icon.clone(),
        service.name.clone(),
        service.description.clone(),
    );
    let action = match session {
        Some(session) if session.state == SessionState::Open => {
            view! { <p>{texts.open_until} " " <Time at_ms=session.expires_at.0 /></p> }.into_any()
        }
        Some(_) => view! { <p>{texts.busy}</p> }.into_any(),
        None => view! { <OpenService service=service button=texts.open /> }.into_any(),
    };
    view! {
        <ServiceTile icon=icon name=name description=description>
            <p><StateBadge state=state.as_str() /></p>
            {action}
        </ServiceTile>
    }
}

#[component]
fn NoServices() -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().dashboard;
    let next_step = page.is_admin();
    let hint = if next_step {
        texts.empty_admin
    } else {
        texts.empty_owner
    };
    view! {
        <EmptyState title=texts.empty_title hint=hint>
            {next_step.then(|| view! { <ButtonLink href="/admin/services/new">{texts.add_service}</ButtonLink> })}
        </EmptyState>
    }
}
