//! `/admin/routers` and `/admin/routers/new`: every router, and one more.

use gatehouse_types::{
    access::{Router, RouterHealth},
    limits::NAME_MAX_CHARS,
};
use leptos::prelude::*;

use super::loading::{loaded, typed};
use crate::{
    components::{
        Button, ButtonLink, Card, Choice, CodeBlock, DataTable, EmptyState, Page, PostForm,
        Section, SelectField, StateBadge, TextField, Time,
    },
    context::PageContext,
    visit::Visit,
};

/// All routers.
#[component]
pub fn Routers() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    loaded(
        async move { portal.access.list_routers(&actor).await },
        |routers| {
            let texts = &PageContext::current().messages().routers;
            let content = if routers.is_empty() {
                view! {
                    <EmptyState title=texts.empty_title hint=texts.empty_hint>
                        <ButtonLink href="/admin/routers/new">{texts.add}</ButtonLink>
                    </EmptyState>
                }
                .into_any()
            } else {
                view! {
                    <p><ButtonLink href="/admin/routers/new">{texts.add}</ButtonLink></p>
                    <Table routers=routers />
                }
                .into_any()
            };
            view! { <Page title=texts.title intro=texts.intro>{content}</Page> }
        },
    )
}

#[component]
fn Table(routers: Vec<Router>) -> impl IntoView {
    let messages = PageContext::current().messages();
    let texts = &messages.routers;
    let rows = routers
        .into_iter()
        .map(|router| {
            let href = format!("/admin/routers/{}", router.id);
            view! {
                <tr>
                    <td><a href=href.clone()>{router.name}</a></td>
                    <td><StateBadge state=state_of(router.health.as_ref()) /></td>
                    <td><code>{router.address}</code></td>
                    <td class="figure">{router.protocol}</td>
                    <td><Time at_ms=router.created_at.0 /></td>
                    <td><a href=format!("{href}?test=1")>{texts.test}</a></td>
                </tr>
            }
        })
        .collect_view();
    let common = &messages.common;
    let heads = vec![
        common.name,
        common.state,
        texts.address,
        texts.protocol,
        common.created_at,
        common.actions,
    ];
    view! { <DataTable caption=texts.caption heads=heads>{rows}</DataTable> }
}

/// The word of a router's state, for its badge.
pub(super) fn state_of(health: Option<&RouterHealth>) -> &'static str {
    match health {
        None => "untested",
        Some(health) if health.reachable => "reachable",
        Some(_) => "unreachable",
    }
}

/// The form for one more router, with the way to its values.
#[component]
pub fn NewRouter() -> impl IntoView {
    let messages = PageContext::current().messages();
    let texts = &messages.routers;
    view! {
        <Page title=texts.add intro=texts.intro back=("/admin/routers".to_owned(), texts.title.to_owned())>
            <Section title=texts.keygen_title>
                <p>{texts.keygen_hint}</p>
                <CodeBlock label=texts.keygen_command text="gatehouse-routerd keygen" />
            </Section>
            <Section title=texts.settings>
                <Card>
                    <PostForm action="/api/ui/create_router">
                        <RouterFields kept=None />
                        <Button>{messages.common.create}</Button>
                    </PostForm>
                </Card>
            </Section>
        </Page>
    }
}

/// The fields of a router; its keys are never filled in.
#[component]
pub fn RouterFields(
    /// The router as it is; `None` for a new one, which needs both keys.
    kept: Option<Router>,
) -> impl IntoView {
    let page = PageContext::current();
    let messages = page.messages();
    let texts = &messages.routers;
    let new = kept.is_none();
    let (name, address, pin, protocol) = kept.map_or_else(Default::default, |router| {
        let protocol = router.protocol.to_string();
        (router.name, router.address, router.cert_sha256, protocol)
    });
    let protocols = vec![
        Choice::new("2", texts.protocol_ours),
        Choice::new("1", texts.protocol_original),
    ];
    let key_hint = if new { texts.key_hint } else { texts.key_keep };
    view! {
        <TextField
            name="name"
            label=messages.common.name
            value=typed(&page, "name", &name)
            required=true
            max_chars=NAME_MAX_CHARS
        />
        <TextField
            name="address"
            label=texts.address
            hint=texts.address_hint
            value=typed(&page, "address", &address)
            required=true
            max_chars=255
            mono=true
        />
        <TextField
            name="cert_sha256"
            label=texts.cert_sha256
            hint=texts.cert_hint
            value=typed(&page, "cert_sha256", &pin)
            required=true
            max_chars=95
            mono=true
        />
        <SelectField
            name="protocol"
            label=texts.protocol
            options=protocols
            selected=typed(&page, "protocol", &protocol)
            hint=texts.protocol_hint
        />
        <TextField
            name="api_key"
            label=texts.api_key
            hint=key_hint
            kind="password"
            autocomplete="off"
            required=new
            max_chars=256
            mono=true
        />
        <TextField
            name="aes_key"
            label=texts.aes_key
            hint=key_hint
            kind="password"
            autocomplete="off"
            required=new
            max_chars=256
            mono=true
        />
    }
}
