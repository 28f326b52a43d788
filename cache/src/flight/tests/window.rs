//! Bodies that outgrow the object limit: the first client gets the rest through a bounded window.

use super::*;

#[test]
fn an_overflowing_body_releases_followers_and_reaches_its_client_through_a_window() {
    let flights = flights();
    let leader = lead(&flights);
    let mut follower = follow(&flights);
    let (mut filling, mut own) = leader.storable(head(), None).unwrap();
    let piece = [b'x'; 30_000];
    (0..3).for_each(|_| filling.push(&piece).unwrap());
    assert_eq!(read(&mut own).0.len(), 90_000);
    assert_eq!(filling.push(&piece), Err(Excess::TooLarge));
    let mut window = filling.overflow(0);
    assert!(matches!(verdict(&mut follower), Some(Verdict::Alone)));
    assert!(matches!(join(&flights), Role::Uncollapsed));
    // What was read before the window opened is let go of at the reader's next move.
    assert!(now(window.push(&piece)).is_pending());
    assert_eq!(read(&mut own), (Vec::new(), None));
    let mut sent = 0;
    while now(window.push(&piece)).is_ready() {
        sent += piece.len();
    }
    assert_eq!(sent, 90_000);
    for _ in 0..50 {
        assert_eq!(read(&mut own).0.len(), sent);
        sent = 0;
        while now(window.push(&piece)).is_ready() {
            sent += piece.len();
        }
        assert!(sent as u64 <= WINDOW + piece.len() as u64);
    }
    window.finish();
    assert_eq!(read(&mut own).1, Some(Ok(())));
    drop(own);
    assert_eq!(flights.buffered_bytes(), 0);
}

#[test]
fn a_window_wakes_its_writer_when_the_client_reads_or_leaves() {
    let flights = flights();
    let (mut filling, mut own) = lead(&flights).storable(head(), None).unwrap();
    filling.push(&[0; 90_000]).unwrap();
    let mut window = filling.overflow(0);
    let bell = Arc::new(Bell::default());
    {
        let mut pushing = pin!(window.push(b"more"));
        assert!(poll(pushing.as_mut(), &bell).is_pending());
        assert!(now(own.next()).is_ready());
        assert_eq!(bell.rung(), 1);
        assert!(poll(pushing.as_mut(), &bell).is_ready());
    }
    window_is_full(&mut window);
    let mut pushing = pin!(window.push(b"more"));
    assert!(poll(pushing.as_mut(), &bell).is_pending());
    drop(own);
    assert_eq!(bell.rung(), 2);
    assert_eq!(poll(pushing.as_mut(), &bell), Poll::Ready(Err(ClientGone)));
}

fn window_is_full(window: &mut Window) {
    while now(window.push(&[0; 30_000])).is_ready() {}
}

#[test]
fn a_window_that_opens_after_all_was_read_does_not_wait_for_that() {
    let flights = flights();
    let (mut filling, mut own) = lead(&flights).storable(head(), None).unwrap();
    filling.push(&[0; 90_000]).unwrap();
    let bell = Arc::new(Bell::default());
    assert!(poll(pin!(own.next()), &bell).is_ready());
    assert!(poll(pin!(own.next()), &bell).is_pending());
    let mut window = filling.overflow(0);
    assert_eq!(bell.rung(), 1);
    assert!(poll(pin!(own.next()), &bell).is_pending());
    assert!(now(window.push(b"more")).is_ready());
}

#[test]
fn an_abandoned_window_leaves_a_broken_body() {
    let flights = flights();
    let (filling, mut own) = lead(&flights).storable(head(), None).unwrap();
    drop(filling.overflow(0));
    assert_eq!(read(&mut own), (Vec::new(), Some(Err(Broken))));
}
