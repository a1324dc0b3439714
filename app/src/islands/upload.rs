//! Progress for the upload of an image, which goes on after a broken connection or a reload.
//!
//! The island wraps the ordinary multipart form of the page, catches its submit event and sends the
//! chosen file piece by piece to the JSON API instead, in the words of the tus protocol. The
//! browser remembers under the file's name, size and date where its upload is; the portal knows
//! how far it is. A file that says which version it is fills the empty field.
//!
//! The markup: `.upload` holds in `data-uploads-url` where an upload begins and in `data-page-url`
//! what the version is appended to, in `data-decimal-mark` what stands before the decimals of a
//! number, and the texts: `data-sending` (with `{percent}`, `{speed}` and `{left}`), `data-waiting`
//! while a broken connection is tried again (with `{percent}`), `data-checking` after the last byte,
//! and for the ends `data-cancelled`, `data-broken` (the connection, with `{percent}`) and
//! `data-refused` (an answer without a reason). Inside it are a hidden alert, `.upload-form` around
//! the form with the fields `version` and `file`, and `.upload-progress` with bar, line of text and
//! cancel button.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, Element, Event, File, FormData, HtmlElement, HtmlFormElement, ProgressEvent,
    XmlHttpRequest,
    js_sys::{JSON, Reflect, encode_uri_component, unescape},
};

use super::{data, image_version::propose_versions, listener, memory, part, say, steady_ms};
use crate::format::{clock_text, fill, size_text};

/// So much goes in one request: what a broken one has to send again at the most.
const PIECE_BYTES: u64 = 8 << 20;
/// After so many failures in a row it is up to the person.
const MAX_FAILURES: u32 = 6;

/// Sends the form inside it with a progress bar, and goes to the release's page when it is kept.
#[island]
pub fn UploadForm(
    /// The markup named above.
    children: Children,
) -> impl IntoView {
    view! { <div use:take_over_form>{children()}</div> }
}

fn take_over_form(root: Element) {
    let page = Page(part(&root, ".upload"));
    let form = part(&root, "form");
    propose_versions(&root);
    form.set_onsubmit(Some(&listener(move |event: Event| {
        let Some((version, file)) = chosen(&event) else {
            return;
        };
        event.prevent_default();
        Transfer::begin(page.clone(), version, file);
    })));
}

fn chosen(event: &Event) -> Option<(String, File)> {
    let form: HtmlFormElement = event.target()?.dyn_into().ok()?;
    let fields = FormData::new_with_form(&form).ok()?;
    let file = fields.get("file").dyn_into().ok()?;
    Some((fields.get("version").as_string()?.trim().to_owned(), file))
}

/// The element that holds all parts and texts.
#[derive(Clone)]
struct Page(HtmlElement);

impl Page {
    fn text(&self, name: &str) -> String {
        data(&self.0, name)
    }

    fn show_progress(&self, percent: u64, says: &str) {
        let _set = part(&self.0, "progress").set_attribute("value", &percent.to_string());
        say(&part(&self.0, ".upload-progress p"), says);
        say(&part(&self.0, "[role=alert] p"), "");
        self.show(true, false);
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

/// One file on its way.
struct Transfer {
    page: Page,
    version: String,
    file: File,
    size_bytes: u64,
    /// Where it goes; empty until the portal said so.
    url: RefCell<String>,
    /// What the portal has for certain.
    offset_bytes: Cell<u64>,
    /// From where and when this run of it began, for its speed.
    began: Cell<Option<(u64, f64)>>,
    failures: Cell<u32>,
    is_cancelled: Cell<bool>,
    request: RefCell<Option<XmlHttpRequest>>,
}

type Headers<'a> = [(&'a str, String)];
/// What is done with an answer.
type Then = fn(&Rc<Transfer>, &XmlHttpRequest);

impl Transfer {
    fn begin(page: Page, version: String, file: File) {
        let transfer = Rc::new(Self {
            page,
            version,
            size_bytes: whole(file.size()),
            file,
            url: RefCell::default(),
            offset_bytes: Cell::default(),
            began: Cell::default(),
            failures: Cell::default(),
            is_cancelled: Cell::default(),
            request: RefCell::default(),
        });
        let cancelled = Rc::clone(&transfer);
        let cancel = part(&transfer.page.0, ".upload-progress button");
        cancel.set_onclick(Some(&listener(move |_: Event| cancelled.cancel())));
        transfer.url.replace(memory::recall(&transfer.memory_key()));
        transfer.show_sent(0);
        transfer.go_on();
    }

