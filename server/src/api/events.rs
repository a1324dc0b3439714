//! What changes, told as it happens (server-sent events).

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse,
        sse::{Event, Sse},
    },
};
use futures_util::{Stream, stream};
use gatehouse_core::access::{LiveEvent, Subscription};
use gatehouse_types::access::EventsQuery;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, Interval, interval_at};

use super::{Refusals, auth::SignedIn};
use crate::{
    http::{extract::Query, problem::Problem},
    state::AppState,
};

/// Shorter than the patience of every proxy that we know.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A sign-in that was looked at so lately is taken to hold.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long a browser waits before it connects again.
const COME_BACK: Duration = Duration::from_secs(3);
/// Keeps nginx from holding events back.
const UNBUFFERED: [(HeaderName, HeaderValue); 1] = [(
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
)];

/// Tells what changes as it happens: one's own access sessions, everybody's for an admin.
///
/// `text/event-stream`: an event `session` carries the session as it is now; its `id` is the
/// number of the change, and `Last-Event-ID` brings what came since (a change may come twice).
/// With `services=true`, an event `services` carries an array of services whose state is new. An
/// event `missed` says that more happened than was kept. A comment comes every 15 s, and the
/// stream ends when the sign-in does.
#[utoipa::path(get, path = "/api/v1/events", tag = "sessions", params(EventsQuery, ("Last-Event-ID" = Option<i64>, Header)), responses((status = 200, content_type = "text/event-stream", body = String), Refusals))]
pub(super) async fn follow(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let access = &app.portal.access;
    let subscription = access
        .subscribe(&actor, query.services, last_event_id(&headers))
        .await?;
    Ok((UNBUFFERED, Sse::new(events(app, subscription))))
}

/// An id that is none of ours is as if it were not there.
fn last_event_id(headers: &HeaderMap) -> Option<i64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

fn events(
    app: AppState,
    subscription: Subscription,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let feed = Feed {
        app,
        subscription,
        heartbeat: interval_at(Instant::now() + HEARTBEAT, HEARTBEAT),
        checked_at: Instant::now(),
        has_begun: false,
    };
    stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok(event), feed))
    })
}

struct Feed {
    app: AppState,
    subscription: Subscription,
    heartbeat: Interval,
    /// When the sign-in was looked at last.
    checked_at: Instant,
    has_begun: bool,
}

impl Feed {
    async fn next(&mut self) -> Option<Event> {
        if !self.has_begun {
            self.has_begun = true;
            return Some(Event::default().comment("listening").retry(COME_BACK));
        }
        tokio::select! {
            event = self.subscription.next() => self.hand_out(&event?).await,
            _ = self.heartbeat.tick() => self.beat().await,
        }
    }

    async fn hand_out(&mut self, event: &LiveEvent) -> Option<Event> {
        if self.checked_at.elapsed() > TRUSTED {
            self.check().await?;
        }
        Some(to_wire(event))
    }

    async fn beat(&mut self) -> Option<Event> {
        self.check().await?;
        let access = &self.app.portal.access;
        access.look_on(&mut self.subscription).await.ok()?;
        Some(Event::default().comment("still here"))
    }

    /// `None` when the sign-in is over or its account has another role by now. It is looked at
    /// without using it: listening keeps nobody signed in.
    async fn check(&mut self) -> Option<()> {
        let (identity, actor) = (&self.app.portal.identity, self.subscription.actor());
        let goes_on = identity.is_still_signed_in(actor).await.ok()?;
        self.checked_at = Instant::now();
        goes_on.then_some(())
    }
}

fn to_wire(event: &LiveEvent) -> Event {
    match event {
        LiveEvent::Session { seq, session } => Event::default()
            .event("session")
            .id(seq.to_string())
            .data(json(session.as_ref())),
        LiveEvent::Services(reaches) => Event::default()
            .event("services")
            .data(json(reaches.as_ref())),
        LiveEvent::Missed => Event::default().event("missed").data("{}"),
    }
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("our messages are plain data")
}
