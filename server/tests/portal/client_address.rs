//! The address that a firewall would let in: believed from nobody who may not say it.

use serde_json::{Value, json};

use crate::{
    daemon::{Router, open},
    furnish::Person,
    harness::{Ask, Portal, get},
};

const PROXY: &str = "10.0.0.2";

async fn behind_proxies(header: &str) -> (Portal, Person) {
    let variables = [
        ("GATEHOUSE_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("GATEHOUSE_FORWARDED_HEADER", header),
    ];
    let portal = Portal::with(&variables).await;
    let owner = portal.owner().await;
    (portal, owner)
}

fn me(person: &Person) -> Ask {
    get("/api/v1/me").cookie(&person.cookie)
}

async fn seen(portal: &Portal, ask: Ask) -> Value {
    portal.send(ask).await.expect(200)["client_ip"].clone()
}

#[tokio::test]
async fn a_header_from_somebody_who_is_no_proxy_is_not_even_read() {
    let portal = Portal::open().await;
    let owner = portal.owner().await;
    for header in [
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "true-client-ip",
        "cf-connecting-ip",
    ] {
        for value in ["198.51.100.1", "for=198.51.100.1", "unknown", ""] {
            assert_eq!(
                seen(&portal, me(&owner).header(header, value)).await,
                "203.0.113.7",
                "{header}: {value}"
            );
        }
    }
    assert_eq!(
        seen(&portal, me(&owner).peer("::ffff:203.0.113.9")).await,
        "203.0.113.9"
    );
    assert_eq!(
        seen(&portal, me(&owner).peer("2001:db8::7")).await,
        "2001:db8::7"
    );
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_whatever_the_client_wrote_before_it() {
    let (portal, owner) = behind_proxies("x-forwarded-for").await;
    let from_proxy = || me(&owner).peer(PROXY);
    let thousands = format!("{}203.0.113.9", "198.51.100.1, ".repeat(4000));
    for value in [
        "203.0.113.9",
        "198.51.100.1, 203.0.113.9",
        "unknown, 203.0.113.9",
        "\"198.51.100.1, 203.0.113.9",
        "203.0.113.9, 10.1.1.1",
        "203.0.113.9:4711",
        "::ffff:203.0.113.9",
        "[::ffff:203.0.113.9]:80",
        &thousands,
    ] {
        assert_eq!(
            seen(&portal, from_proxy().header("x-forwarded-for", value)).await,
            "203.0.113.9",
            "{value:.60}"
        );
    }
    let two_lines = from_proxy()
        .header("x-forwarded-for", "198.51.100.1")
        .header("x-forwarded-for", "203.0.113.9");
    assert_eq!(seen(&portal, two_lines).await, "203.0.113.9");
    let other_header = from_proxy()
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-real-ip", "198.51.100.1");
    assert_eq!(
        seen(
            &portal,
            other_header.header("forwarded", "for=198.51.100.1")
        )
        .await,
        "203.0.113.9"
    );
    let stranger = me(&owner)
        .peer("192.0.2.50")
        .header("x-forwarded-for", "203.0.113.9");
    assert_eq!(seen(&portal, stranger).await, "192.0.2.50");
}

#[tokio::test]
async fn the_standard_header_is_read_when_it_is_the_configured_one() {
    let (portal, owner) = behind_proxies("forwarded").await;
    let from_proxy = |value: &str| me(&owner).peer(PROXY).header("forwarded", value);
    for value in [
        "for=203.0.113.9",
        "for=198.51.100.1, for=\"203.0.113.9:80\";proto=https",
        "For=203.0.113.9;by=10.0.0.2",
    ] {
        assert_eq!(
            seen(&portal, from_proxy(value)).await,
            "203.0.113.9",
            "{value}"
        );
    }
    for value in [
        "for=unknown",
        "for=_hidden",
        "proto=https",
        "203.0.113.9",
        "for=203.0.113.9;for=198.51.100.1",
    ] {
        assert_eq!(
            seen(&portal, from_proxy(value)).await,
            Value::Null,
            "{value}"
        );
    }
    let x_forwarded = me(&owner)
        .peer(PROXY)
        .header("x-forwarded-for", "203.0.113.9");
    assert_eq!(seen(&portal, x_forwarded).await, Value::Null);
}

#[tokio::test]
async fn where_the_address_cannot_be_told_nothing_opens() {
    let (portal, owner) = behind_proxies("x-forwarded-for").await;
    let admin = portal.admin().await;
    let router = Router::start().await;
    let router_id = portal.add_router(&admin, &router.entry("home")).await;
    let service = portal
        .add_service(&admin, &router_id, 8001, &[&owner])
        .await;
    let attempt = || open(&owner, &service, &json!(5)).peer(PROXY);
    portal
        .send(attempt())
        .await
        .refused(400, "no_client_address");
    for value in [
        "",
        ",",
        "a",
        "unknown",
        "10.0.0.9",
        "10.0.0.9, 10.1.1.1",
        "203.0.113.9,",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "203.0.113.9 x",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "203.0.113.9:99999",
        "203.0.113.9%eth0",
        "1.2.3.4/24",
    ] {
        let answer = portal
            .send(attempt().header("x-forwarded-for", value))
            .await;
        answer.refused(400, "no_client_address");
    }
    assert_eq!(router.holds(&portal, &admin, &router_id).await, 0);
    for ip in ["127.0.0.1", "192.168.1.7", "100.64.0.1", "169.254.1.1"] {
        let session = portal
            .send(attempt().header("x-forwarded-for", ip))
            .await
            .expect(201);
        assert_eq!(
            session["state"], "failed",
            "the daemon lets no private source in: {ip}"
        );
    }
    let session = portal
        .send(attempt().header("x-forwarded-for", "203.0.113.9"))
        .await
        .expect(201);
    assert_eq!(
        (&session["state"], &session["client_ip"]),
        (&json!("open"), &json!("203.0.113.9"))
    );
}

#[tokio::test]
async fn a_client_of_the_other_address_family_is_told_so() {
    let portal = Portal::open().await;
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let router = Router::start().await;
    let router_id = portal.add_router(&admin, &router.entry("home")).await;
    let service = portal
        .add_service(&admin, &router_id, 8001, &[&owner])
        .await;
    let answer = portal
        .send(open(&owner, &service, &json!(5)).peer("2001:db8::7"))
        .await;
    let detail = answer.refused(409, "address_family")["detail"].to_string();
    assert!(
        detail.contains("IPv6") && detail.contains("Reach the portal over IPv4 and open it there."),
        "{detail}"
    );

    let portal = portal
        .again(&[("GATEHOUSE_PUBLIC_URL_IPV4", "http://v4.gate.example")])
        .await;
    let answer = portal
        .send(open(&owner, &service, &json!(5)).peer("2001:db8::7"))
        .await;
    let detail = answer.refused(409, "address_family")["detail"].to_string();
    assert!(
        detail
            .contains("Reach the portal over IPv4, at http://v4.gate.example, and open it there."),
        "{detail}"
    );
}
