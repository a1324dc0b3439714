#![cfg(feature = "ssr")]
//! What a page or a form needs to act: the rooms, and who asks.

use std::sync::Arc;

use gatehouse_core::{Actor, Portal};
use leptos::prelude::{provide_context, use_context};

/// One visit: the portal's rooms and who stands at the door.
#[derive(Clone)]
pub struct Visit {
    /// The rooms.
    pub portal: Arc<Portal>,
    /// Who asks, from where.
    pub actor: Actor,
    /// Scheme and host that people type, without a trailing slash.
    pub public_url: Arc<str>,
}

impl Visit {
    /// Hands the visit to the page or form that is about to run.
    pub fn provide(self) {
        provide_context(self);
    }

    /// The visit of the page or form that runs.
    ///
    /// Take it before the first `await`: later the context may be gone.
    ///
    /// # Panics
    /// When the server runs a page or form without having called [`Visit::provide`].
    pub fn current() -> Self {
        use_context().expect("the server provides a Visit before it runs a page or a form")
    }
}
