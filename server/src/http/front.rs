//! What happens to every request before the router and to every answer after it.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use futures_util::FutureExt;
use gatehouse_core::client_address::{ForwardHeader, Resolver};
use http::header::HeaderName;
use http::{Method, Request, Response, Uri};
use tokio::time::Instant;
use tower::ServiceExt;

use super::client_address::{ClientAddress, ConnInfo};
use super::headers::{self, ForDevice};
use super::problem::{self, Problem};
use super::request_id::{RequestId, RequestIds};

const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The router with its request ids, client addresses, safe headers, panic net and access log.
///
/// Written by hand rather than as layers, because each layer would box a future per request.
#[derive(Debug)]
pub struct Front {
    router: Router,
    resolver: Resolver,
    ids: RequestIds,
}

impl Front {
    /// Stands before `router`.
    pub fn new(router: Router, resolver: Resolver, ids: RequestIds) -> Self {
        Self {
            router,
            resolver,
            ids,
        }
    }

    /// Tells whether `peer` is a proxy of ours, behind which many clients are.
    pub(super) fn trusts(&self, peer: IpAddr) -> bool {
        self.resolver.trusts(peer)
    }

    /// Tells whether what `peer` sends begins with whose connection it is.
    pub(super) fn hands_on_connections(&self, peer: IpAddr) -> bool {
        self.resolver.header() == ForwardHeader::ProxyProtocol
            && self.resolver.trusts(peer.to_canonical())
    }

    /// Answers one request that came over `conn`.
    ///
    /// Handlers find [`ConnInfo`], [`RequestId`] and [`ClientAddress`] among the extensions.
    pub async fn answer(&self, conn: ConnInfo, request: Request<Body>) -> Response<Body> {
        let id = self.ids.next();
        id.scope(self.answer_as(id, conn, request)).await
    }

    async fn answer_as(
        &self,
        id: RequestId,
        conn: ConnInfo,
        mut request: Request<Body>,
    ) -> Response<Body> {
        let started = Instant::now();
        let client = ClientAddress::resolve(&self.resolver, conn.peer.ip(), request.headers());
        let seen = (request.method().clone(), request.uri().clone());
        request.extensions_mut().insert(conn);
        request.extensions_mut().insert(id);
        request.extensions_mut().insert(client);

        let mut response = self.route(request).await;
        if response.extensions().get::<ForDevice>().is_some() {
            headers::secure_briefly(response.headers_mut());
        } else {
            headers::secure(response.headers_mut(), conn.tls);
            response
                .headers_mut()
                .insert(REQUEST_ID_HEADER, id.header_value());
        }
        log_access(&seen, &response, client, started);
        response
    }

    async fn route(&self, request: Request<Body>) -> Response<Body> {
        if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
            return problem::method_refused();
        }
        let routed = AssertUnwindSafe(self.router.clone().oneshot(request)).catch_unwind();
        match routed.await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_panic) => Problem::panicked().into_response(),
        }
    }
}

/// Logs one line a request, without the query: it may carry a token.
fn log_access(
    (method, uri): &(Method, Uri),
    response: &Response<Body>,
    client: ClientAddress,
    started: Instant,
) {
    tracing::info!(
        target: "gatehouse::access",
        method = method.as_str(),
        path = uri.path(),
        status = response.status().as_u16(),
        duration_ms = (started.elapsed().as_secs_f64() * 1e6).round() / 1e3,
        client_ip = client.0.map_or_else(|_| String::from("none"), |ip| ip.to_string()),
        "request"
    );
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use gatehouse_core::client_address::{ForwardHeader, Resolver};
    use http::{Request, Response};
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::{ClientAddress, ConnInfo, Front, Problem, RequestIds};

    async fn whoami(client: ClientAddress) -> Result<String, Problem> {
        Ok(client.0?.to_string())
    }

    async fn broken() {
        panic!("a handler that fails");
    }

    async fn ask(method: &str, path: &str, forwarded: Option<&str>) -> Response<Body> {
        let router = Router::new()
            .route("/me", get(whoami))
            .route("/broken", get(broken));
        let trusted = vec!["127.0.0.0/8".parse().expect("a network")];
        let front = Front::new(
            router,
            Resolver::new(trusted, ForwardHeader::XForwardedFor),
            RequestIds::new([1; 8]),
        );
        let conn = ConnInfo {
            peer: "127.0.0.1:5".parse().expect("an address"),
            tls: false,
        };
        let mut request = Request::builder().method(method).uri(path);
        if let Some(value) = forwarded {
            request = request.header("X-Forwarded-For", value);
        }
        front
            .answer(conn, request.body(Body::empty()).expect("a request"))
            .await
    }

    async fn json(response: Response<Body>) -> Value {
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        serde_json::from_slice(&bytes).expect("a JSON document")
    }

    #[tokio::test]
    async fn the_handler_learns_the_client() {
        let response = ask("GET", "/me", Some("203.0.113.7")).await;
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        assert_eq!(bytes, "203.0.113.7");
    }

    #[tokio::test]
    async fn a_proxy_that_names_nobody_is_a_problem() {
        let response = ask("GET", "/me", None).await;
        assert_eq!(response.status(), 400);
        assert_eq!(json(response).await["code"], "no_client_address");
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_with_its_request_id() {
        let response = ask("GET", "/broken", None).await;
        assert_eq!(response.status(), 500);
        let id = response.headers()["x-request-id"].clone();
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let body = json(response).await;
        assert_eq!(
            (&body["code"], &body["request_id"]),
            (&"internal".into(), &id.to_str().expect("text").into())
        );
        assert!(!body.to_string().contains("a handler that fails"), "{body}");
    }

    #[tokio::test]
    async fn trace_is_refused() {
        let response = ask("TRACE", "/me", None).await;
        assert_eq!(response.status(), 405);
        assert!(response.headers().contains_key("allow"));
    }
}