    /// Asks how far it is, where it began before, or begins it.
    fn go_on(self: &Rc<Self>) {
        if self.is_cancelled.get() {
            return;
        }
        if self.url.borrow().is_empty() {
            self.create();
        } else {
            self.send("HEAD", &[], None, Self::looked);
        }
    }

    fn create(self: &Rc<Self>) {
        let metadata = format!(
            "version {},filename {}",
            base64(&self.version),
            base64(&self.file.name())
        );
        let headers = [
            ("Upload-Length", self.size_bytes.to_string()),
            ("Upload-Metadata", metadata),
        ];
        self.send("POST", &headers, None, Self::created);
    }

    fn created(self: &Rc<Self>, answer: &XmlHttpRequest) {
        if answer.status() != Ok(201) {
            return self.fail(answer);
        }
        self.remember(&header(answer, "Location").unwrap_or_default());
        self.offset_bytes.set(0);
        self.send_piece();
    }

    fn looked(self: &Rc<Self>, answer: &XmlHttpRequest) {
        match answer.status() {
            Ok(200) => self.advance(answer),
            Ok(404) => {
                // Forgotten after a day, or begun for somebody else in this browser.
                self.remember("");
                self.create();
            }
            _ => self.fail(answer),
        }
    }

    fn send_piece(self: &Rc<Self>) {
        let start = self.offset_bytes.get();
        let end = self.size_bytes.min(start + PIECE_BYTES);
        if self.began.get().is_none() {
            self.began.set(Some((start, steady_ms())));
        }
        let headers = [
            ("Content-Type", "application/offset+octet-stream".to_owned()),
            ("Upload-Offset", start.to_string()),
        ];
        match self.file.slice_with_f64_and_f64(number(start), number(end)) {
            Ok(piece) => self.send("PATCH", &headers, Some(&piece), Self::sent),
            Err(_) => self.retry(),
        }
    }

    fn sent(self: &Rc<Self>, answer: &XmlHttpRequest) {
        if answer.status() == Ok(204) {
            self.failures.set(0);
            self.advance(answer);
        } else {
            self.fail(answer);
        }
    }

    /// Takes the portal's word for how far it is.
    fn advance(self: &Rc<Self>, answer: &XmlHttpRequest) {
        let offset = header(answer, "Upload-Offset").and_then(|offset| offset.parse().ok());
        self.offset_bytes.set(offset.unwrap_or(0));
        if self.offset_bytes.get() < self.size_bytes {
            return self.send_piece();
        }
        self.remember("");
        let release = String::from(encode_uri_component(&self.version));
        let page_url = self.page.text("data-page-url") + &release;
        let _leaving = window().location().assign(&page_url);
    }

    fn fail(self: &Rc<Self>, answer: &XmlHttpRequest) {
        let status = answer.status().unwrap_or(0);
        let passes = match status {
            507 => false,
            404 | 408 | 423 | 429 | 500.. => true,
            409 => member(answer, "code").as_deref() == Some("upload_offset"),
            _ => false,
        };
        if passes {
            return self.retry();
        }
        if status != 401 {
            self.remember("");
        }
        let reason = member(answer, "detail");
        self.page
            .stop(&reason.unwrap_or_else(|| self.page.text("data-refused")));
    }

    /// Waits a little longer after each failure, then asks the portal how far it is.
    fn retry(self: &Rc<Self>) {
        if self.is_cancelled.get() {
            return;
        }
        let failures = self.failures.get() + 1;
        self.failures.set(failures);
        self.began.set(None);
        let percent = self.percent(self.offset_bytes.get());
        let in_words =
            |text: &str| fill(&self.page.text(text), &[("percent", &percent.to_string())]);
        if failures > MAX_FAILURES {
            return self.page.stop(&in_words("data-broken"));
        }
        self.page.show_progress(percent, &in_words("data-waiting"));
        let again = Rc::clone(self);
        let pause = Duration::from_millis(500 << failures);
        set_timeout(move || again.go_on(), pause);
    }

    fn cancel(self: &Rc<Self>) {
        self.is_cancelled.set(true);
        if let Some(running) = self.request.take() {
            let _already_over = running.abort();
        }
        if !self.url.borrow().is_empty() {
            // What it cannot remove now is forgotten after a day.
            self.send("DELETE", &[], None, |_, _| {});
        }
        self.remember("");
        self.page.stop(&self.page.text("data-cancelled"));
    }

