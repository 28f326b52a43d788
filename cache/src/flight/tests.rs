use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::freshness::NotStored;
use crate::key::{KeyHasher, SECRET_LEN};

mod interleaving;
mod window;

const LIMITS: Limits = Limits {
    followers: 200,
    object_bytes: 100_000,
    buffered_bytes: 1_000_000,
    alone_for_ns: 1_000,
    alone_keys: 64 * 4,
};

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn rung(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>, bell: &Arc<Bell>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(bell))))
}

fn now<F: Future>(future: F) -> Poll<F::Output> {
    poll(pin!(future), &Arc::default())
}

fn join_in(flights: &Arc<Flights>, name: &[u8], epoch: Epoch, now_ns: u64) -> Role {
    let asked = Asked { epoch, ..Asked::default() };
    flights.join(KeyHasher::new([3; SECRET_LEN]).key(name), asked, now_ns, |_| false)
}

fn join(flights: &Arc<Flights>) -> Role {
    join_in(flights, b"key", Epoch::default(), 0)
}

fn lead(flights: &Arc<Flights>) -> Leader {
    match join(flights) {
        Role::Lead(leader) => leader,
        other => panic!("{other:?}"),
    }
}

fn follow(flights: &Arc<Flights>) -> Follower {
    match join(flights) {
        Role::Follow(follower) => follower,
        other => panic!("{other:?}"),
    }
}

fn verdict(follower: &mut Follower) -> Option<Verdict> {
    match now(follower) {
        Poll::Ready(verdict) => Some(verdict),
        Poll::Pending => None,
    }
}

fn reader(follower: &mut Follower) -> Reader {
    match verdict(follower) {
        Some(Verdict::Read(reader)) => reader,
        other => panic!("{other:?}"),
    }
}

fn head() -> Head {
    Head { status: 200, fields: Bytes::from_static(b"ETag: x\r\n") }
}

/// Reads what is there; tells the bytes and whether the body ended, whole or broken.
fn read(reader: &mut Reader) -> (Vec<u8>, Option<Result<(), Broken>>) {
    let mut text = Vec::new();
    loop {
        match now(reader.next()) {
            Poll::Ready(Some(Ok(piece))) => text.extend_from_slice(&piece),
            Poll::Ready(Some(Err(broken))) => return (text, Some(Err(broken))),
            Poll::Ready(None) => return (text, Some(Ok(()))),
            Poll::Pending => return (text, None),
        }
    }
}

fn flights() -> Arc<Flights> {
    Flights::new(LIMITS)
}

#[test]
fn all_read_one_growing_body_at_their_own_pace() {
    let flights = flights();
    let leader = lead(&flights);
    let (mut early, mut slow) = (follow(&flights), follow(&flights));
    assert!(verdict(&mut early).is_none());
    let (mut filling, mut own) = leader.storable(head(), Some(6)).unwrap();
    filling.push(b"ab").unwrap();
    let mut early = reader(&mut early);
    assert_eq!((early.head().clone(), early.length()), (head(), Some(6)));
    assert_eq!(read(&mut early), (b"ab".to_vec(), None));
    let mut late = reader(&mut follow(&flights));
    filling.push(b"cdef").unwrap();
    filling.finish(|_, _| None).unwrap();
    assert_eq!(read(&mut early), (b"cdef".to_vec(), Some(Ok(()))));
    for whole in [&mut own, &mut late, &mut reader(&mut slow)] {
        assert_eq!(read(whole), (b"abcdef".to_vec(), Some(Ok(()))));
    }
    assert!(flights.is_empty());
}

#[test]
fn the_whole_body_is_kept_before_the_flight_ends() {
    let flights = flights();
    let (mut filling, _own) = lead(&flights).storable(head(), None).unwrap();
    filling.push(b"ab").unwrap();
    filling.push(b"cd").unwrap();
    let mut kept = Vec::new();
    filling
        .finish(|head, pieces| {
            assert_eq!((head.status, flights.len()), (200, 1));
            kept = pieces.concat();
            None
        })
        .unwrap();
    assert_eq!((kept, flights.len()), (b"abcd".to_vec(), 0));
}

