//! A `gatehouse-cosigner` on another host.

use std::{
    collections::HashMap,
    error::Error as StdError,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use gatehouse_core::ports::{
    Clock, Rng,
    cosigner::{CoSignFailure, CoSigner, CoSignerIdentity, CoSignerKeys},
    random_bytes,
};
use gatehouse_manifest::{Manifest, PublicKey, SigningKey, bearer, cosigner_kid, jti};
use gatehouse_types::manifest::CoSignerKind;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, redirect::Policy};
use rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};
use uuid::Uuid;

use super::{
    answer::{self, Answer},
    identity_of,
};
use crate::{config::CoSignerService, refusal::Refusal, webhooks::add_authorities};

/// The life of the token that says which portal asks; it bears two minutes of difference between
/// the clocks.
const TOKEN_LIFE_S: i64 = 5 * 60;
/// More would be somebody's queue, not a portal's.
const IDLE_CONNECTIONS: usize = 32;

pub(super) struct Service {
    client: Client,
    url: String,
    timeout: Duration,
    identity: SigningKey,
    server_id: String,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    /// What the co-signer said its keys are, to check what it signs.
    known_keys: Mutex<HashMap<Uuid, CoSignerKeys>>,
}

impl Service {
    /// # Errors
    /// A sentence when `cosigner.ca_file` holds no certificates.
    pub(super) fn new(
        place: &CoSignerService,
        identity: SigningKey,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            client: client(place)?,
            url: place.url.clone(),
            timeout: place.timeout,
            server_id: identity.public_key().server_id(),
            identity,
            clock,
            rng,
            known_keys: Mutex::default(),
        })
    }

    /// Sends a question with the token that says which portal asks.
    async fn ask(&self, question: RequestBuilder) -> Result<Answer, CoSignFailure> {
        let now_s = self.clock.now_ms().div_euclid(1000);
        let until_s = now_s + TOKEN_LIFE_S;
        let nonce = jti(until_s, random_bytes(self.rng.as_ref()));
        let token = bearer::sign(&self.server_id, &self.identity, &nonce, now_s, until_s);
        let asked = question
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .send();
        let response = asked.await.map_err(|error| self.why_silent(&error))?;
        answer::read(response, self.clock.as_ref())
            .await
            .map_err(|error| self.why_silent(&error))
    }

    async fn fetch_keys(&self, project_id: Uuid) -> Result<CoSignerKeys, CoSignFailure> {
        let url = format!("{}/projects/{project_id}/keys", self.url);
        let answer = self.ask(self.client.get(url)).await?;
        let keys = answer::keys(&answer.successful()?)?;
        let mut known = self
            .known_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(project_id, keys.clone());
        Ok(keys)
    }

    /// Checks the signature with the keys that are known, and once with those of this moment: they
    /// may have been rotated.
    async fn check(&self, project_id: Uuid, signed: &Manifest) -> Result<(), CoSignFailure> {
        let kid = cosigner_kid(&project_id.to_string());
        let known = {
            let known = self
                .known_keys
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            known.get(&project_id).map(all_of)
        };
        if known.is_some_and(|keys| signed.check_signature(&kid, &keys).is_ok()) {
            return Ok(());
        }
        let keys = all_of(&self.fetch_keys(project_id).await?);
        signed
            .check_signature(&kid, &keys)
            .map_err(|_| answer::bad("signed with another key than it names"))
    }

    fn why_silent(&self, error: &reqwest::Error) -> CoSignFailure {
        let place = &self.url;
        if error.is_timeout() {
            let timeout_ms = self.timeout.as_millis();
            let detail = format!("The co-signer {place} did not answer within {timeout_ms} ms.");
            return CoSignFailure::Unreachable { detail };
        }
        let first: &(dyn StdError + 'static) = error;
        let causes = std::iter::successors(Some(first), |cause| next_cause(*cause));
        let (mut tls, mut deepest) = (None, String::new());
        for cause in causes {
            tls = tls.or_else(|| cause.downcast_ref::<TlsError>());
            deepest = cause.to_string();
        }
        let detail = match tls {
            Some(TlsError::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => format!(
                "The certificate of the co-signer {place} comes from an authority that the portal does not know. Name that authority in cosigner.ca_file."
            ),
            Some(tls) => format!("The TLS of the co-signer {place} failed ({tls})."),
            None => format!("The co-signer {place} cannot be reached ({deepest})."),
        };
        CoSignFailure::Unreachable { detail }
    }
}

#[async_trait]
impl CoSigner for Service {
    fn identity(&self) -> CoSignerIdentity {
        identity_of(
            CoSignerKind::Service,
            Some(self.url.clone()),
            &self.identity,
        )
    }

    async fn cosign(
        &self,
        project_id: Uuid,
        mut manifest: Manifest,
    ) -> Result<Manifest, CoSignFailure> {
        manifest.add_signature(&self.server_id, &self.identity);
        let asked = manifest.to_string();
        let url = format!(
            "{}/projects/{project_id}/cosign_for_server/{}",
            self.url, self.server_id
        );
        let question = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/jwt");
        let answer = self.ask(question.body(asked.clone())).await?.successful()?;
        let mut signed =
            Manifest::parse(&answer).map_err(|_| answer::bad("which is no manifest"))?;
        self.check(project_id, &signed).await?;
        let mut without = signed.clone();
        without.remove_signature(&cosigner_kid(&project_id.to_string()));
        if without.to_string() != asked {
            return Err(answer::bad("about another manifest than it was asked for"));
        }
        signed.remove_signature(&self.server_id);
        Ok(signed)
    }

    async fn keys(&self, project_id: Uuid) -> Result<CoSignerKeys, CoSignFailure> {
        self.fetch_keys(project_id).await
    }

    async fn status(&self) -> Result<(), CoSignFailure> {
        let url = format!("{}/status", self.url);
        let answer = self.ask(self.client.get(url)).await?;
        let now_s = self.clock.now_ms().div_euclid(1000);
        answer::status(&answer.successful()?, now_s)
    }
}

fn all_of(keys: &CoSignerKeys) -> Vec<PublicKey> {
    std::iter::once(&keys.current)
        .chain(&keys.next)
        .cloned()
        .collect()
}

/// Goes where it is told and nowhere else: no proxy of the environment, no redirect.
fn client(place: &CoSignerService) -> Result<Client, Refusal> {
    let mut roots = RootCertStore::empty();
    match &place.ca_file {
        Some(file) => add_authorities(&mut roots, "cosigner.ca_file", file)?,
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows the usual versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .user_agent("gatehouse")
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .no_proxy()
        .timeout(place.timeout)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .build()
        .map_err(|error| Refusal::new(format!("The co-signer cannot be asked ({error}).")))
}

/// An `io::Error` names as its source that of its content; here its content comes first.
fn next_cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let io = error.downcast_ref::<std::io::Error>();
    match io.and_then(std::io::Error::get_ref) {
        Some(content) => Some(content),
        None => error.source(),
    }
}
