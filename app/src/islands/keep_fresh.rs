//! A page that shows what changes without being loaded again.
//!
//! The portal says over an event stream that something changed, not what the page should look
//! like: the page is fetched anew, and of it only the parts that read otherwise are exchanged. It is
//! also fetched with each connection, since something may have happened before. As long as the stream
//! is not open, or where there is none, the page is fetched every 15 s. A hidden page lets go of its stream,
//! of which a browser has few over HTTP/1, and catches up when it is seen again. A part in which
//! somebody chooses or is asked something waits until they are done.
//!
//! The markup: a part bears its name in `data-live`, what it says in short in `data-rev`, and
//! perhaps in `data-says` what is announced when it changed. Parts may lie in parts. `.live` holds
//! the stream's address in `data-events`, and an empty status for announcements. A link with
//! `data-lead-in` is where the reader is to be by now: the browser goes there at once.

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
/// So long a click may last that takes the focus from a field of a part that has to wait.
const CLICK_LASTS: Duration = Duration::from_secs(1);
/// So long a navigation may take before the page is taken to have stayed, as after a download.
const NAVIGATION_LASTS: Duration = Duration::from_secs(10);
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
    if let Some(there) = way_in(&document()) {
        page.lead_in(&there);
    }
    page.listen();
    page.catch_up_after_use();
    let shown = page.clone();
    let on_visibility = listener(move |_: Event| {
        shown.let_go();
        if !document().hidden() {
            shown.listen();
        }
    });
    document().set_onvisibilitychange(Some(&on_visibility));
    page.notice_navigation();
}

#[derive(Clone)]
struct Page {
    live: HtmlElement,
    now: Rc<RefCell<Now>>,
}

/// Whether the page is being fetched.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Look {
    #[default]
    Idle,
    Fetching,
    /// Something changed meanwhile, so it is fetched once more.
    FetchingThenAgain,
}

/// What goes on.
#[derive(Default)]
struct Now {
    stream: Option<EventSource>,
    poll: Option<IntervalHandle>,
    look: Look,
    /// A part reads otherwise, but was in use.
    is_behind: bool,
    /// The browser is on its way elsewhere: another look would only start that anew.
    is_leaving: bool,
    /// The reader has just followed a link or sent a form, which may come to nothing.
    may_leave: bool,
}

impl Page {
    fn listen(&self) {
        if self.now.borrow().is_leaving {
            return;
        }
        let events = data(&self.live, "data-events");
        // Until the stream is open: what stands between may keep it waiting for ever.
        self.poll();
        if events.is_empty() {
            return self.look();
        }
        let Ok(stream) = EventSource::new(&events) else {
            return self.look();
        };
        let changed = self.clone();
        let on_event = listener(move |_: Event| changed.look());
        for name in EVENTS {
            let _added = stream.add_event_listener_with_callback(name, &on_event);
        }
        let connected = self.clone();
        stream.set_onopen(Some(&listener(move |_: Event| {
            connected.stop_polling();
            connected.look();
        })));
        let (failed, own) = (self.clone(), stream.clone());
        stream.set_onerror(Some(&listener(move |_: Event| {
            failed.poll();
            // Otherwise the browser connects again by itself.
            if own.ready_state() == CLOSED {
                failed.look();
            }
        })));
        self.now.borrow_mut().stream = Some(stream);
    }

    fn poll(&self) {
        let mut now = self.now.borrow_mut();
        if now.poll.is_none() {
            let page = self.clone();
            now.poll = set_interval_with_handle(move || page.look(), POLL).ok();
        }
    }

    fn stop_polling(&self) {
        if let Some(poll) = self.now.borrow_mut().poll.take() {
            poll.clear();
        }
    }

    fn let_go(&self) {
        self.stop_polling();
        if let Some(stream) = self.now.borrow_mut().stream.take() {
            stream.close();
        }
    }

