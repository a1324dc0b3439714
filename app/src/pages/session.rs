//! `/sessions/{id}`: one session, from the wish to its end.

use gatehouse_core::{Actor, Error, Portal, Result};
use gatehouse_types::access::{AccessSession, EndReason, Service, SessionState};
use leptos::prelude::*;
use uuid::Uuid;

use super::{
    loading::{loaded, path_value},
    session_parts::{
        CloseSession, Extend, GuestMark, MoveHere, OpenService, OverOtherFamily, WayIn,
        other_family, session_rev, shown_ip,
    },
    sessions::duration,
    waking::{OnwardWithoutScripts, Waking, destination, step_text},
};
use crate::{
    components::{
        Banner, Card, Fact, Facts, FreshWithoutScripts, KeptFresh, LivePart, LiveUpdates, Page,
        Section, SessionCountdown, StateBadge, Time, Tone, end_reason, size, state_word,
    },
    context::PageContext,
    format::fill,
    i18n::Sessions,
    links,
    visit::Visit,
};

/// The page of one session.
#[component]
pub fn Session() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let id = path_value("id");
    loaded(
        async move { find(&portal, &actor, id?).await },
        |(session, service, owner)| {
            let page = PageContext::current();
            let texts = &page.messages().sessions;
            let title = fill(texts.detail_title, &[("service", &session.service_name)]);
            let own = page.owns(session.user_id);
            let over = session.finished_at.is_some();
            let again = service
                .clone()
                .filter(|_| own && over)
                .map(|service| view! { <Again service=service session=session.clone() /> });
            let part = LivePart {
                name: "session".to_owned(),
                rev: session_rev(&session) + &shown_ip(&page),
                says: Some(news(&session, texts).to_owned()),
            };
            let kind = service.as_ref().map(|service| service.kind);
            let is_pending = session.state == SessionState::Pending;
            let there = destination(&session);
            view! {
                <Page title=title back=("/sessions".to_owned(), texts.back.to_owned())>
                    {is_pending.then(|| view! { <FreshWithoutScripts /> })}
                    {there.clone().map(|href| view! { <OnwardWithoutScripts href=href /> })}
                    <KeptFresh part=part>
                        <Standing session=session.clone() />
                        <Waking session=session.clone() kind=kind />
                        {there.map(|href| view! { <LeadIn href=href /> })}
                        {(session.state == SessionState::Open).then(|| view! { <Live session=session.clone() service=service /> })}
                        {again}
                        <WhatItLetsIn session=session.clone() owner=owner />
                        <CloseSession session=session back="session" />
                    </KeptFresh>
                    <LiveUpdates />
                </Page>
            }
        },
    )
}

async fn find(
    portal: &Portal,
    actor: &Actor,
    id: Uuid,
) -> Result<(AccessSession, Option<Service>, Option<String>)> {
    let session = portal.access.session(actor, id).await?;
    let service = there(portal.access.service(actor, session.service_id).await)?;
    let owner = if actor.is_admin() {
        there(portal.identity.user(actor, session.user_id).await)?
    } else {
        None
    };
    Ok((session, service, owner.map(|user| user.email)))
}

/// A session outlives its service and its account.
fn there<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says what the state means where it is not plain.
#[component]
fn Standing(session: AccessSession) -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().sessions;
    match session.state {
        SessionState::Pending => view! {
            <Banner tone=Tone::Busy title=page.messages().states.pending>{step_text(session.step, texts)}</Banner>
        }
        .into_any(),
        SessionState::Closing => {
            view! { <Banner tone=Tone::Busy title=page.messages().states.closing>{texts.closing_text}</Banner> }.into_any()
        }
        SessionState::Failed => {
            let text = match session.end_reason {
                Some(EndReason::RouterRefused) => texts.failed_refused,
                Some(EndReason::WakeFailed) => texts.failed_wake,
                Some(EndReason::NotAwake) => texts.failed_not_awake,
                Some(EndReason::PortalStopped) => texts.failed_portal_stopped,
                _ => texts.failed_unreachable,
            };
            view! { <Banner tone=Tone::Bad title=page.messages().states.failed>{text}</Banner> }.into_any()
        }
        SessionState::Open | SessionState::Closed => ().into_any(),
    }
}

/// What is announced when the page reads otherwise.
fn news(session: &AccessSession, texts: &Sessions) -> &'static str {
    match session.step {
        step @ Some(_) => step_text(step, texts),
        None => state_word(session.state.as_str()),
    }
}

