//! A client's address that somebody else would like to choose.
//!
//! Long file: the attempts on one thing, which share who asks and from where.

use std::time::Instant;

use serde_json::{Value, json};

use super::Watch;
use crate::{
    access::House,
    daemon::{Router, open},
    furnish::{ADMIN, Person, text_of},
    harness::{Ask, CLIENT_IP, Portal, ask, get, post},
};

const PROXY: &str = "10.0.0.2";
const FORGED: &str = "198.51.100.66";

impl House {
    async fn behind_proxies() -> Self {
        let variables = [("GATEHOUSE_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.0/8")];
        Self::of(Portal::with(&variables).await, Router::start().await).await
    }

    /// The addresses that the owner's sessions let in, newest first.
    async fn let_in(&self) -> Vec<String> {
        let list = get("/api/v1/sessions").cookie(&self.owner.cookie);
        let list = self.portal.send(list).await.expect(200);
        let items = list["items"].as_array().expect("a list");
        items
            .iter()
            .map(|session| text_of(session, "client_ip").to_owned())
            .collect()
    }
}

fn me(person: &Person) -> Ask {
    get("/api/v1/me").cookie(&person.cookie)
}

#[tokio::test]
async fn headers_of_other_products_name_nobody() {
    let house = House::behind_proxies().await;
    let watch = Watch::begin();
    for header in [
        "x-real-ip",
        "x-client-ip",
        "client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "cf-connecting-ipv6",
        "fastly-client-ip",
        "x-cluster-client-ip",
        "x-original-forwarded-for",
        "x-forwarded",
        "forwarded-for",
        "forwarded",
        "x-remote-addr",
        "x-envoy-external-address",
        "x-azure-clientip",
        "x-appengine-user-ip",
        "x-forwarded-host",
        "via",
        "from",
    ] {
        for value in [FORGED, "for=198.51.100.66"] {
            let seen = |ask: Ask| house.portal.send(ask.header(header, value));
            let direct = seen(me(&house.owner)).await.expect(200);
            assert_eq!(direct["client_ip"], CLIENT_IP, "{header}");
            let silent_proxy = seen(me(&house.owner).peer(PROXY)).await.expect(200);
            assert_eq!(silent_proxy["client_ip"], Value::Null, "{header}");
            let proxy = me(&house.owner)
                .peer(PROXY)
                .header("x-forwarded-for", CLIENT_IP);
            assert_eq!(seen(proxy).await.expect(200)["client_ip"], CLIENT_IP);
        }
    }
    house.stands(watch).await;
}

#[tokio::test]
async fn nothing_in_a_query_body_or_form_names_the_address_that_gets_in() {
    let house = House::new().await;
    let watch = Watch::begin();
    let members = ["ip_src", "client_ip", "ip", "address", "x-forwarded-for"];
    for member in members {
        let mut wish = json!({ "service_id": house.service, "minutes": 5 });
        wish[member] = FORGED.into();
        let refused = post("/api/v1/sessions")
            .json(&wish)
            .cookie(&house.owner.cookie);
        let refused = house.portal.send(refused).await.refused(422, "invalid");
        assert_eq!(refused["field"], member);
    }
    assert_eq!(house.held().await, 0);

    let query = members.map(|name| format!("{name}={FORGED}")).join("&");
    let wish = json!({ "service_id": house.service, "minutes": 5 });
    let json = post(&format!("/api/v1/sessions?{query}")).json(&wish);
    let original = post(&format!("/conn/req/{}?{query}", house.service));
    let mut fields = vec![("service_id", house.service.as_str()), ("minutes", "5")];
    fields.extend(members.map(|name| (name, FORGED)));
    let form = post(&format!("/api/ui/open_session?{query}")).form(&fields);
    for request in [json, original, form] {
        let request = request.header("x-forwarded-for", FORGED);
        let answer = house.portal.send(request.cookie(&house.owner.cookie)).await;
        assert!(!answer.status.is_client_error(), "{}", answer.text());
    }
    assert_eq!(
        house.let_in().await,
        [CLIENT_IP],
        "one session, for who asked"
    );
    assert_eq!(house.held().await, 1);
    house.stands(watch).await;
}

