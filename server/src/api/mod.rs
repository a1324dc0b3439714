//! The JSON API: the route table on one page, and the document that describes it.
//!
//! A URL's code stands in the file of its noun. Each handler is a few lines: the first names
//! the credentials it takes, then one method of the core is called and its answer put into
//! JSON. To add an operation: its message in `gatehouse-types`, its method in the core, a
//! handler with `#[utoipa::path]` in the noun's file, a line below, and `cargo xtask gen`.

mod account;
mod audit;
pub mod auth;
mod cosigner;
mod devices;
pub mod docs;
mod events;
mod invitations;
pub(crate) mod login;
mod own_device;
mod project_keys;
mod projects;
mod releases;
mod rollouts;
mod routers;
mod services;
mod sessions;
mod tokens;
mod upload;
mod uploads;
mod users;

use axum::Json;
use gatehouse_core::Error;
use gatehouse_types::{Page, PageQuery};
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        RefOr, Response,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{http::problem::Problem, state::AppState};

/// Every operation of the JSON API.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(login::login))
        .routes(routes!(login::acknowledge))
        .routes(routes!(account::me))
        .routes(routes!(account::list_logins))
        .routes(routes!(account::end_login))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::change, users::remove))
        .routes(routes!(users::list_logins))
        .routes(routes!(users::end_login))
        .routes(routes!(routers::list, routers::create))
        .routes(routes!(routers::show, routers::change, routers::remove))
        .routes(routes!(routers::test))
        .routes(routes!(services::list, services::create))
        .routes(routes!(services::show, services::change, services::remove))
        .routes(routes!(services::grant))
        .routes(routes!(sessions::list, sessions::open))
        .routes(routes!(sessions::show, sessions::close))
        .routes(routes!(sessions::extend))
        .routes(routes!(sessions::follow))
        .routes(routes!(events::follow))
        .routes(routes!(invitations::list, invitations::create))
        .routes(routes!(invitations::show, invitations::revoke))
        .routes(routes!(services::seed_list))
        .routes(routes!(services::seed_show))
        .routes(routes!(sessions::seed_open))
        .routes(routes!(sessions::seed_remove))
        .routes(routes!(projects::list, projects::create))
        .routes(routes!(projects::show, projects::change, projects::remove))
        .routes(routes!(project_keys::show))
        .routes(routes!(project_keys::rotate))
        .routes(routes!(project_keys::retire))
        .routes(routes!(releases::list))
        .routes(routes!(
            upload::upload,
            releases::show,
            releases::change,
            releases::delete
        ))
        .routes(routes!(uploads::create, uploads::abilities))
        .routes(routes!(uploads::look, uploads::append, uploads::cancel))
        .routes(routes!(releases::publish))
        .routes(routes!(releases::withdraw))
        .routes(routes!(rollouts::approve))
        .routes(routes!(rollouts::show, rollouts::change))
        .routes(routes!(rollouts::resume))
        .routes(routes!(rollouts::list_actions))
        .routes(routes!(
            rollouts::create_gateway_token,
            rollouts::revoke_gateway_token
        ))
        .routes(routes!(devices::list, devices::create))
        .routes(routes!(devices::show, devices::change, devices::remove))
        .routes(routes!(devices::create_token))
        .routes(routes!(rollouts::device_actions))
        .routes(routes!(rollouts::device_timeline))
        .routes(routes!(rollouts::cancel))
        .routes(routes!(rollouts::retry))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::revoke))
        .routes(routes!(tokens::generate))
        .routes(routes!(own_device::update))
        .routes(routes!(own_device::manifest))
        .routes(routes!(own_device::report))
        .routes(routes!(cosigner::show))
        .routes(routes!(audit::list))
}

/// The whole document, as `gatehouse openapi` prints it.
pub fn document() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}

/// The wanted page of a list that the core answers as a whole.
fn page_of<T>(
    rows: Vec<T>,
    query: &PageQuery,
    id: impl Fn(&T) -> Uuid,
) -> Result<Json<Page<T>>, Problem> {
    let page = Page::of_all(rows, query, |row| id(row).to_string()).map_err(Error::from)?;
    Ok(Json(page))
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Gatehouse", description = "One portal for owners, admins and devices. Times are RFC 3339 UTC with milliseconds, ids are UUIDs, lists take `?limit=` (1..=500, default 100) and `?after=`. Unknown members are refused with 422."),
    security(("account" = []), ("cookie" = [])),
    modifiers(&Credentials),
    components(schemas(ProblemDocument))
)]
struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = |what: &str| {
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format("JWT")
                    .description(Some(what))
                    .build(),
            )
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("account", bearer("From POST /api/login."));
        components.add_security_scheme(
            "device",
            bearer("From POST /admin/generate_token or …/devices/{device_id}/tokens."),
        );
        components.add_security_scheme(
            "cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-gatehouse"))),
        );
        components.add_security_scheme(
            "admin_secret",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Admin-Secret"))),
        );
    }
}

/// An error, as `application/problem+json` (RFC 9457).
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
#[expect(
    dead_code,
    reason = "describes the shape only; http/problem.rs writes it"
)]
struct ProblemDocument {
    /// Always `about:blank`.
    r#type: String,
    /// The name of the status.
    title: String,
    /// The HTTP status.
    status: u16,
    /// A sentence for people.
    detail: String,
    /// One of a closed set of words for programs.
    code: String,
    /// Names the request in the portal's log.
    request_id: String,
    /// The member that is wrong, with 422.
    field: Option<String>,
}

/// What any operation may answer instead.
struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> std::collections::BTreeMap<String, RefOr<Response>> {
        use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
        let problem = || {
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build()
        };
        let answer = |what: &str| {
            RefOr::T(
                ResponseBuilder::new()
                    .description(what)
                    .content("application/problem+json", problem())
                    .build(),
            )
        };
        [
            ("400", "The request cannot be read."),
            ("401", "Not signed in, or the token does not hold."),
            (
                "403",
                "The role may not do it, or the request came from another site.",
            ),
            ("404", "It does not exist, or belongs to somebody else."),
            ("409", "It collides with what is there."),
            ("422", "A member cannot be taken; `field` names it."),
            ("429", "Too many tries; see Retry-After."),
            (
                "503",
                "Something that is needed does not answer; see Retry-After.",
            ),
        ]
        .map(|(status, what)| (status.to_owned(), answer(what)))
        .into()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_says_what_programs_rely_on() {
        let mut json = serde_json::to_value(super::document()).expect("a document");
        json["info"]["version"] = "any".into();
        insta::assert_json_snapshot!("openapi", json);
    }
}
