//! Paths and queries of the JSON API, refused in words instead of axum's plain text.

use axum::extract::FromRequestParts;
use axum::extract::rejection::{PathRejection, QueryRejection};

use super::problem::{self, Problem};

/// The typed segments of a path; one that cannot be read names nothing that exists (404).
#[derive(Debug, Clone, Copy, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

/// The typed members of a query; one that cannot be read is 400 and is not echoed.
#[derive(Debug, Clone, Copy, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        problem::not_found()
    }
}

impl From<QueryRejection> for Problem {
    fn from(_: QueryRejection) -> Self {
        Self::bad_request("The query cannot be read: a member has a wrong form.")
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use gatehouse_types::PageQuery;
    use http::Request;
    use tower::ServiceExt;
    use uuid::Uuid;

    use super::{Path, Query};

    async fn status(uri: &str) -> u16 {
        let handler = |Path(_): Path<Uuid>, Query(_): Query<PageQuery>| async { "ok" };
        let router: Router = Router::new().route("/things/{id}", get(handler));
        let request = Request::get(uri).body(Body::empty()).expect("a request");
        let response = router.oneshot(request).await.expect("an answer");
        let is_problem = response.headers()["content-type"] == "application/problem+json";
        assert!(is_problem || response.status().is_success(), "{uri}");
        response.status().as_u16()
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_a_problem_like_any_other() {
        let id = Uuid::nil();
        assert_eq!(status(&format!("/things/{id}?limit=5")).await, 200);
        assert_eq!(status("/things/1%20or%201=1").await, 404);
        assert_eq!(status(&format!("/things/{id}?limit=abc")).await, 400);
        assert_eq!(status("/things/%ff").await, 404);
    }
}