#[tokio::test]
async fn the_address_that_a_page_showed_can_only_refuse() {
    let house = House::new().await;
    let link = text_of(&house.invitation().await, "link").to_owned();
    let (_, token) = link.split_once('=').expect("a link");
    let home = house.open().await;
    let watch = Watch::begin();
    let second = house
        .portal
        .add_service(&house.admin, &house.router_id, 8002, &[&house.owner])
        .await;
    let open =
        |shown| post("/api/ui/open_session").form(&[("service_id", &*second), ("shown_ip", shown)]);
    let follow = |shown| {
        let fields = [("id", text_of(&home, "id")), ("shown_ip", shown)];
        post("/api/ui/move_session").form(&fields).peer(FORGED)
    };
    let send = |ask: Ask| house.portal.send(ask.cookie(&house.owner.cookie));
    for shown in [FORGED, "0.0.0.0/0", "<script>"] {
        let refused = send(open(shown)).await;
        let way = refused.header("location");
        assert!(way.contains("error=address_changed"), "{shown}: {way}");
    }
    let refused = send(follow(CLIENT_IP)).await;
    let way = refused.header("location");
    assert!(way.contains("error=address_changed"), "{way}");
    let shown = send(get(way).peer(FORGED)).await.text();
    assert!(
        shown.contains("Your address is another one now") && shown.contains(FORGED),
        "{shown}"
    );
    let guest = |shown| {
        let fields = [("token", token), ("minutes", "15"), ("shown_ip", shown)];
        house.portal.send(post("/guest").form(&fields))
    };
    let refused = guest(FORGED).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    let page = refused.text();
    assert!(
        page.contains("Your address is another one now")
            && page.contains(&format!("name=\"shown_ip\" value=\"{CLIENT_IP}\"")),
        "{page}"
    );
    assert_eq!(house.let_in().await, [CLIENT_IP], "nothing was opened");

    assert!(guest(CLIENT_IP).await.header("location").contains("ok="));
    let way = send(open(CLIENT_IP)).await.header("location").to_owned();
    assert!(way.ends_with("ok=session_opened"), "{way}");
    let way = send(follow(FORGED)).await.header("location").to_owned();
    assert!(way.ends_with("ok=session_moved"), "{way}");
    house.stands(watch).await;
}

#[tokio::test]
async fn an_open_session_lets_nobody_in_who_prolongs_it_from_elsewhere() {
    let house = House::new().await;
    let session = house.open().await;
    let watch = Watch::begin();
    let path = format!("/api/v1/sessions/{}/extend", text_of(&session, "id"));
    let extend = post(&path).json(&json!({ "minutes": 60 }));
    let extend = extend.cookie(&house.owner.cookie).peer(FORGED);
    let longer = house.portal.send(extend).await.expect(200);
    assert_eq!(longer["client_ip"], CLIENT_IP);
    assert_eq!(house.let_in().await, [CLIENT_IP]);
    assert_eq!(house.held().await, 1);
    house.stands(watch).await;
}

#[tokio::test]
async fn one_address_in_many_spellings_is_one_session() {
    let house = House::behind_proxies().await;
    let watch = Watch::begin();
    let attempt = || open(&house.owner, &house.service, &json!(5));
    let first = house.portal.send(attempt()).await.expect(201);
    let direct = house
        .portal
        .send(attempt().peer("::ffff:203.0.113.7"))
        .await;
    assert_eq!(direct.expect(200)["id"], first["id"]);
    for spelling in [
        "203.0.113.7",
        "203.0.113.7:1",
        "::ffff:203.0.113.7",
        "::FFFF:CB00:7107",
        "[0:0:0:0:0:ffff:203.0.113.7]:443",
    ] {
        let request = attempt().peer(PROXY).header("x-forwarded-for", spelling);
        let again = house.portal.send(request).await.expect(200);
        assert_eq!(again["id"], first["id"], "{spelling}");
    }
    assert_eq!(house.held().await, 1);
    house.stands(watch).await;
}

