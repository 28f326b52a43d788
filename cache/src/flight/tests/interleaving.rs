//! Any order of joining, polling, leaving, answering and failing keeps the promises: never two leaders of one flight,
//! nobody left waiting without a leader, every body read whole or told broken, nothing left over at the end.

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    Join,
    /// Poll the follower with this number, modulo how many there are, if it was woken or is new.
    Poll(usize),
    Leave(usize),
    ReadSome(usize),
    Vanish,
    Fail,
    NotStorable,
    Open {
        known: bool,
    },
    Push,
    Finish,
    Overflow,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Join),
        6 => any::<usize>().prop_map(Step::Poll),
        3 => any::<usize>().prop_map(Step::Leave),
        2 => any::<usize>().prop_map(Step::ReadSome),
        1 => Just(Step::Vanish),
        1 => Just(Step::Fail),
        1 => Just(Step::NotStorable),
        2 => any::<bool>().prop_map(|known| Step::Open { known }),
        3 => Just(Step::Push),
        2 => Just(Step::Finish),
        1 => Just(Step::Overflow),
    ]
}

/// A follower that is polled only when woken, as an executor would.
struct Waiting {
    follower: Follower,
    bell: Arc<Bell>,
    polled_at: Option<usize>,
}

impl Waiting {
    fn is_due(&self) -> bool {
        self.polled_at != Some(self.bell.rung())
    }
}

enum Fetch {
    Asked(Leader),
    Filling(Filling, u64),
}

#[derive(Default)]
struct World {
    fetches: Vec<Fetch>,
    waiting: Vec<Waiting>,
    readers: Vec<Reader>,
    now_ns: u64,
}

const LENGTH: u64 = 8;

impl World {
    fn step(&mut self, flights: &Arc<Flights>, step: Step) {
        self.now_ns += 300;
        match step {
            Step::Join => self.join(flights),
            Step::Poll(at) => self.poll(at),
            Step::Leave(at) if !self.waiting.is_empty() => drop(self.waiting.remove(at % self.waiting.len())),
            Step::Leave(_) => {}
            Step::ReadSome(at) => self.read(at),
            _ => self.act(step),
        }
        assert!(self.fetches.len() <= 1, "two leaders");
    }

    fn join(&mut self, flights: &Arc<Flights>) {
        match join_in(flights, b"key", Epoch::default(), self.now_ns) {
            Role::Lead(leader) => self.fetches.push(Fetch::Asked(leader)),
            Role::Follow(follower) => self.waiting.push(Waiting { follower, bell: Arc::default(), polled_at: None }),
            Role::Uncollapsed => {}
        }
    }

    fn poll(&mut self, at: usize) {
        let Some(at) = at.checked_rem(self.waiting.len()) else { return };
        let waiting = &mut self.waiting[at];
        if !waiting.is_due() {
            return;
        }
        waiting.polled_at = Some(waiting.bell.rung());
        let Poll::Ready(verdict) = poll(Pin::new(&mut waiting.follower), &waiting.bell) else { return };
        self.waiting.remove(at);
        match verdict {
            Verdict::Lead(leader) => self.fetches.push(Fetch::Asked(leader)),
            Verdict::Read(reader) => self.readers.push(reader),
            Verdict::Alone | Verdict::Failed(_) => {}
        }
    }

    fn read(&mut self, at: usize) {
        let Some(at) = at.checked_rem(self.readers.len()) else { return };
        if let Poll::Ready(None | Some(Err(_))) = now(self.readers[at].next()) {
            self.readers.remove(at);
        }
    }

    fn act(&mut self, step: Step) {
        let Some(fetch) = self.fetches.pop() else { return };
        match (step, fetch) {
            (Step::Vanish, _) => {}
            (Step::Fail, Fetch::Asked(leader)) => leader.fail(Failure::Network),
            (Step::Fail, Fetch::Filling(filling, _)) => filling.fail(),
            (Step::NotStorable, Fetch::Asked(leader)) => leader.not_storable(self.now_ns),
            (Step::Open { known }, Fetch::Asked(leader)) => {
                let (filling, own) = leader.storable(head(), known.then_some(LENGTH)).unwrap();
                self.readers.push(own);
                self.fetches.push(Fetch::Filling(filling, 0));
            }
            (Step::Push, Fetch::Filling(mut filling, len)) if len < LENGTH => {
                filling.push(b"ab").unwrap();
                self.fetches.push(Fetch::Filling(filling, len + 2));
            }
            (Step::Finish, Fetch::Filling(filling, LENGTH)) => filling.finish(|_, _| None).unwrap(),
            (Step::Overflow, Fetch::Filling(filling, len)) if len == LENGTH => filling.overflow(self.now_ns).finish(),
            (_, fetch) => self.fetches.push(fetch),
        }
    }

    /// Lets everything come to its end: nobody may be stuck.
    fn settle(mut self) {
        loop {
            while let Some(at) = self.waiting.iter().position(Waiting::is_due) {
                self.poll(at);
            }
            match self.fetches.pop() {
                Some(Fetch::Asked(leader)) => {
                    let (filling, own) = leader.storable(head(), Some(0)).unwrap();
                    filling.finish(|_, _| None).unwrap();
                    self.readers.push(own);
                }
                Some(Fetch::Filling(..)) => {}
                None => break,
            }
        }
        assert!(self.waiting.is_empty(), "{} wait for nobody", self.waiting.len());
        for mut reader in self.readers {
            let (text, end) = read(&mut reader);
            assert!(end.is_some(), "a reader waits for nobody");
            assert!(text.len() as u64 <= LENGTH && b"abababab".starts_with(&text));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn any_interleaving_keeps_the_promises(steps in proptest::collection::vec(any_step(), 0..60)) {
        let flights = flights();
        let mut world = World::default();
        steps.into_iter().for_each(|step| world.step(&flights, step));
        world.settle();
        prop_assert_eq!((flights.len(), flights.buffered_bytes()), (0, 0));
    }
}

#[test]
fn many_threads_fetch_each_key_by_one_at_a_time() {
    let flights = flights();
    let leading = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (flights, leading) = (&flights, &leading);
            scope.spawn(move || (0..5_000).for_each(|round| one_request(flights, leading, thread + round)));
        }
    });
    assert_eq!((flights.len(), flights.buffered_bytes()), (0, 0));
}

/// Joins, and waits by spinning; every third leader fails.
fn one_request(flights: &Arc<Flights>, leading: &AtomicUsize, round: usize) {
    let mut role = join(flights);
    loop {
        match role {
            Role::Lead(leader) => return one_fetch(leader, leading, round),
            Role::Uncollapsed => return,
            Role::Follow(mut follower) => match verdict(&mut follower) {
                Some(Verdict::Lead(leader)) => role = Role::Lead(leader),
                Some(Verdict::Read(_) | Verdict::Alone | Verdict::Failed(_)) => return,
                None => {
                    std::thread::yield_now();
                    role = Role::Follow(follower);
                }
            },
        }
    }
}

fn one_fetch(leader: Leader, leading: &AtomicUsize, round: usize) {
    assert_eq!(leading.fetch_add(1, Ordering::SeqCst), 0, "two leaders");
    leading.fetch_sub(1, Ordering::SeqCst);
    if round.is_multiple_of(3) {
        return drop(leader);
    }
    let (mut filling, _own) = leader.storable(head(), None).unwrap();
    filling.push(b"body").unwrap();
    filling.finish(|_, _| None).unwrap();
}
