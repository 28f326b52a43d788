//! A kill in the middle of an upgrade of a gateway with a disk: nothing that was purged comes back, nothing that was
//! stored is lost, and the directory is nobody's afterwards.

use crate::node::Node;
use crate::support::admin::{Samples, Told, ask, send};
use crate::support::disk::Rig;
use crate::support::faults::{Held, SYNCING};
use crate::support::{Answer, Recorder, eventually};

const PETS: usize = 8;

/// A node with answers on disk, of which one was purged: its origin, and what there was.
fn filled(rig: Rig) -> (Rig, Node, Vec<String>) {
    let node = Node::start(&rig.configuration().replace("@DIR@/", ""));
    eventually("the disk is ready", || state(&node) == "good");
    let stored = pets(&node);
    eventually("all is on disk", || figure(&node, "sluice_cache_disk_entries") >= PETS as f64);
    assert_eq!(purge(&node, 2).status, 200);
    (rig, node, stored)
}

fn admin(node: &Node, path: &str) -> Told {
    ask(&node.directory().join("admin.sock"), "GET", path)
}

fn state(node: &Node) -> String {
    let status: serde_json::Value = serde_json::from_str(&admin(node, "/sluice/cache").body).unwrap();
    status["disks"][0]["state"].as_str().unwrap_or_default().to_owned()
}

fn figure(node: &Node, family: &str) -> f64 {
    Samples::parse(&admin(node, "/metrics").body).sum(family)
}

fn purge(node: &Node, pet: usize) -> Told {
    let wish = format!("{{\"tag\":\"{pet}\"}}");
    send(&node.directory().join("admin.sock"), "POST", "/sluice/cache/purge", &wish)
}

fn pets(node: &Node) -> Vec<String> {
    let mut client = node.connect();
    (0..PETS).map(|pet| client.get(&format!("/pets/{pet}")).text().to_owned()).collect()
}

/// All is as it was, apart from what was purged.
fn assert_kept(node: &Node, stored: &[String], purged: &[usize]) {
    eventually("the disk is nobody else's", || state(node) == "good");
    let now = pets(node);
    let changed: Vec<usize> = (0..PETS).filter(|pet| now[*pet] != stored[*pet]).collect();
    assert_eq!(changed, purged);
}

/// Ends a process that is no child of this one, at once.
fn kill(pid: u32) {
    Node::signal(pid, "KILL");
    // Of one that has ended and is not waited for a name is left; the last of its threads has closed its sockets.
    let threads = || std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    let has_ended = |stat: String| stat.contains(") Z ") && threads() < 2;
    eventually("it has ended", || std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, has_ended));
}

/// The old process stands in the middle of giving the disk up, and the new one serves without it.
fn in_the_middle(node: &Node) -> (Held, u32) {
    let mut held = Held::at(node.first(), "cache-write", SYNCING);
    let new = node.upgraded();
    held.wait();
    assert_eq!(state(node), "not-open");
    let told = purge(node, 5);
    assert!(told.status == 500 && told.body.contains("not open"), "{}", told.body);
    (held, new)
}

#[test]
fn the_old_process_killed_in_the_middle_leaves_the_disk_to_the_new_one() {
    let (rig, mut node, stored) = filled(Rig::new());
    let (held, new) = in_the_middle(&node);
    Node::signal(node.first(), "KILL");
    drop(held);
    node.first_ends();
    eventually("the disk is the new one's", || state(&node) == "good");
    // What was purged while nobody had the disk was made up for on it.
    kill(new);
    node.start_again();
    assert_kept(&node, &stored, &[2, 5]);
    assert_eq!(rig.origin.count(), PETS + 2);
}

#[test]
fn the_new_process_killed_in_the_middle_leaves_all_to_the_next() {
    let (_rig, mut node, stored) = filled(Rig::new());
    let (held, new) = in_the_middle(&node);
    kill(new);
    drop(held);
    assert!(node.first_ends().success());
    node.start_again();
    // Nobody was told that the other purge would outlive its process.
    assert_kept(&node, &stored, &[2]);
}

#[test]
fn both_killed_in_the_middle_leave_all_to_the_next() {
    let (_rig, mut node, stored) = filled(Rig::new());
    let (held, new) = in_the_middle(&node);
    kill(new);
    Node::signal(node.first(), "KILL");
    drop(held);
    node.first_ends();
    node.start_again();
    assert_kept(&node, &stored, &[2]);
}

#[test]
fn a_new_process_killed_before_it_takes_over_leaves_the_disk_where_it_was() {
    let mut rig = Rig::new();
    let mark = rig.cache.path().join("kill");
    // The command that fetches the key has the process that reads it killed.
    let script = format!("test -e {} && kill -KILL $PPID; echo {}", mark.display(), crate::support::disk_keys::KEYS[0]);
    rig.more = format!(
        "[cache.encryption]\ncurrent = 1\n[[cache.encryption.key]]\nid = 1\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\n"
    );
    let (rig, node, stored) = filled(rig);
    std::fs::write(&mark, "").unwrap();
    let output = node.upgrade();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("before it took over"), "{said}");
    std::fs::remove_file(&mark).unwrap();
    assert_eq!(purge(&node, 3).status, 200, "the disk is still the old one's");
    assert_kept(&node, &stored, &[2, 3]);
    node.upgraded();
    eventually("the disk is the new one's", || state(&node) == "good");
    pets(&node);
    assert_eq!(rig.origin.count(), PETS + 2);
}

/// Nobody writes to a store of this process any more.
fn has_closed(pid: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.into_iter().all(|name| name.trim() != "cache-write")
}

#[test]
fn what_is_being_sent_from_disk_comes_whole() {
    const LENGTH: usize = 24_000_000;
    let origin = Recorder::start(|_| Answer::status(200, "", vec![b'x'; LENGTH]));
    let rig = Rig { origin, stage: "cache_large_objects = \"30 MB\"\n", ..Rig::new() };
    let mut node = Node::start(&rig.configuration().replace("@DIR@/", ""));
    eventually("the disk is ready", || state(&node) == "good");
    node.connect().get("/pets/1");
    eventually("it is stored", || figure(&node, "sluice_cache_objects_stored_total") == 1.0);
    let mut client = node.connect();
    socket2::SockRef::from(client.stream()).set_recv_buffer_size(128 * 1024).unwrap();
    client.request("GET", "/pets/1", "");
    assert!(client.reader().more().unwrap());
    node.upgraded();
    eventually("the old process has given it up", || has_closed(node.first()));
    eventually("the disk is the new one's", || state(&node) == "good");
    let whole = client.read();
    assert_eq!(whole.body.len(), LENGTH);
    let status = whole.field("cache-status").unwrap_or_default();
    assert!(status.starts_with("Sluice; hit") && status.ends_with("detail=disk"), "{status}");
    assert_eq!(rig.origin.count(), 1);
    assert!(node.first_ends().success());
}
