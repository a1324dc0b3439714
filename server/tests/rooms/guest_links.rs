//! Links of invitations and passes of guests: nobody makes one up, none is written down, and
//! none does more than it says.

use gatehouse_core::{Actor, Error};
use gatehouse_types::{
    PageQuery,
    access::{EndReason, SessionState},
    audit::AuditQuery,
    codes,
};

use crate::{
    guests::guest_at,
    house::{House, MINUTE_MS, START_MS},
};

#[tokio::test]
async fn links_and_passes_cannot_be_made_up() {
    let house = House::new().await;
    let invited = house.invite(1).await;
    let opened = house.open_as(&guest_at(4), &invited).await.expect("opens");
    let access = &house.portal.access;
    let id = opened.session.id.to_string();
    let mut bent = opened.pass.clone().into_bytes();
    bent[20] ^= 1;
    let bent = String::from_utf8(bent).unwrap_or_default();
    for (host, made_up) in
        (10..).zip([&*bent, &*id, &*invited.token, "", "\0", &"A".repeat(10_000)])
    {
        let seen = access.guest_session(&guest_at(host), made_up).await;
        assert!(matches!(seen, Err(Error::NotFound(_))), "{made_up}");
        let closed = access.close_as_guest(&guest_at(host), made_up).await;
        assert!(matches!(closed, Err(Error::NotFound(_))), "{made_up}");
    }
    for (host, made_up) in (30..).zip([&*opened.pass, &*invited.id.to_string(), "", "\0"]) {
        let seen = access.welcome(&guest_at(host), made_up).await;
        assert!(matches!(seen, Err(Error::NotFound(_))), "{made_up}");
    }
    assert_eq!(house.router.rules().len(), 1, "nobody closed it");
}

#[tokio::test]
async fn who_tries_links_has_to_wait_and_the_guest_does_not() {
    let house = House::new().await;
    let invited = house.invite(1).await;
    let access = &house.portal.access;
    for number in 0..50 {
        let wrong = format!("{}{number}", invited.token);
        let tried = access.welcome(&guest_at(9), &wrong).await;
        let is_slowed = matches!(tried, Err(Error::TooMany { retry_after_s: 1.. }));
        assert_eq!(is_slowed, number > 10, "{number}");
    }
    house.open_as(&guest_at(4), &invited).await.expect("opens");
    house.pass_ms(MINUTE_MS);
    let same_house = access.welcome(&guest_at(9), &invited.token).await;
    same_house.expect("after a while the right link works there too");
}

