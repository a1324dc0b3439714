//! How many connections each client has open, so that one cannot take the places of all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Whoever has an IPv6 address has this much of it for himself.
const OWN_V6_PREFIX_BITS: u32 = 64;

/// The connections of every client that has one.
#[derive(Debug)]
pub(super) struct Seats {
    per_client: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// The right of one client to one connection; it is given back when it goes.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    client: IpAddr,
}

impl Seats {
    pub(super) fn new(per_client: usize) -> Self {
        Self {
            per_client,
            taken: Mutex::default(),
        }
    }

    /// Gives a seat to whoever is at `peer`, unless he has as many as there are for one.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Seat> {
        let client = client_of(peer);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(client).or_default();
        if *count >= self.per_client {
            return None;
        }
        *count += 1;
        Some(Seat {
            seats: Arc::clone(self),
            client,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self
            .seats
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = taken.entry(self.client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

fn client_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let own = u128::MAX << (u128::BITS - OWN_V6_PREFIX_BITS);
            Ipv6Addr::from_bits(v6.to_bits() & own).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_client_has_its_own_seats_and_gives_them_back() {
        let seats = Arc::new(Seats::new(2));
        let first = seats.take(ip("203.0.113.7")).expect("a seat");
        let _second = seats.take(ip("::ffff:203.0.113.7")).expect("a seat");
        assert!(
            seats.take(ip("203.0.113.7")).is_none(),
            "mapped or not, he is one"
        );
        assert!(seats.take(ip("203.0.113.8")).is_some());
        drop(first);
        assert!(seats.take(ip("203.0.113.7")).is_some());
    }

    #[test]
    fn a_whole_ipv6_network_is_one_client() {
        let seats = Arc::new(Seats::new(1));
        let _only = seats.take(ip("2001:db8:0:1::1")).expect("a seat");
        assert!(seats.take(ip("2001:db8:0:1:ffff::2")).is_none());
        assert!(seats.take(ip("2001:db8:0:2::1")).is_some());
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let seats = Arc::new(Seats::new(1));
        for last in 0..100 {
            drop(seats.take(IpAddr::from([203, 0, 113, last])));
        }
        assert!(seats.taken.lock().expect("no panic while held").is_empty());
    }
}
