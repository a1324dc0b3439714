//! hawkBit's device API, in the details that its clients trip over.

mod words;

use serde_json::{Value, json};

use crate::{
    furnish::{PROJECT, Person, image, text_of},
    harness::{Answer, Ask, PUBLIC_URL, Portal, ask, get, post},
};

const CONTROLLER: &str = "lamp-7";

/// A portal with a published release and a device that knows its token.
struct Stage {
    portal: Portal,
    admin: Person,
    device_id: String,
    token: String,
}

impl Stage {
    async fn new() -> Self {
        let portal = Portal::open().await;
        let admin = portal.admin().await;
        portal.release(&admin, "1.1.0").await;
        let made = register(&portal, &admin, CONTROLLER).await;
        Self {
            device_id: text_of(&made, "device_id").to_owned(),
            token: text_of(&made, "target_token").to_owned(),
            portal,
            admin,
        }
    }

    async fn send(&self, ask: Ask) -> Answer {
        let authorization = format!("TargetToken {}", self.token);
        self.portal
            .send(ask.header("authorization", &authorization))
            .await
    }

    async fn poll(&self) -> Value {
        self.send(get(&path(""))).await.expect(200)
    }

    /// Asks until the portal told to install, and answers the action's number.
    async fn begin(&self) -> String {
        let told = self.poll().await;
        let href = text_of(&told["_links"]["deploymentBase"], "href").to_owned();
        let deployment = self.send(get(local(&href))).await.expect(200);
        text_of(&deployment, "id").to_owned()
    }

    async fn tell(&self, action: &str, kind: &str, status: &Value) -> Answer {
        let told = post(&path(&format!("/{kind}/{action}/feedback")));
        self.send(told.json(&json!({ "id": action, "status": status })))
            .await
    }

    async fn says(&self, action: &str, execution: &str, finished: &str) -> Answer {
        let status = json!({ "execution": execution, "result": { "finished": finished } });
        self.tell(action, "deploymentBase", &status).await
    }

    async fn as_admin(&self, ask: Ask) -> Answer {
        self.portal.send(ask.cookie(&self.admin.cookie)).await
    }

    async fn device(&self) -> Value {
        let path = format!("/api/v1/projects/{PROJECT}/devices/{}", self.device_id);
        self.as_admin(get(&path)).await.expect(200)
    }

    async fn state(&self) -> String {
        text_of(&self.device().await["action"], "state").to_owned()
    }

    async fn order(&self, word: &str) {
        let path = format!(
            "/api/v1/projects/{PROJECT}/devices/{}/{word}",
            self.device_id
        );
        let answer = self.as_admin(post(&path)).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
}

async fn register(portal: &Portal, admin: &Person, controller_id: &str) -> Value {
    let new = json!({ "name": controller_id, "controller_id": controller_id });
    let path = format!("/api/v1/projects/{PROJECT}/devices");
    let answer = portal.send(post(&path).cookie(&admin.cookie).json(&new));
    answer.await.expect(201)
}

fn path(rest: &str) -> String {
    format!("/{PROJECT}/controller/v1/{CONTROLLER}{rest}")
}

/// The path of an absolute link of ours.
fn local(href: &str) -> &str {
    href.strip_prefix(PUBLIC_URL)
        .unwrap_or_else(|| panic!("{href} is not absolute"))
}

/// Devices go on only after a 200 without a single byte.
#[track_caller]
fn is_thanks(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        (answer.text().as_str(), answer.header("content-length")),
        ("", "0")
    );
}

#[track_caller]
fn is_hawkbits_error(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json();
    for member in ["exceptionClass", "errorCode", "message"] {
        assert!(!text_of(&body, member).is_empty(), "{body}");
    }
}

#[tokio::test]
async fn whoever_shows_no_good_token_gets_401_and_an_empty_body() {
    let stage = Stage::new().await;
    let other = register(&stage.portal, &stage.admin, "lamp-8").await;
    let jwt = stage.portal.device_token(PROJECT).await;
    let own = &stage.token;
    let strangers = [
        String::new(),
        format!("TargetToken {}", text_of(&other, "target_token")),
        format!("TargetToken  {own}"),
        format!("targettoken {own}"),
        format!("GatewayToken {own}"),
        format!("Bearer {own}"),
        format!("TargetToken {}", text_of(&jwt, "token")),
    ];
    for shown in strangers {
        let answer = stage
            .portal
            .send(get(&path("")).header("authorization", &shown));
        let answer = answer.await;
        assert_eq!(
            (answer.status.as_u16(), answer.text().as_str()),
            (401, ""),
            "{shown}"
        );
    }
    for elsewhere in ["/lamp/controller/v1/lamp-9", "/other/controller/v1/lamp-7"] {
        let answer = stage.send(get(elsewhere)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text().as_str()),
            (401, ""),
            "{elsewhere}"
        );
    }
    assert!(own.len() <= 32, "Zephyr takes no longer one");
}

