//! What the dashboard and the pages of sessions share: the way in, more time, the end.

use gatehouse_core::access::{DirectWay, OtherFamily};
use gatehouse_types::access::{AccessSession, Service, SessionGuest, SessionState, WakeStep};
use leptos::prelude::*;

use crate::{
    components::{Badge, Button, ButtonLink, Chips, Confirm, Look, PostForm, Tone, minute_choices},
    context::PageContext,
    format::fill,
    forms::Way,
    visit::Visit,
};

const MINUTE_MS: i64 = 60_000;

/// The link of an open web service, or where to point a program.
#[component]
pub fn WayIn(
    /// The session that is open.
    session: AccessSession,
) -> impl IntoView {
    let texts = &PageContext::current().messages().dashboard;
    if let Some(url) = session.url {
        return view! { <ButtonLink href=url new_tab=true>{texts.go_to}</ButtonLink> }.into_any();
    }
    let port = session.public_port.to_string();
    let notice = fill(
        texts.connect_to,
        &[("host", &session.host), ("port", &port)],
    );
    view! { <p>{notice}</p> }.into_any()
}

/// What keeps the reader from a service of the other kind of address; `None` where both are of one
/// kind, or the reader's is not known.
pub fn other_family(page: &PageContext, service: &Service) -> Option<OtherFamily> {
    let lan_ip = service.lan_ip.parse().ok()?;
    let access = &Visit::current().portal.access;
    access.other_family(page.client_ip?, lan_ip)
}

/// Says that a service is of the other kind of address, and leads on to where the portal is reached
/// over that one.
#[component]
pub fn OverOtherFamily(
    /// What keeps the reader from it.
    obstacle: OtherFamily,
    /// The page to go on with there.
    path: Way,
    /// What has to be done there first.
    #[prop(optional)]
    hint: &'static str,
) -> impl IntoView {
    let texts = &PageContext::current().messages().dashboard;
    let OtherFamily { yours, its, url } = obstacle;
    let why = fill(texts.other_family, &[("yours", yours), ("its", its)]);
    let Some(url) = url else {
        let how = fill(texts.reach_over, &[("its", its)]);
        return view! { <p class="muted">{why} " " {how}</p> }.into_any();
    };
    let host = url.split_once("://").map_or(&*url, |(_, host)| host);
    let there = fill(texts.reached_at, &[("its", its), ("host", host)]);
    let go_on = fill(texts.go_on_over, &[("its", its)]);
    let href = format!("{url}{}", path.path());
    view! {
        <p class="muted">{why} " " {there} " " {hint}</p>
        <ButtonLink href=href>{go_on}</ButtonLink>
    }
    .into_any()
}

/// The kind of an address.
pub fn family(ip: &str) -> &'static str {
    if ip.contains(':') { "IPv6" } else { "IPv4" }
}

/// The way to a service for somebody in its LAN.
#[component]
pub fn Direct(
    /// Where it is.
    way: DirectWay,
) -> impl IntoView {
    let texts = &PageContext::current().messages().dashboard;
    let hint = if way.is_certain {
        texts.in_lan
    } else {
        texts.perhaps_in_lan
    };
    let there = if let Some(url) = way.url {
        view! { <ButtonLink href=url new_tab=true>{texts.go_direct}</ButtonLink> }.into_any()
    } else {
        let port = way.port.to_string();
        let notice = fill(texts.connect_to, &[("host", &way.host), ("port", &port)]);
        view! { <p>{notice}</p> }.into_any()
    };
    view! {
        {there}
        <p class="muted">{hint}</p>
    }
}

/// Tells the form around it which address its page showed.
#[component]
pub fn ShownAddress() -> impl IntoView {
    let shown_ip = shown_ip(&PageContext::current());
    view! { <input type="hidden" name="shown_ip" value=shown_ip /> }
}

/// The reader's address as pages show it; empty where it cannot be told.
pub fn shown_ip(page: &PageContext) -> String {
    page.client_ip.map_or_else(String::new, |ip| ip.to_string())
}

