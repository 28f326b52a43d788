//! Clients that leave before they are answered.

use std::sync::{Arc, Mutex};

use super::support::http2::Http2;
use super::support::{Answer, Client, Gate, Gateway, Recorder, eventually, tls};
use super::{ENDINGS, before};

/// One place in flight, and a log in which each request is its path and status.
const TOP: &str = r#"
throttle = { in_flight_limit = 1 }
access_log = { destination = "@DIR@/access.log", format = "$context.path $context.status" }
"#;

/// An origin that never answers; the targets whose calls the gateway has given up.
fn silent() -> (Recorder, Arc<Mutex<Vec<String>>>) {
    let given_up = Arc::<Mutex<Vec<String>>>::default();
    let noted = given_up.clone();
    let origin = Recorder::start(move |request| {
        let (noted, target) = (noted.clone(), request.target.clone());
        Answer::none().until_closed(move || noted.lock().unwrap().push(target.clone()))
    });
    (origin, given_up)
}

fn logged(gateway: &Gateway, line: &str) {
    let file = gateway.directory().join("access.log");
    let lines = || std::fs::read_to_string(&file).unwrap_or_default();
    eventually(&format!("{line:?} in the log"), || lines().lines().any(|l| l == line));
}

/// The call is given up, the request logged, its place in flight free.
fn has_left(gateway: &Gateway, given_up: &Mutex<Vec<String>>, target: &str) {
    eventually(target, || given_up.lock().unwrap().iter().any(|t| t == target));
    logged(gateway, &format!("{target} 499"));
    assert_eq!(gateway.get("/mock").status, 200, "its place is free");
}

#[test]
fn who_leaves_takes_his_call_along() {
    let (origin, given_up) = silent();
    let gateway = before(&origin, TOP);
    let mut gone = gateway.connect();
    gone.request("GET", "/plain/closed", "");
    origin.wait_for(1);
    assert_eq!(gateway.get("/mock").status, 429, "it is in flight");
    drop(gone);
    has_left(&gateway, &given_up, "/plain/closed");

    let mut half = gateway.connect();
    half.request("GET", "/plain/half", "");
    origin.wait_for(2);
    assert!(half.end().is_closed(), "nobody answers who has hung up");
    has_left(&gateway, &given_up, "/plain/half");

    let mut reset = gateway.connect();
    reset.request("GET", "/plain/reset", "");
    origin.wait_for(3);
    socket2::SockRef::from(reset.stream()).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(reset);
    has_left(&gateway, &given_up, "/plain/reset");

    let mut upload = gateway.connect();
    upload.request("POST", "/plain/upload", "Content-Length: 5\r\n").send("hello");
    origin.wait_for(4);
    drop(upload);
    has_left(&gateway, &given_up, "/plain/upload");
    assert_eq!(origin.count(), 4, "nothing is tried again for nobody");
}

#[test]
fn a_stream_that_is_reset_takes_its_call_along() {
    let (origin, given_up) = silent();
    let gateway = before(&origin, TOP);
    let head = |path| [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", path)];
    let mut client = Http2::connect(gateway.address());
    client.head(1, &head("/plain/reset"), true);
    origin.wait_for(1);
    client.reset(1);
    has_left(&gateway, &given_up, "/plain/reset");
    client.head(3, &head("/plain/gone"), true);
    origin.wait_for(2);
    drop(client);
    has_left(&gateway, &given_up, "/plain/gone");
}

#[test]
fn under_tls_too() {
    let (origin, given_up) = silent();
    let directory = tempfile::tempdir().unwrap();
    let certificate = tls::certificate(directory.path());
    let listener = "default_stage = \"prod\"\ntls = { certificate = \"chain.pem\", private_key = \"key.pem\" }";
    let text = ENDINGS.replace("@TOP@", TOP).replace("default_stage = \"prod\"", listener);
    let text = text.replace("@ORIGIN@", &format!("http://{}", origin.address())).replace("@MORE@", "retries = 1");
    let gateway = Gateway::start_in(directory, &text);
    let mut client = Client::connect(tls::bridge(gateway.address(), &certificate));
    client.request("GET", "/plain/x", "");
    origin.wait_for(1);
    drop(client);
    eventually("the call is given up", || given_up.lock().unwrap().len() == 1);
    logged(&gateway, "/plain/x 499");
}

/// Who has asked for more still waits for it; what came is answered, and all of it.
#[test]
fn a_client_that_sends_on_has_not_left() {
    for more in ["", "Content-Length: 2\r\n"] {
        let gate = Gate::default();
        let held = gate.clone();
        let origin = Recorder::start(move |_| Answer::none().wait(&held).then_all(Answer::ok("late")));
        let gateway = before(&origin, "");
        let (mut client, mut patient) = (gateway.connect(), gateway.connect());
        let body = if more.is_empty() { "" } else { "hi" };
        client.request("POST", "/plain/x", more).send(body).request("GET", "/mock", "").end();
        patient.request("POST", "/plain/x", more).send(body);
        origin.wait_for(2);
        // Answered requests show that the worker has been around to see what came.
        (0..3).for_each(|_| assert_eq!(gateway.get("/mock").status, 200));
        gate.open();
        assert_eq!((client.read().text(), client.read().text()), ("late", "mock"));
        assert_eq!(patient.read().text(), "late");
        assert_eq!(patient.get("/mock").text(), "mock", "the connection goes on");
    }
}

/// One fetch for many goes on though the first of them leaves; and who follows may leave alone.
#[test]
fn a_fetch_for_many_goes_on_without_one_of_them() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Recorder::start(move |_| Answer::none().wait(&held).then_all(Answer::ok("late")));
    let gateway = before(&origin, &TOP.replace("in_flight_limit = 1", "in_flight_limit = 3"));
    let mut first = gateway.connect();
    first.request("GET", "/cached/x", "");
    origin.wait_for(1);
    let (mut second, mut third) = (gateway.connect(), gateway.connect());
    second.request("GET", "/cached/x", "");
    third.request("GET", "/cached/x", "");
    eventually("all are in flight", || gateway.get("/mock").status == 429);
    drop(first);
    eventually("the first has left", || gateway.get("/mock").status == 200);
    let mut fourth = gateway.connect();
    fourth.request("GET", "/cached/x", "");
    eventually("all are in flight again", || gateway.get("/mock").status == 429);
    drop(second);
    logged(&gateway, "/cached/x 499");
    gate.open();
    assert_eq!((third.read().text(), fourth.read().text()), ("late", "late"));
    assert_eq!(origin.count(), 1);
}