    /// Looks again when somebody leaves a field or folds a question away, if a part waited for that.
    fn catch_up_after_use(&self) {
        let page = self.clone();
        let on_left = listener(move |_: Event| {
            let page = page.clone();
            set_timeout(
                move || {
                    if page.now.borrow().is_behind {
                        page.look();
                    }
                },
                CLICK_LASTS,
            );
        });
        for name in ["focusout", "toggle"] {
            let _added = document().add_event_listener_with_callback_and_bool(name, &on_left, true);
        }
    }

    /// Fetches the page; one fetch at a time.
    fn look(&self) {
        let mut now = self.now.borrow_mut();
        if now.is_leaving {
            return;
        }
        now.look = match now.look {
            Look::Idle if self.fetch().is_some() => Look::Fetching,
            Look::Idle => Look::Idle,
            Look::Fetching | Look::FetchingThenAgain => Look::FetchingThenAgain,
        };
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
        if std::mem::take(&mut now.look) == Look::FetchingThenAgain {
            drop(now);
            self.look();
        }
    }

    /// Whoever signs out is on the way to a page that says so, which a reload would take away.
    fn notice_navigation(&self) {
        let page = self.clone();
        let on_navigation = listener(move |_: Event| {
            page.now.borrow_mut().may_leave = true;
            let page = page.clone();
            set_timeout(
                move || page.now.borrow_mut().may_leave = false,
                NAVIGATION_LASTS,
            );
        });
        let _added = window().add_event_listener_with_callback("beforeunload", &on_navigation);
    }

    fn exchange(&self, fresh: &Document) {
        let is_other_page = !matches!(fresh.query_selector("[data-live]"), Ok(Some(_)));
        if is_other_page {
            if self.now.borrow().may_leave {
                return;
            }
            // Signed out meanwhile, most likely: the browser shows what there is now.
            let _leaving = window().location().reload();
            return;
        }
        let Ok(parts) = document().query_selector_all("[data-live]") else {
            return;
        };
        // Before the parts move over, and even when the one with the link waits.
        let way_in = way_in(fresh);
        let (mut says, mut is_behind) = (String::new(), false);
        for place in 0..parts.length() {
            let old = parts.item(place).and_then(|node| node.dyn_into().ok());
            match old.map(|old| exchange_part(&old, fresh)) {
                Some(Exchange::Done(new)) => says = says + &data(&new, "data-says") + " ",
                Some(Exchange::Waits) => is_behind = true,
                Some(Exchange::Nothing) | None => {}
            }
        }
        self.now.borrow_mut().is_behind = is_behind;
        if !says.trim().is_empty() {
            say(&part(&self.live, "[role=status]"), says.trim());
        }
        if let Some(there) = way_in {
            self.lead_in(&there);
        }
    }

    /// Goes where the page leads. The page that waited gives its place in the history away: going
    /// back must not lead in again.
    fn lead_in(&self, there: &str) {
        self.let_go();
        self.now.borrow_mut().is_leaving = true;
        let _leaving = window().location().replace(there);
    }
}

/// Where a page leads to by itself, if it does.
fn way_in(page: &Document) -> Option<String> {
    let link = page.query_selector("a[data-lead-in]").ok()??;
    Some(data(&link, "href"))
}

/// What became of a part.
enum Exchange {
    /// This one took the old one's place.
    Done(HtmlElement),
    /// It reads otherwise, but is in use.
    Waits,
    /// It reads as before, or is gone.
    Nothing,
}

fn exchange_part(old: &Element, fresh: &Document) -> Exchange {
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
    if is_same || !old.is_connected() {
        return Exchange::Nothing;
    }
    if is_in_use(old) {
        return Exchange::Waits;
    }
    let had_focus = has_focus(old);
    let Some(new) = new else {
        old.remove();
        return Exchange::Nothing;
    };
    if old.replace_with_with_node_1(&new).is_err() {
        return Exchange::Nothing;
    }
    countdown::start_within(&new);
    if had_focus {
        let _set = new.set_attribute("tabindex", "-1");
        let _focused = new.focus();
    }
    Exchange::Done(new)
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
