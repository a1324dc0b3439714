//! `/admin/routers/{id}`: settings, a test of the connection, removal.
//!
//! The test is a link, `?test=1`: it changes nothing on the router, and so the page itself can
//! show what was found without an error's text in the URL.

use std::collections::BTreeMap;

use gatehouse_types::access::{AccessSession, Router, RouterHealth, RouterTest};
use leptos::prelude::*;
use uuid::Uuid;

use super::{
    loading::{loaded, path_value},
    people::addresses,
    routers::{RouterFields, state_of},
    session_parts::GuestMark,
    sessions::owner_cell,
};
use crate::{
    components::{
        Banner, Button, ButtonLink, Card, Confirm, DataTable, EmptyState, Fact, Facts, Page,
        PostForm, Section, StateBadge, Time, Tone, size,
    },
    context::PageContext,
    format::fill,
    i18n::{Lang, Routers as Texts},
    visit::Visit,
};

/// A clock that is off by so much deserves a warning; the daemon refuses from a minute on.
const CLOCK_TOLERANCE_MS: u64 = 2_000;
/// What the way of a message may make of two clocks that agree.
const SAME_CLOCK_MS: u64 = 100;

/// The page of one router.
#[component]
pub fn RouterPage() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let id = path_value("id");
    let asked = PageContext::current().query_value("test").is_some();
    let load = async move {
        let id = id?;
        let test = if asked {
            Some(portal.access.test_router(&actor, id).await?)
        } else {
            None
        };
        // The test has told how the router is.
        let router = portal.access.router(&actor, id).await?;
        let sessions = portal.access.sessions_on_router(&actor, id).await?;
        Ok((router, test, sessions, addresses(&portal, &actor).await?))
    };
    loaded(load, |(router, test, sessions, addresses)| {
        let texts = &PageContext::current().messages().routers;
        let title = fill(texts.edit_title, &[("name", &router.name)]);
        view! {
            <Page title=title back=("/admin/routers".to_owned(), texts.title.to_owned())>
                <Connection router=router.clone() test=test />
                <Sessions sessions=sessions addresses=addresses />
                <Settings router=router.clone() />
                <Removal router=router />
            </Page>
        }
    })
}

#[component]
fn Connection(router: Router, test: Option<RouterTest>) -> impl IntoView {
    let texts = &PageContext::current().messages().routers;
    let label = if test.is_some() {
        texts.test_again
    } else {
        texts.test
    };
    view! {
        <Section title=texts.connection>
            <p><StateBadge state=state_of(router.health.as_ref()) /> " " <code>{router.address}</code></p>
            {test.map(|test| view! { <Findings test=test /> })}
            {router.health.map(|health| view! { <Health health=health /> })}
            <p class="muted">{texts.state_hint} " " {texts.test_hint}</p>
            <p><ButtonLink href=format!("/admin/routers/{}?test=1", router.id)>{label}</ButtonLink></p>
        </Section>
    }
}

#[component]
fn Findings(test: RouterTest) -> impl IntoView {
    let texts = &PageContext::current().messages().routers;
    if test.reachable {
        let found = if test.keys_proven {
            texts.test_good
        } else {
            texts.test_half
        };
        return view! { <Banner tone=Tone::Good>{found}</Banner> }.into_any();
    }
    view! {
        <Banner tone=Tone::Bad>{texts.test_bad} " " <span lang="en">{test.detail}</span></Banner>
    }
    .into_any()
}

/// What is known of a router, from whatever was sent to it last.
#[component]
fn Health(health: RouterHealth) -> impl IntoView {
    let lang = PageContext::current().lang;
    let texts = &lang.messages().routers;
    let since = if health.reachable {
        texts.reachable_since
    } else {
        texts.unreachable_since
    };
    let is_off = health
        .clock_difference_ms
        .is_some_and(|ahead_ms| ahead_ms.unsigned_abs() >= CLOCK_TOLERANCE_MS);
    let cause = health
        .detail
        .map(|cause| view! { <Fact term=texts.cause><span lang="en">{cause}</span></Fact> });
    let latency = health
        .latency_ms
        .map(|span_ms| view! { <Fact term=texts.latency>{span_text(span_ms.unsigned_abs(), texts, lang)}</Fact> });
    let clock = health.clock_difference_ms.map(
        |ahead_ms| view! { <Fact term=texts.clock>{clock_text(ahead_ms, texts, lang)}</Fact> },
    );
    let sessions = health
        .sessions
        .map(|count| view! { <Fact term=texts.sessions_held>{count}</Fact> });
    let daemon = health.daemon_version.map(|version| {
        let backend = health.backend.unwrap_or_default();
        view! { <Fact term=texts.daemon><code>{version}</code> " " {backend}</Fact> }
    });
    view! {
        {is_off.then(|| view! { <Banner tone=Tone::Warn>{texts.clock_warning}</Banner> })}
        <Facts>
            <Fact term=since><Time at_ms=health.since.0 /></Fact>
            <Fact term=texts.checked_at><Time at_ms=health.checked_at.0 relative=true /></Fact>
            {cause}
            {latency}
            {clock}
            {sessions}
            {daemon}
        </Facts>
    }
}

