#![cfg(feature = "ssr")]
#![expect(clippy::needless_pass_by_value, reason = "a component owns its props")]
//! The pages, and on one screen which URL shows which.
//!
//! A page's file is named after its URL. To add one: a module here, a `<Route>` below, and
//! `ssr=SsrMode::Async` so that cookies and status codes set while it loads still count.

pub mod account;
pub mod admin_service;
pub mod admin_services;
pub mod audit;
pub mod connect;
pub mod dashboard;
pub mod device;
pub mod device_secret;
pub mod device_timeline;
pub mod devices;
pub mod error;
#[cfg(test)]
mod firmware_tests;
pub mod guest;
pub mod image_alarm;
pub mod invitations;
pub mod loading;
pub mod login;
pub mod not_found;
pub mod people;
pub mod project;
pub mod project_cosigner;
pub mod project_guide;
pub mod project_keys;
pub mod project_settings;
pub mod projects;
pub mod release;
pub mod release_chart;
pub mod release_devices;
pub mod release_forms;
pub mod release_image;
pub mod release_offer;
pub mod release_rollout;
pub mod release_signing;
pub mod router;
pub mod routers;
pub mod service_fields;
pub mod services;
pub mod session;
pub mod session_parts;
pub mod sessions;
pub mod setup;
pub mod sign_ins;
pub mod styleguide;
pub mod tokens;
pub mod upload;
pub mod user;
pub mod users;
pub mod waking;

use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::{
    SsrMode, StaticSegment,
    components::{Route, Router, Routes},
    path,
};

use account::Account;
use admin_service::AdminService;
use admin_services::{AdminServices, NewService};
use audit::Audit;
use dashboard::Dashboard;
use device::Device;
use devices::Devices;
use guest::Guest;
use invitations::{Invitations, NewInvitation};
use login::Login;
use not_found::NotFound;
use project::Project;
use project_keys::ProjectKeys;
use projects::Projects;
use release::Release;
use router::RouterPage;
use routers::{NewRouter, Routers};
use services::Services;
use session::Session;
use sessions::Sessions;
use setup::Setup;
use styleguide::Styleguide;
use tokens::Tokens;
use upload::Upload;
use user::UserPage;
use users::{NewUser, Users};

/// The route table of all pages.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=NotFound>
                <Route
                    path=(StaticSegment("admin"), StaticSegment("styleguide"))
                    view=Styleguide
                    ssr=SsrMode::Async
                />
                <Route path=path!("/admin/projects") view=Projects ssr=SsrMode::Async />
                <Route path=path!("/admin/projects/:project") view=Project ssr=SsrMode::Async />
                <Route path=path!("/admin/projects/:project/keys") view=ProjectKeys ssr=SsrMode::Async />
                <Route path=path!("/admin/projects/:project/upload") view=Upload ssr=SsrMode::Async />
                <Route path=path!("/admin/projects/:project/releases/:version") view=Release ssr=SsrMode::Async />
                <Route path=path!("/admin/projects/:project/devices") view=Devices ssr=SsrMode::Async />
                <Route path=path!("/admin/projects/:project/devices/:device") view=Device ssr=SsrMode::Async />
                <Route path=path!("/admin/tokens") view=Tokens ssr=SsrMode::Async />
                <Route path=path!("/login") view=Login ssr=SsrMode::Async />
                <Route path=path!("/setup") view=Setup ssr=SsrMode::Async />
                <Route path=path!("/") view=Dashboard ssr=SsrMode::Async />
                <Route path=path!("/sessions") view=Sessions ssr=SsrMode::Async />
                <Route path=path!("/sessions/:id") view=Session ssr=SsrMode::Async />
                <Route path=path!("/invitations") view=Invitations ssr=SsrMode::Async />
                <Route path=path!("/invitations/new") view=NewInvitation ssr=SsrMode::Async />
                <Route path=path!("/guest") view=Guest ssr=SsrMode::Async />
                <Route path=path!("/services") view=Services ssr=SsrMode::Async />
                <Route path=path!("/account") view=Account ssr=SsrMode::Async />
                <Route path=path!("/admin/services") view=AdminServices ssr=SsrMode::Async />
                <Route path=path!("/admin/services/new") view=NewService ssr=SsrMode::Async />
                <Route path=path!("/admin/services/:id") view=AdminService ssr=SsrMode::Async />
                <Route path=path!("/admin/routers") view=Routers ssr=SsrMode::Async />
                <Route path=path!("/admin/routers/new") view=NewRouter ssr=SsrMode::Async />
                <Route path=path!("/admin/routers/:id") view=RouterPage ssr=SsrMode::Async />
                <Route path=path!("/admin/users") view=Users ssr=SsrMode::Async />
                <Route path=path!("/admin/users/new") view=NewUser ssr=SsrMode::Async />
                <Route path=path!("/admin/users/:id") view=UserPage ssr=SsrMode::Async />
                <Route path=path!("/admin/audit") view=Audit ssr=SsrMode::Async />
            </Routes>
        </Router>
    }
}
