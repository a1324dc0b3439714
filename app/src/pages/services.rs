//! `/services`: what somebody may open, and where it leads.

use gatehouse_types::access::{Service, ServiceKind};
use leptos::prelude::*;

use super::loading::loaded;
use crate::{
    components::{ButtonLink, DataTable, EmptyState, Icon, Page},
    context::PageContext,
    format::fill,
    i18n::Messages,
    visit::Visit,
};

/// The services granted to the reader; all of them for an admin.
#[component]
pub fn Services() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    loaded(
        async move { portal.access.list_services(&actor).await },
        |services| {
            let page = PageContext::current();
            let texts = &page.messages().services;
            let intro = if page.is_admin() {
                texts.intro
            } else {
                texts.intro_owner
            };
            view! {
                <Page title=texts.title intro=intro>
                    {if services.is_empty() {
                        view! { <Nothing /> }.into_any()
                    } else {
                        view! { <Table services=services /> }.into_any()
                    }}
                </Page>
            }
        },
    )
}

#[component]
fn Nothing() -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().dashboard;
    let hint = if page.is_admin() {
        texts.empty_admin
    } else {
        texts.empty_owner
    };
    view! {
        <EmptyState title=texts.empty_title hint=hint>
            {page.is_admin().then(|| view! { <ButtonLink href="/admin/services/new">{texts.add_service}</ButtonLink> })}
        </EmptyState>
    }
}

#[component]
fn Table(services: Vec<Service>) -> impl IntoView {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.services, &messages.common);
    let rows = services
        .into_iter()
        .map(|service| {
            let lasts = [
                ("usual", service.default_minutes.to_string()),
                ("max", service.max_minutes.to_string()),
            ];
            let lasts = lasts.each_ref().map(|(name, value)| (*name, value.as_str()));
            view! {
                <tr>
                    <td><div class="row"><Icon name=service.icon.clone() /> {service.name.clone()}</div></td>
                    <td>{service.description.clone()}</td>
                    <td>{destination(&service, messages)}</td>
                    <td>{fill(texts.lasts_text, &lasts)}</td>
                </tr>
            }
        })
        .collect_view();
    let heads = vec![common.name, common.description, texts.leads_to, texts.lasts];
    view! {
        <DataTable caption=texts.caption heads=heads>{rows}</DataTable>
        <p><ButtonLink href="/">{messages.sessions.to_dashboard}</ButtonLink></p>
    }
}

fn destination(service: &Service, messages: &Messages) -> String {
    let port = service.public_port.to_string();
    let protocol = service.protocol.as_str().to_uppercase();
    let values = [("port", port.as_str()), ("protocol", protocol.as_str())];
    match service.kind {
        ServiceKind::Web => fill(messages.services.leads_web, &values),
        ServiceKind::Other => fill(messages.services.leads_other, &values),
    }
}