/// The link that the browser follows by itself; see [`crate::islands::keep_fresh`].
#[component]
fn LeadIn(href: String) -> impl IntoView {
    let messages = PageContext::current().messages();
    let (texts, dashboard) = (&messages.sessions, &messages.dashboard);
    view! {
        <Banner tone=Tone::Good>
            {texts.leading_in} " " <a href=href data-lead-in="">{dashboard.go_to}</a>
        </Banner>
    }
}

#[component]
fn Live(session: AccessSession, service: Option<Service>) -> impl IntoView {
    let href = format!("/sessions/{}", session.id);
    view! {
        <Card>
            <SessionCountdown expires_at_ms=session.expires_at.0 href=href />
            <WayIn session=session.clone() />
            <MoveHere session=session.clone() back="session" />
            <Extend session=session service=service back="session" />
        </Card>
    }
}

#[component]
fn Again(service: Service, session: AccessSession) -> impl IntoView {
    let texts = &PageContext::current().messages().sessions;
    let label = if session.state == SessionState::Failed {
        texts.try_again
    } else {
        texts.open_again
    };
    let page = PageContext::current();
    let way = match other_family(&page, &service) {
        Some(obstacle) => view! {
            <OverOtherFamily
                obstacle=obstacle
                path=links::again(&page)
                hint=page.messages().dashboard.sign_in_there
            />
        }
        .into_any(),
        None => view! { <OpenService service=service button=label /> }.into_any(),
    };
    view! {
        <Section title=label><Card>{way}</Card></Section>
    }
}

#[component]
fn WhatItLetsIn(session: AccessSession, owner: Option<String>) -> impl IntoView {
    let page = PageContext::current();
    let (texts, common) = (&page.messages().sessions, &page.messages().common);
    let owner_fact = page.is_admin().then(|| {
        let name = owner.unwrap_or_else(|| texts.former_user.to_owned());
        view! { <Fact term=texts.user>{name}</Fact> }
    });
    let reason = session.end_reason.map(|reason| {
        view! { <Fact term=texts.end_reason>{end_reason(reason.as_str(), page.lang)}</Fact> }
    });
    let opened = session
        .opened_at
        .map(|at| view! { <Fact term=texts.opened_at><Time at_ms=at.0 /></Fact> });
    let end = match session.finished_at {
        Some(at) => view! { <Fact term=texts.finished_at><Time at_ms=at.0 /></Fact> }.into_any(),
        // The time that was asked for begins when the host is awake.
        None if session.step.is_some() => ().into_any(),
        None => {
            view! { <Fact term=texts.ends_at><Time at_ms=session.expires_at.0 /></Fact> }.into_any()
        }
    };
    let lasted =
        duration(&session).map(|lasted| view! { <Fact term=texts.duration>{lasted}</Fact> });
    let traffic = session.traffic_bytes.map(|bytes| {
        view! {
            <Fact term=texts.traffic>{size(bytes)} " " <span class="muted">{texts.traffic_hint}</span></Fact>
        }
    });
    view! {
        <Section title=texts.facts_title>
            <Facts>
                <Fact term=common.state><StateBadge state=session.state.as_str() /></Fact>
                {owner_fact}
                <Fact term=texts.let_in><code>{session.client_ip}</code> " " <GuestMark guest=session.guest /></Fact>
                <Fact term=texts.service><code>{format!("{}:{}", session.host, session.public_port)}</code></Fact>
                <Fact term=texts.requested_at><Time at_ms=session.requested_at.0 /></Fact>
                {opened}
                {end}
                {lasted}
                {traffic}
                {reason}
            </Facts>
        </Section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        context::tests::context,
        pages::{firmware_tests::render, session_parts::tests::demo_session},
    };

    fn standing(reason: EndReason) -> String {
        let session = AccessSession {
            end_reason: Some(reason),
            ..demo_session(SessionState::Failed, 5)
        };
        render(context(""), || view! { <Standing session=session /> })
    }

    #[test]
    fn a_failure_says_what_happened_and_what_to_do() {
        let silent = standing(EndReason::RouterUnreachable);
        assert!(
            silent.contains("did not answer") && silent.contains("Try again"),
            "{silent}"
        );
        let refused = standing(EndReason::RouterRefused);
        assert!(
            refused.contains("refused to open") && refused.contains("Tell an admin"),
            "{refused}"
        );
    }

    #[test]
    fn what_is_gone_is_no_error_but_a_fault_is() {
        assert_eq!(there::<u8>(Err(Error::NotFound("service"))).unwrap(), None);
        assert!(there::<u8>(Err(Error::StorageFull)).is_err());
    }
}
