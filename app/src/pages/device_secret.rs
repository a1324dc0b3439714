//! The fresh secret of a device, and lines to copy that carry it.

use gatehouse_types::firmware::Device;
use leptos::prelude::*;
use uuid::Uuid;

use super::connect::{Credentials, PLACEHOLDERS, ask_command, connect};
use crate::{
    components::{Banner, CodeBlock, Section, Tone},
    context::PageContext,
    forms::once::{self, Secret},
    visit::Visit,
};

/// A secret that was made a moment ago.
pub(super) enum Fresh {
    /// The URL names none.
    NotAsked,
    /// Here it is, this once.
    Here(Secret),
    /// It was shown before, or waited for too long.
    Gone,
}

/// Takes the secret that the page's query names, if it is still there.
pub(super) fn take_fresh(visit: &Visit, page: &PageContext) -> Fresh {
    let Some(id) = page.query_value("shown") else {
        return Fresh::NotAsked;
    };
    let id: Option<Uuid> = id.parse().ok();
    id.and_then(|id| once::take(&visit.actor, id, page.now_ms))
        .map_or(Fresh::Gone, Fresh::Here)
}

/// Shows a fresh secret with what it is for.
pub(super) fn fresh_secret(fresh: Fresh, public_url: &str, current_fw: &str) -> AnyView {
    let messages = PageContext::current().messages();
    let texts = &messages.device;
    let (label, hint, token, command) = match fresh {
        Fresh::NotAsked | Fresh::Here(Secret::InvitationLink(_) | Secret::GatewayToken(_)) => {
            return ().into_any();
        }
        Fresh::Gone => {
            return view! { <Banner tone=Tone::Idle>{texts.shown_before}</Banner> }.into_any();
        }
        Fresh::Here(Secret::TargetToken(token)) => {
            (texts.target_token, texts.target_token_hint, token, None)
        }
        Fresh::Here(Secret::DownloadToken(token)) => {
            let command = ask_command(public_url, &token, current_fw);
            (texts.token, texts.make_token_hint, token, Some(command))
        }
    };
    let command = command.map(
        |command| view! { <CodeBlock label=messages.project.ask_label text=command copy=true /> },
    );
    view! {
        <Section title=label>
            <Banner tone=Tone::Warn>{messages.common.shown_once}</Banner>
            <p>{hint}</p>
            <CodeBlock label=label text=token copy=true />
            {command}
        </Section>
    }
    .into_any()
}

/// Lines to copy into the device, with the fresh secret where there is one.
pub(super) fn connect_section(
    device: &Device,
    fresh: &Fresh,
    public_url: &str,
) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().connect;
    let id = device.device_id.to_string();
    let target_token = match fresh {
        Fresh::Here(Secret::TargetToken(token)) => token,
        _ => PLACEHOLDERS.target_token,
    };
    let lasting = format!("{id}.{target_token}");
    let named = Credentials {
        controller_id: device.controller_id.as_deref().unwrap_or(&id),
        target_token,
        lasting: &lasting,
        ..PLACEHOLDERS
    };
    let (hint, shown) = match fresh {
        // For trying it out: it ends within a day.
        Fresh::Here(Secret::DownloadToken(token)) => {
            let lasting = token;
            let shown = Credentials {
                token,
                lasting,
                ..named
            };
            (texts.hint_fresh, shown)
        }
        Fresh::Here(Secret::TargetToken(_)) => (texts.hint_fresh, named),
        _ => (texts.hint, named),
    };
    let lines = connect(public_url, &device.project, &shown);
    view! {
        <Section title=texts.title>
            <p>{hint}</p>
            {lines}
        </Section>
    }
}
