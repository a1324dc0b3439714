//! Somebody behind the router needs no door in it, wherever the portal stands.

use std::net::IpAddr;

use gatehouse_core::access::DirectWay;

use crate::house::House;

/// Where the router of the house is seen from outside.
const PUBLIC_IP: [u8; 4] = [192, 0, 2, 1];

impl House {
    async fn direct_way(&self, client_ip: [u8; 4]) -> Option<DirectWay> {
        let access = &self.portal.access;
        let services = access.list_services(&self.owner).await.expect("lists");
        access.direct_way(&services[0], IpAddr::from(client_ip))
    }

    async fn is_led_straight(&self, client_ip: [u8; 4]) -> bool {
        let way = self.direct_way(client_ip).await;
        way.is_some_and(|way| way.host == "192.168.1.50")
    }
}

#[tokio::test]
async fn an_owner_at_home_is_led_straight_though_the_portal_is_elsewhere() {
    let house = House::new().await;
    assert!(
        !house.is_led_straight(PUBLIC_IP).await,
        "the router was not heard of yet"
    );
    house.portal.access.reconcile().await.expect("reconciles");
    assert!(house.is_led_straight(PUBLIC_IP).await);
    assert!(!house.is_led_straight([192, 0, 2, 2]).await);

    house.router.set_away(true);
    house.portal.access.reconcile().await.expect("reconciles");
    assert!(
        house.is_led_straight(PUBLIC_IP).await,
        "a router that is away a moment stands where it stood"
    );
}

#[tokio::test]
async fn a_router_on_the_portals_own_machine_hides_nobody() {
    let house = House::new().await;
    house.router.stands_at([127, 0, 0, 1].into());
    house.portal.access.reconcile().await.expect("reconciles");
    assert!(!house.is_led_straight([127, 0, 0, 1]).await);
}

/// Others behind the same provider share the router's public address.
#[tokio::test]
async fn only_a_neighbour_is_certainly_at_home() {
    let house = House::new().await;
    house.portal.access.reconcile().await.expect("reconciles");
    for (client_ip, is_certain) in [(PUBLIC_IP, false), ([192, 168, 1, 20], true)] {
        let way = house.direct_way(client_ip).await.expect("a way");
        assert_eq!(way.is_certain, is_certain, "{client_ip:?}");
    }
}