#[tokio::test]
async fn no_range_that_is_not_one_public_host_gets_in() {
    let mut router = Router::start().await;
    router.stop().await;
    router.edit("192.168.1.0/24", "192.168.1.0/24\", \"fd00:1::/64");
    router.resume().await;
    let variables = [("GATEHOUSE_TRUSTED_PROXIES", "192.0.2.1")];
    let house = House::of(Portal::with(&variables).await, router).await;
    let over_v6 = house
        .portal
        .add_service(&house.admin, &house.router_id, 8002, &[&house.owner])
        .await;
    let path = format!("/api/v1/services/{over_v6}");
    let change = ask("PATCH", &path).json(&json!({ "lan_ip": "fd00:1::50" }));
    let change = change.cookie(&house.admin.cookie);
    house.portal.send(change).await.expect(200);
    let watch = Watch::begin();
    let v4 = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.9",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.168.1.7",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
    ];
    let v6 = [
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:1::7",
        "ff02::1",
        "ff0e::1",
    ];
    let services = [(&house.service, &v4[..]), (&over_v6, &v6[..])];
    for (service, addresses) in services {
        for address in addresses {
            let attempt = || open(&house.owner, service, &json!(5));
            let named = attempt()
                .peer("192.0.2.1")
                .header("x-forwarded-for", address);
            for request in [attempt().peer(address), named] {
                let answer = house.portal.send(request).await;
                let is_refused = answer.status == 400 || answer.json()["state"] == "failed";
                assert!(is_refused, "{address}: {}", answer.text());
            }
        }
    }
    assert_eq!(house.held().await, 0);
    let public = open(&house.owner, &over_v6, &json!(5)).peer("2001:db8::7");
    let public = house.portal.send(public).await.expect(201);
    assert_eq!(public["state"], "open", "{public}");
    house.stands(watch).await;
}

#[tokio::test]
async fn where_no_address_can_be_told_every_door_says_so() {
    let house = House::behind_proxies().await;
    let link = text_of(&house.invitation().await, "link").to_owned();
    let (_, token) = link.split_once('=').expect("a link");
    let session = house.open().await;
    let watch = Watch::begin();
    let blind = |ask: Ask| ask.peer(PROXY).header("x-forwarded-for", "unknown");
    let send = |ask: Ask| house.portal.send(blind(ask).cookie(&house.owner.cookie));
    for path in [
        format!("/conn/req/{}", house.service),
        format!("/api/v1/sessions/{}/move", text_of(&session, "id")),
    ] {
        send(post(&path)).await.refused(400, "no_client_address");
    }
    let id = text_of(&session, "id");
    for form in [
        post("/api/ui/open_session").form(&[("service_id", &house.service), ("minutes", "5")]),
        post("/api/ui/move_session").form(&[("id", id)]),
    ] {
        let way = send(form).await.header("location").to_owned();
        assert!(way.contains("error=no_client_address"), "{way}");
        assert_eq!(send(get(&way)).await.status, 200, "{way}");
    }
    let guest = post("/guest").form(&[("token", token), ("minutes", "5")]);
    let guest = house.portal.send(blind(guest)).await;
    assert!(!guest.header("location").contains("ok="), "{guest:?}");
    for page in ["/", "/sessions", "/account", "/login", "/api/v1/services"] {
        let answer = send(get(page)).await;
        assert!(answer.status.as_u16() < 400, "{page}: {}", answer.status);
    }
    let sign_in = post("/login").form(&[("email", ADMIN), ("password", "wrong")]);
    assert_eq!(house.portal.send(blind(sign_in)).await.status, 303);

    let list = get("/api/v1/invitations").cookie(&house.owner.cookie);
    let list = house.portal.send(list).await.expect(200);
    assert_eq!(list["items"][0]["uses"], 0, "no use was burnt");
    assert_eq!(house.session(id).await, session, "what was open stays");
    assert_eq!(house.held().await, 1);
    house.stands(watch).await;
}

