use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gatehouse_types::audit::{AuditEntry, AuditQuery};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use crate::{
    api::auth::SignedIn,
    http::{extract::Query, problem::Problem},
    state::AppState,
};

const HEAD: &str = "id,at,actor_kind,actor_id,actor_name,ip,action,target_kind,target_id,result,detail,request_id\r\n";

/// GET `/admin/audit.csv`: one page of the audit trail for a spreadsheet, with the same filters.
pub(super) async fn download(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let page = app
        .portal
        .audit
        .list(
            &actor,
            &AuditQuery {
                limit: query.limit.or(Some(500)),
                ..query
            },
        )
        .await?;
    let csv: String = std::iter::once(HEAD.to_owned())
        .chain(page.items.iter().map(line))
        .collect();
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
    ];
    Ok((headers, csv).into_response())
}

fn line(entry: &AuditEntry) -> String {
    let cells = [
        &entry.id.to_string(),
        &entry.at.rfc3339(),
        &entry.actor_kind,
        entry.actor_id.as_deref().unwrap_or_default(),
        &entry.actor_name,
        entry.ip.as_deref().unwrap_or_default(),
        &entry.action,
        &entry.target_kind,
        &entry.target_id,
        &entry.result,
        &entry.detail,
        entry.request_id.as_deref().unwrap_or_default(),
    ];
    let mut line = cells.map(cell).join(",");
    line.push_str("\r\n");
    line
}

/// Quotes a cell (RFC 4180); an apostrophe keeps a spreadsheet from running it as a formula.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_spreadsheet_runs_nothing_that_a_stranger_wrote() {
        assert_eq!(
            cell("=HYPERLINK(\"http://evil\")"),
            "\"'=HYPERLINK(\"\"http://evil\"\")\""
        );
        for formula in ["+1", "-1", "@x", "\t=1"] {
            assert!(cell(formula).starts_with("\"'"), "{formula:?}");
        }
        assert_eq!(cell("plain, text"), "\"plain, text\"");
    }
}
