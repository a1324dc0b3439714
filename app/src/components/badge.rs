//! States as colour, word and shape together, so that none of the three is needed alone.

use gatehouse_types::rollout::ActionState;
use leptos::prelude::*;

use crate::{
    context::PageContext,
    i18n::{Lang, States},
};

/// What a badge or banner means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It works, or it is open: a filled circle.
    Good,
    /// It is under way: a half-filled circle.
    Busy,
    /// It rests or is over: a ring.
    Idle,
    /// It needs attention: a triangle.
    Warn,
    /// It failed or is refused: a square.
    Bad,
}

impl Tone {
    /// Every tone, for the styleguide.
    pub const ALL: [Self; 5] = [Self::Good, Self::Busy, Self::Idle, Self::Warn, Self::Bad];

    /// The word in class names.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Idle => "idle",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A state in one or two words.
#[component]
pub fn Badge(
    /// What the state means; picks colour and shape.
    tone: Tone,
    /// The word.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    view! { <span class=format!("badge badge-{}", tone.class())>{label}</span> }
}

/// The badge of a state of the domain.
#[component]
pub fn StateBadge(
    /// The state's word in JSON, such as `open`, `draft` or `rolled_back`.
    #[prop(into)]
    state: String,
) -> impl IntoView {
    let (tone, label) = describe(&state, &PageContext::current().messages().states);
    let label = label.map_or(state, str::to_owned);
    view! { <Badge tone=tone label=label /> }
}

/// How a badge calls the state of an action; `pending` is a session's word already.
pub const fn action_state(state: ActionState) -> &'static str {
    match state {
        ActionState::Pending => "offered",
        other => other.as_str(),
    }
}

/// The word of a session's or another state in the reader's language.
pub fn state_word(state: &str) -> &str {
    let (_, label) = describe(state, &PageContext::current().messages().states);
    label.unwrap_or(state)
}

fn describe(state: &str, texts: &States) -> (Tone, Option<&'static str>) {
    let (tone, label) = match state {
        "pending" => (Tone::Busy, texts.pending),
        "open" => (Tone::Good, texts.open),
        "closing" => (Tone::Busy, texts.closing),
        "closed" => (Tone::Idle, texts.closed),
        "failed" => (Tone::Bad, texts.failed),
        "draft" => (Tone::Idle, texts.draft),
        "published" => (Tone::Good, texts.published),
        "withdrawn" => (Tone::Warn, texts.withdrawn),
        "downloading" => (Tone::Busy, texts.downloading),
        "installing" => (Tone::Busy, texts.installing),
        "succeeded" => (Tone::Good, texts.succeeded),
        "rolled_back" => (Tone::Warn, texts.rolled_back),
        "offered" => (Tone::Busy, texts.offered),
        "cancelling" => (Tone::Busy, texts.cancelling),
        "cancelled" => (Tone::Idle, texts.cancelled),
        "silent" => (Tone::Idle, texts.silent),
        "active" => (Tone::Good, texts.active),
        "disabled" => (Tone::Bad, texts.disabled),
        "expired" => (Tone::Idle, texts.expired),
        "revoked" => (Tone::Bad, texts.revoked),
        "used_up" => (Tone::Idle, texts.used_up),
        "suspended" => (Tone::Warn, texts.suspended),
        "reachable" => (Tone::Good, texts.reachable),
        "unreachable" => (Tone::Bad, texts.unreachable),
        "untested" => (Tone::Idle, texts.untested),
        _ => return (Tone::Idle, None),
    };
    (tone, Some(label))
}

/// Says how an access session ended, from the reason's word in JSON.
pub fn end_reason(reason: &str, lang: Lang) -> &'static str {
    let messages = lang.messages();
    let texts = &messages.states;
    match reason {
        "expired" => texts.end_expired,
        "revoked" => texts.end_revoked,
        "revoked_by_admin" => texts.end_revoked_by_admin,
        "service_removed" => texts.end_service_removed,
        "user_disabled" => texts.end_user_disabled,
        "router_unreachable" => texts.end_router_unreachable,
        "router_refused" => texts.end_router_refused,
        "replaced" => texts.end_replaced,
        "wake_failed" => texts.end_wake_failed,
        "not_awake" => texts.end_not_awake,
        "portal_stopped" => texts.end_portal_stopped,
        _ => messages.common.unknown,
    }
}
