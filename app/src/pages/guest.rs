//! `/guest`: what somebody with the link of an invitation sees; no account, no script needed.
//!
//! `?token=` is the secret of the link. `?pass=` is given out when a session is opened and shows
//! that session.

use gatehouse_core::{Actor, Error, Portal, Result, access::Welcome};
use gatehouse_types::access::{AccessSession, InvitationState, SessionState};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

use super::{
    loading::loaded,
    session_parts::{OverOtherFamily, ShownAddress, WayIn, family, session_rev},
};
use crate::{
    components::{
        Banner, Button, ButtonLink, Card, Chips, Confirm, Fact, Facts, FreshWithoutScripts,
        KeptFresh, LivePart, Look, Page, PolledUpdates, PostForm, SessionCountdown, StateBadge,
        Time, Tone, minute_choices, state_word,
    },
    context::PageContext,
    format::fill,
    forms::Way,
    links,
    visit::Visit,
};

enum Found {
    Unknown,
    Invitation(Welcome),
    Session(AccessSession),
}

/// An invitation, or the session that was opened with it.
#[component]
pub fn Guest() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let page = PageContext::current();
    let response = use_context::<ResponseOptions>();
    let load = async move {
        let token = page.query_value("token").unwrap_or_default();
        let pass = page.query_value("pass").unwrap_or_default();
        let found = find(&portal, &actor, &token, &pass).await;
        if let (Err(Error::TooMany { retry_after_s }), Some(response)) = (&found, response) {
            response.insert_header(RETRY_AFTER, HeaderValue::from(*retry_after_s));
        }
        found
    };
    loaded(load, |found| match found {
        Found::Unknown => view! { <Unknown /> }.into_any(),
        Found::Invitation(welcome) if can_open(&welcome) => {
            view! { <Invited welcome=welcome /> }.into_any()
        }
        Found::Invitation(welcome) => view! { <Over state=welcome.state /> }.into_any(),
        Found::Session(session) => view! { <Opened session=session /> }.into_any(),
    })
}

async fn find(portal: &Portal, actor: &Actor, token: &str, pass: &str) -> Result<Found> {
    let access = &portal.access;
    let found = match (pass.is_empty(), token.is_empty()) {
        (false, _) => access.guest_session(actor, pass).await.map(Found::Session),
        (true, false) => access.welcome(actor, token).await.map(Found::Invitation),
        (true, true) => Ok(Found::Unknown),
    };
    match found {
        Err(Error::NotFound(_)) => Ok(Found::Unknown),
        other => other,
    }
}

/// What is open already can be shown again, whatever became of the invitation.
fn can_open(welcome: &Welcome) -> bool {
    welcome.state == InvitationState::Active || welcome.open_until_ms.is_some()
}

#[component]
fn Invited(welcome: Welcome) -> impl IntoView {
    let page = PageContext::current();
    let (texts, dashboard) = (&page.messages().guest, &page.messages().dashboard);
    let title = fill(texts.title, &[("service", &welcome.service_name)]);
    let intro = fill(texts.intro, &[("who", &welcome.invited_by)]);
    let expires_at_ms = welcome.expires_at_ms;
    let uses_left = welcome.uses_left.to_string();
    let obstacle = welcome.other_family.clone();
    let way = match (page.client_ip, obstacle) {
        (None, _) => view! { <Banner tone=Tone::Bad>{texts.address_unknown}</Banner> }.into_any(),
        (Some(_), Some(obstacle)) => {
            let path = links::again(&page);
            view! { <Card><OverOtherFamily obstacle=obstacle path=path /></Card> }.into_any()
        }
        (Some(ip), None) => {
            let ip = ip.to_string();
            let hint = fill(dashboard.address_hint, &[("ip", &ip)]);
            view! {
                <Card>
                    <p>{dashboard.your_address} ": " <code>{ip.clone()}</code> " (" {family(&ip)} ")"</p>
                    <p>{hint}</p>
                    <OpenForm welcome=welcome />
                </Card>
            }
            .into_any()
        }
    };
    view! {
        <Page title=title intro=intro>
            {way}
            <Facts>
                <Fact term=texts.uses_left>{uses_left}</Fact>
                <Fact term=texts.ends><Time at_ms=expires_at_ms /></Fact>
            </Facts>
        </Page>
    }
}

