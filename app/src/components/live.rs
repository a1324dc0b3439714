//! Islands with their texts filled in from the catalogue.

use std::time::Duration;

use gatehouse_types::access::{Reach, ServiceReach};
use leptos::prelude::*;
use uuid::Uuid;

use super::{Badge, Button, FileField, IslandScripts, TextField, Tone, size};
use crate::{
    context::PageContext,
    format::{clock_text, fill},
    islands::{Countdown, KeepFresh, UploadForm, countdown},
};

/// The time an access session has left, counted down where scripts run.
#[component]
pub fn SessionCountdown(
    /// When the session ends, in milliseconds since 1970.
    expires_at_ms: i64,
    /// The page that shows its state after the end.
    #[prop(into)]
    href: String,
    /// What is said from five minutes before the end on; a hint to extend it when missing.
    #[prop(optional)]
    soon_note: Option<&'static str>,
) -> impl IntoView {
    let page = PageContext::current();
    let common = &page.messages().common;
    let soon_note = soon_note.unwrap_or(common.soon_note);
    let left_ms = (expires_at_ms - page.now_ms).max(0);
    let is_over = left_ms == 0;
    let clock = if is_over {
        common.over.to_owned()
    } else {
        fill(common.time_left, &[("time", &clock_text(left_ms))])
    };
    view! {
        <Countdown>
            <span
                class=countdown::class_name(left_ms)
                data-left-ms=left_ms
                data-time-left=common.time_left
                data-soon-over=common.soon_over
                data-over=common.over
            >
                <span role="timer">{clock}</span>
                <span class="soon-note">{soon_note}</span>
                <span class="visually-hidden" role="status"></span>
                <a href=href hidden=!is_over>{common.reload}</a>
            </span>
        </Countdown>
    }
}

/// A part of a page that [`LiveUpdates`] exchanges when it reads otherwise.
#[derive(Debug, Clone, Default)]
pub struct LivePart {
    /// Names it on its page.
    pub name: String,
    /// What it says, in short: the same text means that nothing is new.
    pub rev: String,
    /// What is announced when it was exchanged, if anything.
    pub says: Option<String>,
}

/// Children that make one [`LivePart`].
#[component]
pub fn KeptFresh(
    /// Which part it is.
    part: LivePart,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="live-part" data-live=part.name data-rev=part.rev data-says=part.says>
            {children()}
        </div>
    }
}

/// Whether a service's port answers inside its network, as colour, word and shape.
#[component]
pub fn ServiceState(
    /// The service.
    service_id: Uuid,
    /// What is known; `None` is unknown.
    reach: Option<ServiceReach>,
) -> impl IntoView {
    let texts = &PageContext::current().messages().states;
    let (state, latency_ms) = reach.map_or((Reach::Unknown, None), |reach| {
        (reach.state, reach.latency_ms)
    });
    let (tone, label) = match state {
        Reach::Up => (Tone::Good, texts.service_up),
        Reach::Down => (Tone::Bad, texts.service_down),
        Reach::Unknown => (Tone::Idle, texts.service_unknown),
    };
    let latency = latency_ms.map(|ms| format!("{ms} ms"));
    let rev = format!("{}{}", state.as_str(), latency.as_deref().unwrap_or(""));
    view! {
        <p data-live=format!("state-{service_id}") data-rev=rev>
            <Badge tone=tone label=label />
            {latency.map(|latency| view! { " " <span class="muted figure">{latency}</span> })}
        </p>
    }
}

/// Keeps the parts of the page that bear `data-live` fresh where scripts run; see
/// [`crate::islands::keep_fresh`]. It brings the page's scripts along.
#[component]
pub fn LiveUpdates(
    /// Whether the page shows the states of services.
    #[prop(optional)]
    services: bool,
) -> impl IntoView {
    let events = if services {
        "/api/v1/events?services=true"
    } else {
        "/api/v1/events"
    };
    view! { <Updates events=events /> }
}

/// As [`LiveUpdates`], for visitors who may not listen: the page is asked for now and then.
#[component]
pub fn PolledUpdates() -> impl IntoView {
    view! { <Updates events="" /> }
}

#[component]
fn Updates(events: &'static str) -> impl IntoView {
    view! {
        <IslandScripts />
        <KeepFresh>
            <span class="live" data-events=events>
                <span class="visually-hidden" role="status"></span>
            </span>
        </KeepFresh>
    }
}

/// How often a page that waits for something loads itself again where no scripts run.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Loads the page again every 2 s where no scripts run, and offers to do it at once.
///
/// Its place is beside the parts that are kept fresh: where scripts run it must not be a tag.
#[component]
pub fn FreshWithoutScripts() -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().sessions;
    let here = format!("{}?{}", page.path, page.query);
    view! {
        <noscript>
            <meta http-equiv="refresh" content=LOOK_AGAIN.as_secs().to_string() />
            <p><a href=here>{texts.look_again}</a></p>
        </noscript>
    }
}

/// The form that uploads an image as a new release, with progress where scripts run.
#[component]
pub fn ReleaseUpload(
    /// The project's name in URLs.
    #[prop(into)]
    project: String,
    /// The largest image that the portal takes, in bytes.
    max_bytes: i64,
) -> impl IntoView {
    let page = PageContext::current();
    let upload = &page.messages().upload;
    let action = format!("/admin/projects/{project}/upload");
    let file_hint = fill(upload.file_hint, &[("size", &size(max_bytes))]);
    view! {
        <UploadForm>
            <div
                class="upload"
                data-uploads-url=format!("/api/v1/projects/{project}/uploads")
                data-page-url=format!("/admin/projects/{project}/releases/")
                data-decimal-mark=page.lang.decimal_mark().to_string()
                data-sending=upload.sending
                data-waiting=upload.waiting
                data-checking=upload.checking
                data-cancelled=upload.cancelled
                data-broken=upload.broken
                data-refused=upload.refused
            >
                <div role="alert" class="banner banner-bad" hidden><p></p></div>
                <div class="upload-form">
                    <form class="form" method="post" action=action enctype="multipart/form-data">
                        <TextField
                            name="version"
                            label=upload.version
                            hint=upload.version_hint
                            scope="upload"
                            required=true
                            max_chars=64
                            mono=true
                        />
                        <FileField name="file" label=upload.file hint=file_hint scope="upload" />
                        <Button>{upload.submit}</Button>
                    </form>
                </div>
                <div class="upload-progress" hidden>
                    <progress max="100" value="0" aria-label=upload.progress></progress>
                    <p class="figure"></p>
                    <button type="button" class="button">{upload.cancel}</button>
                </div>
            </div>
        </UploadForm>
    }
}
