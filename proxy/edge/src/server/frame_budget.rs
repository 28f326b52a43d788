//! How many HTTP/2 frames a client may send that bring no request further.
//!
//! The `h2` crate bounds streams, heads, and resets of streams that nobody has seen yet. It answers every PING and every
//! SETTINGS, and takes empty DATA frames and resets of what was answered for nothing. Here all such frames are counted
//! together, as they are read. Heads and data bring something; window updates do where they follow what was sent, and are
//! counted with the others where they do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Frames of this kind that a connection may bring in a second.
pub const BUDGET: u32 = 1_000;
/// Bytes sent to the client that earn it a window update. One with every frame of DATA, for stream and connection both, is
/// usual; this covers it for frames of a few dozen bytes.
const BYTES_PER_UPDATE: u64 = 32;
/// The same for each request: a client may widen the window of every stream.
const PER_REQUEST: u64 = 2 * BYTES_PER_UPDATE;
/// What may be earned ahead, bytes: 65,536 window updates.
const EARNED_MOST: u64 = 65_536 * BYTES_PER_UPDATE;
/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;
/// The client's preface (RFC 9113 §3.4), bytes.
const PREFACE: u32 = 24;
/// A frame's header, bytes.
const HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 0x1;
const PADDED: u8 = 0x8;
/// The longest frame of DATA that may be padding alone, bytes.
const PADDING: u32 = 256;

/// What a connection's reader and its owner tell each other.
#[derive(Debug, Default)]
pub struct Conduct {
    overspent: AtomicBool,
    ended: AtomicBool,
}

impl Conduct {
    /// The client has sent too many frames, and nothing more is read.
    pub fn is_overspent(&self) -> bool {
        self.overspent.load(Relaxed)
    }

    /// The gateway has ended its direction of the connection.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// It has.
    pub fn end(&self) {
        self.ended.store(true, Relaxed);
    }
}

/// Follows the frames that a client sends.
#[derive(Debug)]
pub struct FrameBudget {
    conduct: Arc<Conduct>,
    header: [u8; HEADER],
    /// Bytes of the header so far.
    have: usize,
    /// Bytes of a payload, or of the preface, that are still to come.
    payload: u32,
    spent: u32,
    /// What window updates may answer to, bytes.
    earned: u64,
    /// When this second began, by the monotonic clock, nanoseconds.
    second: u64,
}

impl FrameBudget {
    /// For a connection from its first byte on.
    pub const fn new(conduct: Arc<Conduct>) -> Self {
        Self { conduct, header: [0; HEADER], have: 0, payload: PREFACE, spent: 0, earned: 0, second: 0 }
    }

    /// What the connection's owner looks at.
    pub const fn conduct(&self) -> &Arc<Conduct> {
        &self.conduct
    }

    /// So many bytes were sent to the client.
    pub fn sent(&mut self, bytes: usize) {
        self.earned = self.earned.saturating_add(bytes as u64).min(EARNED_MOST);
    }

