//! `/invitations`: who may come in without an account; and the form that invites.

use gatehouse_types::{
    Page as Part, PageQuery,
    access::{Invitation, InvitationState, Service},
    limits::{INVITATION_MAX_USES, NAME_MAX_CHARS, SESSION_MAX_MINUTES},
};
use leptos::prelude::*;
use uuid::Uuid;

use super::loading::{loaded, typed};
use crate::{
    components::{
        Banner, Button, ButtonLink, Card, Choice, CodeBlock, Confirm, DataTable, EmptyState,
        IslandScripts, NextPage, Page, PostForm, SelectField, StateBadge, TextField, Time, Tone,
    },
    context::PageContext,
    format::fill,
    forms::once::{self, Secret},
    links,
    visit::Visit,
};

const HOUR_MINUTES: i64 = 60;
const DAY_MINUTES: i64 = 24 * HOUR_MINUTES;

/// The link that was made a moment ago: nothing when the URL names none, and `Some(None)` when
/// it was shown before.
type Fresh = Option<Option<String>>;

/// One's own invitations; everybody's for an admin.
#[component]
pub fn Invitations() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let page = PageContext::current();
    let load = async move {
        let query = PageQuery {
            limit: None,
            after: page.query_value("after"),
        };
        let listed = portal.access.list_invitations(&actor, &query).await?;
        let fresh = page.query_value("shown").map(|id| {
            let id: Uuid = id.parse().ok()?;
            match once::take(&actor, id, page.now_ms)? {
                Secret::InvitationLink(link) => Some(link),
                Secret::TargetToken(_) | Secret::GatewayToken(_) | Secret::DownloadToken(_) => None,
            }
        });
        Ok((listed, fresh))
    };
    loaded(
        load,
        |(listed, fresh)| view! { <List listed=listed fresh=fresh /> },
    )
}

#[component]
fn List(listed: Part<Invitation>, fresh: Fresh) -> impl IntoView {
    let texts = &PageContext::current().messages().invitations;
    let next = listed
        .next
        .map(|next| links::invitations().with("after", &next).into_url());
    let list = if listed.items.is_empty() && next.is_none() {
        view! { <EmptyState title=texts.empty_title hint=texts.empty_hint><Invite /></EmptyState> }
            .into_any()
    } else {
        view! {
            <p><Invite /></p>
            <Table invitations=listed.items />
            <NextPage href=next />
        }
        .into_any()
    };
    view! {
        <Page title=texts.title intro=texts.intro>
            {fresh.map(|link| view! { <FreshLink link=link /> })}
            {list}
        </Page>
    }
}

#[component]
fn Invite() -> impl IntoView {
    let texts = &PageContext::current().messages().invitations;
    let href = links::new_invitation().into_url();
    view! { <ButtonLink href=href>{texts.invite}</ButtonLink> }
}

#[component]
fn FreshLink(link: Option<String>) -> impl IntoView {
    let messages = PageContext::current().messages();
    let texts = &messages.invitations;
    let Some(link) = link else {
        return view! { <Banner tone=Tone::Idle>{texts.shown_before}</Banner> }.into_any();
    };
    view! {
        <Card>
            <IslandScripts />
            <Banner tone=Tone::Warn>{messages.common.shown_once}</Banner>
            <CodeBlock label=texts.link text=link copy=true />
            <p class="muted">{texts.link_hint}</p>
        </Card>
    }
    .into_any()
}

#[component]
fn Table(invitations: Vec<Invitation>) -> impl IntoView {
    let page = PageContext::current();
    let (texts, common) = (&page.messages().invitations, &page.messages().common);
    let inviter_head = page.is_admin().then_some(texts.invited_by);
    let heads = [texts.label, texts.service]
        .into_iter()
        .chain(inviter_head)
        .chain([
            common.state,
            texts.uses,
            texts.longest,
            common.expires_at,
            texts.last_opened,
            common.actions,
        ])
        .collect();
    let rows = invitations.into_iter().map(row).collect_view();
    view! { <DataTable caption=texts.caption heads=heads>{rows}</DataTable> }
}

