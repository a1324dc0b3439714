//! Guests: whoever holds the link of an invitation comes in as long as it, its owner and the
//! owner's right are there, and no longer.

use std::{net::IpAddr, sync::Arc};

use futures_util::future::join_all;
use gatehouse_core::{
    Actor, Error, Result,
    access::{GuestSession, Welcome},
};
use gatehouse_types::{
    access::{
        AccessSession, EndReason, Grants, Invitation, InvitationState, NewInvitation, SessionQuery,
        SessionState,
    },
    account::UserChange,
    codes,
};
use serde_json::json;
use uuid::Uuid;

use crate::house::{House, MINUTE_MS};

/// Somebody with a link: what they hold, and what it stands for.
pub(crate) struct Invited {
    pub(crate) id: Uuid,
    pub(crate) token: String,
}

impl House {
    /// The owner invites for an hour.
    pub(crate) async fn invite(&self, max_uses: i64) -> Invited {
        let (invitation, token) = self
            .portal
            .access
            .invite(&self.owner, &self.wish(max_uses))
            .await
            .expect("invites");
        Invited {
            id: invitation.id,
            token,
        }
    }

    pub(crate) fn wish(&self, max_uses: i64) -> NewInvitation {
        NewInvitation {
            service_id: self.service_id,
            label: "Plumber".into(),
            expires_minutes: 60,
            max_uses,
            max_minutes: 20,
        }
    }

    pub(crate) async fn open_as(&self, guest: &Actor, invited: &Invited) -> Result<GuestSession> {
        self.open_for(guest, invited, 20).await
    }

    pub(crate) async fn open_for(
        &self,
        guest: &Actor,
        invited: &Invited,
        minutes: i64,
    ) -> Result<GuestSession> {
        let access = &self.portal.access;
        access.open_as_guest(guest, &invited.token, minutes).await
    }

    async fn welcome(&self, invited: &Invited) -> Welcome {
        let (access, guest) = (&self.portal.access, guest_at(4));
        let welcome = access.welcome(&guest, &invited.token).await;
        welcome.expect("knows the link")
    }

    pub(crate) async fn invitation(&self, invited: &Invited) -> Invitation {
        let shown = self.portal.access.invitation(&self.owner, invited.id);
        shown.await.expect("is the owner's")
    }

    pub(crate) async fn as_it_is(&self, session: &AccessSession) -> AccessSession {
        let access = &self.portal.access;
        access
            .session(&self.owner, session.id)
            .await
            .expect("is the owner's")
    }
}

pub(crate) fn guest_at(host: u8) -> Actor {
    Actor::nobody(Some(IpAddr::from([198, 51, 100, host])), None)
}

