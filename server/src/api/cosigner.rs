use axum::{Json, extract::State};
use gatehouse_types::manifest::CoSignerStatus;

use super::{Refusals, auth::SignedIn};
use crate::{http::problem::Problem, state::AppState};

/// Tells who signs manifests beside the portal, and whether it does.
#[utoipa::path(get, path = "/api/v1/cosigner", tag = "projects", responses((status = 200, body = CoSignerStatus), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
) -> Result<Json<CoSignerStatus>, Problem> {
    Ok(Json(app.portal.firmware.cosigner_status(&actor).await?))
}
