//! The portal as a program: starting it, and talking to its public JSON API.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{Method, Request};

use crate::postgres;
use crate::process::{self, Managed};
use crate::project;
use crate::wasm;

const ANSWER_LIMIT: Duration = Duration::from_secs(30);
const READY_LIMIT: Duration = Duration::from_mins(1);

/// Meant for builds, tests and devices; the portal would refuse to start with a setting it does not know.
const NOT_FOR_THE_PORTAL: [&str; 4] = [
    wasm::CHOICE_VARIABLE,
    postgres::URL_VARIABLE,
    "GATEHOUSE_SITE_DIR",
    "GATEHOUSE_TOKEN",
];

/// Starts `gatehouse serve` from the release build and waits until it is ready.
///
/// # Errors
/// When it does not listen or does not get ready.
pub(crate) fn start(data_dir: &Path, listen: &str, show_output: bool) -> Result<(Managed, Portal)> {
    let (process, url) = process::start_listening(serve(data_dir, listen), show_output)?;
    let portal = Portal::at(url);
    portal.wait_until_ready()?;
    Ok((process, portal))
}

/// `gatehouse serve` from the release build, to be started or to be given more flags.
pub(crate) fn serve(data_dir: &Path, listen: &str) -> Command {
    let mut serve = gatehouse();
    serve
        .arg("serve")
        .arg("--data-dir")
        .arg(data_dir)
        .args(["--listen", listen])
        // A line for each request would drown the demo's last words, and nginx writes none either.
        .args(["--log-filter", "info,gatehouse::access=warn"]);
    serve
}

/// Makes the first account with `gatehouse admin create`, before the portal runs.
///
/// # Errors
/// When the portal's program refuses, for one because the account exists.
pub(crate) fn create_admin(data_dir: &Path, email: &str, password: &str) -> Result<()> {
    let mut create = gatehouse();
    create
        .args([
            "admin",
            "create",
            "--email",
            email,
            "--password-stdin",
            "--data-dir",
        ])
        .arg(data_dir);
    process::run_with_input(&mut create, password)
}

/// The portal's program, without the variables that are not for it.
fn gatehouse() -> Command {
    let mut program = process::command(project::binary("release", "gatehouse"));
    for variable in NOT_FOR_THE_PORTAL {
        program.env_remove(variable);
    }
    program
}

/// A running portal's JSON API, as nobody or as a signed-in account.
pub(crate) struct Portal {
    /// Where it is, such as `http://127.0.0.1:3000`.
    pub(crate) url: String,
    agent: Agent,
    token: Option<String>,
}

/// What came back, whatever its status.
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The values of every `Set-Cookie` line.
    pub(crate) cookies: Vec<String>,
    /// The body as text.
    pub(crate) body: String,
}

impl Portal {
    /// The portal (or any HTTP server) at an address, seen as nobody.
    pub(crate) fn at(url: String) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(ANSWER_LIMIT));
        Self {
            url,
            agent: config.build().into(),
            token: None,
        }
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub(crate) fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        while !self.answers("/readyz") {
            if Instant::now() > deadline {
                bail!("{}/readyz does not say yes", self.url);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Whether this path answers 200 just now.
    pub(crate) fn answers(&self, path: &str) -> bool {
        self.exchange(&Method::GET, path, &[], Vec::new())
            .is_ok_and(|answer| answer.status == 200)
    }

    /// The same portal without the signed-in account.
    pub(crate) fn as_nobody(&self) -> Self {
        Self::at(self.url.clone())
    }

    /// Signs in; later calls bear the token.
    ///
    /// # Errors
    /// When the portal refuses.
    pub(crate) fn sign_in(&mut self, email: &str, password: &str) -> Result<()> {
        let answer = self.post("/api/login", &json!({ "user": email, "pass": password }))?;
        let token = answer["token"]
            .as_str()
            .context("/api/login answered without a token")?;
        self.token = Some(token.to_owned());
        Ok(())
    }

    /// Fetches a JSON document.
    ///
    /// # Errors
    /// When the answer is not a success with JSON.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.call(&Method::GET, path, &[], Vec::new())
    }

    /// Posts a JSON document.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(
            &Method::POST,
            path,
            &[("content-type", "application/json")],
            body.to_string().into_bytes(),
        )
    }

    /// Puts a JSON document.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(
            &Method::PUT,
            path,
            &[("content-type", "application/json")],
            body.to_string().into_bytes(),
        )
    }

    /// Changes the named fields of something.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(
            &Method::PATCH,
            path,
            &[("content-type", "application/json")],
            body.to_string().into_bytes(),
        )
    }

    /// Uploads an image as one release and publishes it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn publish(
        &self,
        project: &str,
        version: &str,
        file_name: &str,
        image: Vec<u8>,
    ) -> Result<Value> {
        let release = format!("/api/v1/projects/{project}/releases/{version}");
        let headers = [
            ("content-type", "application/octet-stream"),
            ("x-file-name", file_name),
        ];
        self.call(&Method::PUT, &release, &headers, image)?;
        self.call(
            &Method::POST,
            &format!("{release}/publish"),
            &[],
            Vec::new(),
        )
    }

    fn call(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Value> {
        let answer = self.exchange(method, path, headers, body)?;
        if !(200..300).contains(&answer.status) {
            bail!(
                "{method} {path} answered {}: {}",
                answer.status,
                answer.body
            );
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer.body)
            .with_context(|| format!("{method} {path} answered no JSON"))
    }

    /// Sends one request and returns the answer, redirects and errors too.
    ///
    /// # Errors
    /// When no answer comes.
    pub(crate) fn exchange(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = self
            .agent
            .run(request.body(body)?)
            .with_context(|| format!("{method} {path} got no answer"))?;
        let set_cookie = response.headers().get_all("set-cookie").iter();
        Ok(Answer {
            status: response.status().as_u16(),
            cookies: set_cookie
                .filter_map(|value| Some(value.to_str().ok()?.to_owned()))
                .collect(),
            body: response.body_mut().read_to_string()?,
        })
    }
}
