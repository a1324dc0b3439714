//! Whatever stands in a field of a service or router, no firewall and no other host hears of it.

use serde_json::{Value, json};

use super::Watch;
use crate::{
    access::House,
    furnish::text_of,
    harness::{Answer, ask, get, post},
};

fn tricks() -> Vec<Value> {
    vec![
        json!("1.1.1.1; reboot"),
        json!("1.2.3.4/00"),
        json!("-j ACCEPT"),
        json!("$(reboot)"),
        json!("`reboot`"),
        json!("a\nb"),
        json!("a\0b"),
        json!("../../etc/passwd"),
        json!("--dport"),
        json!("0x7f.1"),
        json!("} add rule inet filter input accept {"),
        json!("\u{202e}1.1.1.1"),
        json!(""),
        json!(" "),
        json!(-1),
        json!(0.5),
        json!(1e30),
        json!(u64::MAX),
        json!(true),
        json!([]),
        json!(["203.0.113.7"]),
        json!({ "$ne": 1 }),
    ]
}

/// Spellings of addresses that one program reads as this host, and the next as another.
const LAN_IPS: [&str; 18] = [
    "::ffff:192.168.1.50",
    "::ffff:127.0.0.1",
    "::ffff:c0a8:132",
    "192.168.1.50:80",
    "[fd00::50]",
    "fe80::1%eth0",
    "192.168.001.050",
    "0300.0250.1.50",
    "0",
    "3232235826",
    "0xC0A80132",
    "192.168.306",
    "0.0.0.0",
    "::1",
    "255.255.255.255",
    "224.0.0.1",
    "192.168.1.50-192.168.1.60",
    "192.168.1.50,192.168.1.51",
];

const ROUTER_ADDRESSES: [&str; 20] = [
    "169.254.169.254:80",
    "[fe80::1]:80",
    "[::ffff:169.254.169.254]:80",
    "[::ffff:a9fe:a9fe]:80",
    "[::ffff:0.0.0.0]:80",
    "0X7f.1:9999",
    "0xa9fea9fe:80",
    "0XA9FEA9FE:80",
    "169.0xfea9fe:80",
    "169.254.0xa9fe:80",
    "169.0xfe.0251.0XFE:80",
    "2852039166:80",
    "0251.0376.0251.0376:80",
    "http://router.example.org:9999",
    "router.example.org:9999/../x",
    "router.example.org:9999#",
    "user:pass@router.example.org:9999",
    "router.example.org:9999\r\nHost: x",
    "[::1%25lo]:9999",
    "router example.org:9999",
];

impl House {
    async fn shown(&self, path: &str) -> Value {
        let shown = get(path).cookie(&self.admin.cookie);
        let mut shown = self.portal.send(shown).await.expect(200);
        shown["health"] = Value::Null;
        shown
    }

    async fn admins(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = ask(method, path).json(body);
        self.portal.send(request.cookie(&self.admin.cookie)).await
    }

    /// Sends `new` with this member, and the member alone as a change; both must be refused.
    async fn refuses(&self, list: &str, id: &str, new: &Value, member: &str, value: &Value) {
        let mut whole = new.clone();
        whole[member] = value.clone();
        let one = format!("{list}/{id}");
        for (method, path, body) in [
            ("POST", list, whole),
            ("PATCH", &one, json!({ member: value })),
        ] {
            let answer = self.admins(method, path, &body).await;
            let shown = format!("{method} {member} {value}: {}", answer.text());
            assert_eq!(answer.status, 422, "{shown}");
            let field = answer.json()["field"].clone();
            let names_it = field.as_str().is_none_or(|field| field.starts_with(member));
            assert!(names_it, "{shown}");
        }
    }

    fn new_service(&self) -> Value {
        json!({
            "name": "s", "router_id": self.router_id, "lan_ip": "192.168.1.9", "lan_port": 80,
            "public_port": 9000, "protocol": "tcp", "kind": "web", "url_path": "/", "icon": "disk",
            "default_minutes": 5, "max_minutes": 10,
        })
    }
}

