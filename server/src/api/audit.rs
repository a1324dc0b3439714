use axum::{Json, extract::State};
use gatehouse_types::{
    Page,
    audit::{AuditEntry, AuditQuery},
};

use super::{Refusals, auth::SignedIn};
use crate::{
    http::{extract::Query, problem::Problem},
    state::AppState,
};

/// Lists the audit trail, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery), responses((status = 200, body = Page<AuditEntry>), Refusals))]
pub(super) async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    Ok(Json(app.portal.audit.list(&actor, &query).await?))
}
