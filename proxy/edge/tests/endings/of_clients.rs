//! Clients that leave before they are answered.

use std::io::Read;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::support::http2::Http2;
use super::support::{Answer, Client, Gate, Gateway, PATIENCE, Recorder, eventually, tls};
use super::{ENDINGS, before, gateway};

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

/// An origin that lets everybody connect and never says a word of TLS.
fn mute() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("https://{}", listener.local_addr().unwrap());
    (listener, uri)
}

/// The next connection to it, and when the gateway gives it up.
fn until_given_up(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut hello = Vec::new();
    stream.read_to_end(&mut hello).unwrap();
}

#[test]
fn who_leaves_while_a_connection_is_made_takes_it_along() {
    for more in
        ["retries = 1, connect_timeout = \"25s\"", "retries = 1, connect_timeout = \"25s\", http_version = \"2\""]
    {
        let (listener, uri) = mute();
        let gateway = gateway(TOP, &uri, more);
        let mut gone = gateway.connect();
        gone.request("GET", "/plain/closed", "");
        let waits = || eventually("it is in flight", || gateway.get("/mock").status == 429);
        waits();
        drop(gone);
        logged(&gateway, "/plain/closed 499");

        for (path, length) in [("/plain/upload", 5), ("/plain/part", 6)] {
            let mut upload = gateway.connect();
            upload.request("POST", path, &format!("Content-Length: {length}\r\n"));
            waits();
            upload.send("hello");
            drop(upload);
            logged(&gateway, &format!("{path} 499"));
        }

        let head = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/plain/reset")];
        let mut client = Http2::connect(gateway.address());
        client.head(1, &head, true);
        waits();
        client.reset(1);
        logged(&gateway, "/plain/reset 499");
        assert_eq!(gateway.get("/mock").status, 200, "its place is free");
        if !more.contains("http_version") {
            (0..4).for_each(|_| until_given_up(&listener));
        }
        listener.set_nonblocking(true).unwrap();
        let once_more = (0..).map_while(|_| listener.accept().ok()).count();
        assert!(once_more <= usize::from(more.contains("http_version")), "nothing is tried again for nobody");
    }
}

/// Part of a body, and then nothing more: by the end of the client's direction, of the connection, or a reset.
#[test]
fn who_breaks_off_an_upload_has_left() {
    let (origin, _) = silent();
    let gateway = before(&origin, TOP);
    let chunks = "Transfer-Encoding: chunked\r\n";
    for (path, framing, part) in [
        ("/plain/length", "Content-Length: 10\r\n", "hello"),
        ("/plain/chunk", chunks, "5\r\nhel"),
        ("/plain/chunks", chunks, "5\r\nhello\r\n"),
        ("/plain/trailers", chunks, "5\r\nhello\r\n0\r\nA: b\r\n"),
    ] {
        for how in ["end", "close", "reset"] {
            let mut client = gateway.connect();
            client.request("POST", &format!("{path}/{how}"), framing).send(part);
            eventually("it is in flight", || gateway.get("/mock").status == 429);
            match how {
                "end" => assert!(client.end().is_closed(), "nobody answers who has hung up"),
                "reset" => socket2::SockRef::from(client.stream()).set_linger(Some(std::time::Duration::ZERO)).unwrap(),
                _ => {}
            }
            drop(client);
            eventually("its place is free", || gateway.get("/mock").status == 200);
        }
    }
    for path in ["length", "chunk", "chunks", "trailers"] {
        for how in ["end", "close", "reset"] {
            logged(&gateway, &format!("/plain/{path}/{how} 499"));
        }
    }
    assert_eq!(origin.count(), 0, "no whole request came");
}

#[test]
fn who_resets_a_stream_in_the_middle_of_its_upload_has_left() {
    let (origin, _) = silent();
    let gateway = before(&origin, TOP);
    let head = |path| [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", path)];
    let mut client = Http2::connect(gateway.address());
    client.head(1, &head("/plain/reset"), false).data(1, "hello", false);
    eventually("it is in flight", || gateway.get("/mock").status == 429);
    client.reset(1);
    logged(&gateway, "/plain/reset 499");
    client.head(3, &head("/plain/gone"), false).data(3, "hello", false);
    eventually("it is in flight", || gateway.get("/mock").status == 429);
    drop(client);
    logged(&gateway, "/plain/gone 499");
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