#[tokio::test]
async fn a_removed_device_is_a_stranger_at_once() {
    let stage = Stage::new().await;
    stage.poll().await;
    let device = format!("/api/v1/projects/{PROJECT}/devices/{}", stage.device_id);
    assert_eq!(stage.as_admin(ask("DELETE", &device)).await.status, 204);
    assert_eq!(stage.send(get(&path(""))).await.status, 401);
}

#[tokio::test]
async fn a_poll_tells_a_jittered_pause_of_eight_characters_and_one_thing_to_do() {
    let stage = Stage::new().await;
    let change = ask("PATCH", "/api/v1/projects/lamp").json(&json!({ "poll_s": 4000 }));
    stage.as_admin(change).await.expect(200);
    let mut pauses = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let told = stage.poll().await;
        let pause = text_of(&told["config"]["polling"], "sleep");
        assert!(
            ("01:00:00"..="01:13:20").contains(&pause) && pause.len() == 8,
            "{pause}"
        );
        pauses.insert(pause.to_owned());
        let links = told["_links"].as_object().expect("links");
        let names: Vec<&str> = links.keys().map(String::as_str).collect();
        assert_eq!(names, ["configData", "deploymentBase"]);
        for link in links.values() {
            assert!(text_of(link, "href").starts_with(PUBLIC_URL), "{link}");
        }
    }
    assert!(pauses.len() > 1, "{pauses:?}");
    // Some clients end the base with a slash.
    stage.send(get(&path("/"))).await.expect(200);
}

#[tokio::test]
async fn a_deployment_has_the_shape_that_clients_read_and_is_small() {
    let stage = Stage::new().await;
    let id = stage.begin().await;
    assert!(id.parse::<i32>().is_ok_and(|id| id > 0), "{id}");
    let answer = stage
        .send(get(&path(&format!("/deploymentBase/{id}?c={id}"))))
        .await;
    assert!(answer.body.len() < 1_100, "{} bytes", answer.body.len());
    let told = answer.expect(200);
    let deployment = &told["deployment"];
    assert_eq!(
        (&deployment["download"], &deployment["update"]),
        (&json!("forced"), &json!("forced"))
    );
    let chunks = deployment["chunks"].as_array().expect("chunks");
    let artifacts = chunks[0]["artifacts"].as_array().expect("artifacts");
    assert_eq!((chunks.len(), artifacts.len()), (1, 1));
    assert_eq!(
        (&chunks[0]["part"], &chunks[0]["version"]),
        (&json!("bApp"), &json!("1.1.0"))
    );
    let artifact = &artifacts[0];
    let release = get("/api/v1/projects/lamp/releases/1.1.0");
    let release = stage.as_admin(release).await.expect(200);
    assert_eq!(artifact["size"], 10_000);
    assert_eq!(artifact["filename"], release["file_name"]);
    for digest in ["sha1", "md5", "sha256"] {
        assert_eq!(artifact["hashes"][digest], release[digest]);
    }
}

#[tokio::test]
async fn an_artifact_comes_by_its_links() {
    let stage = Stage::new().await;
    stage.begin().await;
    let told = stage.poll().await;
    let href = text_of(&told["_links"]["deploymentBase"], "href").to_owned();
    let told = stage.send(get(local(&href))).await.expect(200);
    let artifact = &told["deployment"]["chunks"][0]["artifacts"][0];
    let link = |name: &str| local(text_of(&artifact["_links"][name], "href")).to_owned();
    let file = link("download");
    assert_eq!(file, link("download-http"));
    let head = stage.send(ask("HEAD", &file)).await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-length")),
        (200, "10000")
    );
    let whole = stage.send(get(&file)).await;
    assert_eq!((whole.status.as_u16(), whole.body), (200, image(10_000)));
    let rest = stage.send(get(&file).header("range", "bytes=4000-")).await;
    assert_eq!(
        (rest.status.as_u16(), rest.body),
        (206, image(10_000).slice(4_000..))
    );
    let sum = stage.send(get(&link("md5sum"))).await;
    let name = text_of(artifact, "filename");
    let md5 = text_of(&artifact["hashes"], "md5");
    assert_eq!(sum.text(), format!("{md5}  {name}\n"));
    let folder = file.rsplit_once('/').expect("a path").0;
    let listed = stage.send(get(folder)).await.expect(200);
    assert_eq!(listed, json!([artifact]));
    is_hawkbits_error(&stage.send(get(&format!("{folder}/other.bin"))).await, 404);
}

