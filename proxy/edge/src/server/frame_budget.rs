//! How many HTTP/2 frames a client may send that bring no request further.
//!
//! The `h2` crate bounds streams, heads, and resets of streams that nobody has seen yet. It answers every PING and every
//! SETTINGS, and takes empty DATA frames and resets of what was answered for nothing. Here all such frames are counted
//! together, as they are read: heads, data and window updates, which stand in a proportion to something, are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Frames of this kind that a connection may bring in a second.
pub const BUDGET: u32 = 1_000;
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
    /// When this second began, by the monotonic clock, nanoseconds.
    second: u64,
}

impl FrameBudget {
    /// For a connection from its first byte on.
    pub const fn new(conduct: Arc<Conduct>) -> Self {
        Self { conduct, header: [0; HEADER], have: 0, payload: PREFACE, spent: 0, second: 0 }
    }

    /// What the connection's owner looks at.
    pub const fn conduct(&self) -> &Arc<Conduct> {
        &self.conduct
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
            if is_idle(kind, flags, self.payload) {
                self.spend(now());
            }
        }
        rest
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

const fn is_idle(kind: u8, flags: u8, length: u32) -> bool {
    match kind {
        DATA => flags & END_STREAM == 0 && (length == 0 || flags & PADDED != 0 && length <= PADDING),
        HEADERS | WINDOW_UPDATE => false,
        _ => true,
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
