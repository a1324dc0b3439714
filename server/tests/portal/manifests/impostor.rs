//! Somebody in the place of the co-signer, as seen from the portal.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::Method;
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::{MANIFEST, check, cosigner_host::CoSignerHost};
use crate::{field::Field, furnish::text_of, harness::get};

/// What the impostor answers to a question for a signature.
#[derive(Clone)]
enum Trick {
    /// What the true co-signer says.
    None,
    /// What it was asked, as it came.
    Echo,
    /// The same as to the first question.
    Again,
    /// What a co-signer with keys of its own says.
    OwnKeys(Router),
}

#[derive(Clone)]
struct Impostor {
    truth: Router,
    trick: Arc<Mutex<Trick>>,
    first: Arc<Mutex<Option<Bytes>>>,
}

impl Impostor {
    async fn before(truth: &CoSignerHost) -> (Self, String) {
        let impostor = Self {
            truth: truth.routes(),
            trick: Arc::new(Mutex::new(Trick::None)),
            first: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let routes = Router::new().fallback(answer).with_state(impostor.clone());
        tokio::spawn(async { axum::serve(listener, routes).await.expect("serves") });
        (impostor, url)
    }

    fn play(&self, trick: Trick) {
        *self.trick.lock().expect("unpoisoned") = trick;
    }
}

async fn answer(State(impostor): State<Impostor>, question: Request) -> Response {
    if question.method() != Method::POST {
        return ask(impostor.truth, question).await;
    }
    let trick = impostor.trick.lock().expect("unpoisoned").clone();
    let told = match trick {
        Trick::Echo => return question.into_body().into_response(),
        Trick::Again => {
            let first = impostor.first.lock().expect("unpoisoned").clone();
            return first.expect("there was a first one").into_response();
        }
        Trick::OwnKeys(host) => return ask(host, question).await,
        Trick::None => ask(impostor.truth, question).await,
    };
    let (head, body) = told.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    if head.status.is_success() {
        let mut first = impostor.first.lock().expect("unpoisoned");
        first.get_or_insert_with(|| body.clone());
    }
    Response::from_parts(head, body.into())
}

async fn ask(host: Router, question: Request) -> Response {
    let Ok(told) = host.oneshot(question).await;
    told
}

#[tokio::test]
async fn whoever_stands_in_the_place_of_the_cosigner_brings_nothing_to_a_device() {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let truth = CoSignerHost::start(folders[0].path()).await;
    let other = CoSignerHost::start(folders[1].path()).await;
    let (impostor, url) = Impostor::before(&truth).await;
    let field = Field::with(&[("GATEHOUSE_COSIGNER_URL", &url)], &["1.1.0"]).await;
    let asked = get("/api/v1/cosigner").cookie(&field.admin.cookie);
    let status = field.portal.send(asked).await.expect(200);
    for host in [&truth, &other] {
        host.trust(text_of(&status, "identity_pem"));
    }
    let keys = field.keys().await;
    check(&field.manifest("").await, &keys).expect("it passes everything on");

    for (trick, words) in [
        (Trick::Echo, "signed with another key"),
        (Trick::OwnKeys(other.routes()), "signed with another key"),
        (Trick::Again, "about another manifest"),
    ] {
        impostor.play(trick);
        let told = field
            .get(MANIFEST)
            .await
            .refused(503, "cosigner_unreachable");
        assert!(text_of(&told, "detail").contains(words), "{told}");
        impostor.play(Trick::None);
        // For a moment nobody is asked again, so that a fleet does not wait for a silent one.
        let asked = get("/api/v1/cosigner").cookie(&field.admin.cookie);
        assert_eq!(field.portal.send(asked).await.expect(200)["state"], "ok");
        check(&field.manifest("").await, &keys).expect("the true one signs");
    }
}