#[tokio::test]
async fn openings_that_come_to_nothing_are_slowed_and_cost_no_use() {
    let house = House::new().await;
    let invited = house.invite(1).await;
    house.router.set_away(true);
    let mut slowed = 0;
    for host in 0..40 {
        match house.open_as(&guest_at(host), &invited).await {
            Ok(opened) => assert_eq!(opened.session.state, SessionState::Failed),
            Err(Error::TooMany { retry_after_s }) => {
                assert_eq!(retry_after_s, 1);
                slowed += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(slowed, 34, "five are free, from wherever they come");
    assert_eq!(house.invitation(&invited).await.uses, 0);

    house.router.set_away(false);
    let other = house.invite(1).await;
    let elsewhere = house.open_as(&guest_at(4), &other).await;
    elsewhere.expect("another invitation is not held up");
    house.pass_ms(1_000);
    let opened = house.open_as(&guest_at(4), &invited).await;
    assert_eq!(opened.expect("opens").session.state, SessionState::Open);
    house.router.set_away(true);
    let shown = house.open_as(&guest_at(4), &invited).await;
    shown.expect("what is open is always shown");
}

#[tokio::test]
async fn the_audit_trail_names_the_guest_and_never_the_link() {
    let house = House::new().await;
    // Lines of one millisecond come in any order.
    house.pass_ms(1);
    let invited = house.invite(1).await;
    house.pass_ms(1);
    let opened = house.open_as(&guest_at(4), &invited).await.expect("opens");
    house.pass_ms(1);
    let access = &house.portal.access;
    access
        .close_as_guest(&guest_at(4), &opened.pass)
        .await
        .expect("closes");
    house.pass_ms(1);
    access
        .revoke_invitation(&house.owner, invited.id)
        .await
        .expect("revokes");
    let query = AuditQuery::default();
    let lines = house.portal.audit.list(&house.admin, &query).await;
    let lines = lines.expect("lists").items;
    let told: Vec<_> = lines
        .iter()
        .take(4)
        .map(|line| (&*line.action, &*line.actor_kind, &*line.actor_name))
        .collect();
    assert_eq!(
        told,
        [
            ("invitation.revoke", "account", "bo@example.com"),
            ("session.close", "guest", "Plumber"),
            ("session.open", "guest", "Plumber"),
            ("invitation.create", "account", "bo@example.com"),
        ]
    );
    assert_eq!(lines[1].actor_id, Some(invited.id.to_string()));
    assert_eq!(lines[1].ip.as_deref(), Some("198.51.100.4"));
    let whole = format!("{lines:?}");
    assert!(!whole.contains(&invited.token) && !whole.contains(&opened.pass));
}

#[tokio::test]
async fn an_account_has_a_hundred_invitations_at_the_most() {
    let house = House::new().await;
    let access = &house.portal.access;
    for _ in 0..100 {
        house.invite(1).await;
    }
    let one_more = access.invite(&house.owner, &house.wish(1)).await;
    let one_more = one_more.expect_err("is one too many");
    assert!(
        matches!(
            one_more,
            Error::Conflict {
                code: codes::INVITATION_LIMIT_REACHED,
                ..
            }
        ),
        "{one_more:?}"
    );
    let query = PageQuery {
        limit: Some(1),
        after: None,
    };
    let newest = access
        .list_invitations(&house.owner, &query)
        .await
        .expect("lists");
    access
        .revoke_invitation(&house.owner, newest.items[0].id)
        .await
        .expect("revokes");
    house.invite(1).await;
}

/// As if the portal had died between the two.
#[tokio::test]
async fn the_keeper_closes_what_revoking_left_open() {
    let house = House::new().await;
    let invited = house.invite(9).await;
    let opened = house.open_as(&guest_at(4), &invited).await.expect("opens");
    let revoked = house.store.revoke_invitation(invited.id, START_MS).await;
    assert!(revoked.expect("revokes"));
    house.keep().await;
    let ended = house.as_it_is(&opened.session).await;
    assert_eq!(
        (ended.state, ended.end_reason),
        (SessionState::Closed, Some(EndReason::Revoked))
    );
    assert_eq!(house.router.rules(), []);
}

#[tokio::test]
async fn showing_what_is_open_opens_nothing_anew() {
    let house = House::new().await;
    let invited = house.invite(9).await;
    let opened = house.open_as(&guest_at(4), &invited).await.expect("opens");
    let shown = house.open_for(&guest_at(4), &invited, 0).await;
    assert_eq!(shown.expect("is open").session, opened.session);
    house.pass_ms(20 * MINUTE_MS);
    let over = house.open_for(&guest_at(4), &invited, 0).await;
    assert!(
        matches!(
            over,
            Err(Error::Invalid {
                field: "minutes",
                ..
            })
        ),
        "{over:?}"
    );
    assert_eq!(house.invitation(&invited).await.uses, 1);
}

#[tokio::test]
async fn minutes_and_address_are_checked_before_a_use_is_taken() {
    let house = House::new().await;
    let invited = house.invite(1).await;
    for minutes in [0, -1, 21, 1_000_000_000, i64::MIN] {
        let refused = house.open_for(&guest_at(4), &invited, minutes).await;
        let refused = refused.expect_err("is outside");
        assert!(
            matches!(
                refused,
                Error::Invalid {
                    field: "minutes",
                    ..
                }
            ),
            "{refused:?}"
        );
    }
    let nowhere = house.open_as(&Actor::nobody(None, None), &invited).await;
    assert!(matches!(nowhere, Err(Error::NoClientAddress)));
    let by_ipv6 = Actor::nobody(Some("2001:db8::4".parse().expect("fits")), None);
    let other_family = house
        .open_as(&by_ipv6, &invited)
        .await
        .expect_err("does not fit");
    assert!(
        matches!(
            other_family,
            Error::Conflict {
                code: codes::ADDRESS_FAMILY,
                ..
            }
        ),
        "{other_family:?}"
    );
    let access = &house.portal.access;
    let welcome = access.welcome(&by_ipv6, &invited.token).await;
    let told = welcome
        .expect("it is theirs")
        .other_family
        .expect("is told");
    assert_eq!(told.url.as_deref(), Some("https://v4.gate.example"));
    let welcome = access.welcome(&guest_at(4), &invited.token).await;
    assert_eq!(welcome.expect("it is theirs").other_family, None);
    assert_eq!(house.invitation(&invited).await.uses, 0);
    assert_eq!(house.router.asked(), 0);
}