    fn send(self: &Rc<Self>, method: &str, headers: &Headers<'_>, body: Option<&Blob>, then: Then) {
        if self.try_send(method, headers, body, then).is_err() {
            self.retry();
        }
    }

    fn try_send(
        self: &Rc<Self>,
        method: &str,
        headers: &Headers<'_>,
        body: Option<&Blob>,
        then: Then,
    ) -> Result<(), JsValue> {
        let request = XmlHttpRequest::new()?;
        if method == "POST" {
            request.open(method, &self.page.text("data-uploads-url"))?;
        } else {
            request.open(method, &self.url.borrow())?;
        }
        request.set_request_header("Tus-Resumable", "1.0.0")?;
        for (name, value) in headers {
            request.set_request_header(name, value)?;
        }
        let (own, answer) = (Rc::clone(self), request.clone());
        request.set_onload(Some(&listener(move |_: Event| then(&own, &answer))));
        let broken = Rc::clone(self);
        request.set_onerror(Some(&listener(move |_: Event| broken.retry())));
        if body.is_some() {
            let moving = Rc::clone(self);
            let on_progress = listener(move |event: ProgressEvent| {
                moving.show_sent(moving.offset_bytes.get() + whole(event.loaded()));
            });
            request.upload()?.set_onprogress(Some(&on_progress));
        }
        request.send_with_opt_blob(body)?;
        self.request.replace(Some(request));
        Ok(())
    }

    fn show_sent(&self, sent_bytes: u64) {
        let sent_bytes = sent_bytes.min(self.size_bytes);
        let percent = self.percent(sent_bytes);
        let says = if percent == 100 {
            self.page.text("data-checking")
        } else {
            self.sending_text(percent, sent_bytes)
        };
        self.page.show_progress(percent, &says);
    }

    fn sending_text(&self, percent: u64, sent_bytes: u64) -> String {
        let (from_bytes, from_ms) = self.began.get().unwrap_or((sent_bytes, steady_ms()));
        let passed_ms = whole(steady_ms() - from_ms);
        let per_second_bytes = (sent_bytes.saturating_sub(from_bytes) * 1000)
            .checked_div(passed_ms)
            .unwrap_or(0);
        let left_ms = ((self.size_bytes - sent_bytes) * 1000).checked_div(per_second_bytes);
        let left = left_ms.map_or("–".to_owned(), |ms| {
            clock_text(i64::try_from(ms).unwrap_or(i64::MAX))
        });
        let decimal_mark = self.page.text("data-decimal-mark").chars().next();
        let speed = size_text(per_second_bytes, decimal_mark.unwrap_or('.'));
        fill(
            &self.page.text("data-sending"),
            &[
                ("percent", &percent.to_string()),
                ("speed", &speed),
                ("left", &left),
            ],
        )
    }

    fn percent(&self, bytes: u64) -> u64 {
        (bytes * 100).checked_div(self.size_bytes).unwrap_or(0)
    }

    /// What tells this upload from others of this browser.
    fn memory_key(&self) -> String {
        format!(
            "upload {} {} {} {} {}",
            self.page.text("data-uploads-url"),
            self.version,
            self.file.name(),
            self.size_bytes,
            self.file.last_modified()
        )
    }

    /// Keeps where the upload is; an empty address forgets it.
    fn remember(&self, url: &str) {
        self.url.replace(url.to_owned());
        memory::keep(&self.memory_key(), url);
    }
}

fn header(answer: &XmlHttpRequest, name: &str) -> Option<String> {
    answer.get_response_header(name).ok().flatten()
}

/// A member of the problem that was answered.
fn member(answer: &XmlHttpRequest, name: &str) -> Option<String> {
    let body = answer.response_text().ok().flatten()?;
    let problem = JSON::parse(&body).ok()?;
    Reflect::get(&problem, &name.into()).ok()?.as_string()
}

/// Base64 of the text's UTF-8, of which the browser's own function knows nothing.
fn base64(text: &str) -> String {
    let bytes = unescape(&String::from(encode_uri_component(text)));
    window().btoa(&String::from(bytes)).unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes and spans stay far below 2^53"
)]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^53")]
fn number(whole: u64) -> f64 {
    whole as f64
}
