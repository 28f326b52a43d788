//! Purges against a model, in any order with fetches, stores and look-ups; and the bounds of what is remembered.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::entry::{Draft, Entry, Lifetime};
use crate::freshness::NotStored;
use crate::key::{KeyHasher, SECRET_LEN};
use crate::notes::{Notes, Separator, Tags};
use crate::seal::MemorySeal;
use crate::tier::memory::{Found, MemoryTier};
use std::sync::Arc;

const MIB: u64 = 1024 * 1024;

fn hasher() -> KeyHasher {
    KeyHasher::new([9; SECRET_LEN])
}

/// What a fetch is for: resource, path, tags follow from its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Thing(usize);

impl Thing {
    const COUNT: usize = 8;

    fn key(self) -> Vec<u8> {
        // A key of one part, as key writers make it.
        [&[1, 1, 0, 0, 0][..], &[self.0 as u8]].concat()
    }

    fn resource(self) -> &'static str {
        ["/pets/{id}", "/shops/{id}"][self.0 % 2]
    }

    fn verb(self) -> &'static str {
        ["GET", "POST"][self.0 / 2 % 2]
    }

    fn path(self) -> String {
        format!("{}{}", self.resource().trim_end_matches("{id}"), self.0)
    }

    fn tag(self) -> &'static str {
        ["a", "b", "a b"][self.0 % 3]
    }

    fn notes(self) -> Vec<u8> {
        let mut notes = Vec::new();
        let (path, tags) = (self.path(), Tags::collect([(Separator::Blank, self.tag().as_bytes())]).unwrap());
        Notes { verb: self.verb(), resource: self.resource(), path: path.as_bytes(), tags: &tags }.encode(&mut notes);
        notes
    }

    fn entry(self, born: Sequence, answer: u64) -> Arc<Entry> {
        let (key, notes, hasher) = (self.key(), self.notes(), hasher());
        let lifetime = Lifetime::until(0, u64::MAX);
        let draft = Draft { key: hasher.key(&key), status: 200, notes: &notes, head: b"", lifetime, born };
        Arc::new(Entry::new(draft, &[Bytes::copy_from_slice(&answer.to_le_bytes())]).unwrap())
    }

    /// The model's own opinion, written apart from the product's.
    fn is_meant(self, target: &Target) -> bool {
        let text = String::from_utf8_lossy(target.text()).into_owned();
        match target {
            Target::Key(key) => **key == *self.key(),
            Target::Method(_) => {
                text == format!("{} {}", self.verb(), self.resource()) || text == format!("ANY {}", self.resource())
            }
            Target::Prefix(_) => self.path().starts_with(&text),
            Target::Tag(_) => self.tag().split(' ').any(|tag| tag == text),
            Target::Everything => true,
        }
    }
}

