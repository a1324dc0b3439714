//! Somebody behind the router needs no door in it, wherever the portal stands.

use std::net::IpAddr;

use crate::house::House;

/// Where the router of the house is seen from outside.
const PUBLIC_IP: [u8; 4] = [192, 0, 2, 1];

impl House {
    async fn is_led_straight(&self, client_ip: [u8; 4]) -> bool {
        let access = &self.portal.access;
        let services = access.list_services(&self.owner).await.expect("lists");
        let way = access.direct_way(&services[0], IpAddr::from(client_ip));
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
