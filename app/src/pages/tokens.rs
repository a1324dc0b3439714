//! `/admin/tokens`

use gatehouse_core::Result;
use gatehouse_types::{
    Page as Part, PageQuery,
    firmware::{DeviceTokenInfo, TokenQuery},
};
use leptos::prelude::*;

use super::{loading::loaded, projects::no_jwt_banner};
use crate::{
    components::{
        Button, ButtonLink, Choice, Confirm, DataTable, EmptyState, Look, NextPage, Page,
        SelectField, StateBadge, TextField, Time, short_id,
    },
    context::PageContext,
    format::fill,
    forms::Way,
    links,
    visit::Visit,
};

/// What the URL asks for; empty means all.
#[derive(Default)]
struct Filter {
    project: String,
    device: String,
}

impl Filter {
    fn of(page: &PageContext) -> Self {
        let value = |name| page.query_value(name).unwrap_or_default().trim().to_owned();
        Self {
            project: value("project"),
            device: value("device"),
        }
    }

    fn is_empty(&self) -> bool {
        self.project.is_empty() && self.device.is_empty()
    }

    /// The list as it is filtered now, without the place in it.
    fn way(&self) -> Way {
        links::tokens()
            .with("project", &self.project)
            .with("device", &self.device)
    }
}

struct Listed {
    filter: Filter,
    projects: Vec<Choice>,
    tokens: Part<DeviceTokenInfo>,
}

/// All device tokens, by project and device.
#[component]
pub fn Tokens() -> impl IntoView {
    let visit = Visit::current();
    let page = PageContext::current();
    let (filter, after) = (Filter::of(&page), page.query_value("after"));
    loaded(async move { load(&visit, filter, after).await }, show)
}

async fn load(visit: &Visit, filter: Filter, after: Option<String>) -> Result<Listed> {
    let (firmware, actor) = (&visit.portal.firmware, &visit.actor);
    let all_projects = PageQuery {
        limit: Some(500),
        after: None,
    };
    let projects = firmware.list_projects(actor, &all_projects)?.items;
    let device = (!filter.device.is_empty())
        .then(|| filter.device.parse())
        .transpose();
    let tokens = match device {
        Ok(device) => {
            let project = Some(filter.project.clone());
            firmware
                .list_tokens(
                    actor,
                    &TokenQuery {
                        project,
                        device,
                        limit: None,
                        after,
                    },
                )
                .await?
        }
        // What is no device id fits no token.
        Err(_) => Part {
            items: Vec::new(),
            next: None,
        },
    };
    let projects = projects
        .into_iter()
        .map(|project| Choice::new(project.name, project.title));
    Ok(Listed {
        filter,
        projects: projects.collect(),
        tokens,
    })
}

fn show(
    Listed {
        filter,
        projects,
        tokens,
    }: Listed,
) -> impl IntoView {
    let texts = &PageContext::current().messages().tokens;
    let next = tokens
        .next
        .map(|after| filter.way().with("after", &after).into_url());
    let form = filter_form(&filter, projects);
    let list = if tokens.items.is_empty() {
        nothing(&filter).into_any()
    } else {
        token_table(tokens.items, &filter.way().into_url()).into_any()
    };
    view! {
        <Page title=texts.title intro=texts.intro>
            {no_jwt_banner()}
            {form}
            {list}
            <NextPage href=next />
        </Page>
    }
}

fn filter_form(filter: &Filter, projects: Vec<Choice>) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().tokens;
    let mut options = vec![Choice::new("", texts.all_projects)];
    options.extend(projects);
    view! {
        <form class="form" method="get" action=links::tokens().into_url() role="search">
            <SelectField name="project" label=texts.project options=options selected=filter.project.clone() />
            <TextField
                name="device"
                label=texts.device
                hint=texts.device_hint
                value=filter.device.clone()
                mono=true
            />
            <Button look=Look::Plain>{texts.filter}</Button>
        </form>
    }
}

fn nothing(filter: &Filter) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().tokens;
    if filter.is_empty() {
        return view! {
            <EmptyState title=texts.empty_title hint=texts.empty_hint>
                <ButtonLink href=links::projects().into_url()>{texts.to_projects}</ButtonLink>
            </EmptyState>
        }
        .into_any();
    }
    view! {
        <EmptyState title=texts.empty_title hint=texts.none_fits>
            <ButtonLink href=links::tokens().into_url() look=Look::Plain>{texts.filter_clear}</ButtonLink>
        </EmptyState>
    }
    .into_any()
}

/// Tokens with the button that ends each; `back` is the page to show after it.
pub(super) fn token_table(tokens: Vec<DeviceTokenInfo>, back: &str) -> impl IntoView + use<> {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.tokens, &messages.common);
    let heads = vec![
        texts.jti,
        texts.project,
        texts.device,
        common.state,
        texts.issued_at,
        common.expires_at,
        common.actions,
    ];
    let rows = tokens
        .into_iter()
        .map(|token| row(token, back))
        .collect_view();
    view! { <DataTable caption=texts.caption heads=heads>{rows}</DataTable> }
}

fn row(token: DeviceTokenInfo, back: &str) -> impl IntoView + use<> {
    let state = state(&token, PageContext::current().now_ms);
    let revoke = (state == "active").then(|| revoke_button(&token, back));
    let device = device_link(&token);
    view! {
        <tr>
            <td>{short_id(&token.jti.to_string())}</td>
            <td>{token.project}</td>
            <td>{device}</td>
            <td><StateBadge state=state /></td>
            <td><Time at_ms=token.issued_at.0 /></td>
            <td><Time at_ms=token.expires_at.0 /></td>
            <td>{revoke}</td>
        </tr>
    }
}

/// A removed project has no name any more, and its devices have no page.
fn device_link(token: &DeviceTokenInfo) -> AnyView {
    let id = token.device_id.to_string();
    if token.project.is_empty() {
        return short_id(&id).into_any();
    }
    let href = links::device(&token.project, &id).into_url();
    view! { <a href=href>{short_id(&id)}</a> }.into_any()
}

fn state(token: &DeviceTokenInfo, now_ms: i64) -> &'static str {
    if token.revoked_at.is_some() {
        "revoked"
    } else if token.expires_at.0 <= now_ms {
        "expired"
    } else {
        "active"
    }
}

fn revoke_button(token: &DeviceTokenInfo, back: &str) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().tokens;
    let jti = token.jti.to_string();
    view! {
        <Confirm
            summary=texts.revoke
            warning=fill(texts.revoke_warning, &[("jti", &jti)])
            action="/api/ui/revoke_token"
            button=texts.revoke
            extra=vec![("jti", jti), ("back", back.to_owned())]
        />
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_types::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::context::tests::context;

    #[test]
    fn a_token_is_over_at_its_end_and_a_revoked_one_stays_revoked() {
        let mut token = DeviceTokenInfo {
            jti: Uuid::nil(),
            project: "lamp".to_owned(),
            device_id: Uuid::nil(),
            issued_at: Timestamp(0),
            expires_at: Timestamp(1_000),
            revoked_at: None,
            fw_version: "1.0.0".to_owned(),
        };
        assert_eq!(state(&token, 999), "active");
        assert_eq!(state(&token, 1_000), "expired");
        token.revoked_at = Some(Timestamp(500));
        assert_eq!(state(&token, 2_000), "revoked");
    }

    #[test]
    fn the_next_page_keeps_the_filter() {
        let filter = Filter::of(&context("project=lamp%26x&device=+7+&after=9"));
        assert_eq!(
            filter.way().into_url(),
            "/admin/tokens?project=lamp%26x&device=7"
        );
    }
}
