use std::sync::Arc;

use gatehouse_core::ports::{
    Store, StoreError,
    access::{AccessSessionRecord, Full, LiveCounts, ServiceRecord, SessionFilter},
    identity::UserEdit,
    invitations::{FoundInvitation, GuestEntry, InvitationRecord},
};
use gatehouse_types::access::{EndReason, SessionGuest, SessionState};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    databases::warm_up,
    records::{MINUTE_MS, NOW_MS, ROOM, id, session, some_owner, some_service},
};

const GUEST_IP: &str = "198.51.100.4";

/// An owner with a service, and somebody who is invited to it.
struct Invited {
    store: Arc<dyn Store>,
    owner: Uuid,
    service: ServiceRecord,
    invitation: InvitationRecord,
}

impl Invited {
    async fn times(store: Arc<dyn Store>, max_uses: i64) -> Self {
        let owner = some_owner(&store, "owner@example.org").await;
        let service = some_service(&store).await;
        store.set_grants(service.id, &[owner]).await.unwrap();
        let invitation = InvitationRecord {
            id: id(),
            service_id: service.id,
            user_id: owner,
            label: "The <plumber>".into(),
            max_minutes: 20,
            max_uses,
            created_at_ms: NOW_MS,
            expires_at_ms: NOW_MS + 60 * MINUTE_MS,
            revoked_at_ms: None,
        };
        store.insert_invitation(&invitation, [5; 32]).await.unwrap();
        Self {
            store,
            owner,
            service,
            invitation,
        }
    }

    fn session_from(&self, client_ip: &str) -> AccessSessionRecord {
        AccessSessionRecord {
            guest: Some(SessionGuest {
                invitation_id: self.invitation.id,
                label: self.invitation.label.clone(),
            }),
            ..session(&self.service, self.owner, client_ip)
        }
    }

    async fn enters(&self, session: &AccessSessionRecord) -> Result<GuestEntry, StoreError> {
        self.enters_at(session, NOW_MS).await
    }

    async fn enters_at(
        &self,
        session: &AccessSessionRecord,
        now_ms: i64,
    ) -> Result<GuestEntry, StoreError> {
        self.store
            .insert_guest_session(session, self.invitation.id, now_ms, ROOM)
            .await
    }

    async fn found(&self) -> FoundInvitation {
        let found = self.store.invitation(self.invitation.id).await.unwrap();
        found.unwrap()
    }

    async fn ends(&self, session: &AccessSessionRecord, state: SessionState) {
        let ended = AccessSessionRecord {
            state,
            finished_at_ms: Some(NOW_MS),
            end_reason: Some(EndReason::Expired),
            ..session.clone()
        };
        let advanced = self.store.advance_session(&ended, SessionState::Pending);
        assert!(advanced.await.unwrap());
    }
}

pub(crate) async fn an_invitation_comes_back_with_what_is_around_it(store: Arc<dyn Store>) {
    let invited = Invited::times(store, 3).await;
    let (store, invitation) = (&invited.store, &invited.invitation);
    let expected = FoundInvitation {
        invitation: invitation.clone(),
        service_name: "Films".into(),
        service_max_minutes: 240,
        inviter: "OWNER@EXAMPLE.ORG".into(),
        uses: 0,
        last_opened_at_ms: None,
        has_right: true,
    };
    assert_eq!(invited.found().await, expected);
    let by_token = store.invitation_by_token([5; 32]).await.unwrap();
    assert_eq!(by_token, Some(expected));
    assert_eq!(store.invitation_by_token([6; 32]).await.unwrap(), None);
    assert_eq!(store.invitation(id()).await.unwrap(), None);

    let session = invited.session_from(GUEST_IP);
    assert_eq!(invited.enters(&session).await.unwrap(), GuestEntry::Entered);
    let found = invited.found().await;
    assert_eq!((found.uses, found.last_opened_at_ms), (1, Some(NOW_MS)));
    let kept = store.session(session.id).await.unwrap();
    assert_eq!(kept, Some(session.clone()), "with its guest");
    let ip = session.client_ip;
    let live = store.live_guest_session(invitation.id, ip).await.unwrap();
    assert_eq!(live, Some(session.clone()));
    let of_it = SessionFilter {
        invitation_id: Some(invitation.id),
        ..SessionFilter::default()
    };
    assert_eq!(store.list_sessions(of_it, 9).await.unwrap(), [session]);
}