/// The form that moves a session to the reader's address; nothing where it is that already, where
/// that cannot be told or is of another family, or where somebody else opened the session.
#[component]
pub fn MoveHere(
    /// The session that is open.
    session: AccessSession,
    /// Where to come back to: `dashboard` or `session`.
    back: &'static str,
) -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().dashboard;
    let own = page.owns(session.user_id);
    let here = page.client_ip.map(|ip| ip.to_string()).filter(|ip| {
        own && session.guest.is_none()
            && *ip != session.client_ip
            && family(ip) == family(&session.client_ip)
    });
    here.map(|ip| {
        let hint = fill(
            texts.move_hint,
            &[("old", &session.client_ip), ("new", &ip)],
        );
        view! {
            <PostForm action="/api/ui/move_session">
                <input type="hidden" name="id" value=session.id.to_string() />
                <input type="hidden" name="back" value=back />
                <ShownAddress />
                <p class="muted">{hint}</p>
                <Button look=Look::Plain>{texts.move_here}</Button>
            </PostForm>
        }
    })
}

/// Says whose invitation opened a session; nothing when its owner did.
#[component]
pub fn GuestMark(
    /// Who was invited, if anybody.
    guest: Option<SessionGuest>,
) -> impl IntoView {
    let text = PageContext::current().messages().invitations.guest_of;
    guest.map(|guest| {
        view! { <Badge tone=Tone::Idle label=fill(text, &[("label", &guest.label)]) /> }
    })
}

/// The form that opens a service for a chosen time.
#[component]
pub fn OpenService(
    /// The service.
    service: Service,
    /// What the button says.
    #[prop(into)]
    button: String,
) -> impl IntoView {
    let page = PageContext::current();
    let id = service.id.to_string();
    let options = minute_choices(service.default_minutes, service.max_minutes, page.lang);
    view! {
        <PostForm action="/api/ui/open_session">
            <input type="hidden" name="service_id" value=id.clone() />
            <ShownAddress />
            <Chips
                name="minutes"
                legend=page.messages().dashboard.open_for
                options=options
                selected=service.default_minutes.to_string()
                scope=id
            />
            <Button>{button}</Button>
        </PostForm>
    }
}

/// The form that moves the end of an open session further away; nothing when that cannot be, or
/// where the session is a guest's: that lasts as long as the invitation says.
#[component]
pub fn Extend(
    /// The session that is open.
    session: AccessSession,
    /// The service, for its limits; `None` when it is gone.
    service: Option<Service>,
    /// Where to come back to: `dashboard` or `session`.
    back: &'static str,
) -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().sessions;
    let max_minutes = service
        .filter(|_| session.guest.is_none())
        .map_or(0, |service| service.max_minutes);
    let left_minutes = (session.expires_at.0 - page.now_ms) / MINUTE_MS;
    let options: Vec<_> = minute_choices(max_minutes, max_minutes, page.lang)
        .into_iter()
        .filter(|choice| {
            choice
                .value
                .parse()
                .is_ok_and(|minutes: i64| minutes > left_minutes)
        })
        .collect();
    let id = session.id.to_string();
    options.first().cloned().map(|nearest| {
        view! {
            <PostForm action="/api/ui/extend_session">
                <input type="hidden" name="id" value=id.clone() />
                <input type="hidden" name="back" value=back />
                <Chips name="minutes" legend=texts.extend_to options=options selected=nearest.value scope=id />
                <Button look=Look::Plain>{texts.extend}</Button>
            </PostForm>
        }
    })
}

/// Closes a session after a second look; nothing when it is closing or over.
#[component]
pub fn CloseSession(
    /// The session.
    session: AccessSession,
    /// Where to come back to: `dashboard`, `sessions` or `session`.
    back: &'static str,
) -> impl IntoView {
    let texts = &PageContext::current().messages().sessions;
    let warning = fill(texts.close_warning, &[("service", &session.service_name)]);
    can_be_closed(session.state).then(|| {
        view! {
            <Confirm
                summary=texts.close
                warning=warning
                action="/api/ui/close_session"
                button=texts.close
                extra=vec![("id", session.id.to_string()), ("back", back.to_owned())]
            />
        }
    })
}

/// What a page says about a session, in short: it changes when the session does.
pub fn session_rev(session: &AccessSession) -> String {
    let (state, end_ms) = (session.state.as_str(), session.expires_at.0);
    let finished_ms = session.finished_at.map_or(0, |at| at.0);
    let step = session.step.map_or("", WakeStep::as_str);
    format!(
        "{}:{state}:{step}:{}:{end_ms}:{finished_ms};",
        session.id, session.client_ip
    )
}