fn any_target() -> impl Strategy<Value = Target> {
    let text =
        |choices: &'static [&'static str]| proptest::sample::select(choices).prop_map(|t| Box::from(t.as_bytes()));
    prop_oneof![
        (0..Thing::COUNT).prop_map(|n| Target::Key(Thing(n).key().into())),
        text(&["GET /pets/{id}", "POST /shops/{id}", "ANY /pets/{id}", "GET /none"]).prop_map(Target::Method),
        text(&["/pets/", "/pets/2", "/s", "", "/none"]).prop_map(Target::Prefix),
        text(&["a", "b", "none"]).prop_map(Target::Tag),
        Just(Target::Everything),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    /// A fetch begins; it brings what the origin has now.
    Begin(usize),
    /// The fetch with this number, modulo how many there are, is stored.
    Store(usize),
    /// It fails.
    Fail(usize),
    Purge(Purge),
    /// The two halves of a purge, with whatever else in between.
    Publish(Purge),
    Sweep,
    Flush,
    LookUp(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let purge = || {
        (any_target(), any::<bool>())
            .prop_map(|(target, hard)| Purge { target, force: if hard { Force::Hard } else { Force::Soft } })
    };
    prop_oneof![
        6 => (0..Thing::COUNT).prop_map(Step::Begin),
        6 => any::<usize>().prop_map(Step::Store),
        1 => any::<usize>().prop_map(Step::Fail),
        2 => purge().prop_map(Step::Purge),
        2 => purge().prop_map(Step::Publish),
        1 => Just(Step::Sweep),
        1 => Just(Step::Flush),
        8 => (0..Thing::COUNT).prop_map(Step::LookUp),
    ]
}

struct Fetch {
    thing: Thing,
    epoch: Epoch,
    birth: Birth,
    answer: u64,
}

/// The tier, and beside it what must hold: answers are numbered in the order in which they were asked for.
struct World {
    tier: MemoryTier,
    fetches: Vec<Fetch>,
    answers: u64,
    /// Per thing: answers before this one are gone, and before that one expired.
    gone_before: [u64; Thing::COUNT],
    expired_before: [u64; Thing::COUNT],
}

impl World {
    fn new(sealed: bool) -> Self {
        let none = [0; Thing::COUNT];
        let tier = match sealed {
            true => MemoryTier::sealed(MemorySeal::random().unwrap(), Arc::default(), MIB, MIB),
            false => MemoryTier::new(MIB, MIB),
        };
        Self { tier, fetches: Vec::new(), answers: 0, gone_before: none, expired_before: none }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Begin(number) => self.begin(Thing(number)),
            Step::Store(at) => self.end(at, true),
            Step::Fail(at) => self.end(at, false),
            Step::Purge(wish) => {
                purge(&self.tier, &Volatile, &hasher(), wish.clone(), 0).unwrap();
                self.remember(&wish);
            }
            Step::Publish(wish) => {
                let _ban = self.tier.bans().publish(wish.clone(), 0);
                self.remember(&wish);
            }
            Step::Sweep => drop(self.tier.sweep(0)),
            Step::Flush => {
                self.tier.flush();
                self.gone_before = [self.answers; Thing::COUNT];
            }
            Step::LookUp(number) => self.look_up(Thing(number)),
        }
    }

    fn begin(&mut self, thing: Thing) {
        let (birth, epoch) = (self.tier.bans().birth(), self.tier.epoch());
        self.fetches.push(Fetch { thing, epoch, birth, answer: self.answers });
        self.answers += 1;
    }

    fn end(&mut self, at: usize, is_whole: bool) {
        let Some(at) = at.checked_rem(self.fetches.len()) else { return };
        let Fetch { thing, epoch, birth, answer } = self.fetches.remove(at);
        if !is_whole {
            return;
        }
        let stored = self.tier.insert(thing.entry(birth.sequence(), answer), epoch);
        let is_over = answer < self.gone_before[thing.0].max(self.expired_before[thing.0]);
        assert_eq!(stored.is_err(), is_over, "{thing:?} {stored:?}");
        if !is_over {
            assert!(!matches!(self.found(thing), Found::Absent | Found::Purged), "stored and not there");
        }
    }

    fn remember(&mut self, wish: &Purge) {
        for thing in (0..Thing::COUNT).map(Thing).filter(|thing| thing.is_meant(&wish.target)) {
            match wish.force {
                Force::Hard => self.gone_before[thing.0] = self.answers,
                Force::Soft => self.expired_before[thing.0] = self.answers,
            }
        }
    }

    fn found(&self, thing: Thing) -> Found {
        self.tier.get(hasher().key(&thing.key()), 1)
    }

    fn look_up(&self, thing: Thing) {
        let answer = |entry: &Entry| u64::from_le_bytes(entry.body()[..].try_into().unwrap());
        match self.found(thing) {
            Found::Fresh(entry) => {
                assert!(answer(&entry) >= self.gone_before[thing.0], "gone and served");
                assert!(answer(&entry) >= self.expired_before[thing.0], "expired and served as fresh");
            }
            Found::Expired(entry) => {
                assert!(answer(&entry) >= self.gone_before[thing.0], "gone and served stale");
                assert!(answer(&entry) < self.expired_before[thing.0], "expired by nobody");
            }
            Found::Purged | Found::Absent => {}
        }
    }

    /// Nothing is remembered for ever.
    fn settle(mut self) {
        (0..Thing::COUNT).for_each(|number| self.look_up(Thing(number)));
        self.tier.sweep(0);
        self.fetches.clear();
        assert_eq!(self.tier.bans().len(), 0);
        (0..Thing::COUNT).for_each(|number| self.look_up(Thing(number)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]
    #[test]
    fn nothing_that_a_purge_covers_is_served_after_it(
        steps in proptest::collection::vec(any_step(), 0..80),
        sealed in any::<bool>(),
    ) {
        let mut world = World::new(sealed);
        steps.into_iter().for_each(|step| world.step(step));
        world.settle();
    }
}

fn tag(name: &str, force: Force) -> Purge {
    Purge { target: Target::Tag(name.as_bytes().into()), force }
}

fn store(tier: &MemoryTier, thing: Thing) -> Result<(), NotStored> {
    let birth = tier.bans().birth();
    tier.insert(thing.entry(birth.sequence(), 0), tier.epoch())
}

#[test]
fn a_purge_frees_what_it_covers_and_counts_it() {
    let tier = MemoryTier::new(MIB, MIB);
    (0..Thing::COUNT).for_each(|number| store(&tier, Thing(number)).unwrap());
    let (entries, bytes) = (tier.entries(), tier.bytes());
    let swept = purge(&tier, &Volatile, &hasher(), tag("b", Force::Hard), 0).unwrap();
    assert_eq!((swept.entries, tier.entries()), (5, entries - 5));
    assert_eq!(tier.bytes(), bytes - swept.bytes);
    assert_eq!((tier.departures().purged(), tier.departures().evicted()), (5, 0));
    assert!(tier.bans().is_empty(), "nothing needs it any more");
    assert_eq!(tier.bans().purges(TargetKind::Tag, Force::Hard), 1);
}

#[test]
fn a_soft_purge_keeps_what_it_expires() {
    let tier = MemoryTier::new(MIB, MIB);
    store(&tier, Thing(0)).unwrap();
    for counted in [1, 0] {
        let swept = purge(&tier, &Volatile, &hasher(), tag("a", Force::Soft), 0).unwrap();
        assert_eq!((swept.entries, tier.entries()), (counted, 1), "the second time it is expired already");
    }
    let key = Thing(0).key();
    assert!(matches!(tier.get(hasher().key(&key), 1), Found::Expired(entry) if entry.is_purged_softly()));
    store(&tier, Thing(0)).unwrap();
    assert!(matches!(tier.get(hasher().key(&key), 1), Found::Fresh(_)), "fetched anew");
}

#[test]
fn a_ban_stays_for_a_fetch_that_is_older() {
    let tier = MemoryTier::new(MIB, MIB);
    let (old, copy) = (tier.bans().birth(), tier.bans().birth().clone());
    purge(&tier, &Volatile, &hasher(), tag("a", Force::Hard), 0).unwrap();
    let young = tier.bans().birth();
    drop(old);
    assert_eq!(tier.bans().len(), 1);
    assert_eq!(tier.insert(Thing(0).entry(copy.sequence(), 0), tier.epoch()), Err(NotStored::Purged));
    assert_eq!(tier.insert(Thing(0).entry(young.sequence(), 0), tier.epoch()), Ok(()));
    drop(copy);
    assert_eq!(tier.bans().len(), 0);
}

#[test]
fn what_a_purge_has_overtaken_does_not_push_out_what_is_newer() {
    for force in [Force::Hard, Force::Soft] {
        let tier = MemoryTier::new(MIB, MIB);
        let old = tier.bans().birth();
        purge(&tier, &Volatile, &hasher(), tag("a", force), 0).unwrap();
        store(&tier, Thing(0)).unwrap();
        assert_eq!(tier.insert(Thing(0).entry(old.sequence(), 0), tier.epoch()), Err(NotStored::Purged));
        assert!(matches!(tier.get(hasher().key(&Thing(0).key()), 1), Found::Fresh(_)), "{force:?}");
    }
}

#[test]
fn a_newer_purge_takes_the_place_of_what_it_includes() {
    let bans = Arc::new(Bans::default());
    let _old = bans.birth();
    bans.publish(tag("a", Force::Soft), 0);
    bans.publish(tag("a", Force::Hard), 0);
    assert_eq!(bans.len(), 1);
    bans.publish(tag("a", Force::Soft), 0);
    assert_eq!(bans.len(), 2, "a soft one does less than a hard one");
    bans.publish(Purge { target: Target::Prefix(b"/a/b".as_slice().into()), force: Force::Hard }, 0);
    bans.publish(Purge { target: Target::Prefix(b"/a".as_slice().into()), force: Force::Hard }, 0);
    assert_eq!(bans.len(), 3);
    bans.publish(Purge { target: Target::Everything, force: Force::Hard }, 0);
    assert_eq!(bans.len(), 1);
}

#[test]
fn too_many_bans_become_one_that_covers_everything() {
    let tier = MemoryTier::new(MIB, MIB);
    let old = tier.bans().birth();
    (0..=BANS).for_each(|n| drop(tier.bans().publish(tag(&n.to_string(), Force::Hard), n as u64)));
    assert_eq!((tier.bans().len(), tier.bans().widened()), (1, 1));
    assert_eq!(tier.insert(Thing(0).entry(old.sequence(), 0), tier.epoch()), Err(NotStored::Purged));
    assert_eq!(store(&tier, Thing(0)), Ok(()), "what is fetched now is not covered");
    drop(old);
    tier.sweep(BANS as u64 - 1);
    assert_eq!(tier.bans().len(), 1, "the longest of them is not over");
    tier.sweep(BANS as u64);
    assert_eq!(tier.bans().len(), 0);
}

#[test]
fn long_bans_are_bounded_by_their_bytes() {
    let bans = Bans::default();
    let long = |n: u8| Purge { target: Target::Key(vec![n; 16 * 1024].into()), force: Force::Hard };
    (0..=255).for_each(|n| drop(bans.publish(long(n), 0)));
    assert!(bans.len() < 256 && bans.widened() == 1, "{} {}", bans.len(), bans.widened());
}

#[test]
fn bans_go_on_in_the_next_process_and_its_numbers_are_later() {
    let before = Bans::starting_at(Sequence(1_000));
    before.publish(tag("a", Force::Hard), 500);
    before.publish(tag("b", Force::Soft), 500);
    let left = before.encoded();
    let bans = Arc::new(Bans::starting_at(Sequence(900)));
    bans.adopt(left.iter().map(Vec::as_slice)).unwrap();
    assert_eq!(bans.newest(), Sequence(1_002));
    let stored = Thing(0).entry(Sequence(1_000), 0);
    assert_eq!(bans.judge(&stored), Coverage::Gone);
    assert_eq!(bans.judge(&Thing(1).entry(Sequence(1_000), 0)), Coverage::Expired);
    assert!(bans.accepts(&stored) && !bans.accepts(&Thing(0).entry(Sequence(2_000), 0)));
    bans.retire(500);
    assert!(bans.is_empty());
    assert!(Bans::default().adopt([&b"nonsense"[..]]).is_err());
}

#[test]
fn a_purge_that_cannot_be_kept_holds_all_the_same() {
    struct Broken;
    impl Durable for Broken {
        fn horizon_ns(&self, _: &Purge, now_ns: u64) -> u64 {
            now_ns + 10
        }
        fn ban(&self, _: &Ban) -> Result<(), NotDurable> {
            Err(NotDurable("the disk is full".into()))
        }
        fn flush(&self) -> Result<(), NotDurable> {
            Err(NotDurable("the disk is full".into()))
        }
    }
    let tier = MemoryTier::new(MIB, MIB);
    store(&tier, Thing(0)).unwrap();
    assert!(purge(&tier, &Broken, &hasher(), tag("a", Force::Hard), 5).is_err());
    assert_eq!((tier.entries(), tier.bans().len()), (0, 1), "the ban stays as long as what is below may live");
    tier.bans().retire(15);
    assert!(tier.bans().is_empty());
    store(&tier, Thing(0)).unwrap();
    assert!(flush(&tier, &Broken).is_err());
    assert_eq!(tier.entries(), 0);
}

#[test]
fn how_long_a_ban_is_needed_is_asked_when_it_holds() {
    struct Below<'t>(&'t MemoryTier);
    impl Durable for Below<'_> {
        fn horizon_ns(&self, _: &Purge, _: u64) -> u64 {
            if self.0.bans().is_empty() { 0 } else { 99 }
        }
        fn ban(&self, ban: &Ban) -> Result<(), NotDurable> {
            assert_eq!(ban.until_ns(), 99);
            Ok(())
        }
        fn flush(&self) -> Result<(), NotDurable> {
            Ok(())
        }
    }
    let tier = MemoryTier::new(MIB, MIB);
    purge(&tier, &Below(&tier), &hasher(), tag("a", Force::Hard), 0).unwrap();
    tier.bans().retire(98);
    assert_eq!(tier.bans().len(), 1, "what came below just before would be back");
    tier.bans().retire(99);
    assert!(tier.bans().is_empty());
}

