//! `/admin/services/{id}`: settings, who may open it, removal.

use gatehouse_types::{
    access::{Router, Service},
    account::User,
};
use leptos::prelude::*;

use super::{
    loading::{loaded, path_value},
    people::everybody,
    service_fields::ServiceFields,
};
use crate::{
    components::{Button, Card, Checkbox, Confirm, Page, PostForm, Section},
    context::PageContext,
    format::fill,
    visit::Visit,
};

/// The page of one service.
#[component]
pub fn AdminService() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let id = path_value("id");
    let load = async move {
        let service = portal.access.service(&actor, id?).await?;
        let routers = portal.access.list_routers(&actor).await?;
        Ok((service, routers, everybody(&portal, &actor).await?))
    };
    loaded(load, |(service, routers, users)| {
        let texts = &PageContext::current().messages().services;
        let title = fill(texts.edit_title, &[("name", &service.name)]);
        view! {
            <Page title=title back=("/admin/services".to_owned(), texts.admin_title.to_owned())>
                <Grants service=service.clone() users=users />
                <Settings service=service.clone() routers=routers />
                <Removal service=service />
            </Page>
        }
    })
}

#[component]
fn Grants(service: Service, users: Vec<User>) -> impl IntoView {
    let texts = &PageContext::current().messages().services;
    let boxes = users
        .into_iter()
        .map(|user| {
            let id = user.id.to_string();
            let label = if user.disabled { fill(texts.grants_disabled, &[("email", &user.email)]) } else { user.email };
            let granted = service.granted_to.contains(&user.id);
            view! { <Checkbox name="users[]" value=id.clone() label=label checked=granted scope=id /> }
        })
        .collect_view();
    view! {
        <Section title=texts.grants>
            <p>{texts.grants_hint}</p>
            <Card>
                <PostForm action="/api/ui/grant_service">
                    <input type="hidden" name="id" value=service.id.to_string() />
                    {boxes}
                    <Button>{texts.save_grants}</Button>
                </PostForm>
            </Card>
        </Section>
    }
}

#[component]
fn Settings(service: Service, routers: Vec<Router>) -> impl IntoView {
    let messages = PageContext::current().messages();
    let texts = &messages.services;
    view! {
        <Section title=texts.settings>
            <p>{texts.change_hint}</p>
            <Card>
                <PostForm action="/api/ui/change_service">
                    <input type="hidden" name="id" value=service.id.to_string() />
                    <ServiceFields routers=routers kept=Some(service) />
                    <Button>{messages.common.save}</Button>
                </PostForm>
            </Card>
        </Section>
    }
}

#[component]
fn Removal(service: Service) -> impl IntoView {
    let texts = &PageContext::current().messages().services;
    let warning = fill(texts.remove_warning, &[("name", &service.name)]);
    view! {
        <Section title=texts.removal>
            <Confirm
                summary=texts.removal
                warning=warning
                action="/api/ui/remove_service"
                button=texts.removal
                extra=vec![("id", service.id.to_string())]
            />
        </Section>
    }
}