#[component]
fn Sessions(sessions: Vec<AccessSession>, addresses: BTreeMap<Uuid, String>) -> impl IntoView {
    let messages = PageContext::current().messages();
    let (texts, of_session) = (&messages.routers, &messages.sessions);
    if sessions.is_empty() {
        return view! {
            <Section title=texts.sessions_title>
                <EmptyState title=texts.sessions_empty hint=texts.sessions_empty_hint />
            </Section>
        }
        .into_any();
    }
    let heads = vec![
        of_session.service,
        of_session.user,
        messages.common.state,
        of_session.let_in,
        of_session.ends_at,
        of_session.traffic,
    ];
    let rows = sessions
        .into_iter()
        .map(|session| {
            view! {
                <tr>
                    <td><a href=format!("/sessions/{}", session.id)>{session.service_name.clone()}</a></td>
                    {owner_cell(&session, &addresses)}
                    <td><StateBadge state=session.state.as_str() /></td>
                    <td><code>{session.client_ip}</code> " " <GuestMark guest=session.guest /></td>
                    <td><Time at_ms=session.expires_at.0 /></td>
                    <td class="figure">{session.traffic_bytes.map_or_else(|| "–".to_owned(), size)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Section title=texts.sessions_title>
            <DataTable caption=texts.sessions_caption heads=heads>{rows}</DataTable>
            <p class="muted">{of_session.traffic} ": " {of_session.traffic_hint}</p>
        </Section>
    }
    .into_any()
}

/// Says how far a clock is off.
fn clock_text(ahead_ms: i64, texts: &Texts, lang: Lang) -> String {
    if ahead_ms.unsigned_abs() <= SAME_CLOCK_MS {
        return texts.clock_same.to_owned();
    }
    let text = if ahead_ms > 0 {
        texts.clock_ahead
    } else {
        texts.clock_behind
    };
    let span = span_text(ahead_ms.unsigned_abs(), texts, lang);
    fill(text, &[("span", &span)])
}

/// Writes milliseconds as such, and from a second on seconds with one decimal.
fn span_text(span_ms: u64, texts: &Texts, lang: Lang) -> String {
    if span_ms < 1000 {
        return fill(texts.milliseconds, &[("n", &span_ms.to_string())]);
    }
    let (seconds, tenth) = (span_ms / 1000, span_ms % 1000 / 100);
    let number = format!("{seconds}{}{tenth}", lang.decimal_mark());
    fill(texts.seconds, &[("n", &number)])
}

#[component]
fn Settings(router: Router) -> impl IntoView {
    let messages = PageContext::current().messages();
    view! {
        <Section title=messages.routers.settings>
            <Card>
                <PostForm action="/api/ui/change_router">
                    <input type="hidden" name="id" value=router.id.to_string() />
                    <RouterFields kept=Some(router) />
                    <Button>{messages.common.save}</Button>
                </PostForm>
            </Card>
        </Section>
    }
}

#[component]
fn Removal(router: Router) -> impl IntoView {
    let texts = &PageContext::current().messages().routers;
    let warning = fill(texts.remove_warning, &[("name", &router.name)]);
    view! {
        <Section title=texts.removal>
            <Confirm
                summary=texts.removal
                warning=warning
                action="/api/ui/remove_router"
                button=texts.removal
                extra=vec![("id", router.id.to_string())]
            />
        </Section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_ahead_behind_or_the_same() {
        let texts = &Lang::En.messages().routers;
        let said = |ahead_ms| clock_text(ahead_ms, texts, Lang::En);
        assert_eq!(said(-100), "the same as the portal's");
        assert_eq!(said(350), "350 ms ahead of the portal's");
        assert_eq!(said(-2_500), "2.5 s behind the portal's");
        let spanish = clock_text(61_999, &Lang::Es.messages().routers, Lang::Es);
        assert_eq!(spanish, "61,9 s por delante del reloj del portal");
    }
}