#[test]
fn variants_go_with_their_key() {
    let target = Target::Key(Thing(1).key().into());
    let hasher = hasher();
    let covers = |key: &[u8]| target.may_cover(hasher.key(key), b"");
    let variant = [&Thing(1).key()[..], &[crate::key::VARIANT, 7]].concat();
    assert!(covers(&Thing(1).key()) && covers(&variant));
    let longer = [&Thing(1).key()[..], &[1, 0, 0, 0, 0]].concat();
    assert!(!covers(&longer) && !covers(&Thing(2).key()), "another key with one more part");
}

#[test]
fn what_cannot_be_read_is_covered_by_every_purge() {
    let key = hasher();
    let draft = Draft {
        key: key.key(b"k"),
        status: 200,
        notes: b"?",
        head: b"",
        lifetime: Lifetime::until(0, 9),
        born: Sequence(0),
    };
    let entry = Entry::new(draft, &[]).unwrap();
    assert!(Target::Tag(b"none".as_slice().into()).covers(&entry));
}

#[test]
fn purges_from_many_threads_leave_nothing_stale() {
    let tier = MemoryTier::new(MIB, MIB);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let tier = &tier;
            scope.spawn(move || (0..2_000).for_each(|round| one_round(tier, Thing(number), round)));
        }
    });
    assert!(tier.bans().is_empty());
}

/// Each thread has a thing of its own: after its purge only what it fetched later may be there.
fn one_round(tier: &MemoryTier, thing: Thing, round: u64) {
    let (old, epoch) = (tier.bans().birth(), tier.epoch());
    let wish = Purge { target: Target::Key(thing.key().into()), force: Force::Hard };
    match round % 3 {
        0 => drop(purge(tier, &Volatile, &hasher(), wish, 0).unwrap()),
        1 => drop(purge(tier, &Volatile, &hasher(), tag(&thing.tag()[..1], Force::Hard), 0).unwrap()),
        _ => drop(tier.insert(thing.entry(old.sequence(), round), epoch)),
    }
    if round % 3 != 2 {
        assert_eq!(tier.insert(thing.entry(old.sequence(), round), epoch), Err(NotStored::Purged));
        assert!(matches!(tier.get(hasher().key(&thing.key()), 1), Found::Absent | Found::Purged));
    }
}