pub(crate) async fn invitations_are_listed_page_by_page_and_revoked_once(store: Arc<dyn Store>) {
    let invited = Invited::times(store, 1).await;
    let (store, owner) = (&invited.store, invited.owner);
    let other = some_owner(store, "other@example.org").await;
    let later = InvitationRecord {
        id: id(),
        user_id: other,
        ..invited.invitation.clone()
    };
    store.insert_invitation(&later, [6; 32]).await.unwrap();
    assert!(matches!(
        store
            .insert_invitation(
                &InvitationRecord {
                    id: id(),
                    ..later.clone()
                },
                [6; 32]
            )
            .await,
        Err(StoreError::Taken)
    ));
    let ids = |listed: Vec<FoundInvitation>| -> Vec<Uuid> {
        listed.iter().map(|found| found.invitation.id).collect()
    };
    let own = invited.invitation.id;
    let all = store.list_invitations(None, None, 9).await.unwrap();
    assert!(!all[0].has_right, "the other was never granted it");
    assert_eq!(ids(all), [later.id, own]);
    let rest = store.list_invitations(None, Some(later.id), 9).await;
    assert_eq!(ids(rest.unwrap()), [own]);
    let theirs = store.list_invitations(Some(owner), None, 9).await;
    assert_eq!(ids(theirs.unwrap()), [own]);
    assert_eq!(
        ids(store.list_invitations(None, None, 1).await.unwrap()),
        [later.id]
    );

    let lasting = |now_ms| store.count_lasting_invitations(owner, now_ms);
    assert_eq!(lasting(NOW_MS).await.unwrap(), 1);
    let end_ms = invited.invitation.expires_at_ms;
    assert_eq!(lasting(end_ms).await.unwrap(), 0, "it is over");
    assert!(store.revoke_invitation(own, NOW_MS).await.unwrap());
    assert!(!store.revoke_invitation(own, NOW_MS + 1).await.unwrap());
    assert_eq!(invited.found().await.invitation.revoked_at_ms, Some(NOW_MS));
    assert_eq!(lasting(NOW_MS).await.unwrap(), 0);
}

pub(crate) async fn of_fifty_guests_at_the_last_use_one_enters(store: Arc<dyn Store>) {
    let invited = Arc::new(Invited::times(store, 2).await);
    let first = invited.session_from(GUEST_IP);
    assert_eq!(invited.enters(&first).await.unwrap(), GuestEntry::Entered);
    invited.ends(&first, SessionState::Closed).await;
    warm_up(&invited.store).await;
    let mut guests = JoinSet::new();
    for number in 0..50 {
        let invited = Arc::clone(&invited);
        guests.spawn(async move {
            let session = invited.session_from(&format!("203.0.113.{number}"));
            invited.enters(&session).await.unwrap()
        });
    }
    let entries = guests.join_all().await;
    let entered = entries.iter().filter(|one| **one == GuestEntry::Entered);
    assert_eq!(entered.count(), 1, "{entries:?}");
    assert_eq!(invited.found().await.uses, 2);
}

pub(crate) async fn what_failed_is_no_use(store: Arc<dyn Store>) {
    let invited = Invited::times(store, 1).await;
    let refused = invited.session_from(GUEST_IP);
    assert_eq!(invited.enters(&refused).await.unwrap(), GuestEntry::Entered);
    invited.ends(&refused, SessionState::Failed).await;
    assert_eq!(invited.found().await.uses, 0);
    let again = invited.session_from(GUEST_IP);
    assert_eq!(invited.enters(&again).await.unwrap(), GuestEntry::Entered);
}