#[test]
fn who_reads_what_is_stored_takes_no_room_for_bodies() {
    for length in [Some(PIECE + 4), None] {
        let flights = flights();
        let (mut filling, mut own) = lead(&flights).storable(head(), length).unwrap();
        let body: Vec<u8> = (0..PIECE + 4).map(|at| at as u8).collect();
        filling.push(&body[..3]).unwrap();
        let first = now(own.next());
        filling.push(&body[3..PIECE as usize]).unwrap();
        filling.push(&body[PIECE as usize..]).unwrap();
        let stored = Bytes::from(body.clone());
        filling.finish(|_, _| Some(stored.clone())).unwrap();
        assert!(flights.buffered_bytes() < 2_000, "{}", flights.buffered_bytes());
        assert!(matches!(first, Poll::Ready(Some(Ok(piece))) if *piece == body[..3]));
        let next = now(own.next());
        assert!(matches!(next, Poll::Ready(Some(Ok(piece))) if piece.as_ptr() == stored[3..].as_ptr()), "no copy");
        drop(own);
        assert_eq!(flights.buffered_bytes(), 0);
    }
}

/// More than a reader gets at once.
const PIECE: u64 = 20_000;

#[test]
fn with_unknown_length_followers_wait_for_the_whole() {
    let flights = flights();
    let leader = lead(&flights);
    let mut follower = follow(&flights);
    let (mut filling, mut own) = leader.storable(head(), None).unwrap();
    filling.push(b"ab").unwrap();
    assert!(verdict(&mut follower).is_none());
    assert_eq!((read(&mut own), own.length()), ((b"ab".to_vec(), None), None));
    filling.finish(|_, _| None).unwrap();
    let mut followed = reader(&mut follower);
    assert_eq!((followed.length(), own.length()), (Some(2), Some(2)));
    assert_eq!(read(&mut followed), (b"ab".to_vec(), Some(Ok(()))));
}

#[test]
fn an_answer_that_is_not_storable_sends_all_on_their_own_and_nobody_follows_for_a_while() {
    let flights = flights();
    let leader = lead(&flights);
    let mut followers: Vec<_> = (0..5).map(|_| follow(&flights)).collect();
    let bell = Arc::new(Bell::default());
    followers.iter_mut().for_each(|follower| assert!(poll(Pin::new(follower), &bell).is_pending()));
    leader.not_storable(50);
    assert_eq!(bell.rung(), 5);
    assert!(followers.iter_mut().all(|follower| matches!(verdict(follower), Some(Verdict::Alone))));
    assert!(matches!(join_in(&flights, b"key", Epoch::default(), 1_049), Role::Uncollapsed));
    assert!(matches!(join_in(&flights, b"other", Epoch::default(), 1_049), Role::Lead(_)));
    assert!(matches!(join_in(&flights, b"key", Epoch::default(), 1_050), Role::Lead(_)));
}

#[test]
fn of_a_hundred_followers_of_a_leader_that_is_gone_exactly_one_leads() {
    let flights = flights();
    let mut leader = lead(&flights);
    let mut followers: Vec<_> = (0..100).map(|_| follow(&flights)).collect();
    for round in (0..100).rev() {
        drop(leader);
        let mut leaders = Vec::new();
        followers.retain_mut(|follower| match verdict(follower) {
            None => true,
            Some(Verdict::Lead(next)) => {
                leaders.push(next);
                false
            }
            Some(other) => panic!("{other:?}"),
        });
        assert_eq!((leaders.len(), followers.len(), flights.len()), (1, round, 1));
        leader = leaders.remove(0);
    }
    drop(leader);
    assert!(flights.is_empty());
}