const fn can_be_closed(state: SessionState) -> bool {
    matches!(state, SessionState::Pending | SessionState::Open)
}

#[cfg(test)]
pub(super) mod tests {
    use gatehouse_types::{
        Timestamp,
        access::{ServiceKind, Transport},
    };
    use uuid::Uuid;

    use super::*;
    use crate::{context::tests::context, pages::firmware_tests::render};

    /// A session that has `left_minutes` to go when the page of the tests is asked for.
    pub(in crate::pages) fn demo_session(state: SessionState, left_minutes: i64) -> AccessSession {
        let now_ms = context("").now_ms;
        AccessSession {
            id: Uuid::from_u128(1),
            service_id: Uuid::from_u128(2),
            service_name: "Printer <1>".to_owned(),
            user_id: Uuid::from_u128(3),
            state,
            step: None,
            client_ip: "203.0.113.9".to_owned(),
            host: "192.0.2.1".to_owned(),
            public_port: 8080,
            url: None,
            requested_at: Timestamp(now_ms),
            opened_at: None,
            expires_at: Timestamp(now_ms + left_minutes * MINUTE_MS),
            finished_at: None,
            end_reason: None,
            traffic_bytes: None,
            guest: None,
        }
    }

    fn demo_service() -> Service {
        Service {
            id: Uuid::from_u128(2),
            name: "Printer".to_owned(),
            description: String::new(),
            icon: "printer".to_owned(),
            router_id: Uuid::from_u128(4),
            lan_ip: "192.168.1.50".to_owned(),
            lan_port: 80,
            public_port: 8080,
            protocol: Transport::Tcp,
            kind: ServiceKind::Other,
            url_path: "/".to_owned(),
            default_minutes: 30,
            max_minutes: 90,
            wake: None,
            granted_to: Vec::new(),
            created_at: Timestamp(0),
        }
    }

    fn extend_html(left_minutes: i64, service: Option<Service>) -> String {
        let session = demo_session(SessionState::Open, left_minutes);
        render(
            context(""),
            || view! { <Extend session=session service=service back="session" /> },
        )
    }

    #[test]
    fn only_later_ends_are_on_offer() {
        let html = extend_html(45, Some(demo_service()));
        assert!(
            html.contains("value=\"60\"") && html.contains("value=\"90\""),
            "{html}"
        );
        assert!(
            !html.contains("value=\"15\"") && !html.contains("value=\"240\""),
            "{html}"
        );
        assert!(!extend_html(90, Some(demo_service())).contains("<form"));
        assert!(!extend_html(5, None).contains("<form"));
    }

    #[test]
    fn a_guests_session_is_not_offered_the_minutes_of_its_owner() {
        let session = AccessSession {
            guest: Some(SessionGuest {
                invitation_id: Uuid::from_u128(5),
                label: "Plumber".to_owned(),
            }),
            ..demo_session(SessionState::Open, 45)
        };
        let service = Some(demo_service());
        let html = render(
            context(""),
            || view! { <Extend session=session service=service back="session" /> },
        );
        assert!(!html.contains("<form"), "{html}");
    }

    #[test]
    fn only_what_runs_can_be_closed_and_the_button_says_what_ends() {
        let close = |state| {
            let session = demo_session(state, 5);
            render(
                context(""),
                || view! { <CloseSession session=session back="sessions" /> },
            )
        };
        assert!(close(SessionState::Open).contains("ends the session for Printer &lt;1&gt;"));
        for over in [
            SessionState::Closing,
            SessionState::Closed,
            SessionState::Failed,
        ] {
            assert!(!close(over).contains("<form"), "{over:?}");
        }
    }

    #[test]
    fn the_way_in_is_a_link_beside_this_page_or_host_and_port() {
        let way_in = |url: Option<&str>| {
            let session = AccessSession {
                url: url.map(str::to_owned),
                ..demo_session(SessionState::Open, 5)
            };
            render(context(""), || view! { <WayIn session=session /> })
        };
        let link = way_in(Some("http://192.0.2.1:8080/"));
        assert!(
            link.contains("target=\"_blank\"") && link.contains("rel=\"noopener noreferrer\""),
            "{link}"
        );
        assert!(way_in(None).contains("Connect to 192.0.2.1, port 8080."));
    }
}
