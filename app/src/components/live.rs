//! Islands with their texts filled in from the catalogue.

use leptos::prelude::*;

use super::{Button, FileField, TextField, size};
use crate::{
    context::PageContext,
    format::{clock_text, fill},
    islands::{Countdown, UploadForm, countdown},
};

/// The time an access session has left, counted down where scripts run.
#[component]
pub fn SessionCountdown(
    /// When the session ends, in milliseconds since 1970.
    expires_at_ms: i64,
    /// The page that shows its state after the end.
    #[prop(into)]
    href: String,
) -> impl IntoView {
    let page = PageContext::current();
    let common = &page.messages().common;
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
                <span class="visually-hidden" role="status"></span>
                <a href=href hidden=!is_over>{common.reload}</a>
            </span>
        </Countdown>
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
                data-put-url=format!("/api/v1/projects/{project}/releases/")
                data-page-url=format!("/admin/projects/{project}/releases/")
                data-decimal-mark=page.lang.decimal_mark().to_string()
                data-sending=upload.sending
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