pub(crate) async fn a_guest_enters_once_beside_the_owner_and_while_there_is_room(
    store: Arc<dyn Store>,
) {
    let invited = Invited::times(store, 9).await;
    let (store, ip) = (&invited.store, GUEST_IP.parse().unwrap());
    let owners = session(&invited.service, invited.owner, GUEST_IP);
    store.insert_session(&owners, ROOM).await.unwrap();
    let guests = invited.session_from(GUEST_IP);
    assert_eq!(invited.enters(&guests).await.unwrap(), GuestEntry::Entered);
    let twice = invited.enters(&invited.session_from(GUEST_IP)).await;
    assert!(matches!(twice, Err(StoreError::Taken)));
    assert_eq!(invited.found().await.uses, 1, "the second left nothing");
    let live = store.live_session(invited.service.id, invited.owner, ip);
    assert_eq!(live.await.unwrap(), Some(owners));

    let elsewhere = invited.session_from("203.0.113.9");
    let enters = |of_user, of_service| {
        let most = LiveCounts {
            of_user,
            of_service,
            ..ROOM
        };
        store.insert_guest_session(&elsewhere, invited.invitation.id, NOW_MS, most)
    };
    let full = enters(2, 3).await.unwrap();
    assert_eq!(full, GuestEntry::Full(Full::User));
    let full = enters(3, 2).await.unwrap();
    assert_eq!(full, GuestEntry::Full(Full::Service));
    assert_eq!(enters(3, 3).await.unwrap(), GuestEntry::Entered);
}

pub(crate) async fn nobody_enters_when_an_invitation_or_its_right_is_over(store: Arc<dyn Store>) {
    let invited = Invited::times(store, 9).await;
    let (store, owner) = (&invited.store, invited.owner);
    let session = invited.session_from(GUEST_IP);
    let end_ms = invited.invitation.expires_at_ms;
    let late = invited.enters_at(&session, end_ms).await;
    assert_eq!(late.unwrap(), GuestEntry::Over);

    store.set_grants(invited.service.id, &[]).await.unwrap();
    assert!(!invited.found().await.has_right);
    assert_eq!(invited.enters(&session).await.unwrap(), GuestEntry::Over);
    store
        .set_grants(invited.service.id, &[owner])
        .await
        .unwrap();
    assert!(invited.found().await.has_right);

    let disabled = UserEdit {
        disabled: Some(true),
        at_ms: NOW_MS,
        ..UserEdit::default()
    };
    store.change_user(owner, &disabled).await.unwrap().unwrap();
    assert!(!invited.found().await.has_right);
    assert_eq!(invited.enters(&session).await.unwrap(), GuestEntry::Over);
    let enabled = UserEdit {
        disabled: Some(false),
        ..disabled
    };
    store.change_user(owner, &enabled).await.unwrap().unwrap();

    store
        .revoke_invitation(invited.invitation.id, NOW_MS)
        .await
        .unwrap();
    assert_eq!(invited.enters(&session).await.unwrap(), GuestEntry::Over);
    store
        .remove_service(invited.service.id, NOW_MS)
        .await
        .unwrap();
    assert!(!invited.found().await.has_right);
    assert_eq!(invited.found().await.uses, 0);
}

pub(crate) async fn what_is_open_with_a_revoked_invitation_is_found(store: Arc<dyn Store>) {
    let invited = Invited::times(store, 2).await;
    let guests = invited.session_from("203.0.113.1");
    assert_eq!(invited.enters(&guests).await.unwrap(), GuestEntry::Entered);
    let store = &invited.store;
    let owners = session(&invited.service, invited.owner, "203.0.113.1");
    store.insert_session(&owners, ROOM).await.unwrap();
    let found = || store.sessions_without_right(10);
    assert_eq!(found().await.unwrap(), []);
    let id = invited.invitation.id;
    assert!(store.revoke_invitation(id, NOW_MS).await.unwrap());
    let revoked = (guests.clone(), EndReason::Revoked);
    assert_eq!(found().await.unwrap(), [revoked]);
    store.set_grants(invited.service.id, &[]).await.unwrap();
    let both = [guests, owners].map(|row| (row, EndReason::ServiceRemoved));
    assert_eq!(found().await.unwrap(), both);
}
