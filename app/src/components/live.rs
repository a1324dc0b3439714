//! Islands with their texts filled in from the catalogue.

use leptos::prelude::*;

use super::{Button, FileField, TextField, size};
use crate::{
    context::PageContext,
    islands::{Countdown, CountdownTexts, UploadForm, UploadTexts},
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
    let texts = CountdownTexts {
        time_left: common.time_left.to_owned(),
        soon_over: common.soon_over.to_owned(),
        over: common.over.to_owned(),
        reload: common.reload.to_owned(),
    };
    view! { <Countdown expires_at_ms=expires_at_ms now_ms=page.now_ms href=href texts=texts /> }
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
    let texts = UploadTexts {
        label: upload.progress.to_owned(),
        sending: upload.sending.to_owned(),
        checking: upload.checking.to_owned(),
        cancel: upload.cancel.to_owned(),
        cancelled: upload.cancelled.to_owned(),
        broken: upload.broken.to_owned(),
        refused: upload.refused.to_owned(),
        decimal_mark: page.lang.decimal_mark(),
    };
    let action = format!("/admin/projects/{project}/upload");
    let file_hint = crate::format::fill(upload.file_hint, &[("size", &size(max_bytes))]);
    view! {
        <UploadForm
            put_url=format!("/api/v1/projects/{project}/releases/")
            page_url=format!("/admin/projects/{project}/releases/")
            texts=texts
        >
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
        </UploadForm>
    }
}