    /// Looks at what was read at `now`, by the monotonic clock.
    pub fn follow(&mut self, bytes: &[u8], now: impl Fn() -> u64) {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            bytes = match self.payload {
                0 => self.header(bytes, &now),
                payload => {
                    let count = (payload as usize).min(bytes.len());
                    self.payload -= count as u32;
                    bytes.get(count..).unwrap_or_default()
                }
            };
        }
    }

    fn header<'b>(&mut self, bytes: &'b [u8], now: &impl Fn() -> u64) -> &'b [u8] {
        let count = (HEADER - self.have).min(bytes.len());
        let (part, rest) = bytes.split_at_checked(count).unwrap_or((bytes, b""));
        if let Some(room) = self.header.get_mut(self.have..self.have + count) {
            room.copy_from_slice(part);
        }
        self.have += count;
        if self.have == HEADER {
            self.have = 0;
            let [a, b, c, kind, flags, ..] = self.header;
            self.payload = u32::from_be_bytes([0, a, b, c]);
            if self.is_for_nothing(kind, flags) {
                self.spend(now());
            }
        }
        rest
    }

    fn is_for_nothing(&mut self, kind: u8, flags: u8) -> bool {
        match kind {
            DATA => flags & END_STREAM == 0 && (self.payload == 0 || flags & PADDED != 0 && self.payload <= PADDING),
            HEADERS => {
                self.sent(PER_REQUEST as usize);
                false
            }
            WINDOW_UPDATE => match self.earned.checked_sub(BYTES_PER_UPDATE) {
                Some(rest) => {
                    self.earned = rest;
                    false
                }
                None => true,
            },
            _ => true,
        }
    }

    fn spend(&mut self, now: u64) {
        if now.saturating_sub(self.second) >= SECOND {
            (self.second, self.spent) = (now, 0);
        }
        self.spent += 1;
        if self.spent > BUDGET {
            self.conduct.overspent.store(true, Relaxed);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let mut frame = (payload as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.resize(HEADER + payload, 0);
        frame
    }

    /// Whether so many frames of a kind, and as many requests with a body between them, pass in one second.
    fn passes(count: u32, kind: u8, flags: u8, payload: usize) -> bool {
        let one = [frame(HEADERS, 4, 40), frame(DATA, 0, 300), frame(kind, flags, payload)].concat();
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(one.repeat(count as usize));
        let overspent = [1, 7, 4096].map(|piece| {
            let mut budget = FrameBudget::new(Arc::default());
            bytes.chunks(piece).for_each(|piece| budget.follow(piece, || SECOND));
            budget.conduct().is_overspent()
        });
        assert!(overspent.iter().all(|o| *o == overspent[0]), "however it is cut");
        !overspent[0]
    }

    #[test]
    fn what_asks_for_nothing_is_counted() {
        for (kind, flags, payload) in
            [(PING, 0, 8), (4, 0, 0), (3, 0, 4), (2, 0, 5), (9, 0, 1), (0x42, 0, 9), (DATA, 0, 0), (DATA, PADDED, 200)]
        {
            assert!(passes(BUDGET, kind, flags, payload), "{kind}");
            assert!(!passes(BUDGET + 1, kind, flags, payload), "{kind}");
        }
    }

    #[test]
    fn what_brings_something_is_not() {
        for (kind, flags, payload) in
            [(HEADERS, 4, 30), (DATA, 0, 1), (DATA, END_STREAM, 0), (DATA, PADDED, 300), (WINDOW_UPDATE, 0, 4)]
        {
            assert!(passes(3 * BUDGET, kind, flags, payload), "{kind}");
        }
    }

    /// Whether so many window updates pass in one second, after so many bytes were sent.
    fn updates_pass(count: u64, sent: u64) -> bool {
        let mut budget = FrameBudget::new(Arc::default());
        budget.follow(&[0; PREFACE as usize], || 0);
        budget.sent(sent as usize);
        (0..count).for_each(|_| budget.follow(&frame(WINDOW_UPDATE, 0, 4), || SECOND));
        !budget.conduct().is_overspent()
    }

    #[test]
    fn window_updates_are_counted_beyond_what_was_sent() {
        let budget = u64::from(BUDGET);
        for (sent, allowed) in [(0, budget), (31, budget), (3200, budget + 100), (u64::MAX, budget + 65_536)] {
            assert!(updates_pass(allowed, sent), "{allowed} for {sent}");
            assert!(!updates_pass(allowed + 1, sent), "{allowed} for {sent}");
        }
    }

    #[test]
    fn every_second_has_its_own() {
        let mut budget = FrameBudget::new(Arc::default());
        budget.follow(&[0; PREFACE as usize], || 0);
        for second in 1..5 {
            (0..BUDGET).for_each(|_| budget.follow(&frame(PING, 0, 8), || second * SECOND));
            assert!(!budget.conduct().is_overspent());
        }
        budget.follow(&frame(PING, 0, 8), || 5 * SECOND - 1);
        assert!(budget.conduct().is_overspent());
    }
}