#[test]
fn all_who_wait_for_a_fetch_that_fails_are_told_at_once() {
    let flights = flights();
    let leader = lead(&flights);
    let mut followers: Vec<_> = (0..100).map(|_| follow(&flights)).collect();
    let bell = Arc::new(Bell::default());
    followers.iter_mut().for_each(|follower| assert!(poll(Pin::new(follower), &bell).is_pending()));
    leader.fail(Failure::Timeout);
    assert_eq!((bell.rung(), flights.len()), (100, 0));
    let _next = lead(&flights);
    let told = |follower: &mut Follower| matches!(verdict(follower), Some(Verdict::Failed(Failure::Timeout)));
    assert!(followers.iter_mut().all(told), "a fetch that has begun since is another one");
}

#[test]
fn a_body_that_breaks_off_is_the_answer_of_those_who_wait_until_it_is_whole() {
    let flights = flights();
    let leader = lead(&flights);
    let mut waiting = follow(&flights);
    assert!(!waiting.is_promised());
    let (mut filling, mut own) = leader.storable(head(), None).unwrap();
    filling.push(b"ab").unwrap();
    assert!(verdict(&mut waiting).is_none());
    assert!(waiting.is_promised());
    filling.fail();
    assert_eq!(read(&mut own), (b"ab".to_vec(), Some(Err(Broken))));
    assert!(matches!(verdict(&mut waiting), Some(Verdict::Failed(Failure::Malformed))));
    assert!(flights.is_empty());
}

#[test]
fn only_the_chosen_follower_is_woken_when_the_leader_is_gone() {
    let flights = flights();
    let leader = lead(&flights);
    let bells: [Arc<Bell>; 3] = Default::default();
    let mut followers = [(); 3].map(|()| follow(&flights));
    for (follower, bell) in followers.iter_mut().zip(&bells) {
        assert!(poll(Pin::new(follower), bell).is_pending());
    }
    drop(leader);
    assert_eq!(bells.map(|bell| bell.rung()), [1, 0, 0]);
}

#[test]
fn a_chosen_follower_that_leaves_passes_the_lead_on() {
    let flights = flights();
    let leader = lead(&flights);
    let (first, mut second, third) = (follow(&flights), follow(&flights), follow(&flights));
    drop(leader);
    drop(first);
    drop(third);
    assert!(matches!(verdict(&mut second), Some(Verdict::Lead(_))));
    assert!(flights.is_empty());
}

#[test]
fn a_flight_without_anybody_is_forgotten() {
    let flights = flights();
    let leader = lead(&flights);
    let follower = follow(&flights);
    drop(leader);
    assert_eq!(flights.len(), 1);
    drop(follower);
    assert!(flights.is_empty());
    drop(lead(&flights));
    assert!(flights.is_empty());
}

#[test]
fn who_comes_while_the_next_leader_is_not_yet_told_follows() {
    let flights = flights();
    let leader = lead(&flights);
    let mut first = follow(&flights);
    drop(leader);
    let mut second = follow(&flights);
    assert!(verdict(&mut second).is_none());
    let next = verdict(&mut first);
    assert!(matches!(next, Some(Verdict::Lead(_))));
    drop(next);
    assert!(matches!(verdict(&mut second), Some(Verdict::Lead(_))));
}

#[test]
fn a_body_that_breaks_is_broken_for_its_readers_and_fetched_again_for_the_waiting() {
    let flights = flights();
    let leader = lead(&flights);
    let (mut reading, mut waiting) = (follow(&flights), follow(&flights));
    let (mut filling, mut own) = leader.storable(head(), Some(4)).unwrap();
    filling.push(b"ab").unwrap();
    let mut reading = reader(&mut reading);
    drop(filling);
    assert_eq!(read(&mut reading), (b"ab".to_vec(), Some(Err(Broken))));
    assert_eq!(read(&mut own), (b"ab".to_vec(), Some(Err(Broken))));
    assert!(matches!(verdict(&mut waiting), Some(Verdict::Lead(_))));
}