/// SWUpdate takes no other name, and whoever uploads an update need not know.
#[tokio::test]
async fn an_update_for_swupdate_is_called_so() {
    let stage = Stage::new().await;
    let archive = format!("070701{}sw-description\0", "0".repeat(104));
    let uploaded = stage
        .portal
        .upload(&stage.admin, "1.2.0", archive.clone().into());
    assert_eq!(uploaded.await.expect(201)["image"]["kind"], "swupdate");
    stage.portal.publish(&stage.admin, "1.2.0").await;
    let id = stage.begin().await;
    let told = stage.send(get(&path(&format!("/deploymentBase/{id}"))));
    let told = told.await.expect(200);
    let artifact = &told["deployment"]["chunks"][0]["artifacts"][0];
    assert_eq!(artifact["filename"], "lamp-1.2.0.bin.swu");
    for (link, expected) in [
        ("download", archive),
        (
            "md5sum",
            format!(
                "{}  lamp-1.2.0.bin.swu\n",
                text_of(&artifact["hashes"], "md5")
            ),
        ),
    ] {
        let href = local(text_of(&artifact["_links"][link], "href"));
        assert_eq!(stage.send(get(href)).await.text(), expected);
    }
}

#[tokio::test]
async fn nothing_is_shown_that_is_not_assigned_to_this_device() {
    let stage = Stage::new().await;
    let modules = |number: i64| path(&format!("/softwaremodules/{number}/artifacts"));
    for number in 0..4 {
        is_hawkbits_error(&stage.send(get(&modules(number))).await, 404);
    }
    let id: i32 = stage.begin().await.parse().expect("a number");
    stage
        .portal
        .upload(&stage.admin, "1.2.0", image(500))
        .await
        .expect(201);
    let mut shown = 0;
    for number in 0..4 {
        shown += usize::from(stage.send(get(&modules(number))).await.status == 200);
    }
    assert_eq!(shown, 1, "its own release, and no draft");
    for other in [id + 6_400, 1, 0, -1] {
        let answer = stage
            .send(get(&path(&format!("/deploymentBase/{other}"))))
            .await;
        is_hawkbits_error(&answer, 404);
        is_hawkbits_error(
            &stage.says(&other.to_string(), "proceeding", "none").await,
            404,
        );
    }
}

#[tokio::test]
async fn a_gateway_speaks_for_all_and_registers_unknown_devices_where_that_is_allowed() {
    let stage = Stage::new().await;
    let made = stage
        .as_admin(post("/api/v1/projects/lamp/gateway_token"))
        .await
        .expect(201);
    let authorization = format!("GatewayToken {}", text_of(&made, "gateway_token"));
    let as_gateway = |ask: Ask| {
        stage
            .portal
            .send(ask.header("authorization", &authorization))
    };
    let unknown = "/lamp/controller/v1/roof:12";
    assert_eq!(as_gateway(get(&path(""))).await.status, 200);
    assert_eq!(as_gateway(get(unknown)).await.status, 401);
    let change =
        ask("PATCH", "/api/v1/projects/lamp").json(&json!({ "registers_unknown_devices": true }));
    stage.as_admin(change).await.expect(200);
    let told = as_gateway(get(unknown)).await.expect(200);
    assert!(told["_links"]["deploymentBase"].is_object(), "{told}");
    as_gateway(get(unknown)).await.expect(200);
    is_hawkbits_error(&as_gateway(get("/lamp/controller/v1/roof%2012")).await, 400);
    let listed = stage
        .as_admin(get("/api/v1/projects/lamp/devices"))
        .await
        .expect(200);
    let listed = listed["items"].as_array().expect("items").iter();
    let known: Vec<&Value> = listed.map(|device| &device["controller_id"]).collect();
    assert_eq!(known.len(), 2);
    assert!(known.contains(&&json!("roof:12")), "{known:?}");
    let gone = stage
        .as_admin(ask("DELETE", "/api/v1/projects/lamp/gateway_token"))
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(as_gateway(get(unknown)).await.status, 401);
}

#[tokio::test]
async fn the_tenant_may_be_default_where_the_token_tells_the_project() {
    let stage = Stage::new().await;
    for tenant in ["default", "DEFAULT"] {
        let base = format!("/{tenant}/controller/v1/{CONTROLLER}");
        let told = stage.send(get(&base)).await.expect(200);
        let href = local(text_of(&told["_links"]["deploymentBase"], "href")).to_owned();
        assert!(href.starts_with(&base), "{href}");
        stage.send(get(&href)).await.expect(200);
    }
    let by_id = format!("/lamp/controller/v1/{}", stage.device_id);
    stage.send(get(&by_id)).await.expect(200);
}
