//! Idle HTTP/1.1 connections of one worker, by origin. Bounded per origin and in all; the oldest goes first.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::time::Duration;

use super::connection::Connection;
use super::origin::OriginId;
use crate::names::NameHasher;

/// Idle connections that a worker keeps to one origin.
const PER_ORIGIN: usize = 1_024;
/// Idle connections that a worker keeps in all.
const IN_ALL: usize = 8_192;
/// A connection that has been idle for longer, and up to a second more, is not used again: origins commonly close after
/// 60 s.
pub(super) const IDLE: Duration = Duration::from_secs(55);

/// A connection, and the second since which it has been idle.
type Idle = (Box<Connection>, u64);

#[derive(Default)]
struct Pool {
    idle: HashMap<OriginId, Vec<Idle>, BuildHasherDefault<NameHasher>>,
    count: usize,
    /// Sweeps so far, one a second: what a connection's age is counted in, so that no call reads the clock for it.
    seconds: u64,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// An idle connection to the origin on which nothing has happened: the most recently used one.
pub(super) fn take(origin: OriginId) -> Option<Box<Connection>> {
    POOL.with_borrow_mut(|pool| {
        let idle = pool.idle.get_mut(&origin)?;
        while let Some((connection, _)) = idle.pop() {
            pool.count -= 1;
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    })
}

/// Keeps a connection whose answer was read to its end.
pub(super) fn put(origin: OriginId, connection: Box<Connection>) {
    POOL.with_borrow_mut(|pool| {
        if pool.count >= IN_ALL {
            pool.sweep();
        }
        let idle = pool.idle.entry(origin).or_default();
        if idle.len() < PER_ORIGIN && pool.count < IN_ALL {
            idle.push((connection, pool.seconds));
            pool.count += 1;
        }
    });
}

/// Closes what has been idle for too long. Called once a second.
pub(super) fn sweep() {
    POOL.with_borrow_mut(|pool| {
        pool.seconds += 1;
        pool.sweep();
    });
}

impl Pool {
    fn sweep(&mut self) {
        for idle in self.idle.values_mut() {
            let fresh = |since: u64| self.seconds - since <= IDLE.as_secs();
            idle.retain(|(connection, since)| fresh(*since) && connection.is_quiet());
        }
        self.idle.retain(|_, idle| !idle.is_empty());
        self.count = self.idle.values().map(Vec::len).sum();
    }
}
