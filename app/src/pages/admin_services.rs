//! `/admin/services` and `/admin/services/new`: every service, and one more.

use gatehouse_types::access::{Router, Service};
use leptos::prelude::*;

use super::{loading::loaded, service_fields::ServiceFields};
use crate::{
    components::{Button, ButtonLink, Card, DataTable, EmptyState, Page, PostForm},
    context::PageContext,
    format::fill,
    visit::Visit,
};

/// All services with what is behind them.
#[component]
pub fn AdminServices() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let load = async move {
        let routers = portal.access.list_routers(&actor).await?;
        Ok((portal.access.list_services(&actor).await?, routers))
    };
    loaded(load, |(services, routers)| {
        let texts = &PageContext::current().messages().services;
        let content = match (services.is_empty(), routers.is_empty()) {
            (true, true) => view! { <RouterFirst /> }.into_any(),
            (true, false) => view! {
                <EmptyState title=texts.empty_title hint=texts.empty_hint>
                    <ButtonLink href="/admin/services/new">{texts.add}</ButtonLink>
                </EmptyState>
            }
            .into_any(),
            (false, _) => view! {
                <p><ButtonLink href="/admin/services/new">{texts.add}</ButtonLink></p>
                <Table services=services routers=routers />
            }
            .into_any(),
        };
        view! { <Page title=texts.admin_title intro=texts.intro>{content}</Page> }
    })
}

#[component]
fn Table(services: Vec<Service>, routers: Vec<Router>) -> impl IntoView {
    let messages = PageContext::current().messages();
    let texts = &messages.services;
    let rows = services
        .into_iter()
        .map(|service| {
            let router = routers.iter().find(|router| router.id == service.router_id);
            let router = router.map_or_else(
                || messages.common.unknown.to_owned(),
                |router| router.name.clone(),
            );
            let people = fill(
                texts.people,
                &[("n", &service.granted_to.len().to_string())],
            );
            let public = format!(
                "{} {}",
                service.public_port,
                service.protocol.as_str().to_uppercase()
            );
            view! {
                <tr>
                    <td><a href=format!("/admin/services/{}", service.id)>{service.name}</a></td>
                    <td><a href=format!("/admin/routers/{}", service.router_id)>{router}</a></td>
                    <td class="figure">{public}</td>
                    <td><code>{socket_text(&service.lan_ip, service.lan_port)}</code></td>
                    <td>{people}</td>
                </tr>
            }
        })
        .collect_view();
    let heads = vec![
        messages.common.name,
        texts.router,
        texts.public_port,
        texts.in_lan,
        texts.granted_count,
    ];
    view! { <DataTable caption=texts.caption heads=heads>{rows}</DataTable> }
}

/// An IPv6 address stands in brackets before its port.
fn socket_text(ip: &str, port: u16) -> String {
    if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    }
}

/// The form for one more service.
#[component]
pub fn NewService() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    loaded(
        async move { portal.access.list_routers(&actor).await },
        |routers| {
            let messages = PageContext::current().messages();
            let texts = &messages.services;
            let content = if routers.is_empty() {
                view! { <RouterFirst /> }.into_any()
            } else {
                view! {
                    <Card>
                        <PostForm action="/api/ui/create_service">
                            <ServiceFields routers=routers kept=None />
                            <Button>{messages.common.create}</Button>
                        </PostForm>
                    </Card>
                }
                .into_any()
            };
            let back = ("/admin/services".to_owned(), texts.admin_title.to_owned());
            view! { <Page title=texts.add intro=texts.intro back=back>{content}</Page> }
        },
    )
}

#[component]
fn RouterFirst() -> impl IntoView {
    let texts = &PageContext::current().messages().services;
    view! {
        <EmptyState title=texts.empty_title hint=texts.empty_no_router>
            <ButtonLink href="/admin/routers/new">{texts.add_router}</ButtonLink>
        </EmptyState>
    }
}
