//! Fresh secrets on their way from the form that made them to the page that shows them.
//!
//! A redirect leads from one to the other and must not carry a secret in its URL, which would stay
//! in histories and logs. It carries an id instead. Only the sign-in that made the secret can take
//! it, once, within a minute; after that it is gone, as it is when the portal restarts.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use gatehouse_core::Actor;
use uuid::Uuid;

const KEPT_MS: i64 = 60_000;
const KEPT_MAX: usize = 256;

static SHELF: Mutex<Shelf> = Mutex::new(Shelf(BTreeMap::new()));

/// Something that people may see once.
#[derive(PartialEq, Eq)]
pub(crate) enum Secret {
    /// The lasting token of a device.
    TargetToken(String),
    /// The token with which a gateway speaks for a project's devices.
    GatewayToken(String),
    /// A JWT with which a device asks and downloads.
    DownloadToken(String),
    /// The link of an invitation.
    InvitationLink(String),
}

/// Keeps a secret made at `made_at_ms` for the sign-in of this actor.
pub(crate) fn keep(actor: &Actor, id: Uuid, made_at_ms: i64, secret: Secret) {
    if let Ok(account) = actor.account() {
        let mut shelf = SHELF.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.keep((account.sign_in_id, id), made_at_ms, secret);
    }
}

/// Takes the secret away, if this actor's sign-in made it in the last minute.
pub(crate) fn take(actor: &Actor, id: Uuid, now_ms: i64) -> Option<Secret> {
    let sign_in_id = actor.account().ok()?.sign_in_id;
    SHELF
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take((sign_in_id, id), now_ms)
}

/// Who may take it, and the id in the URL.
type Key = (Uuid, Uuid);

struct Shelf(BTreeMap<Key, (i64, Secret)>);

impl Shelf {
    fn keep(&mut self, key: Key, made_at_ms: i64, secret: Secret) {
        self.drop_old(made_at_ms);
        if self.0.len() >= KEPT_MAX {
            let oldest = self
                .0
                .iter()
                .min_by_key(|(_, (at_ms, _))| *at_ms)
                .map(|(key, _)| *key);
            oldest.and_then(|key| self.0.remove(&key));
        }
        self.0.insert(key, (made_at_ms, secret));
    }

    fn take(&mut self, key: Key, now_ms: i64) -> Option<Secret> {
        self.drop_old(now_ms);
        self.0.remove(&key).map(|(_, secret)| secret)
    }

    fn drop_old(&mut self, now_ms: i64) {
        self.0.retain(|_, (at_ms, _)| now_ms - *at_ms <= KEPT_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Secret {
        Secret::DownloadToken(text.to_owned())
    }

    fn key(who: u128, id: u128) -> Key {
        (Uuid::from_u128(who), Uuid::from_u128(id))
    }

    #[test]
    fn a_secret_is_taken_once_and_by_its_maker_only() {
        let mut shelf = Shelf(BTreeMap::new());
        shelf.keep(key(1, 7), 1_000, token("t"));
        assert!(shelf.take(key(2, 7), 1_000).is_none());
        assert!(shelf.take(key(1, 7), 1_000) == Some(token("t")));
        assert!(shelf.take(key(1, 7), 1_000).is_none());
    }

    #[test]
    fn a_minute_later_it_is_gone() {
        let mut shelf = Shelf(BTreeMap::new());
        shelf.keep(key(1, 1), 0, token("early"));
        shelf.keep(key(1, 2), 1, token("late"));
        assert!(shelf.take(key(1, 2), 60_001) == Some(token("late")));
        assert!(shelf.0.is_empty());
    }

    #[test]
    fn a_full_shelf_lets_the_oldest_go() {
        let mut shelf = Shelf(BTreeMap::new());
        for (id, at_ms) in (0..=KEPT_MAX as u128).zip(0..) {
            shelf.keep(key(1, id), at_ms, token("t"));
        }
        assert_eq!(shelf.0.len(), KEPT_MAX);
        assert!(shelf.take(key(1, 0), 300).is_none());
        assert!(shelf.take(key(1, 1), 300).is_some());
    }
}
