//! `/admin/routers/{id}`: settings, a test of the connection, removal.
//!
//! The test is a link, `?test=1`: it changes nothing on the router, and so the page itself can
//! show what was found without an error's text in the URL.

use gatehouse_types::access::{Router, RouterTest};
use leptos::prelude::*;

use super::{
    loading::{loaded, path_value},
    routers::RouterFields,
};
use crate::{
    components::{
        Banner, Button, ButtonLink, Card, Confirm, Fact, Facts, Page, PostForm, Section,
        StateBadge, Tone,
    },
    context::PageContext,
    format::fill,
    visit::Visit,
};

/// A clock that is off by more deserves a warning; the daemon refuses from a minute on.
const CLOCK_TOLERANCE_MS: u64 = 10_000;

/// The page of one router.
#[component]
pub fn RouterPage() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let id = path_value("id");
    let asked = PageContext::current().query_value("test").is_some();
    let load = async move {
        let router = portal.access.router(&actor, id?).await?;
        let test = if asked {
            Some(portal.access.test_router(&actor, router.id).await?)
        } else {
            None
        };
        Ok((router, test))
    };
    loaded(load, |(router, test)| {
        let texts = &PageContext::current().messages().routers;
        let title = fill(texts.edit_title, &[("name", &router.name)]);
        view! {
            <Page title=title back=("/admin/routers".to_owned(), texts.title.to_owned())>
                <Connection router=router.clone() test=test />
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
    let state = match &test {
        None => "untested",
        Some(test) if test.reachable => "reachable",
        Some(_) => "unreachable",
    };
    view! {
        <Section title=texts.connection>
            <p><StateBadge state=state /> " " <code>{router.address}</code></p>
            {test.map(|test| view! { <Findings test=test /> })}
            <p class="muted">{texts.test_hint}</p>
            <p><ButtonLink href=format!("/admin/routers/{}?test=1", router.id)>{label}</ButtonLink></p>
        </Section>
    }
}

#[component]
fn Findings(test: RouterTest) -> impl IntoView {
    let texts = &PageContext::current().messages().routers;
    if !test.reachable {
        return view! {
            <Banner tone=Tone::Bad>{texts.test_bad} " " <span lang="en">{test.detail}</span></Banner>
        }
        .into_any();
    }
    let milliseconds = |span_ms: i64| fill(texts.milliseconds, &[("n", &span_ms.to_string())]);
    let latency = test
        .latency_ms
        .map(|span_ms| view! { <Fact term=texts.latency>{milliseconds(span_ms)}</Fact> });
    let clock = test.clock_difference_ms.map(|span_ms| {
        let sign = if span_ms > 0 { "+" } else { "" };
        view! { <Fact term=texts.clock_difference>{sign} {milliseconds(span_ms)}</Fact> }
    });
    let sessions = test
        .sessions
        .map(|count| view! { <Fact term=texts.sessions_held>{count}</Fact> });
    let clock_is_off = test
        .clock_difference_ms
        .is_some_and(|span_ms| span_ms.unsigned_abs() > CLOCK_TOLERANCE_MS);
    view! {
        <Banner tone=Tone::Good>{texts.test_good}</Banner>
        {clock_is_off.then(|| view! { <Banner tone=Tone::Warn>{texts.clock_warning}</Banner> })}
        <Facts>{latency}{clock}{sessions}</Facts>
    }
    .into_any()
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
