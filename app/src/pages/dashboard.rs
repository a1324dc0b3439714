//! `/`: the services that somebody may open, and what is open now.

use std::collections::BTreeMap;

use gatehouse_types::access::{AccessSession, Service, ServiceReach, SessionState};
use leptos::prelude::*;
use uuid::Uuid;

use super::{
    loading::loaded,
    session_parts::{
        CloseSession, Direct, Extend, GuestMark, MoveHere, OpenService, OverOtherFamily, WayIn,
        family, other_family, session_rev, shown_ip,
    },
    waking::step_text,
};
use crate::{
    components::{
        Badge, ButtonLink, Card, EmptyState, KeptFresh, LivePart, LiveUpdates, Page, Section,
        ServiceState, ServiceTile, SessionCountdown, StateBadge, Time, Tone, state_word,
    },
    context::PageContext,
    format::fill,
    forms::Way,
    links,
    visit::Visit,
};

/// The page that owners start from.
#[component]
pub fn Dashboard() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let load = async move {
        let services = portal.access.list_services(&actor).await?;
        let reaches = portal.access.look_at(&services);
        Ok((
            services,
            reaches,
            portal.access.live_sessions(&actor).await?,
        ))
    };
    loaded(load, |(services, reaches, live)| {
        let texts = &PageContext::current().messages().dashboard;
        view! {
            <Page title=texts.title>
                <YourAddress />
                <OpenNow services=services.clone() live=live.clone() />
                <YourServices services=services reaches=reaches live=live />
                <LiveUpdates services=true />
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
        Some(address) => {
            let family = family(&address);
            view! { <code>{address}</code> " (" {family} ")" }.into_any()
        }
        None => view! { <Badge tone=Tone::Warn label=page.messages().common.unknown /> }.into_any(),
    };
    let part = LivePart {
        name: "your-address".to_owned(),
        rev: shown_ip(&page),
        says: Some(note.clone()),
    };
    view! {
        <KeptFresh part=part>
            <Card>
                <p>{texts.your_address} ": " {shown}</p>
                <p class="muted">{note}</p>
            </Card>
        </KeptFresh>
    }
}

#[component]
fn OpenNow(services: Vec<Service>, live: Vec<AccessSession>) -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().dashboard;
    let part = LivePart {
        name: "open-now".to_owned(),
        rev: live.iter().map(session_rev).collect::<String>() + &shown_ip(&page),
        says: None,
    };
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
        <KeptFresh part=part>
        <Section title=texts.open_now>
            {empty.then(|| view! { <EmptyState title=texts.nothing_open_title hint=texts.nothing_open_hint /> })}
            <div class="tiles">{tiles}</div>
        </Section>
        </KeptFresh>
    }
}

#[component]
fn OpenTile(session: AccessSession, service: Option<Service>) -> impl IntoView {
    let texts = &PageContext::current().messages().dashboard;
    let (icon, description) = service.as_ref().map_or_else(Default::default, |service| {
        (service.icon.clone(), service.description.clone())
    });
    let details = format!("/sessions/{}", session.id);
    let is_here = PageContext::current().is_from(&session.client_ip);
    let this_device =
        is_here.then(|| view! { " " <Badge tone=Tone::Idle label=texts.this_device /> });
    let controls = if session.state == SessionState::Open {
        view! {
            <SessionCountdown expires_at_ms=session.expires_at.0 href=details.clone() />
            <WayIn session=session.clone() />
            <MoveHere session=session.clone() back="dashboard" />
            <Extend session=session.clone() service=service back="dashboard" />
        }
        .into_any()
    } else {
        let of_sessions = &PageContext::current().messages().sessions;
        let text = match session.step {
            None => texts.busy,
            step @ Some(_) => step_text(step, of_sessions),
        };
        view! { <p>{text}</p> }.into_any()
    };
    view! {
        <ServiceTile icon=icon name=session.service_name.clone() description=description>
            <p><StateBadge state=session.state.as_str() /> " " <code>{session.client_ip.clone()}</code> {this_device} <GuestMark guest=session.guest.clone() /></p>
            {controls}
            <CloseSession session=session back="dashboard" />
            <p><a href=details>{texts.see_session}</a></p>
        </ServiceTile>
    }
}

#[component]
fn YourServices(
    services: Vec<Service>,
    mut reaches: BTreeMap<Uuid, ServiceReach>,
    live: Vec<AccessSession>,
) -> impl IntoView {
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
                let own = session.service_id == service.id && session.guest.is_none();
                own && Some(&session.client_ip) == own_ip.as_ref()
            };
            let session = live.iter().find(here).cloned();
            let reach = reaches.remove(&service.id);
            view! { <Tile service=service reach=reach session=session /> }
        })
        .collect_view();
    view! { <Section title=texts.services><div class="tiles">{tiles}</div></Section> }.into_any()
}

#[component]
fn Tile(
    service: Service,
    reach: Option<ServiceReach>,
    session: Option<AccessSession>,
) -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().dashboard;
    let state = session
        .as_ref()
        .map_or(SessionState::Closed, |session| session.state);
    let (icon, name, description) = (
        service.icon.clone(),
        service.name.clone(),
        service.description.clone(),
    );
    let live = LivePart {
        name: format!("service-{}", service.id),
        rev: session.iter().map(session_rev).collect::<String>() + &shown_ip(&page),
        says: Some(format!("{name}: {}", state_word(state.as_str()))),
    };
    let id = service.id;
    let invite = links::new_invitation()
        .with("service", &id.to_string())
        .into_url();
    let portal = Visit::current().portal;
    let direct = page
        .client_ip
        .and_then(|ip| portal.access.direct_way(&service, ip));
    let obstacle = other_family(&page, &service);
    let action = match session {
        Some(session) if session.state == SessionState::Open => {
            view! { <p>{texts.open_until} " " <Time at_ms=session.expires_at.0 /></p> }.into_any()
        }
        Some(_) => view! { <p>{texts.busy}</p> }.into_any(),
        None if direct.as_ref().is_some_and(|way| way.is_certain) => ().into_any(),
        None => match obstacle {
            Some(obstacle) => view! {
                <OverOtherFamily obstacle=obstacle path=Way::to("/") hint=texts.sign_in_there />
            }
            .into_any(),
            None => view! { <OpenService service=service button=texts.open /> }.into_any(),
        },
    };
    view! {
        <ServiceTile icon=icon name=name description=description live=live>
            <p><StateBadge state=state.as_str() /></p>
            <ServiceState service_id=id reach=reach />
            {direct.map(|way| view! { <Direct way=way /> })}
            {action}
            <p><a href=invite>{page.messages().invitations.invite}</a></p>
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
