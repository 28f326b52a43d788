//! `sluice cache` while its gateway goes away in mid-command: what is wrong is said, and the exit code is not 0.

use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use super::support::disk::{Rig, body, kill, settle};
use super::support::faults::{Held, SYNCING};
use super::support::{Answer, Gate, Gateway, Recorder};
use super::{configuration, tagging};

fn spawn(gateway: &Gateway, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.arg("cache").args(arguments).arg("--config").arg(gateway.directory().join("sluice.toml"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Exit code and all that was said.
fn end(command: Child) -> (i32, String) {
    let Output { status, stdout, stderr } = command.wait_with_output().unwrap();
    (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// Warms four URLs, of which the second one is held back at the origin while the gateway gets the signal.
fn warmed(signal: libc::c_int) -> (i32, String) {
    let gate = Arc::new(Gate::default());
    let held = gate.clone();
    let origin = Recorder::start(move |request| match request.target.ends_with('2') {
        true => Answer::none().wait(&held).then("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
        false => Answer::status(200, "", "a"),
    });
    let gateway = Gateway::start(&configuration(&origin, "shutdown_grace = \"1s\""));
    let list = gateway.directory().join("urls");
    std::fs::write(&list, "/pets/1\n/pets/2\n/pets/3\n/pets/4\n").unwrap();
    let command = spawn(&gateway, &["warm", list.to_str().unwrap(), "--concurrency", "1"]);
    origin.wait_for(2);
    kill(gateway, signal);
    let ended = end(command);
    gate.open();
    ended
}

#[test]
fn warming_a_gateway_that_goes_away_tells_what_failed() {
    for signal in [libc::SIGKILL, libc::SIGTERM] {
        let (code, said) = warmed(signal);
        assert_eq!(code, 1, "{said}");
        let lines: Vec<_> = said.lines().filter(|line| line.starts_with("/pets/")).collect();
        assert!(lines.iter().zip(2..).all(|(line, pet)| line.starts_with(&format!("/pets/{pet}: "))), "{said}");
        assert!(lines.len() == 3 && lines[2].contains("refused"), "{said}");
        assert!(said.ends_with("3 of 4 failed\n") && said.contains("3  failed"), "{said}");
    }
}

#[test]
fn a_purge_whose_gateway_goes_away_is_no_success() {
    let rig = Rig::new();
    for arguments in [&["purge", "--tag", "1"][..], &["flush", "--api", "shop", "--stage", "prod"]] {
        let gateway = rig.start();
        body(&gateway, "/pets/1");
        settle(&gateway, 1.0);
        let mut held = Held::at(gateway.pid(), "cache-journal", SYNCING);
        let command = spawn(&gateway, arguments);
        held.wait();
        let socket = gateway.directory().join("admin.sock").display().to_string();
        super::support::disk::send_signal(gateway.pid(), libc::SIGKILL);
        drop(held);
        let (code, said) = end(command);
        assert!(code == 2 && said.contains(&socket) && said.contains("ended before"), "{code} {said}");
    }
}

#[test]
fn a_dry_run_without_a_gateway_says_where_it_looked() {
    let origin = tagging();
    let gateway = super::gateway(&origin, "");
    super::support::disk::send_signal(gateway.pid(), libc::SIGSTOP);
    let command = spawn(&gateway, &["purge", "--everything", "--dry-run"]);
    super::support::disk::send_signal(gateway.pid(), libc::SIGKILL);
    let (code, said) = end(command);
    assert!(code == 2 && said.contains("admin.sock"), "{code} {said}");
}
