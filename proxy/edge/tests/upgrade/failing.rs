//! Whatever becomes of the new process, the old one goes on.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::node::{MOCK, Node, SLUICE};
use crate::support::eventually;

/// The old one serves, on new connections too, with the bucket as it was.
fn goes_on(node: &Node) {
    for _ in 0..5 {
        assert_eq!(node.connect().get("/a").text(), "a");
    }
}

fn fails(node: &Node, why: &str) {
    let output = node.upgrade();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains(why), "{said}");
    goes_on(node);
}

#[test]
fn a_bad_configuration_upgrades_nothing() {
    let node = Node::start(MOCK);
    node.configure(&format!("{MOCK}nonsense = 1\n"));
    fails(&node, "nonsense");
    // Without the command, which looks by itself, the new process finds out.
    Node::signal(node.first(), "USR2");
    eventually("the new process ends", || node.log().contains("the new process ended (exit status: 1)"));
    goes_on(&node);
    node.configure(MOCK);
    node.upgraded();
    goes_on(&node);
}

#[test]
fn an_address_that_is_taken_upgrades_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let node = Node::start(MOCK);
    let other = format!("[[listener]]\naddress = \"{}\"\ndefault_api = \"a\"\n", taken.local_addr().unwrap());
    node.configure(&format!("{MOCK}{other}"));
    fails(&node, "before it took over");
    assert!(node.log().contains("Address already in use"), "{}", node.log());
    assert!(!node.log().contains("sluice upgrade"), "an upgrade is being made: {}", node.log());
}

#[test]
fn a_missing_or_broken_binary_upgrades_nothing() {
    let place = tempfile::tempdir().unwrap();
    let binary = place.path().join("sluice");
    std::os::unix::fs::symlink(SLUICE, &binary).unwrap();
    let node = Node::start_binary(MOCK, &binary);
    std::fs::remove_file(&binary).unwrap();
    fails(&node, "cannot be run");
    for script in ["exit 7", "kill -SEGV $$"] {
        write_script(&binary, script);
        fails(&node, "before it took over");
    }
    std::fs::remove_file(&binary).unwrap();
    std::os::unix::fs::symlink(SLUICE, &binary).unwrap();
    node.upgraded();
    goes_on(&node);
}

fn write_script(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[test]
fn without_a_running_process_there_is_nothing_to_upgrade() {
    let node = Node::start(MOCK);
    let elsewhere = node.directory().join("elsewhere.toml");
    let text = std::fs::read_to_string(node.file()).unwrap().replace("up.sock", "nobody.sock");
    std::fs::write(&elsewhere, text).unwrap();
    for arguments in [["upgrade"].as_slice(), &["run", "--upgrade"]] {
        let output = std::process::Command::new(SLUICE).args(arguments).arg(&elsewhere).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("no running process listens on"), "{said}");
    }
    goes_on(&node);
}

/// Without an upgrade nobody listens beside a gateway: not on its address, nor on all of its port, nor at its admin
/// listener, over TCP or not, and whether or not there is an upgrade socket to see it by.
#[test]
fn a_second_gateway_does_not_share_an_address() {
    let admin = crate::support::Port::reserve();
    let node = Node::start(&format!("[admin]\naddress = \"{}\"\n{MOCK}", admin.address()));
    let (own, free) = (node.address(), crate::support::Port::reserve());
    let second = |listen: std::net::SocketAddr, admin: &str| {
        let text = MOCK.replace("@LISTEN@", &listen.to_string());
        refused(&node, &format!("upgrade_socket = \"other.sock\"\n[admin]\naddress = \"{admin}\"\n{text}"))
    };
    let all = std::net::SocketAddr::from(([0, 0, 0, 0], own.port()));
    for (listen, taken) in [(own, own), (all, all), (free.address(), admin.address())] {
        let admin = if listen == free.address() { admin.address().to_string() } else { "unix:second.sock".into() };
        let said = second(listen, &admin);
        assert!(said.contains(&format!("cannot listen on {taken}")) && said.contains("already in use"), "{said}");
    }
    goes_on(&node);
    node.upgraded();
    goes_on(&node);
}

#[test]
fn a_second_gateway_does_not_take_the_admin_socket() {
    let node = Node::start(&format!("[admin]\naddress = \"unix:admin.sock\"\n{MOCK}"));
    let free = crate::support::Port::reserve().address();
    let text = MOCK.replace("@LISTEN@", &free.to_string());
    let said = refused(&node, &format!("[admin]\naddress = \"unix:admin.sock\"\n{text}"));
    assert!(said.contains("cannot listen on") && said.contains("admin.sock") && said.contains("in use"), "{said}");
    node.upgraded();
    let socket = node.directory().join("admin.sock");
    assert_eq!(crate::support::admin::ask(&socket, "GET", "/readyz").status, 200);
}

/// What `sluice run` says that does not come to serve beside the node.
fn refused(node: &Node, configuration: &str) -> String {
    let file = node.directory().join("second.toml");
    std::fs::write(&file, format!("threads = 2\n{configuration}")).unwrap();
    let mut command = std::process::Command::new(SLUICE);
    let output = command.arg("run").arg(&file).current_dir(node.directory()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A second gateway does not take the first one's socket away.
#[test]
fn the_upgrade_socket_stays_its_owner_s() {
    let node = Node::start(MOCK);
    let file = node.directory().join("other.toml");
    let port = crate::support::Port::reserve();
    let text = std::fs::read_to_string(node.file()).unwrap();
    std::fs::write(&file, text.replace(&node.address().to_string(), &port.address().to_string())).unwrap();
    let mut other = std::process::Command::new(SLUICE).arg("run").arg(&file).spawn().unwrap();
    eventually("the other one serves", || std::net::TcpStream::connect(port.address()).is_ok());
    assert_ne!(node.upgraded(), other.id());
    other.kill().unwrap();
    other.wait().unwrap();
    goes_on(&node);
}