#[track_caller]
fn is_over(outcome: Result<GuestSession>) {
    let error = outcome.expect_err("it is over");
    assert!(
        matches!(
            error,
            Error::Conflict {
                code: codes::FINISHED,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_guest_comes_back_to_the_session_it_opened_and_closes_it() {
    let house = House::new().await;
    let invited = house.invite(2).await;
    let guest = guest_at(4);
    let first = house.open_as(&guest, &invited).await.expect("opens");
    assert_eq!(first.session.state, SessionState::Open);
    assert_eq!(first.session.client_ip, "198.51.100.4");
    assert_eq!(house.router.rules(), [(first.session.id, 20 * 60)]);
    let again = house.open_as(&guest, &invited).await.expect("opens");
    assert_eq!(again.session, first.session, "it is open already");
    assert_eq!(house.invitation(&invited).await.uses, 1);
    let welcome = house.welcome(&invited).await;
    let until_ms = Some(first.session.expires_at.0);
    assert_eq!((welcome.uses_left, welcome.open_until_ms), (1, until_ms));

    let access = &house.portal.access;
    let closed = access.close_as_guest(&guest_at(9), &again.pass).await;
    let closed = closed.expect("the pass opens it from anywhere");
    let end = (closed.state, closed.end_reason);
    assert_eq!(end, (SessionState::Closed, Some(EndReason::Revoked)));
    assert_eq!(house.router.rules(), []);
    let once_more = access.close_as_guest(&guest, &first.pass).await;
    assert_eq!(once_more.expect("stays as it ended"), closed);

    house.open_as(&guest, &invited).await.expect("the last use");
    is_over(house.open_as(&guest_at(5), &invited).await);
    assert_eq!(house.welcome(&invited).await.state, InvitationState::UsedUp);
    let back = house.open_as(&guest, &invited).await;
    back.expect("what is open can be shown, though every use is taken");
}

#[tokio::test]
async fn the_owner_sees_guests_and_they_count_to_the_owners_limit() {
    let house = House::new().await;
    let invited = house.invite(100).await;
    let session = house.open_as(&guest_at(4), &invited).await.expect("opens");
    let access = &house.portal.access;
    let query = SessionQuery::default();
    let listed = access.list_own_sessions(&house.owner, &query).await;
    let listed = listed.expect("lists").items;
    assert_eq!(listed, [session.session]);
    let guest = listed[0].guest.as_ref().expect("a guest's");
    assert_eq!(
        (guest.invitation_id, &*guest.label),
        (invited.id, "Plumber")
    );

    for host in 5..36 {
        let opened = house.open_as(&guest_at(host), &invited).await;
        opened.expect("there is room for 32");
    }
    let full = house.open_as(&guest_at(36), &invited).await;
    let full = full.expect_err("there is no room");
    assert!(
        matches!(
            full,
            Error::Conflict {
                code: codes::INVITER_LIMIT_REACHED,
                ..
            }
        ),
        "{full:?}"
    );
    let own = house.open(5).await.expect_err("nor for the owner");
    assert!(
        matches!(
            own,
            Error::Conflict {
                code: codes::LIMIT_REACHED,
                ..
            }
        ),
        "{own:?}"
    );
    assert_eq!(house.invitation(&invited).await.uses, 32);
}

#[tokio::test]
async fn a_guest_behind_the_owners_address_has_a_session_of_its_own() {
    let house = House::new().await;
    let invited = house.invite(1).await;
    let owners = house.open(30).await.expect("opens");
    let same_house = Actor::nobody(house.owner.ip, None);
    let guests = house.open_as(&same_house, &invited).await.expect("opens");
    assert_ne!(guests.session.id, owners.id);
    house
        .portal
        .access
        .close(&house.owner, owners.id)
        .await
        .expect("closes");
    assert_eq!(house.router.rules().len(), 1, "the guest stays");
}

#[tokio::test]
async fn a_router_that_is_away_burns_no_use() {
    let house = House::new().await;
    let invited = house.invite(1).await;
    house.router.set_away(true);
    let failed = house
        .open_as(&guest_at(4), &invited)
        .await
        .expect("answers");
    assert_eq!(failed.session.state, SessionState::Failed);
    assert_eq!(house.invitation(&invited).await.uses, 0);
    house.router.find_its_voice();
    let opened = house.open_as(&guest_at(4), &invited).await.expect("opens");
    assert_eq!(opened.session.state, SessionState::Open);
    assert_eq!(house.invitation(&invited).await.uses, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_guests_at_the_last_use_one_is_let_in() {
    let house = House::new().await;
    let invited = house.invite(1).await;
    let guests: Vec<Actor> = (0..50).map(guest_at).collect();
    let opens = guests.iter().map(|guest| house.open_as(guest, &invited));
    let outcomes = join_all(opens).await;
    let opened = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(opened, 1, "{outcomes:?}");
    assert_eq!(house.router.rules().len(), 1);
}

#[tokio::test]
async fn fifty_clicks_of_one_guest_are_one_use() {
    let house = House::new().await;
    let invited = house.invite(9).await;
    let guest = guest_at(4);
    let clicks = join_all((0..50).map(|_| house.open_as(&guest, &invited))).await;
    let first = clicks[0].as_ref().expect("opens").session.id;
    for click in &clicks {
        assert_eq!(click.as_ref().expect("opens").session.id, first);
    }
    assert_eq!(house.invitation(&invited).await.uses, 1);
}

#[tokio::test]
async fn revoking_cuts_guests_off_at_once() {
    let house = House::new().await;
    for (actor, reason) in [
        (&house.owner, EndReason::Revoked),
        (&house.admin, EndReason::RevokedByAdmin),
    ] {
        let invited = house.invite(9).await;
        let opened = house.open_as(&guest_at(4), &invited).await.expect("opens");
        let access = &house.portal.access;
        for _ in 0..2 {
            access
                .revoke_invitation(actor, invited.id)
                .await
                .expect("revokes");
        }
        assert_eq!(
            house.as_it_is(&opened.session).await.end_reason,
            Some(reason)
        );
        assert_eq!(house.router.rules(), []);
        is_over(house.open_as(&guest_at(4), &invited).await);
        assert_eq!(
            house.welcome(&invited).await.state,
            InvitationState::Revoked
        );
    }
}

#[tokio::test]
async fn what_the_owner_loses_the_guest_loses() {
    for taken in ["grant", "service", "account", "enabled"] {
        let house = House::new().await;
        let invited = house.invite(9).await;
        let opened = house.open_as(&guest_at(4), &invited).await.expect("opens");
        let (portal, admin, owner) = (&house.portal, &house.admin, house.owner_id());
        match taken {
            "grant" => {
                let nobody = Grants { users: Vec::new() };
                let granted = portal.access.set_grants(admin, house.service_id, &nobody);
                granted.await.map(drop)
            }
            "service" => portal.access.remove_service(admin, house.service_id).await,
            "account" => portal.remove_user(admin, owner).await,
            _ => {
                let change: UserChange =
                    serde_json::from_value(json!({ "disabled": true })).expect("fits");
                portal.change_user(admin, owner, &change).await.map(drop)
            }
        }
        .expect("takes it away");
        let guest_sees = portal
            .access
            .guest_session(&guest_at(4), &opened.pass)
            .await;
        let guest_sees = guest_sees.expect("knows the pass");
        assert_eq!(guest_sees.state, SessionState::Closed, "{taken}");
        assert_eq!(house.router.rules(), [], "{taken}");
        is_over(house.open_as(&guest_at(4), &invited).await);
        let state = house.welcome(&invited).await.state;
        assert_eq!(state, InvitationState::Suspended, "{taken}");
    }
}

#[tokio::test]
async fn revoking_while_the_router_works_lets_nobody_in() {
    let house = Arc::new(House::new().await);
    let invited = Arc::new(house.invite(1).await);
    let held = house.router.hold_next();
    let opening = {
        let (house, invited) = (Arc::clone(&house), Arc::clone(&invited));
        tokio::spawn(async move { house.open_as(&guest_at(4), &invited).await })
    };
    house.router.is_waited_for().await;
    let access = &house.portal.access;
    access
        .revoke_invitation(&house.owner, invited.id)
        .await
        .expect("revokes");
    drop(held);
    is_over(opening.await.expect("no panic"));
    house.keep().await;
    assert_eq!(house.router.rules(), []);
    let live = access.live_sessions(&house.owner).await.expect("lists");
    assert_eq!(live, []);
}

#[tokio::test]
async fn no_session_outlives_its_invitation() {
    let house = House::new().await;
    let invited = house.invite(9).await;
    house.pass_ms(50 * MINUTE_MS);
    let opened = house.open_as(&guest_at(4), &invited).await.expect("opens");
    let end = house.invitation(&invited).await.expires_at;
    assert_eq!(opened.session.expires_at, end);
    assert_eq!(house.router.rules(), [(opened.session.id, 10 * 60)]);

    let access = &house.portal.access;
    let too_long = access.extend(&house.owner, opened.session.id, 21).await;
    assert!(
        matches!(
            too_long,
            Err(Error::Invalid {
                field: "minutes",
                ..
            })
        ),
        "{too_long:?}"
    );
    let extended = access.extend(&house.owner, opened.session.id, 20).await;
    assert_eq!(extended.expect("is as long as it can be").expires_at, end);
    assert_eq!(house.router.rules(), [(opened.session.id, 10 * 60)]);

    house.pass_ms(10 * MINUTE_MS);
    is_over(house.open_as(&guest_at(5), &invited).await);
    assert_eq!(
        house.welcome(&invited).await.state,
        InvitationState::Expired
    );
}
