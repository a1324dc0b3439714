//! Routers that run the original daemon: what it cannot do is said before anybody clicks.

use gatehouse_core::Error;
use gatehouse_types::access::{RouterChange, ServiceChange, Transport, Wake};

use crate::house::House;

#[tokio::test]
async fn a_service_that_the_original_daemon_cannot_carry_is_refused_by_its_field() {
    let house = House::new().await;
    let (access, admin) = (&house.portal.access, &house.admin);
    let original = RouterChange {
        protocol: Some(1),
        ..RouterChange::default()
    };
    let router = access
        .change_router(admin, house.router_id, &original)
        .await
        .unwrap();
    assert_eq!(router.protocol, 1);
    let changes = [
        (
            "protocol",
            ServiceChange {
                protocol: Some(Transport::Udp),
                ..ServiceChange::default()
            },
        ),
        (
            "lan_ip",
            ServiceChange {
                lan_ip: Some("fd00::10".into()),
                ..ServiceChange::default()
            },
        ),
        (
            "wake",
            ServiceChange {
                wake: Some(Some(Wake::Wol {
                    mac: "02:00:5e:10:00:01".into(),
                })),
                ..ServiceChange::default()
            },
        ),
        (
            "max_minutes",
            ServiceChange {
                max_minutes: Some(999),
                ..ServiceChange::default()
            },
        ),
    ];
    for (wrong, change) in changes {
        let refused = access
            .change_service(admin, house.service_id, &change)
            .await;
        assert!(
            matches!(refused, Err(Error::Invalid { field, .. }) if field == wrong),
            "{wrong}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_router_keeps_its_protocol_while_it_has_a_service_that_needs_it() {
    let house = House::new().await;
    let (access, admin) = (&house.portal.access, &house.admin);
    let by_udp = ServiceChange {
        protocol: Some(Transport::Udp),
        ..ServiceChange::default()
    };
    access
        .change_service(admin, house.service_id, &by_udp)
        .await
        .unwrap();
    let original = RouterChange {
        protocol: Some(1),
        ..RouterChange::default()
    };
    let refused = access
        .change_router(admin, house.router_id, &original)
        .await;
    assert!(
        matches!(
            refused,
            Err(Error::Invalid {
                field: "protocol",
                ..
            })
        ),
        "{refused:?}"
    );
    let kept = access.router(admin, house.router_id).await.unwrap();
    assert_eq!(kept.protocol, 2);
}
