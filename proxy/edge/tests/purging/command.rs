//! `sluice cache` as a user runs it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::admin::Admin;
use super::support::{Answer, Gateway, Recorder, eventually};
use super::{fill, gateway, is_stored, tagging};

/// Runs a command to its end with this input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .arg("cache")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// The same against a gateway: exit code, standard output, standard error.
fn cache(gateway: &Gateway, arguments: &[&str], input: &str) -> (i32, String, String) {
    let configuration = gateway.directory().join("sluice.toml");
    let output = run(&[arguments, &["--config", configuration.to_str().unwrap()]].concat(), input);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn status_tells_people_and_programs() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    fill(&gateway, &admin, &["/pets/1", "/pets/2"]);
    let (code, text, _) = cache(&gateway, &["status"], "");
    assert_eq!(code, 0);
    assert!(text.starts_with("CACHE") && text.contains("shop/prod        2"), "{text}");
    let (code, text, _) = cache(&gateway, &["status", "--json", "--api", "shop"], "");
    let status: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &status["caches"][0]["entries"]), (0, &Value::from(2)));
}

#[test]
fn purge_lists_takes_and_expires() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    fill(&gateway, &admin, &["/pets/1", "/pets/2", "/any/1"]);
    let (code, text, _) = cache(&gateway, &["purge", "--tag", "key-1", "--dry-run"], "");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((code, lines.len()), (0, 3), "{text}");
    assert!(text.contains("shop/prod  GET /pets/1  200  ") && text.contains("[all, key-1, tag 1, more]"), "{text}");
    assert!(lines[2].starts_with("2 entries, "), "{text}");
    let (_, text, _) = cache(&gateway, &["purge", "--tag", "key-1", "--dry-run", "--json", "--limit", "1"], "");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[1]["found"]), (2, &Value::from(2)), "{text}");

    let (code, text, _) = cache(&gateway, &["purge", "--tag", "key-1", "--api", "shop", "--stage", "prod"], "");
    assert!(code == 0 && text.starts_with("shop/prod: 2 entries purged, "), "{text}");
    let (code, text, _) = cache(&gateway, &["purge", "--url", "http://gateway.test/pets/2", "--soft"], "");
    assert!(code == 0 && text.starts_with("shop/prod: 1 entry expired, "), "{text}");
    let one = ["purge", "--api", "shop", "--stage", "prod", "--method", "GET /pets/{id}", "--host", "gateway.test"];
    let (code, text, errors) = cache(&gateway, &[&one[..], &["--parameter", "path.id=2"]].concat(), "");
    assert!(code == 0 && text.starts_with("shop/prod: 1 entry purged, "), "{text}{errors}");
    assert!(!is_stored(&gateway, "/pets/1") && !is_stored(&gateway, "/pets/2"));
}

/// A slip of the pen that takes nothing would look like success.
#[test]
fn a_purge_of_a_method_that_is_not_there_is_refused() {
    let gateway = gateway(&tagging(), "");
    for dry in [&[][..], &["--dry-run"]] {
        let (code, text, errors) = cache(&gateway, &[&["purge", "--method", "GET /petz/{id}"], dry].concat(), "");
        assert_eq!((code, text.as_str()), (1, ""), "{errors}");
        let refusal = "'method': there is no 'GET /petz/{id}'; did you mean 'GET /pets/{id}'?";
        assert!(errors.contains(refusal), "{errors}");
    }
    assert_eq!(cache(&gateway, &["purge", "--method", "POST /any/{proxy+}"], "").0, 0, "an ANY method answers it");
}

#[test]
fn flush_forgets_everything() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    fill(&gateway, &admin, &["/pets/1", "/pets/2"]);
    let (code, text, _) = cache(&gateway, &["flush"], "");
    assert!(code == 0 && text.starts_with("shop/prod: 2 entries flushed, "), "{text}");
    assert_eq!(admin.figure("entries"), 0);
}

#[test]
fn warm_requests_every_url_once() {
    let origin = Recorder::start(|request| match request.target.as_str() {
        "/pets/bad" => Answer::status(500, "", "no"),
        "/pets/cookie" => Answer::status(200, "Set-Cookie: a=b\r\n", "x"),
        _ => Answer::ok("x"),
    });
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    let list = "# pets\n/pets/1\nhttp://gateway.test/pets/2\n\n/pets/cookie\n";
    let (code, text, errors) = cache(&gateway, &["warm", "--host", "gateway.test", "--concurrency", "3"], list);
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    assert_eq!(text, "         1  not stored: set-cookie\n         2  stored\n");
    eventually("both are stored", || admin.figure("entries") == 2);
    assert!(is_stored(&gateway, "/pets/1") && is_stored(&gateway, "/pets/2"));

    let file = gateway.directory().join("urls");
    std::fs::write(&file, "/pets/1\n/pets/bad\n").unwrap();
    let (code, text, errors) =
        cache(&gateway, &["warm", file.to_str().unwrap(), "--json", "--host", "gateway.test"], "");
    let outcome: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &outcome["outcomes"]["stored before"], &outcome["failed"]), (1, &1.into(), &1.into()), "{text}");
    assert!(errors.contains("/pets/bad: status 500") && errors.contains("1 of 2 failed"), "{errors}");
}

#[test]
fn exit_codes_tell_a_refusal_from_silence() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let _admin = Admin::of(&gateway);
    let (code, _, errors) = cache(&gateway, &["purge", "--tag", "a", "--api", "none"], "");
    assert_eq!(code, 1);
    assert_eq!(errors, "sluice: 'api': there is none of that id (status 400)\n");
    let silent = run(&["status", "--admin", "unix:/nowhere/admin.sock"], "");
    assert_eq!(silent.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&silent.stderr).contains("unix:/nowhere/admin.sock"));
    assert_eq!(run(&["status", "--config", "/nowhere.toml"], "").status.code(), Some(2));
    let wrong = run(&["purge", "--tag", "a", "--prefix", "/"], "");
    assert_eq!(wrong.status.code(), Some(2), "one thing at a time");
    assert_eq!(run(&["purge"], "").status.code(), Some(2), "say what");
}

#[test]
fn the_token_is_shown() {
    let origin = tagging();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), "s3cret\n").unwrap();
    let configuration = super::configuration(&origin, "");
    let configuration = configuration.replace("admin.sock\"", "admin.sock\"\ntoken_file = \"token\"");
    let gateway = Gateway::start_in(directory, &configuration);
    let admin = Admin::of(&gateway);
    assert_eq!(admin.get("/sluice/cache").0, 401);
    assert_eq!(cache(&gateway, &["status"], "").0, 0);
    let socket = format!("unix:{}", gateway.directory().join("admin.sock").display());
    assert_eq!(run(&["status", "--admin", &socket], "").status.code(), Some(1));
    let token = gateway.directory().join("token");
    let shown = run(&["status", "--admin", &socket, "--token-file", token.to_str().unwrap()], "");
    assert_eq!(shown.status.code(), Some(0));
}