#[tokio::test]
async fn audit_log_and_throttle_know_the_same_address_and_not_the_forged_one() {
    let house = House::behind_proxies().await;
    let watch = Watch::begin();
    let guess = |number: u8| {
        let forged = format!("198.51.100.{number}, {CLIENT_IP}, 10.9.9.9");
        let form = post("/login").form(&[("email", ADMIN), ("password", "wrong")]);
        house
            .portal
            .send(form.peer(PROXY).header("x-forwarded-for", &forged))
    };
    let mut answers = Vec::new();
    for number in 1..=8 {
        answers.push(guess(number).await.status.as_u16());
    }
    assert_eq!((answers[0], answers[7]), (303, 429), "{answers:?}");
    let trail = get("/api/v1/audit?action=sign_in").cookie(&house.admin.cookie);
    let trail = house.portal.send(trail).await.expect(200).to_string();
    assert!(trail.contains(CLIENT_IP) && !trail.contains("198.51.100."));
    let log = house.stands(watch).await;
    assert!(log.contains(&format!("client_ip=\"{CLIENT_IP}\"")), "{log}");
    assert!(!log.contains("198.51.100."), "{log}");
}

/// Asks over a socket who asks, with these header lines; answers the status and what was seen.
async fn seen_on_the_wire(house: &House, lines: &[u8]) -> (u16, Value) {
    let served = house.portal.listen().await;
    let head = format!(
        "GET /api/v1/me HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {}\r\n",
        served.address, house.owner.cookie
    );
    let answer = served
        .talk(&[head.as_bytes(), lines, b"\r\n"].concat())
        .await;
    served.stop().await;
    let answer = String::from_utf8(answer).expect("text");
    let status = answer.get(9..12).expect("a status").parse();
    let body = answer.split_once("\r\n\r\n").map_or("", |halves| halves.1);
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    (status.expect("a number"), body["client_ip"].clone())
}

#[tokio::test]
async fn chains_of_any_length_and_spelling_are_read_in_no_time_on_the_wire() {
    let house = House::behind_proxies().await;
    let watch = Watch::begin();
    let forged = format!(
        "X-Forwarded-For: {}203.0.113.9\r\n",
        "1.1.1.1,".repeat(5_000)
    );
    let trusted = format!("X-Forwarded-For: 10.0.0.1{}\r\n", ",10.1.1.1".repeat(5_000));
    let found = format!(
        "X-Forwarded-For: 203.0.113.9{}\r\n",
        ",10.1.1.1".repeat(5_000)
    );
    let many_lines = "X-Forwarded-For: 1.1.1.1\r\n".repeat(60) + "X-FORWARDED-FOR: 203.0.113.9\r\n";
    let started = Instant::now();
    let chains: [(&[u8], Value); 11] = [
        (forged.as_bytes(), json!("203.0.113.9")),
        (trusted.as_bytes(), Value::Null),
        (found.as_bytes(), json!("203.0.113.9")),
        (many_lines.as_bytes(), json!("203.0.113.9")),
        (b"x-forwarded-for:203.0.113.9\r\n", json!("203.0.113.9")),
        (
            b"X-Forwarded-For: \t203.0.113.9 \t\r\n",
            json!("203.0.113.9"),
        ),
        (b"X-Forwarded-For: \xff\xfe\r\n", Value::Null),
        (
            b"X-Forwarded-For: \xff, 203.0.113.9\r\n",
            json!("203.0.113.9"),
        ),
        (b"X-Forwarded-For: 203.0.113.9, \xff\r\n", Value::Null),
        (b"X_Forwarded_For: 203.0.113.9\r\n", Value::Null),
        (
            b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For:\r\n",
            Value::Null,
        ),
    ];
    for (lines, client) in chains {
        let seen = seen_on_the_wire(&house, lines).await;
        let shown = String::from_utf8_lossy(&lines[..lines.len().min(60)]);
        assert_eq!(seen, (200, client), "{shown}");
    }
    for broken in [
        &b"X-Forwarded-For : 203.0.113.9\r\n"[..],
        b"X-Forwarded-For: 203.0.113.9\0\r\n",
        b"X-Forwarded-For: 203.0.113.9,\r\n 198.51.100.1\r\n",
        "X-Forwarded-For: 1.1.1.1\r\n".repeat(150).as_bytes(),
    ] {
        let (status, _) = seen_on_the_wire(&house, broken).await;
        assert!((400..500).contains(&status), "{status}");
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    house.stands(watch).await;
}
