//! Tickets: a client brings its session back, sealed with a key that only the gateway has.
//!
//! Keys change every six hours and open tickets for six hours more. They are never written down. The process that takes
//! over at an upgrade gets them with the buckets' levels, and goes on with them for what is left of their time; after a
//! restart clients shake hands in full once. Tickets are AES-256-GCM with a nonce by chance: the 2^32 that a key is good
//! for would take 198,000 tickets a second.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls;
use tokio_rustls::rustls::server::ProducesTickets;

/// For how long a key seals new tickets, seconds. It opens them for as long again.
const TURN: u64 = 6 * 60 * 60;
/// Bytes of a key.
const KEY: usize = 32;

/// The keys as one process gives them to the next.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketKeys {
    current: [u8; KEY],
    previous: Option<[u8; KEY]>,
    /// When the current one is to be replaced, seconds since the epoch.
    until: u64,
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKeys").field("until", &self.until).finish_non_exhaustive()
    }
}

impl TicketKeys {
    fn new(now: u64) -> Result<Self, Unspecified> {
        Ok(Self { current: random()?, previous: None, until: now.saturating_add(TURN) })
    }

    /// As they are at this time: a key whose time is over opens only, or does not count any more.
    fn at(self, now: u64) -> Result<Self, Unspecified> {
        match now {
            // A clock that was set back must not let a key live for longer.
            _ if now < self.until && self.until - now <= TURN => Ok(self),
            _ if now >= self.until && now - self.until < TURN => {
                Ok(Self { previous: Some(self.current), ..Self::new(now)? })
            }
            _ => Self::new(now),
        }
    }
}

fn random() -> Result<[u8; KEY], Unspecified> {
    let mut key = [0; KEY];
    rand::fill(&mut key)?;
    Ok(key)
}

/// Keys, ready for use.
struct Ring {
    keys: TicketKeys,
    current: RandomizedNonceKey,
    previous: Option<RandomizedNonceKey>,
}

impl Ring {
    fn of(keys: TicketKeys) -> Result<Self, Unspecified> {
        let ready = |key: &[u8; KEY]| RandomizedNonceKey::new(&AES_256_GCM, key);
        Ok(Self { current: ready(&keys.current)?, previous: keys.previous.as_ref().map(ready).transpose()?, keys })
    }
}

/// Seals and opens tickets, for all listeners and workers of the process.
pub(super) struct Tickets {
    /// Held for one ticket at a time.
    ring: RwLock<Ring>,
}

impl Tickets {
    /// With keys of its own.
    pub(super) fn new() -> Result<Arc<Self>, rustls::Error> {
        let ring = TicketKeys::new(seconds()).and_then(Ring::of);
        let ring = ring.map_err(|_| rustls::Error::FailedToGetRandomBytes)?;
        Ok(Arc::new(Self { ring: RwLock::new(ring) }))
    }

    /// For the next process.
    pub(super) fn keys(&self) -> TicketKeys {
        self.ring.read().keys.clone()
    }

    /// Goes on with the keys of the process before. Where they cannot be used, its own stay.
    pub(super) fn adopt(&self, keys: TicketKeys) {
        if let Ok(ring) = keys.at(seconds()).and_then(Ring::of) {
            *self.ring.write() = ring;
        }
    }

    fn turn(&self, now: u64) -> Option<()> {
        let until = self.ring.read().keys.until;
        if now < until && until - now <= TURN {
            return Some(());
        }
        let mut ring = self.ring.write();
        // Another worker may have been first.
        *ring = Ring::of(ring.keys.clone().at(now).ok()?).ok()?;
        Some(())
    }

    fn seal(&self, message: &[u8], now: u64) -> Option<Vec<u8>> {
        self.turn(now)?;
        let mut sealed = message.to_vec();
        let nonce = self.ring.read().current.seal_in_place_append_tag(Aad::empty(), &mut sealed).ok()?;
        sealed.extend_from_slice(nonce.as_ref());
        Some(sealed)
    }

    fn open(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        self.turn(now)?;
        let (sealed, nonce) = ticket.split_last_chunk::<NONCE_LEN>()?;
        let open = |key: &RandomizedNonceKey| {
            let mut message = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let length = key.open_in_place(nonce, Aad::empty(), &mut message).ok()?.len();
            message.truncate(length);
            Some(message)
        };
        let ring = self.ring.read();
        open(&ring.current).or_else(|| ring.previous.as_ref().and_then(open))
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        2 * TURN as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, seconds())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, seconds())
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(now: u64) -> Tickets {
        Tickets { ring: RwLock::new(Ring::of(TicketKeys::new(now).unwrap()).unwrap()) }
    }

    #[test]
    fn a_ticket_opens_for_two_turns_at_most() {
        const START: u64 = 1_000_000;
        let tickets = tickets(START);
        let ticket = tickets.seal(b"session", START).unwrap();
        for now in [START, START + TURN - 1, START + TURN, START + 2 * TURN - 1] {
            assert_eq!(tickets.open(&ticket, now).as_deref(), Some(&b"session"[..]), "{now}");
        }
        assert_eq!(tickets.open(&ticket, START + 2 * TURN), None);
        let idle = self::tickets(START);
        let ticket = idle.seal(b"session", START).unwrap();
        assert_eq!(idle.open(&ticket, START + 2 * TURN), None, "nobody came meanwhile");
        assert_eq!(idle.open(&idle.seal(b"back", 5).unwrap(), 5).as_deref(), Some(&b"back"[..]), "a clock set back");
    }

    #[test]
    fn what_is_no_ticket_opens_nothing() {
        let tickets = tickets(0);
        let ticket = tickets.seal(b"session", 0).unwrap();
        assert_eq!(self::tickets(0).open(&ticket, 0), None, "another key");
        for end in 0..ticket.len() {
            assert_eq!(tickets.open(&ticket[..end], 0), None);
        }
        for place in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[place] ^= 1;
            assert_eq!(tickets.open(&changed, 0), None, "{place}");
        }
    }

    #[test]
    fn keys_go_over_and_are_not_told() {
        let (old, new) = (Tickets::new().unwrap(), Tickets::new().unwrap());
        let ticket = old.encrypt(b"session").unwrap();
        assert_eq!(new.decrypt(&ticket), None);
        let told = serde_json::to_string(&old.keys()).unwrap();
        new.adopt(serde_json::from_str(&told).unwrap());
        assert_eq!(new.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        assert_eq!(new.keys(), old.keys());
        assert!(!format!("{:?}", old.keys()).contains("current"));
    }
}
