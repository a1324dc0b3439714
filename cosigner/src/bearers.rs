//! Who asks over HTTP: bearers are checked, and none is taken twice.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_manifest::Refusal;
use gatehouse_manifest::bearer::{self, BearerClaims};
use serde::Deserialize;
use uuid::Uuid;

use crate::portal::KnownPortal;
use crate::{CoSigner, Refused};

/// A portal's clock may differ by this much.
const CLOCK_LEEWAY_S: i64 = 120;
/// A bearer is taken this long after its end, like a manifest.
const EXPIRY_LEEWAY_S: i64 = 3;
/// Bearers beyond this many within four minutes are turned away; each takes some 20 bytes.
const MAX_USED: usize = 1_000_000;

/// A portal that proved who it is, and with what.
pub(crate) struct Caller {
    pub(crate) known: Arc<KnownPortal>,
    pub(crate) claims: BearerClaims,
}

impl CoSigner {
    /// Finds out whose bearer this is, whatever its clock says and whether or not it is trusted still.
    pub(crate) fn recognise(&self, bearer: &str) -> Result<Caller, Refused> {
        let kid = bearer::kid(bearer).ok_or(Refused::BadBearer)?;
        let known = self.known_portal(&kid)?;
        // Judged at its own beginning; how far that is from now comes later, and in words.
        let nbf_s = claimed_nbf_s(bearer).ok_or(Refused::BadBearer)?;
        let claims =
            bearer::verify(bearer, &known.key, nbf_s).map_err(|refusal| match refusal {
                Refusal::BadSignature => Refused::WrongKey,
                _ => Refused::BadBearer,
            })?;
        Ok(Caller { known, claims })
    }

    fn known_portal(&self, server_id: &str) -> Result<Arc<KnownPortal>, Refused> {
        let id: Uuid = server_id.parse().map_err(|_| Refused::UnknownPortal)?;
        let path = self.folder.portal(id);
        let known = self.portals.read(&path)?.ok_or(Refused::UnknownPortal)?;
        if known.server_id != id || id.to_string() != server_id {
            return Err(Refused::UnknownPortal);
        }
        Ok(known)
    }

    /// Lets a caller ask for something: trusted still, its clock in order, its bearer not used before.
    pub(crate) fn admit(&self, caller: &Caller, now_ms: i64) -> Result<(), Refused> {
        let now_s = now_ms.div_euclid(1000);
        if let Some(since_ms) = caller.known.portal.revoked_at_ms {
            return Err(Refused::Revoked { since_ms });
        }
        let off_by_s = caller.claims.nbf.saturating_sub(now_s);
        if off_by_s.unsigned_abs() > CLOCK_LEEWAY_S.unsigned_abs() {
            return Err(Refused::Clock { off_by_s });
        }
        if now_s - EXPIRY_LEEWAY_S > caller.claims.exp {
            return Err(Refused::BadBearer);
        }
        // A bearer that could come again later fails by its clock.
        let until_s = caller.claims.nbf + CLOCK_LEEWAY_S;
        let id = (caller.known.server_id, caller.claims.jti.as_str());
        self.used_bearers.burn(id, until_s, now_s)
    }
}

#[derive(Deserialize)]
struct Beginning {
    nbf: i64,
}

fn claimed_nbf_s(bearer: &str) -> Option<i64> {
    let claims = bearer.split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Beginning = serde_json::from_slice(&json).ok()?;
    Some(claims.nbf)
}

/// Bearers that were taken, by hash, each until its own time is over.
#[derive(Default)]
pub(crate) struct Used {
    hasher: RandomState,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    until_s: HashMap<u64, i64>,
    swept_at_s: i64,
}

impl Used {
    fn burn(&self, id: (Uuid, &str), until_s: i64, now_s: i64) -> Result<(), Refused> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if now_s - taken.swept_at_s >= 60 {
            taken.until_s.retain(|_, until_s| *until_s >= now_s);
            taken.swept_at_s = now_s;
        }
        if taken.until_s.len() >= MAX_USED {
            return Err(Refused::TooMany { retry_after_s: 60 });
        }
        match taken.until_s.entry(self.hasher.hash_one(id)) {
            Entry::Occupied(_) => Err(Refused::BadBearer),
            Entry::Vacant(place) => {
                place.insert(until_s);
                Ok(())
            }
        }
    }
}
