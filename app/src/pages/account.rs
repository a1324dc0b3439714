//! `/account`: the reader's own account and where it is signed in.

use gatehouse_types::{Timestamp, account::LoginSession};
use leptos::prelude::*;

use super::{loading::loaded, sign_ins::SignIns};
use crate::{
    components::{
        Button, Card, Confirm, EmptyState, Fact, Facts, Page, PostForm, Section, TextField, Time,
    },
    context::PageContext,
    format::fill,
    visit::Visit,
};

/// The page of one's own account.
#[component]
pub fn Account() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let load = async move {
        let own_id = actor.account()?.id;
        let sign_ins = portal.identity.list_sign_ins(&actor, own_id).await?;
        Ok((sign_ins, portal.identity.last_ack(&actor).await?))
    };
    loaded(load, |(sign_ins, last_ack)| {
        let texts = &PageContext::current().messages().account;
        view! {
            <Page title=texts.title>
                <YourFacts last_ack=last_ack />
                <YourSignIns sessions=sign_ins />
                <NewPassword />
            </Page>
        }
    })
}

#[component]
fn YourFacts(last_ack: Option<(i64, Timestamp)>) -> impl IntoView {
    let page = PageContext::current();
    let (texts, common) = (&page.messages().account, &page.messages().common);
    let role = if page.is_admin() {
        texts.role_admin
    } else {
        texts.role_owner
    };
    let email = page.actor.as_ref().map(|viewer| viewer.email.clone());
    let address = match page.client_ip {
        Some(ip) => view! { <code>{ip.to_string()}</code> }.into_any(),
        None => common.unknown.into_any(),
    };
    let acknowledged = match last_ack {
        Some((count, at)) => {
            let count = fill(texts.last_ack_count, &[("n", &count.to_string())]);
            view! { {count} ", " <Time at_ms=at.0 relative=true /> }.into_any()
        }
        None => common.never.into_any(),
    };
    view! {
        <Section title=texts.facts_title>
            <Facts>
                <Fact term=common.email>{email}</Fact>
                <Fact term=texts.role>{role}</Fact>
                <Fact term=texts.seen_address>{address}</Fact>
                <Fact term=texts.last_ack>{acknowledged}</Fact>
            </Facts>
        </Section>
    }
}

#[component]
fn YourSignIns(sessions: Vec<LoginSession>) -> impl IntoView {
    let texts = &PageContext::current().messages().account;
    let others = sessions.iter().any(|session| !session.current);
    let after = if others {
        view! {
            <Confirm
                summary=texts.close_others
                warning=texts.close_others_warning
                action="/api/ui/end_other_sign_ins"
                button=texts.close_others
            />
        }
        .into_any()
    } else {
        view! { <EmptyState title=texts.only_this hint=texts.only_this_hint /> }.into_any()
    };
    view! {
        <Section title=texts.logins_title>
            <SignIns sessions=sessions of=None />
            {after}
        </Section>
    }
}

#[component]
fn NewPassword() -> impl IntoView {
    let page = PageContext::current();
    let (texts, common) = (&page.messages().account, &page.messages().common);
    let email = page.actor.as_ref().map(|viewer| viewer.email.clone());
    view! {
        <Section title=texts.password_title>
            <p>{texts.change_password_hint}</p>
            <Card>
                <PostForm action="/api/ui/change_own_password">
                    // A password manager learns from it which account changes.
                    <input type="text" name="username" value=email autocomplete="username" readonly hidden />
                    <TextField
                        name="current"
                        label=texts.current_password
                        kind="password"
                        autocomplete="current-password"
                        required=true
                    />
                    <TextField
                        name="password"
                        label=texts.new_password
                        kind="password"
                        hint=common.password_hint
                        autocomplete="new-password"
                        required=true
                    />
                    <Button>{texts.change_password}</Button>
                </PostForm>
            </Card>
        </Section>
    }
}
