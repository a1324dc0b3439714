//! Progress for the upload of an image.
//!
//! The island wraps the ordinary multipart form of the page, catches its submit event and sends the
//! chosen file as a raw body to the JSON API instead, because only that request can show progress.
//!
//! The markup: `.upload` holds in `data-put-url` and `data-page-url` the addresses that the version
//! is appended to, in `data-decimal-mark` what stands before the decimals of a number, and the
//! texts: `data-sending` (with `{percent}`, `{speed}` and `{left}`), `data-checking` after the last
//! byte, and for the ends `data-cancelled`, `data-broken` (the connection) and `data-refused` (an
//! answer without a reason). Inside it are a hidden alert, `.upload-form` around the form with the
//! fields `version` and `file`, and `.upload-progress` with bar, line of text and cancel button.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Element, Event, File, FormData, HtmlElement, HtmlFormElement, ProgressEvent, XmlHttpRequest,
    js_sys::{JSON, Reflect, encode_uri_component},
};

use super::{data, listener, part, say, steady_ms};
use crate::format::{clock_text, fill, size_text};

/// Sends the form inside it with a progress bar, and goes to the release's page when it is kept.
#[island]
pub fn UploadForm(
    /// The markup named above.
    children: Children,
) -> impl IntoView {
    view! { <div use:take_over_form>{children()}</div> }
}

fn take_over_form(root: Element) {
    let upload = Upload(part(&root, ".upload"));
    let form = part(&root, "form");
    form.set_onsubmit(Some(&listener(move |event: Event| {
        let Some((version, file)) = chosen(&event) else {
            return;
        };
        event.prevent_default();
        if upload.send(&version, &file).is_err() {
            upload.stop(&upload.text("data-broken"));
        }
    })));
}

fn chosen(event: &Event) -> Option<(String, File)> {
    let form: HtmlFormElement = event.target()?.dyn_into().ok()?;
    let fields = FormData::new_with_form(&form).ok()?;
    let file = fields.get("file").dyn_into().ok()?;
    Some((fields.get("version").as_string()?, file))
}

/// The element that holds all parts and texts.
#[derive(Clone)]
struct Upload(HtmlElement);

impl Upload {
    fn text(&self, name: &str) -> String {
        data(&self.0, name)
    }

    fn send(&self, version: &str, file: &File) -> Result<(), JsValue> {
        let release = String::from(encode_uri_component(version));
        let request = XmlHttpRequest::new()?;
        request.open("PUT", &(self.text("data-put-url") + &release))?;
        request.set_request_header("Content-Type", "application/octet-stream")?;
        // Header values are bytes: a name beyond ASCII travels percent-encoded.
        request.set_request_header(
            "X-File-Name",
            &String::from(encode_uri_component(&file.name())),
        )?;
        self.listen(&request, self.text("data-page-url") + &release)?;
        request.send_with_opt_blob(Some(file))?;
        self.progress(0, 0, steady_ms());
        Ok(())
    }

    fn listen(&self, request: &XmlHttpRequest, page_url: String) -> Result<(), JsValue> {
        let (moving, answered, broken, cancelled) =
            (self.clone(), self.clone(), self.clone(), self.clone());
        let (answer, running) = (request.clone(), request.clone());
        let started_ms = steady_ms();
        let on_progress = listener(move |event: ProgressEvent| {
            moving.progress(whole(event.loaded()), whole(event.total()), started_ms);
        });
        request.upload()?.set_onprogress(Some(&on_progress));
        request.set_onload(Some(&listener(move |_: Event| {
            answered.finish(&answer, &page_url);
        })));
        request.set_onerror(Some(&listener(move |_: Event| {
            broken.stop(&broken.text("data-broken"));
        })));
        request.set_onabort(Some(&listener(move |_: Event| {
            cancelled.stop(&cancelled.text("data-cancelled"));
        })));
        let cancel = part(&self.0, ".upload-progress button");
        cancel.set_onclick(Some(&listener(move |_: Event| {
            let _already_over = running.abort();
        })));
        Ok(())
    }

    fn progress(&self, sent_bytes: u64, all_bytes: u64, started_ms: f64) {
        let percent = (sent_bytes * 100).checked_div(all_bytes).unwrap_or(0);
        let passed_ms = whole(steady_ms() - started_ms);
        let says = if percent == 100 {
            self.text("data-checking")
        } else {
            self.sending_text(percent, sent_bytes, all_bytes, passed_ms)
        };
        let _set = part(&self.0, "progress").set_attribute("value", &percent.to_string());
        say(&part(&self.0, ".upload-progress p"), &says);
        say(&part(&self.0, "[role=alert] p"), "");
        self.show(true, false);
    }

    fn sending_text(
        &self,
        percent: u64,
        sent_bytes: u64,
        all_bytes: u64,
        passed_ms: u64,
    ) -> String {
        let per_second_bytes = (sent_bytes * 1000).checked_div(passed_ms).unwrap_or(0);
        let left_ms = ((all_bytes - sent_bytes) * 1000).checked_div(per_second_bytes);
        let left = left_ms.map_or("–".to_owned(), |ms| {
            clock_text(i64::try_from(ms).unwrap_or(i64::MAX))
        });
        let decimal_mark = self.text("data-decimal-mark").chars().next();
        let speed = size_text(per_second_bytes, decimal_mark.unwrap_or('.'));
        fill(
            &self.text("data-sending"),
            &[
                ("percent", &percent.to_string()),
                ("speed", &speed),
                ("left", &left),
            ],
        )
    }

    fn finish(&self, answer: &XmlHttpRequest, page_url: &str) {
        let status = answer.status().unwrap_or(0);
        if (200..300).contains(&status) {
            let _leaving = window().location().assign(page_url);
        } else {
            self.stop(&problem_detail(answer).unwrap_or_else(|| self.text("data-refused")));
        }
    }

    fn stop(&self, reason: &str) {
        say(&part(&self.0, "[role=alert] p"), reason);
        self.show(false, true);
    }

    fn show(&self, is_sending: bool, has_failed: bool) {
        part(&self.0, "[role=alert]").set_hidden(!has_failed);
        part(&self.0, ".upload-form").set_hidden(is_sending);
        part(&self.0, ".upload-progress").set_hidden(!is_sending);
    }
}

fn problem_detail(answer: &XmlHttpRequest) -> Option<String> {
    let body = answer.response_text().ok().flatten()?;
    let problem = JSON::parse(&body).ok()?;
    Reflect::get(&problem, &"detail".into()).ok()?.as_string()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes and spans stay far below 2^53"
)]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}