fn row(invitation: Invitation) -> impl IntoView {
    let page = PageContext::current();
    let (texts, common) = (&page.messages().invitations, &page.messages().common);
    let uses = [
        ("n", invitation.uses.to_string()),
        ("all", invitation.max_uses.to_string()),
    ];
    let uses = uses.each_ref().map(|(name, value)| (*name, value.as_str()));
    let longest = fill(
        common.minutes,
        &[("n", &invitation.max_minutes.to_string())],
    );
    let last_opened = match invitation.last_opened_at {
        Some(at) => view! { <Time at_ms=at.0 /> }.into_any(),
        None => common.never.into_any(),
    };
    let revoke = revoke_button(&invitation);
    view! {
        <tr>
            <td>{invitation.label}</td>
            <td>{invitation.service_name}</td>
            {page.is_admin().then(|| view! { <td>{invitation.invited_by}</td> })}
            <td><StateBadge state=invitation.state.as_str() /></td>
            <td class="figure">{fill(texts.uses_of, &uses)}</td>
            <td>{longest}</td>
            <td><Time at_ms=invitation.expires_at.0 /></td>
            <td>{last_opened}</td>
            <td>{revoke}</td>
        </tr>
    }
}

/// A used-up invitation may still have a session open.
fn revoke_button(invitation: &Invitation) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().invitations;
    let warning = fill(texts.revoke_warning, &[("label", &invitation.label)]);
    let is_over = matches!(
        invitation.state,
        InvitationState::Revoked | InvitationState::Expired
    );
    let id = invitation.id.to_string();
    (!is_over).then(|| {
        view! {
            <Confirm
                summary=texts.revoke
                warning=warning
                action="/api/ui/revoke_invitation"
                button=texts.revoke
                extra=vec![("id", id)]
            />
        }
    })
}

/// The form that makes an invitation.
#[component]
pub fn NewInvitation() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    loaded(
        async move { portal.access.list_services(&actor).await },
        |services| {
            let texts = &PageContext::current().messages().invitations;
            let up = (links::invitations().into_url(), texts.title.to_owned());
            view! {
                <Page title=texts.invite intro=texts.intro back=up>
                    {if services.is_empty() {
                        view! { <NothingToOpen /> }.into_any()
                    } else {
                        view! { <Card><Form services=services /></Card> }.into_any()
                    }}
                </Page>
            }
        },
    )
}

#[component]
fn NothingToOpen() -> impl IntoView {
    let texts = &PageContext::current().messages().dashboard;
    view! { <EmptyState title=texts.empty_title hint=texts.empty_owner /> }
}

#[component]
fn Form(services: Vec<Service>) -> impl IntoView {
    let page = PageContext::current();
    let (texts, common) = (&page.messages().invitations, &page.messages().common);
    let wanted = page.query_value("service").unwrap_or_default();
    let usual_minutes = services
        .iter()
        .find(|service| service.id.to_string() == wanted)
        .map_or(30, |service| service.default_minutes);
    let options = services
        .into_iter()
        .map(|service| Choice::new(service.id.to_string(), service.name))
        .collect();
    let days = |n: i64| {
        Choice::new(
            (n * DAY_MINUTES).to_string(),
            fill(texts.days, &[("n", &n.to_string())]),
        )
    };
    let hours = |n: i64| {
        Choice::new(
            (n * HOUR_MINUTES).to_string(),
            fill(common.hours, &[("n", &n.to_string())]),
        )
    };
    view! {
        <PostForm action="/api/ui/create_invitation">
            <SelectField name="service_id" label=texts.service options=options selected=wanted />
            <TextField
                name="label"
                label=texts.label_field
                hint=texts.label_hint
                value=typed(&page, "label", "")
                required=true
                max_chars=NAME_MAX_CHARS
            />
            <SelectField
                name="expires_minutes"
                label=texts.lasts
                options=vec![hours(1), hours(24), days(7), days(30)]
                selected=typed(&page, "expires_minutes", &DAY_MINUTES.to_string())
            />
            <TextField
                name="max_uses"
                label=texts.max_uses
                hint=texts.max_uses_hint
                kind="number"
                value=typed(&page, "max_uses", "1")
                range=(1, INVITATION_MAX_USES)
                required=true
            />
            <TextField
                name="max_minutes"
                label=texts.max_minutes
                hint=texts.max_minutes_hint
                kind="number"
                value=typed(&page, "max_minutes", &usual_minutes.to_string())
                range=(1, SESSION_MAX_MINUTES)
                required=true
            />
            <Button>{texts.submit}</Button>
        </PostForm>
    }
}
