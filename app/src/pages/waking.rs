//! What a host that sleeps goes through before its service is open, step by step; then the way in.

use gatehouse_core::access::WAKE_LASTS_MS;
use gatehouse_types::access::{AccessSession, ServiceKind, SessionState, WakeStep};
use leptos::prelude::*;

use crate::{
    components::{Badge, Card, Section, Tone, second_text},
    context::PageContext,
    format::fill,
    i18n::Sessions,
    links,
};

/// Whether the page was reached by a click that wants to arrive at the service.
pub fn leads_in(page: &PageContext) -> bool {
    page.query_value(links::LEADS_IN).is_some()
}

/// Where a click on a web service wants to arrive, as soon as that is open.
pub fn destination(session: &AccessSession) -> Option<String> {
    let page = PageContext::current();
    let own = page.owns(session.user_id) && session.guest.is_none();
    let there = session.url.clone();
    there.filter(|_| own && session.state == SessionState::Open && leads_in(&page))
}

/// The steps of a session that waits for its host, with the moment when the waiting ends; nothing
/// for any other session.
#[component]
pub fn Waking(
    /// The session.
    session: AccessSession,
    /// What its service speaks; `None` when it is gone.
    kind: Option<ServiceKind>,
) -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().sessions;
    let deadline = second_text(session.requested_at.0 + WAKE_LASTS_MS);
    let waits = fill(texts.wake_deadline, &[("time", &deadline)]);
    let then = (leads_in(&page) && kind == Some(ServiceKind::Web)).then_some(texts.wake_leads_in);
    session.step.map(|step| {
        view! {
            <Section title=texts.steps_title>
                <Card>
                    <Steps now=step />
                    <p>{waits} " " {then}</p>
                </Card>
            </Section>
        }
    })
}

/// What goes on in a pending session, in a sentence.
pub const fn step_text(step: Option<WakeStep>, texts: &Sessions) -> &'static str {
    match step {
        None => texts.pending_text,
        Some(WakeStep::Waking) => texts.waking_text,
        Some(WakeStep::Waiting) => texts.waiting_text,
        Some(WakeStep::Opening) => texts.opening_text,
    }
}

/// The three steps: what is done, what goes on and what comes later.
#[component]
pub fn Steps(
    /// What goes on.
    now: WakeStep,
) -> impl IntoView {
    let texts = &PageContext::current().messages().sessions;
    let steps = [
        (WakeStep::Waking, texts.step_waking),
        (WakeStep::Waiting, texts.step_waiting),
        (WakeStep::Opening, texts.step_opening),
    ];
    let items = steps
        .map(|(step, label)| {
            let current = (step == now).then_some("step");
            let (tone, word) = progress(step, now, texts);
            view! { <li aria-current=current><Badge tone=tone label=word /> " " {label}</li> }
        })
        .collect_view();
    view! { <ol class="steps">{items}</ol> }
}

fn progress(step: WakeStep, now: WakeStep, texts: &Sessions) -> (Tone, &'static str) {
    match (place(step), place(now)) {
        (step, now) if step < now => (Tone::Good, texts.step_done),
        (step, now) if step == now => (Tone::Busy, texts.step_now),
        _ => (Tone::Idle, texts.step_later),
    }
}

const fn place(step: WakeStep) -> u8 {
    match step {
        WakeStep::Waking => 1,
        WakeStep::Waiting => 2,
        WakeStep::Opening => 3,
    }
}

/// Leads on where no scripts run; like [`crate::components::FreshWithoutScripts`] it stands
/// outside of what is kept fresh.
#[component]
pub fn OnwardWithoutScripts(
    /// Where to.
    href: String,
) -> impl IntoView {
    view! {
        <noscript>
            <meta http-equiv="refresh" content=format!("0;url={href}") />
        </noscript>
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_types::Timestamp;

    use super::*;
    use crate::{
        context::{Viewer, tests::context},
        pages::{firmware_tests::render, session_parts::tests::demo_session},
    };

    #[test]
    fn each_step_is_done_on_or_to_come_and_the_waiting_has_an_end() {
        let session = AccessSession {
            step: Some(WakeStep::Waiting),
            requested_at: Timestamp(1_763_719_200_000),
            ..demo_session(SessionState::Pending, 5)
        };
        let kind = Some(ServiceKind::Web);
        let html = render(
            context("go=1"),
            || view! { <Waking session=session kind=kind /> },
        );
        let words: Vec<_> = ["Done", "Now", "Later"]
            .map(|word| html.find(&format!(">{word}<")))
            .into();
        assert!(words.is_sorted() && words[0].is_some(), "{html}");
        assert!(html.contains("by 10:01:00 UTC"), "{html}");
        assert!(html.contains("you are led to it"), "{html}");
    }

    #[test]
    fn only_ones_own_open_web_service_is_led_to_and_only_after_the_click() {
        let arrives = |query: &str, viewer: u128, state, url: Option<&str>| {
            let session = AccessSession {
                url: url.map(str::to_owned),
                ..demo_session(state, 5)
            };
            let viewer = Viewer {
                id: uuid::Uuid::from_u128(viewer).to_string(),
                email: "ana@example.org".to_owned(),
                is_admin: true,
            };
            let page = crate::context::PageContext {
                actor: Some(viewer),
                ..context(query)
            };
            render(page, move || destination(&session).unwrap_or_default())
        };
        let (open, url) = (SessionState::Open, Some("http://192.0.2.1:8080/"));
        assert!(arrives("go=1", 3, open, url).contains("192.0.2.1"));
        for nowhere in [
            arrives("", 3, open, url),
            arrives("go=1", 4, open, url),
            arrives("go=1", 3, SessionState::Closed, url),
            arrives("go=1", 3, open, None),
        ] {
            assert_eq!(nowhere.trim(), "");
        }
    }
}
