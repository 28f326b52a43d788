//! Signals that come while a process starts.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

use crate::node::{MOCK, Node};
use crate::support::eventually;

/// Its configuration is a pipe: the process has begun once it opens it, and is not ready before the test has written.
#[test]
fn signals_before_it_is_ready_do_not_end_it_and_a_reload_follows() {
    let mut node = Node::idle();
    node.configure(MOCK);
    let aside = node.directory().join("aside");
    fs::rename(node.file(), &aside).unwrap();
    assert!(Command::new("mkfifo").arg(node.file()).status().unwrap().success());
    node.begin();
    let mut pipe = File::options().write(true).open(node.file()).unwrap();
    for signal in ["HUP", "USR1", "USR2", "QUIT", "HUP"] {
        Node::signal(node.first(), signal);
    }
    pipe.write_all(&fs::read(&aside).unwrap()).unwrap();
    // The reload finds a file.
    fs::rename(&aside, node.file()).unwrap();
    drop(pipe);
    assert_eq!(node.announced(), node.first());
    assert_eq!(node.connect().get("/a").text(), "a");
    eventually("the reload that was asked for", || node.log().contains("reloaded"));
    eventually("the rotation that was asked for", || node.log().contains("opened anew"));
    assert_eq!(node.log().matches("reloaded").count(), 1);
}