#[component]
fn OpenForm(welcome: Welcome) -> impl IntoView {
    let page = PageContext::current();
    let (texts, dashboard) = (&page.messages().guest, &page.messages().dashboard);
    let token = page.query_value("token").unwrap_or_default();
    let (choice, button) = if let Some(until_ms) = welcome.open_until_ms {
        let until = view! {
            <p>{texts.open_here} " " <Time at_ms=until_ms /></p>
            // No minutes: what has ended since is not opened anew, which would take a use.
            <input type="hidden" name="minutes" value="0" />
        };
        (until.into_any(), texts.show)
    } else {
        let most = welcome.max_minutes;
        let options = minute_choices(most, most, page.lang);
        let chips = view! {
            <Chips name="minutes" legend=dashboard.open_for options=options selected=most.to_string() />
        };
        (chips.into_any(), dashboard.open)
    };
    view! {
        <PostForm action="/guest">
            <input type="hidden" name="token" value=token />
            <ShownAddress />
            {choice}
            <Button>{button}</Button>
        </PostForm>
    }
}

#[component]
fn Opened(session: AccessSession) -> impl IntoView {
    let page = PageContext::current();
    let (texts, sessions) = (&page.messages().guest, &page.messages().sessions);
    let title = fill(texts.session_title, &[("service", &session.service_name)]);
    let close = matches!(session.state, SessionState::Pending | SessionState::Open)
        .then(|| view! { <Close service_name=session.service_name.clone() /> });
    let part = LivePart {
        name: "session".to_owned(),
        rev: session_rev(&session),
        says: Some(state_word(session.state.as_str()).to_owned()),
    };
    let is_pending = session.state == SessionState::Pending;
    let ends = session
        .finished_at
        .is_none()
        .then(|| view! { <Fact term=texts.ends_at><Time at_ms=session.expires_at.0 /></Fact> });
    view! {
        <Page title=title>
            {is_pending.then(|| view! { <FreshWithoutScripts /> })}
            <KeptFresh part=part>
            <Standing session=session.clone() />
            <Facts>
                <Fact term=page.messages().common.state><StateBadge state=session.state.as_str() /></Fact>
                <Fact term=sessions.let_in><code>{session.client_ip}</code></Fact>
                <Fact term=texts.reached_at><code>{format!("{}:{}", session.host, session.public_port)}</code></Fact>
                {ends}
            </Facts>
            {close}
            </KeptFresh>
            <BackToInvitation />
            <PolledUpdates />
        </Page>
    }
}

/// Says what the state means, and leads in while it is open.
#[component]
fn Standing(session: AccessSession) -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().guest;
    let (tone, text) = match session.state {
        SessionState::Open => {
            let (expires_at_ms, href) = (session.expires_at.0, links::again(&page).into_url());
            return view! {
                <Card>
                    <SessionCountdown expires_at_ms=expires_at_ms href=href soon_note=texts.soon_note />
                    <WayIn session=session />
                </Card>
            }
            .into_any();
        }
        SessionState::Pending => (Tone::Busy, texts.pending),
        SessionState::Closing => (Tone::Busy, texts.closing),
        SessionState::Closed => (Tone::Idle, texts.closed),
        SessionState::Failed => (Tone::Bad, texts.failed),
    };
    view! { <Banner tone=tone>{text}</Banner> }.into_any()
}

#[component]
fn Close(service_name: String) -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().sessions;
    let value = |name| page.query_value(name).unwrap_or_default();
    view! {
        <Confirm
            summary=texts.close
            warning=fill(texts.close_warning, &[("service", &service_name)])
            action="/guest/close"
            button=texts.close
            extra=vec![("token", value("token")), ("pass", value("pass"))]
        />
    }
}

#[component]
fn BackToInvitation() -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().guest;
    page.query_value("token").map(|token| {
        let href = Way::to("/guest").with("token", &token).into_url();
        view! { <p><ButtonLink href=href look=Look::Plain>{texts.back}</ButtonLink></p> }
    })
}

#[component]
fn Over(state: InvitationState) -> impl IntoView {
    answer_with(StatusCode::GONE);
    let texts = &PageContext::current().messages().guest;
    let reason = match state {
        // Another guest's last use came between.
        InvitationState::Active | InvitationState::UsedUp => texts.over_used_up,
        InvitationState::Expired => texts.over_expired,
        InvitationState::Revoked => texts.over_revoked,
        InvitationState::Suspended => texts.over_suspended,
    };
    view! {
        <Page title=texts.over_title>
            <Banner tone=Tone::Idle>{reason}</Banner>
            <p>{texts.over_hint}</p>
        </Page>
    }
}

#[component]
fn Unknown() -> impl IntoView {
    answer_with(StatusCode::NOT_FOUND);
    let texts = &PageContext::current().messages().guest;
    view! {
        <Page title=texts.unknown_title>
            <p>{texts.unknown_hint}</p>
        </Page>
    }
}

fn answer_with(status: StatusCode) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(status);
    }
}
