//! `/sessions`: what is open, and what was.

use std::collections::BTreeMap;

use gatehouse_core::{Actor, Portal, Result};
use gatehouse_types::{
    Page as ListPage,
    access::{AccessSession, SessionQuery, SessionState},
};
use leptos::prelude::*;
use uuid::Uuid;

use super::{
    loading::loaded,
    people::addresses,
    session_parts::{CloseSession, GuestMark, session_rev},
};
use crate::{
    components::{
        ButtonLink, DataTable, EmptyState, KeptFresh, LivePart, LiveUpdates, Look, NextPage, Page,
        Section, SessionCountdown, StateBadge, Time, end_reason, size,
    },
    context::PageContext,
    format::clock_text,
    forms::Way,
    visit::Visit,
};

/// How many open sessions one page shows at the most.
const OPEN_ROWS: i64 = 500;

/// What the page shows.
struct Found {
    /// Nothing on later pages of the past.
    open: Option<Vec<AccessSession>>,
    rest: ListPage<AccessSession>,
    addresses: BTreeMap<Uuid, String>,
}

/// One's own sessions; everybody's for an admin.
#[component]
pub fn Sessions() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let after = PageContext::current().query_value("after");
    loaded(async move { find(&portal, &actor, after).await }, |found| {
        let texts = &PageContext::current().messages().sessions;
        let is_newest = found.open.is_some();
        let past = part("past", &found.rest.items);
        let addresses = found.addresses.clone();
        let open = found.open.map(|open| {
            let part = part("open", &open);
            view! { <KeptFresh part=part><Open sessions=open addresses=addresses /></KeptFresh> }
        });
        view! {
            <Page title=texts.title intro=texts.intro>
                {open}
                <KeptFresh part=past>
                    <Past sessions=found.rest addresses=found.addresses />
                </KeptFresh>
                {is_newest.then(|| view! { <LiveUpdates /> })}
            </Page>
        }
    })
}

fn part(name: &str, sessions: &[AccessSession]) -> LivePart {
    LivePart {
        name: name.to_owned(),
        rev: sessions.iter().map(session_rev).collect(),
        says: None,
    }
}

async fn find(portal: &Portal, actor: &Actor, after: Option<String>) -> Result<Found> {
    let open = if after.is_none() {
        let query = SessionQuery {
            state: Some(SessionState::Open),
            limit: Some(OPEN_ROWS),
            after: None,
        };
        Some(portal.access.list_sessions(actor, &query).await?.items)
    } else {
        None
    };
    let query = SessionQuery {
        after,
        ..SessionQuery::default()
    };
    let mut rest = portal.access.list_sessions(actor, &query).await?;
    rest.items
        .retain(|session| session.state != SessionState::Open);
    Ok(Found {
        open,
        rest,
        addresses: addresses(portal, actor).await?,
    })
}

#[component]
fn Open(sessions: Vec<AccessSession>, addresses: BTreeMap<Uuid, String>) -> impl IntoView {
    let page = PageContext::current();
    let (texts, common) = (&page.messages().sessions, &page.messages().common);
    if sessions.is_empty() {
        return view! {
            <Section title=texts.caption_open>
                <EmptyState title=texts.empty_open_title hint=texts.empty_open_hint>
                    <ButtonLink href="/">{texts.to_dashboard}</ButtonLink>
                </EmptyState>
            </Section>
        }
        .into_any();
    }
    let user_head = page.is_admin().then_some(texts.user);
    let heads = [
        Some(texts.service),
        user_head,
        Some(common.state),
        Some(texts.let_in),
        Some(texts.time_left),
    ];
    let heads = heads
        .into_iter()
        .flatten()
        .chain([common.actions])
        .collect();
    let rows = sessions
        .into_iter()
        .map(|session| {
            let href = format!("/sessions/{}", session.id);
            view! {
                <tr>
                    <td><a href=href.clone()>{session.service_name.clone()}</a></td>
                    {page.is_admin().then(|| owner_cell(&session, &addresses))}
                    <td><StateBadge state=session.state.as_str() /></td>
                    <td><code>{session.client_ip.clone()}</code> " " <GuestMark guest=session.guest.clone() /></td>
                    <td><SessionCountdown expires_at_ms=session.expires_at.0 href=href.clone() /></td>
                    <td>
                        <div class="row">
                            <ButtonLink href=href look=Look::Plain>{texts.extend}</ButtonLink>
                            <CloseSession session=session back="sessions" />
                        </div>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Section title=texts.caption_open>
            <DataTable caption=texts.list_open heads=heads>{rows}</DataTable>
        </Section>
    }
    .into_any()
}

#[component]
fn Past(sessions: ListPage<AccessSession>, addresses: BTreeMap<Uuid, String>) -> impl IntoView {
    let page = PageContext::current();
    let (texts, common) = (&page.messages().sessions, &page.messages().common);
    let next = sessions
        .next
        .map(|next| Way::to("/sessions").with("after", &next).into_url());
    if sessions.items.is_empty() && next.is_none() {
        return view! {
            <Section title=texts.caption_past>
                <EmptyState title=texts.empty_past_title hint=texts.empty_past_hint />
            </Section>
        }
        .into_any();
    }
    let user_head = page.is_admin().then_some(texts.user);
    let heads = [
        Some(texts.service),
        user_head,
        Some(common.state),
        Some(texts.end_reason),
        Some(texts.let_in),
    ];
    let heads = heads
        .into_iter()
        .flatten()
        .chain([texts.opened_at, texts.duration, texts.traffic])
        .collect();
    let rows = sessions
        .items
        .into_iter()
        .map(|session| {
            let reason = session.end_reason.map(|reason| end_reason(reason.as_str(), page.lang));
            view! {
                <tr>
                    <td><a href=format!("/sessions/{}", session.id)>{session.service_name.clone()}</a></td>
                    {page.is_admin().then(|| owner_cell(&session, &addresses))}
                    <td><StateBadge state=session.state.as_str() /></td>
                    <td>{reason.unwrap_or("–")}</td>
                    <td><code>{session.client_ip.clone()}</code> " " <GuestMark guest=session.guest.clone() /></td>
                    <td>{opened_at(&session)}</td>
                    <td class="figure">{duration(&session).unwrap_or_else(|| "–".to_owned())}</td>
                    <td class="figure">{session.traffic_bytes.map_or_else(|| "–".to_owned(), size)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Section title=texts.caption_past>
            <DataTable caption=texts.list_past heads=heads>{rows}</DataTable>
            <NextPage href=next />
        </Section>
    }
    .into_any()
}

/// A table's cell with the account that a session belongs to.
pub(super) fn owner_cell(
    session: &AccessSession,
    addresses: &BTreeMap<Uuid, String>,
) -> impl IntoView + use<> {
    let former = PageContext::current().messages().sessions.former_user;
    let email = addresses.get(&session.user_id).cloned();
    let name = match email {
        Some(email) => {
            view! { <a href=format!("/admin/users/{}", session.user_id)>{email}</a> }.into_any()
        }
        None => former.into_any(),
    };
    view! { <td>{name}</td> }
}

/// How long a session was open, as a clock; `None` when it never was or still is.
pub(super) fn duration(session: &AccessSession) -> Option<String> {
    Some(clock_text(session.finished_at?.0 - session.opened_at?.0))
}

/// A session that failed was never open.
fn opened_at(session: &AccessSession) -> impl IntoView + use<> {
    session.opened_at.map_or_else(
        || "–".into_any(),
        |at| view! { <Time at_ms=at.0 /> }.into_any(),
    )
}