#[tokio::test]
async fn every_field_of_a_service_refuses_every_trick_when_made_and_when_changed() {
    let house = House::new().await;
    house.open().await;
    let path = format!("/api/v1/services/{}", house.service);
    let before = house.shown(&path).await;
    let watch = Watch::begin();
    let new = house.new_service();
    let members = [
        "router_id",
        "lan_ip",
        "lan_port",
        "public_port",
        "protocol",
        "kind",
        "url_path",
        "icon",
        "default_minutes",
        "max_minutes",
    ];
    for member in members {
        for trick in tricks() {
            let list = "/api/v1/services";
            house
                .refuses(list, &house.service, &new, member, &trick)
                .await;
        }
    }
    for lan_ip in LAN_IPS {
        let list = "/api/v1/services";
        house
            .refuses(list, &house.service, &new, "lan_ip", &json!(lan_ip))
            .await;
    }
    assert_eq!(house.shown(&path).await, before);
    let services = house.shown("/api/v1/services").await;
    assert_eq!(services["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(house.held().await, 1, "the firewall is as it was");
    house.stands(watch).await;
}

#[tokio::test]
async fn every_field_of_a_router_refuses_every_trick_when_made_and_when_changed() {
    let house = House::new().await;
    let path = format!("/api/v1/routers/{}", house.router_id);
    let before = house.shown(&path).await;
    let watch = Watch::begin();
    let new = house.router.entry("odd");
    let list = "/api/v1/routers";
    for member in ["address", "cert_sha256", "protocol", "api_key", "aes_key"] {
        for trick in tricks() {
            // Any sixteen printable characters are a key: it is only ever compared or hashed.
            let may_be_a_key = trick.as_str().is_some_and(|text| text.len() >= 16);
            if member.ends_with("_key") && may_be_a_key {
                continue;
            }
            house
                .refuses(list, &house.router_id, &new, member, &trick)
                .await;
        }
    }
    for address in ROUTER_ADDRESSES {
        house
            .refuses(list, &house.router_id, &new, "address", &json!(address))
            .await;
    }
    assert_eq!(house.shown(&path).await, before);
    let routers = house.shown(list).await;
    assert_eq!(routers["items"].as_array().map(Vec::len), Some(1));
    house.stands(watch).await;
}

#[tokio::test]
async fn the_forms_refuse_the_same_tricks_at_the_same_fields() {
    let house = House::new().await;
    let before = house.shown("/api/v1/services").await;
    let watch = Watch::begin();
    let service = house.new_service();
    let router = house.router.entry("odd");
    let forms = [
        ("create_service", &service, "lan_ip"),
        ("create_service", &service, "lan_port"),
        ("create_service", &service, "public_port"),
        ("create_service", &service, "protocol"),
        ("create_service", &service, "url_path"),
        ("create_service", &service, "max_minutes"),
        ("create_router", &router, "address"),
        ("create_router", &router, "cert_sha256"),
        ("create_router", &router, "protocol"),
    ];
    for (form, valid, member) in forms {
        for trick in tricks() {
            let Value::String(trick) = trick else {
                continue;
            };
            let mut typed: Vec<(&str, String)> = Vec::new();
            for (name, value) in valid.as_object().expect("members") {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                typed.push((name, if name == member { trick.clone() } else { value }));
            }
            let fields: Vec<_> = typed
                .iter()
                .map(|(name, value)| (*name, &**value))
                .collect();
            let request = post(&format!("/api/ui/{form}")).form(&fields);
            let answer = house.portal.send(request.cookie(&house.admin.cookie)).await;
            let way = answer.header("location").to_owned();
            let refused = format!("error=invalid&field={member}");
            assert!(way.contains(&refused), "{form} {member} {trick:?}: {way}");
            let page = get(&way).cookie(&house.admin.cookie);
            let page = house.portal.send(page).await;
            assert_eq!(page.status, 200, "{way}");
            for key in ["api_key", "aes_key"] {
                assert!(!page.text().contains(text_of(&router, key)), "{way}");
            }
        }
    }
    assert_eq!(house.shown("/api/v1/services").await, before);
    assert_eq!(house.held().await, 0);
    house.stands(watch).await;
}
