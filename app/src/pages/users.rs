//! `/admin/users` and `/admin/users/new`: every account, and one more.

use gatehouse_types::{
    Page as ListPage, PageQuery,
    account::{Role, User},
    limits::EMAIL_MAX_CHARS,
};
use leptos::prelude::*;

use super::loading::{loaded, typed};
use crate::{
    components::{
        Button, ButtonLink, Card, Choice, DataTable, EmptyState, NextPage, Page, PostForm,
        SelectField, StateBadge, TextField, Time,
    },
    context::PageContext,
    forms::Way,
    i18n::Messages,
    visit::Visit,
};

/// All accounts.
#[component]
pub fn Users() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let after = PageContext::current().query_value("after");
    let first_page = after.is_none();
    let query = PageQuery { after, limit: None };
    loaded(
        async move { portal.identity.list_users(&actor, &query).await },
        move |users| {
            let texts = &PageContext::current().messages().users;
            let alone = first_page && users.items.len() == 1;
            let hint = alone.then(
                || view! { <EmptyState title=texts.only_you_title hint=texts.only_you_hint /> },
            );
            view! {
                <Page title=texts.title intro=texts.intro>
                    <p><ButtonLink href="/admin/users/new">{texts.add}</ButtonLink></p>
                    <Table users=users />
                    {hint}
                </Page>
            }
        },
    )
}

#[component]
fn Table(users: ListPage<User>) -> impl IntoView {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.users, &messages.common);
    let next = users
        .next
        .map(|next| Way::to("/admin/users").with("after", &next).into_url());
    let rows = users
        .items
        .into_iter()
        .map(|user| {
            let state = if user.disabled { "disabled" } else { "active" };
            view! {
                <tr>
                    <td><a href=format!("/admin/users/{}", user.id)>{user.email}</a></td>
                    <td>{role_name(user.role, messages)}</td>
                    <td><StateBadge state=state /></td>
                    <td><Time at_ms=user.created_at.0 /></td>
                </tr>
            }
        })
        .collect_view();
    let heads = vec![common.email, texts.role, common.state, common.created_at];
    view! {
        <DataTable caption=texts.caption heads=heads>{rows}</DataTable>
        <NextPage href=next />
    }
}

fn role_name(role: Role, messages: &Messages) -> &'static str {
    match role {
        Role::Owner => messages.account.role_owner,
        Role::Admin => messages.account.role_admin,
    }
}

/// The form for one more account.
#[component]
pub fn NewUser() -> impl IntoView {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.users, &messages.common);
    view! {
        <Page title=texts.add intro=texts.intro back=("/admin/users".to_owned(), texts.title.to_owned())>
            <Card>
                <PostForm action="/api/ui/create_user">
                    <EmailAndRole email="" role=Role::Owner />
                    <TextField
                        name="password"
                        label=common.password
                        kind="password"
                        hint=common.password_hint
                        autocomplete="new-password"
                        required=true
                    />
                    <Button>{common.create}</Button>
                </PostForm>
            </Card>
        </Page>
    }
}

/// The two fields that a new and a kept account share.
#[component]
pub fn EmailAndRole(
    /// The address as it is.
    #[prop(into)]
    email: String,
    /// The role as it is.
    role: Role,
) -> impl IntoView {
    let page = PageContext::current();
    let messages = page.messages();
    let roles = [Role::Owner, Role::Admin]
        .map(|role| Choice::new(role.as_str(), role_name(role, messages)));
    view! {
        <TextField
            name="email"
            label=messages.common.email
            kind="email"
            value=typed(&page, "email", &email)
            autocomplete="off"
            required=true
            max_chars=EMAIL_MAX_CHARS
        />
        <SelectField
            name="role"
            label=messages.users.role
            options=roles.to_vec()
            selected=typed(&page, "role", role.as_str())
        />
    }
}
