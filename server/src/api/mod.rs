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

use axum::{Json, Router, handler::Handler, routing::MethodRouter};
use gatehouse_core::Error;
use gatehouse_types::{Page, PageQuery};
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        RefOr, Response,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{PathItemExt, paste};
use uuid::Uuid;

use crate::{http::problem::Problem, state::AppState};

/// Makes router and document from one list, so that neither has an operation that the other lacks.
///
/// `utoipa_axum` would make the document along with the router: megabytes at each start, of which a
/// portal at rest keeps the most although nobody may ever ask for it.
macro_rules! operations {
    ($($module:ident::$operation:ident,)*) => {
        /// Every operation of the JSON API.
        pub fn router() -> Router<AppState> {
            let router = Router::new();
            $(
                let router =
                    paste! { with::<$module::[<__path_ $operation>], _, _>(router, &$module::$operation) };
            )*
            router
        }

        #[derive(OpenApi)]
        #[openapi(
            info(title = "Gatehouse", description = "One portal for owners, admins and devices. Times are RFC 3339 UTC with milliseconds, ids are UUIDs, lists take `?limit=` (1..=500, default 100) and `?after=`. Unknown members are refused with 422."),
            security(("account" = []), ("cookie" = [])),
            modifiers(&Credentials),
            components(schemas(ProblemDocument)),
            paths($($module::$operation),*)
        )]
        struct Document;
    };
}

operations! {
    login::login,
    login::acknowledge,
    account::me,
    account::list_logins,
    account::end_login,
    users::list,
    users::create,
    users::show,
    users::change,
    users::remove,
    users::list_logins,
    users::end_login,
    routers::list,
    routers::create,
    routers::show,
    routers::change,
    routers::remove,
    routers::test,
    services::list,
    services::create,
    services::show,
    services::change,
    services::remove,
    services::grant,
    sessions::list,
    sessions::open,
    sessions::show,
    sessions::close,
    sessions::extend,
    sessions::follow,
    events::follow,
    invitations::list,
    invitations::create,
    invitations::show,
    invitations::revoke,
    services::seed_list,
    services::seed_show,
    sessions::seed_open,
    sessions::seed_remove,
    projects::list,
    projects::create,
    projects::show,
    projects::change,
    projects::remove,
    project_keys::show,
    project_keys::rotate,
    project_keys::retire,
    releases::list,
    upload::upload,
    releases::show,
    releases::change,
    releases::delete,
    uploads::create,
    uploads::abilities,
    uploads::look,
    uploads::append,
    uploads::cancel,
    releases::publish,
    releases::withdraw,
    rollouts::approve,
    rollouts::show,
    rollouts::change,
    rollouts::resume,
    rollouts::list_actions,
    rollouts::create_gateway_token,
    rollouts::revoke_gateway_token,
    devices::list,
    devices::create,
    devices::show,
    devices::change,
    devices::remove,
    devices::create_token,
    rollouts::device_actions,
    rollouts::device_timeline,
    rollouts::cancel,
    rollouts::retry,
    tokens::list,
    tokens::revoke,
    tokens::generate,
    own_device::update,
    own_device::manifest,
    own_device::report,
    cosigner::show,
    audit::list,
}

/// The whole document, as `gatehouse openapi` prints it.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

fn with<P, H, T>(router: Router<AppState>, handler: &H) -> Router<AppState>
where
    P: utoipa::Path,
    H: Handler<T, AppState>,
    T: 'static,
{
    let filters = P::methods();
    let filters = filters.iter().map(PathItemExt::to_method_filter);
    let methods = filters.fold(MethodRouter::new(), |methods, filter| {
        methods.on(filter, handler.clone())
    });
    router.route(&P::path(), methods)
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
