//! A page that shows what changes without being loaded again.
//!
//! The portal says over an event stream that something changed, not what the page should look
//! like: the page is fetched anew, and of it only the parts that read otherwise are exchanged. Where
//! the stream fails for good the page is fetched every 15 s. A hidden page lets go of its stream,
//! of which a browser has few over HTTP/1, and catches up when it is seen again.
//!
//! The markup: a part bears its name in `data-live`, what it says in short in `data-rev`, and
//! perhaps in `data-says` what is announced when it changed. Parts may lie in parts. `.live` holds
//! the stream's address in `data-events`, and an empty status for announcements.

use std::{cell::RefCell, rc::Rc, time::Duration};

use leptos::{
    leptos_dom::helpers::IntervalHandle,
    prelude::{document, *},
};
use wasm_bindgen::JsCast;
use web_sys::{
    Document, Element, Event, EventSource, HtmlElement, XmlHttpRequest, XmlHttpRequestResponseType,
};

use super::{countdown, data, listener, part, say};

const POLL: Duration = Duration::from_secs(15);
const PATIENCE_MS: u32 = 10_000;
const CLOSED: u16 = 2;
const EVENTS: [&str; 3] = ["session", "services", "missed"];

/// Keeps the page's parts fresh.
#[island]
pub fn KeepFresh(
    /// The markup named above.
    children: Children,
) -> impl IntoView {
    view! { <span use:keep_fresh>{children()}</span> }
}

fn keep_fresh(root: Element) {
    let page = Page {
        live: part(&root, ".live"),
        now: Rc::default(),
    };
    page.listen();
    let shown = page.clone();
    let on_visibility = listener(move |_: Event| {
        shown.let_go();
        if !document().hidden() {
            shown.listen();
            shown.look();
        }
    });
    document().set_onvisibilitychange(Some(&on_visibility));
}

#[derive(Clone)]
struct Page {
    live: HtmlElement,
    now: Rc<RefCell<Now>>,
}

/// What goes on.
#[derive(Default)]
struct Now {
    stream: Option<EventSource>,
    poll: Option<IntervalHandle>,
    is_looking: bool,
    /// Something changed while the page was being fetched.
    looks_again: bool,
    was_connected: bool,
}

impl Page {
    fn listen(&self) {
        let Ok(stream) = EventSource::new(&data(&self.live, "data-events")) else {
            return self.poll();
        };
        let changed = self.clone();
        let on_event = listener(move |_: Event| changed.look());
        for name in EVENTS {
            let _added = stream.add_event_listener_with_callback(name, &on_event);
        }
        let connected = self.clone();
        stream.set_onopen(Some(&listener(move |_: Event| connected.note_connection())));
        let (failed, own) = (self.clone(), stream.clone());
        stream.set_onerror(Some(&listener(move |_: Event| {
            // Otherwise the browser connects again by itself.
            if own.ready_state() == CLOSED {
                failed.poll();
            }
        })));
        self.now.borrow_mut().stream = Some(stream);
    }

    /// Between two connections something may have happened.
    fn note_connection(&self) {
        let was_connected = std::mem::replace(&mut self.now.borrow_mut().was_connected, true);
        if was_connected {
            self.look();
        }
    }

    fn poll(&self) {
        let page = self.clone();
        let poll = set_interval_with_handle(move || page.look(), POLL).ok();
        self.now.borrow_mut().poll = poll;
    }

    fn let_go(&self) {
        let mut now = self.now.borrow_mut();
        if let Some(stream) = now.stream.take() {
            stream.close();
        }
        if let Some(poll) = now.poll.take() {
            poll.clear();
        }
        now.was_connected = false;
    }

    /// Fetches the page; one fetch at a time.
    fn look(&self) {
        let mut now = self.now.borrow_mut();
        now.looks_again = now.is_looking;
        if !now.is_looking {
            now.is_looking = self.fetch().is_some();
        }
    }

    fn fetch(&self) -> Option<()> {
        let request = XmlHttpRequest::new().ok()?;
        let here = window().location().href().ok()?;
        request.open("GET", &here).ok()?;
        request.set_response_type(XmlHttpRequestResponseType::Document);
        request.set_timeout(PATIENCE_MS);
        let (page, answer) = (self.clone(), request.clone());
        let on_end = listener(move |_: Event| page.take(&answer));
        request
            .add_event_listener_with_callback("loadend", &on_end)
            .ok()?;
        request.send().ok()
    }

    fn take(&self, answer: &XmlHttpRequest) {
        if let Ok(Some(fresh)) = answer.response_xml()
            && answer.status() == Ok(200)
        {
            self.exchange(&fresh);
        }
        let mut now = self.now.borrow_mut();
        now.is_looking = false;
        if std::mem::take(&mut now.looks_again) {
            drop(now);
            self.look();
        }
    }

    fn exchange(&self, fresh: &Document) {
        let is_other_page = !matches!(fresh.query_selector("[data-live]"), Ok(Some(_)));
        if is_other_page {
            // Signed out meanwhile, most likely: the browser shows what there is now.
            let _leaving = window().location().reload();
            return;
        }
        let Ok(parts) = document().query_selector_all("[data-live]") else {
            return;
        };
        let mut says = String::new();
        for place in 0..parts.length() {
            let old = parts.item(place).and_then(|node| node.dyn_into().ok());
            if let Some(new) = old.and_then(|old| exchange_part(&old, fresh)) {
                says = says + &data(&new, "data-says") + " ";
            }
        }
        if !says.trim().is_empty() {
            say(&part(&self.live, "[role=status]"), says.trim());
        }
    }
}

/// Answers the new part if there is one and it took the old one's place.
fn exchange_part(old: &Element, fresh: &Document) -> Option<HtmlElement> {
    let name = data(old, "data-live");
    let new: Option<HtmlElement> = fresh
        .query_selector(&format!("[data-live=\"{name}\"]"))
        .ok()
        .flatten()
        .map(JsCast::unchecked_into);
    let is_same = new
        .as_ref()
        .is_some_and(|new| data(new, "data-rev") == data(old, "data-rev"));
    // A part of a part that was exchanged is new already.
    if is_same || !old.is_connected() || is_in_use(old) {
        return None;
    }
    let had_focus = has_focus(old);
    let Some(new) = new else {
        old.remove();
        return None;
    };
    old.replace_with_with_node_1(&new).ok()?;
    countdown::start_within(&new);
    if had_focus {
        let _set = new.set_attribute("tabindex", "-1");
        let _focused = new.focus();
    }
    Some(new)
}

fn has_focus(part: &Element) -> bool {
    let focused = document().active_element();
    part.contains(focused.as_deref())
}

/// Whether somebody chooses, types, or is being asked something there.
fn is_in_use(part: &Element) -> bool {
    let chooses = document()
        .active_element()
        .is_some_and(|focused| part.contains(Some(&focused)) && is_field(&focused));
    chooses || matches!(part.query_selector("details[open]"), Ok(Some(_)))
}

fn is_field(element: &Element) -> bool {
    matches!(element.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA")
}