#[test]
fn a_short_body_is_neither_kept_nor_whole() {
    let flights = flights();
    let (mut filling, mut own) = lead(&flights).storable(head(), Some(4)).unwrap();
    filling.push(b"abc").unwrap();
    assert_eq!(filling.finish(|_, _| panic!("kept")), Err(Incomplete));
    assert_eq!(read(&mut own), (b"abc".to_vec(), Some(Err(Broken))));
    assert!(flights.is_empty());
}

#[test]
fn a_body_beyond_its_length_is_refused() {
    let flights = flights();
    let (mut filling, _own) = lead(&flights).storable(head(), Some(2)).unwrap();
    assert_eq!(filling.push(b"abc"), Err(Excess::BeyondLength));
}

#[test]
fn the_fetch_goes_on_when_the_leaders_client_leaves() {
    let flights = flights();
    let leader = lead(&flights);
    let mut follower = follow(&flights);
    let (mut filling, own) = leader.storable(head(), None).unwrap();
    drop(own);
    filling.push(b"ab").unwrap();
    filling.finish(|_, _| None).unwrap();
    assert_eq!(read(&mut reader(&mut follower)).0, b"ab");
}

#[test]
fn a_reader_is_woken_by_growth_and_by_the_end() {
    let flights = flights();
    let (mut filling, mut own) = lead(&flights).storable(head(), None).unwrap();
    let bell = Arc::new(Bell::default());
    assert!(poll(pin!(own.next()), &bell).is_pending());
    filling.push(b"a").unwrap();
    filling.push(b"b").unwrap();
    assert_eq!(bell.rung(), 1);
    assert_eq!(read(&mut own).0, b"ab");
    assert!(poll(pin!(own.next()), &bell).is_pending());
    filling.finish(|_, _| None).unwrap();
    assert_eq!(bell.rung(), 2);
}

#[test]
fn small_pushes_nobody_reads_become_few_pieces() {
    let flights = flights();
    let (mut filling, mut own) = lead(&flights).storable(head(), None).unwrap();
    (0..90_000).for_each(|_| filling.push(b"x").unwrap());
    let mut pieces = 0;
    while now(own.next()).is_ready() {
        pieces += 1;
    }
    assert!(pieces < 10, "{pieces}");
}

#[test]
fn beyond_the_limit_of_followers_requests_go_alone() {
    let flights = flights();
    let _leader = lead(&flights);
    let followers: Vec<_> = (0..LIMITS.followers).map(|_| follow(&flights)).collect();
    assert!(matches!(join(&flights), Role::Uncollapsed));
    drop(followers);
    assert!(matches!(join(&flights), Role::Follow(_)));
}

#[test]
fn bodies_take_no_more_room_than_there_is_and_slow_readers_count() {
    let flights = flights();
    let open = |name: usize| match join_in(&flights, &name.to_le_bytes(), Epoch::default(), 0) {
        Role::Lead(leader) => leader.storable(head(), Some(90_000)),
        other => panic!("{other:?}"),
    };
    let readers: Vec<Reader> = (0..10)
        .map(|name| {
            let (mut filling, own) = open(name).unwrap();
            filling.push(&[0; 90_000]).unwrap();
            filling.finish(|_, _| None).unwrap();
            own
        })
        .collect();
    assert!(flights.is_empty() && flights.buffered_bytes() > 900_000);
    assert!(matches!(open(10), Err(NotStored::NoRoom)));
    drop(readers);
    assert_eq!(flights.buffered_bytes(), 0);
    assert!(open(10).is_ok());
}

#[test]
fn an_object_over_the_limit_sends_followers_on_their_own() {
    let flights = flights();
    let leader = lead(&flights);
    let mut follower = follow(&flights);
    assert!(matches!(leader.storable(head(), Some(100_001)), Err(NotStored::TooLarge)));
    assert!(matches!(verdict(&mut follower), Some(Verdict::Alone)));
}

