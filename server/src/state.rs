//! What every handler may reach.

use std::{ops::Deref, sync::Arc};

use gatehouse_core::{Portal, ports::Clock};
use gatehouse_storage::StoreHandle;

use crate::{config::Config, firmware::ImageCache, web::cookie::SignInCookie};

/// The running portal as handlers see it; a clone is the same portal.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

/// What [`AppState`] points to.
pub struct Inner {
    /// The rooms.
    pub portal: Arc<Portal>,
    /// What the operator decided.
    pub config: Config,
    /// The database, for `/readyz`.
    pub store: StoreHandle,
    /// Scheme and host that people type, without a trailing slash.
    pub public_url: Arc<str>,
    /// The browser's cookie.
    pub sign_in_cookie: SignInCookie,
    /// Small images, kept in memory.
    pub images: ImageCache,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where the pages' style and wasm lie, such as `pkg/0123456789abcdef`.
    pub pkg_path: String,
}

impl AppState {
    /// Puts the portal behind a handle.
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
