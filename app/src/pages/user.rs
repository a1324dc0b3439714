//! `/admin/users/{id}`: settings, sign-ins, removal.

use gatehouse_types::account::{LoginSession, User};
use leptos::prelude::*;

use super::{
    loading::{loaded, path_value},
    sign_ins::{OfUser, SignIns},
    users::EmailAndRole,
};
use crate::{
    components::{
        Button, Card, Checkbox, Confirm, EmptyState, Fact, Facts, Page, PostForm, Section,
        StateBadge, TextField, Time,
    },
    context::PageContext,
    format::fill,
    visit::Visit,
};

/// The page of one account.
#[component]
pub fn UserPage() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let id = path_value("id");
    let load = async move {
        let user = portal.identity.user(&actor, id?).await?;
        let sign_ins = portal.identity.list_sign_ins(&actor, user.id).await?;
        Ok((user, sign_ins))
    };
    loaded(load, |(user, sign_ins)| {
        let messages = PageContext::current().messages();
        let texts = &messages.users;
        let title = fill(texts.edit_title, &[("email", &user.email)]);
        let state = if user.disabled { "disabled" } else { "active" };
        view! {
            <Page title=title back=("/admin/users".to_owned(), texts.title.to_owned())>
                <Facts>
                    <Fact term=messages.common.state><StateBadge state=state /></Fact>
                    <Fact term=messages.common.created_at><Time at_ms=user.created_at.0 /></Fact>
                </Facts>
                <Settings user=user.clone() />
                <TheirSignIns user=user.clone() sessions=sign_ins />
                <Removal user=user />
            </Page>
        }
    })
}

#[component]
fn Settings(user: User) -> impl IntoView {
    let messages = PageContext::current().messages();
    let texts = &messages.users;
    view! {
        <Section title=texts.settings>
            <Card>
                <PostForm action="/api/ui/change_user">
                    <input type="hidden" name="id" value=user.id.to_string() />
                    <input type="hidden" name="drawn[email]" value=user.email.clone() />
                    <input type="hidden" name="drawn[role]" value=user.role.as_str() />
                    <input type="hidden" name="drawn[disabled]" value=user.disabled.to_string() />
                    <EmailAndRole email=user.email role=user.role />
                    <TextField
                        name="password"
                        label=texts.new_password
                        kind="password"
                        hint=texts.new_password_hint
                        autocomplete="new-password"
                    />
                    <Checkbox
                        name="disabled"
                        label=texts.disabled
                        hint=texts.disabled_hint
                        checked=user.disabled
                    />
                    <Button>{messages.common.save}</Button>
                </PostForm>
            </Card>
        </Section>
    }
}

#[component]
fn TheirSignIns(user: User, sessions: Vec<LoginSession>) -> impl IntoView {
    let texts = &PageContext::current().messages().users;
    let list = if sessions.is_empty() {
        view! { <EmptyState title=texts.no_logins_title hint=texts.no_logins_hint /> }.into_any()
    } else {
        let of = OfUser {
            id: user.id.to_string(),
            email: user.email,
        };
        view! { <SignIns sessions=sessions of=Some(of) /> }.into_any()
    };
    view! { <Section title=texts.logins>{list}</Section> }
}

#[component]
fn Removal(user: User) -> impl IntoView {
    let texts = &PageContext::current().messages().users;
    let warning = fill(texts.remove_warning, &[("email", &user.email)]);
    view! {
        <Section title=texts.removal>
            <Confirm
                summary=texts.removal
                warning=warning
                action="/api/ui/remove_user"
                button=texts.removal
                extra=vec![("id", user.id.to_string())]
            />
        </Section>
    }
}