#[test]
fn after_a_flush_nobody_follows_a_fetch_from_before() {
    let flights = flights();
    let old = lead(&flights);
    let mut follower = follow(&flights);
    let epoch = Epoch::default().next();
    let Role::Lead(new) = join_in(&flights, b"key", epoch, 0) else { panic!("followed") };
    // The old one goes on for its own followers and leaves the new one alone.
    let (filling, _own) = old.storable(head(), Some(0)).unwrap();
    filling.finish(|_, _| None).unwrap();
    assert!(matches!(verdict(&mut follower), Some(Verdict::Read(_))));
    assert_eq!(flights.len(), 1);
    assert!(matches!(join_in(&flights, b"key", epoch, 0), Role::Follow(_)));
    drop(new);
}

#[test]
fn whoever_overtakes_leads_and_is_followed_from_then_on() {
    let flights = flights();
    let old = lead(&flights);
    let mut follower = follow(&flights);
    let key = KeyHasher::new([3; SECRET_LEN]);
    let Role::Lead(new) = flights.overtake(key.key(b"key"), Asked::default(), 0) else { panic!("followed") };
    let mut late = follow(&flights);
    let (filling, _own) = old.storable(head(), Some(0)).unwrap();
    filling.finish(|_, _| None).unwrap();
    assert!(matches!(verdict(&mut follower), Some(Verdict::Read(_))), "it asked before");
    assert!(verdict(&mut late).is_none(), "it waits for the new one");
    let (filling, _own) = new.storable(head(), Some(0)).unwrap();
    filling.finish(|_, _| None).unwrap();
    assert!(matches!(verdict(&mut late), Some(Verdict::Read(_))));
}

#[test]
fn keys_with_one_fingerprint_do_not_follow_each_other() {
    let flights = flights();
    let keys = [b"a", b"b"].map(|bytes| KeyRef { fingerprint: crate::key::Fingerprint(9), bytes });
    let _leader = flights.join(keys[0], Asked::default(), 0, |_| false);
    assert!(matches!(flights.join(keys[1], Asked::default(), 0, |_| false), Role::Uncollapsed));
}

#[test]
fn the_memory_of_uncollapsed_keys_is_bounded() {
    let flights = flights();
    for name in 0..5_000_usize {
        if let Role::Lead(leader) = join_in(&flights, &name.to_le_bytes(), Epoch::default(), 0) {
            leader.not_storable(0);
        }
    }
    let remembered: usize = flights.shards.iter().map(|shard| shard.lock().alone.len()).sum();
    assert!(remembered <= LIMITS.alone_keys, "{remembered}");
}

#[test]
fn a_leader_that_stands_down_leaves_no_mark() {
    let flights = flights();
    let leader = lead(&flights);
    let mut follower = follow(&flights);
    leader.stand_down();
    assert!(matches!(verdict(&mut follower), Some(Verdict::Alone)));
    assert!(matches!(join(&flights), Role::Lead(_)));
}

#[test]
fn nobody_follows_a_fetch_that_a_purge_has_overtaken() {
    let flights = flights();
    let key = KeyHasher::new([3; SECRET_LEN]).key(b"key");
    let after = |born: u64| Asked { born: Sequence(born), ..Asked::default() };
    let Role::Lead(_old) = flights.join(key, after(4), 0, |_| true) else { panic!("nobody led before") };
    assert!(matches!(flights.join(key, after(4), 0, |_| true), Role::Follow(_)), "asked before the purge");
    assert!(matches!(flights.join(key, after(5), 0, |_| false), Role::Follow(_)), "the purge is of something else");
    let Role::Lead(_new) = flights.join(key, after(5), 0, |born| born == Sequence(4)) else { panic!("followed") };
    assert!(matches!(flights.join(key, after(5), 0, |_| true), Role::Follow(_)), "of the new one");
}
