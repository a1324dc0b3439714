//! Progress for the upload of an image.
//!
//! The island wraps the ordinary multipart form of the page, catches its submit event and sends the
//! chosen file as a raw body to the JSON API instead, because only that request can show progress.

use std::{cell::RefCell, rc::Rc};

use leptos::{ev::SubmitEvent, prelude::*, wasm_bindgen::JsCast};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsValue, closure::Closure, convert::FromWasmAbi};
use web_sys::{
    Event, File, FormData, HtmlFormElement, ProgressEvent, XmlHttpRequest,
    js_sys::{Function, JSON, Reflect, encode_uri_component},
};

use super::steady_ms;
use crate::format::{clock_text, fill, size_text};

/// What the upload says, in the language of the page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UploadTexts {
    /// Names the progress bar.
    pub label: String,
    /// While bytes travel, with `{percent}`, `{speed}` and `{left}`.
    pub sending: String,
    /// After the last byte, before the answer.
    pub checking: String,
    /// The button that stops it.
    pub cancel: String,
    /// After it was stopped.
    pub cancelled: String,
    /// When the connection broke.
    pub broken: String,
    /// When the answer says no without a reason.
    pub refused: String,
    /// What stands before the decimals of a number.
    pub decimal_mark: char,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Upload {
    Idle,
    Sending { percent: u64, says: String },
    Stopped(String),
}

/// Sends the form inside it with a progress bar, and goes to the release's page when it is kept.
#[island]
pub fn UploadForm(
    /// Where the version is put; the version is appended.
    put_url: String,
    /// The page of a release; the version is appended.
    page_url: String,
    /// What it says.
    texts: UploadTexts,
    /// The ordinary form, with the fields `version` and `file`.
    children: Children,
) -> impl IntoView {
    let state = RwSignal::new(Upload::Idle);
    let request: Rc<RefCell<Option<XmlHttpRequest>>> = Rc::default();
    let cancel_label = texts.cancel.clone();
    let bar_label = texts.label.clone();

    let running = Rc::clone(&request);
    let submit = move |event: SubmitEvent| {
        let Some((version, file)) = chosen(&event) else {
            return;
        };
        event.prevent_default();
        let release = String::from(encode_uri_component(&version));
        let plan = Plan {
            put_url: format!("{put_url}{release}"),
            page_url: format!("{page_url}{release}"),
            texts: texts.clone(),
            state,
        };
        match plan.send(&file) {
            Ok(sent) => *running.borrow_mut() = Some(sent),
            Err(_) => plan.stop(&plan.texts.broken),
        }
    };
    let cancel = move |_| {
        if let Some(sent) = request.borrow_mut().take() {
            let _already_over = sent.abort();
        }
    };

    let is_sending = Memo::new(move |_| matches!(state.get(), Upload::Sending { .. }));
    let has_failed = Memo::new(move |_| matches!(state.get(), Upload::Stopped(_)));
    let percent = move || match state.get() {
        Upload::Sending { percent, .. } => percent,
        _ => 0,
    };
    let says = move || match state.get() {
        Upload::Sending { says, .. } => says,
        _ => String::new(),
    };
    let failure = move || match state.get() {
        Upload::Stopped(reason) => reason,
        _ => String::new(),
    };
    view! {
        <div class="upload" on:submit=submit>
            <div role="alert" class="banner banner-bad" hidden=move || !has_failed.get()>
                <p>{failure}</p>
            </div>
            <div hidden=move || is_sending.get()>{children()}</div>
            <div class="upload-progress" hidden=move || !is_sending.get()>
                <progress max="100" value=percent aria-label=bar_label></progress>
                <p class="figure">{says}</p>
                <button type="button" class="button" on:click=cancel>{cancel_label}</button>
            </div>
        </div>
    }
}

fn chosen(event: &SubmitEvent) -> Option<(String, File)> {
    let form: HtmlFormElement = event.target()?.dyn_into().ok()?;
    let fields = FormData::new_with_form(&form).ok()?;
    let file = fields.get("file").dyn_into().ok()?;
    Some((fields.get("version").as_string()?, file))
}

#[derive(Clone)]
struct Plan {
    put_url: String,
    page_url: String,
    texts: UploadTexts,
    state: RwSignal<Upload>,
}

impl Plan {
    fn send(&self, file: &File) -> Result<XmlHttpRequest, JsValue> {
        let request = XmlHttpRequest::new()?;
        request.open("PUT", &self.put_url)?;
        request.set_request_header("Content-Type", "application/octet-stream")?;
        // Header values are bytes: a name beyond ASCII travels percent-encoded.
        request.set_request_header(
            "X-File-Name",
            &String::from(encode_uri_component(&file.name())),
        )?;
        self.listen(&request)?;
        request.send_with_opt_blob(Some(file))?;
        self.progress(0, 0, steady_ms());
        Ok(request)
    }

    fn listen(&self, request: &XmlHttpRequest) -> Result<(), JsValue> {
        let (moving, answered, broken, cancelled) =
            (self.clone(), self.clone(), self.clone(), self.clone());
        let answer = request.clone();
        let started_ms = steady_ms();
        let on_progress = listener(move |event: ProgressEvent| {
            moving.progress(whole(event.loaded()), whole(event.total()), started_ms);
        });
        request.upload()?.set_onprogress(Some(&on_progress));
        request.set_onload(Some(&listener(move |_: Event| answered.finish(&answer))));
        request.set_onerror(Some(&listener(move |_: Event| {
            broken.stop(&broken.texts.broken)
        })));
        request.set_onabort(Some(&listener(move |_: Event| {
            cancelled.stop(&cancelled.texts.cancelled)
        })));
        Ok(())
    }

    fn progress(&self, sent_bytes: u64, all_bytes: u64, started_ms: f64) {
        let percent = (sent_bytes * 100).checked_div(all_bytes).unwrap_or(0);
        let says = if percent == 100 {
            self.texts.checking.clone()
        } else {
            self.sending_text(
                percent,
                sent_bytes,
                all_bytes,
                whole(steady_ms() - started_ms),
            )
        };
        self.state.set(Upload::Sending { percent, says });
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
        let speed = size_text(per_second_bytes, self.texts.decimal_mark);
        fill(
            &self.texts.sending,
            &[
                ("percent", &percent.to_string()),
                ("speed", &speed),
                ("left", &left),
            ],
        )
    }

    fn finish(&self, answer: &XmlHttpRequest) {
        let status = answer.status().unwrap_or(0);
        if (200..300).contains(&status) {
            let _leaving = window().location().assign(&self.page_url);
        } else {
            self.stop(&problem_detail(answer).unwrap_or_else(|| self.texts.refused.clone()));
        }
    }

    fn stop(&self, reason: &str) {
        self.state.set(Upload::Stopped(reason.to_owned()));
    }
}

fn problem_detail(answer: &XmlHttpRequest) -> Option<String> {
    let body = answer.response_text().ok().flatten()?;
    let problem = JSON::parse(&body).ok()?;
    Reflect::get(&problem, &"detail".into()).ok()?.as_string()
}

fn listener<E: FromWasmAbi + 'static>(handle: impl FnMut(E) + 'static) -> Function {
    Closure::<dyn FnMut(E)>::new(handle)
        .into_js_value()
        .unchecked_into()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes and spans stay far below 2^53"
)]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}
