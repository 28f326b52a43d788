//! The listener over real sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;

use serde_json::json;

use super::*;

fn routes() -> Routes {
    Routes::default()
        .on("GET", "/healthz", |_| AdminResponse::text(200, "ok"))
        .on("GET", "/sluice/explain", |request| {
            AdminResponse::json(200, &json!({ "limit": request.query("limit"), "unknown": request.query("x") }))
        })
        .on("DELETE", "/restapis/{id}/stages/{stage}/cache/data", |request| {
            let named = [request.parameter("id"), request.parameter("stage")] == [Some("pets"), Some("prod")];
            AdminResponse::empty(if named { 202 } else { 404 })
        })
        .on("POST", "/sluice/reload", |request| AdminResponse::new(200, "text/plain", request.body.clone()))
        .on("GET", "/panics", |_| panic!("for the test"))
}

fn start(options: Options) -> (AdminServer, SocketAddr) {
    let endpoint = AdminEndpoint::Tcp((Ipv4Addr::LOCALHOST, 0).into());
    let server = AdminServer::start(&endpoint, routes(), options).unwrap();
    let address = server.address().unwrap();
    (server, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Sends bytes and reads until the server closes.
fn exchange(mut stream: impl Read + Write, request: &[u8]) -> String {
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

fn ask(address: SocketAddr, line: &str, fields: &str) -> String {
    let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n");
    exchange(connect(address), request.as_bytes())
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn handlers_answer_by_verb_and_path() {
    let (_server, address) = start(Options::default());
    assert_eq!(body(&ask(address, "GET /healthz", "")), "ok\n");
    let explained = ask(address, "GET /sluice/explain?a=b&limit=1%30", "");
    assert_eq!(body(&explained), r#"{"limit":"10","unknown":null}"#);
    let flushed = ask(address, "DELETE /restapis/pets/stages/prod/cache/data", "");
    assert!(flushed.starts_with("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n"), "{flushed}");
    let reloaded = ask(address, "POST /sluice/reload", "Content-Length: 3\r\n\r\nabc");
    assert!(body(&reloaded).starts_with("abc"), "{reloaded}");
}

#[test]
fn what_is_not_there_is_an_error_as_json() {
    let (_server, address) = start(Options::default());
    let missing = ask(address, "GET /nothing", "");
    assert_eq!((status(&missing), body(&missing)), ("404", r#"{"message":"there is nothing at this path"}"#));
    let wrong = ask(address, "POST /healthz", "");
    assert_eq!(status(&wrong), "405");
    assert!(wrong.contains("\r\nAllow: GET\r\n"), "{wrong}");
    let broken = ask(address, "GET /panics", "");
    assert_eq!(status(&broken), "500");
    assert!(!broken.contains("for the test"));
    assert_eq!(status(&ask(address, "GET /healthz", "")), "200");
}

#[test]
fn a_head_request_has_no_body() {
    let (_server, address) = start(Options::default());
    let answer = ask(address, "HEAD /healthz", "");
    assert!(answer.contains("Content-Length: 3\r\n"), "{answer}");
    assert_eq!(body(&answer), "");
}

#[test]
fn a_connection_serves_pipelined_requests() {
    let (_server, address) = start(Options::default());
    let first = "POST /sluice/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\none";
    let last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answers = exchange(connect(address), format!("{first}{last}").as_bytes());
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 2);
    assert!(answers.contains("\r\n\r\noneHTTP/1.1 200 OK\r\n") && answers.ends_with("ok\n"), "{answers}");
}

#[test]
fn without_the_token_nothing_is_shown() {
    let options = Options { token: Token::new("s3cret"), ..Options::default() };
    let (_server, address) = start(options);
    let refused = ask(address, "GET /healthz", "");
    assert_eq!(status(&refused), "401");
    assert!(refused.contains("\r\nWWW-Authenticate: Bearer "), "{refused}");
    assert_eq!(status(&ask(address, "GET /healthz", "Authorization: Bearer wrong\r\n")), "401");
    assert_eq!(status(&ask(address, "GET /healthz", "Authorization: Bearer s3cret\r\n")), "200");
}

#[test]
fn web_pages_are_refused() {
    let (_server, address) = start(Options::default());
    assert_eq!(status(&ask(address, "POST /sluice/reload", "Origin: https://evil.example\r\n")), "403");
    let rebound = b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert_eq!(status(&exchange(connect(address), rebound)), "403");
}

#[test]
fn too_much_is_refused() {
    let (_server, address) = start(Options::default());
    let head = format!("X: {}\r\n", "x".repeat(8 * 1024));
    assert_eq!(status(&ask(address, "GET /healthz", &head)), "431");
    let body = format!("Content-Length: 1048577\r\n\r\n{}", "x".repeat(512 * 1024));
    assert_eq!(status(&ask(address, "POST /sluice/reload", &body)), "413");
    assert_eq!(status(&exchange(connect(address), b"\x16\x03\x01\x02\x00\r\n\r\n")), "400");
}

#[test]
fn the_slow_are_let_go() {
    let short = Duration::from_millis(20);
    let limits = Limits { idle: short, head: short, body: short, ..Limits::default() };
    let (_server, address) = start(Options { limits, ..Options::default() });
    assert_eq!(exchange(connect(address), b""), "");
    assert_eq!(status(&exchange(connect(address), b"GET /healthz HTTP/1.1\r\n")), "408");
    let body = b"POST /sluice/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(exchange(connect(address), body), "");
}

/// However many connections are held open without a request, or with half of one.
#[test]
fn idle_connections_keep_nobody_out() {
    let limits = Limits { connections: 4, ..Limits::default() };
    let (_server, address) = start(Options { limits, ..Options::default() });
    let mut kept = connect(address);
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    kept.read_exact(&mut [0; 8]).unwrap();
    let mut half = connect(address);
    half.write_all(b"GET /hea").unwrap();
    let _idle: Vec<_> = (0..20).map(|_| connect(address)).collect();
    for _ in 0..10 {
        assert_eq!(status(&ask(address, "GET /healthz", "")), "200");
    }
    for mut old in [kept, half] {
        assert!(matches!(old.read_to_end(&mut Vec::new()), Ok(_) | Err(_)), "it is closed");
    }
}

/// Those whose request is being answered keep their places.
#[test]
fn one_connection_too_many_is_closed() {
    let (entered, inside) = std::sync::mpsc::channel();
    let (leave, held) = std::sync::mpsc::channel::<()>();
    let held = parking_lot::Mutex::new(held);
    let routes = Routes::default().on("GET", "/held", move |_| {
        entered.send(()).unwrap();
        let _ = held.lock().recv();
        AdminResponse::text(200, "ok")
    });
    let limits = Limits { connections: 1, ..Limits::default() };
    let endpoint = AdminEndpoint::Tcp((Ipv4Addr::LOCALHOST, 0).into());
    let server = AdminServer::start(&endpoint, routes, Options { limits, ..Options::default() }).unwrap();
    let address = server.address().unwrap();
    let mut first = connect(address);
    first.write_all(b"GET /held HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    inside.recv().unwrap();
    let mut second = connect(address);
    assert!(matches!(second.read(&mut [0]), Ok(0) | Err(_)));
    leave.send(()).unwrap();
    assert_eq!(status(&exchange(first, b"")), "200");
}

#[test]
fn a_unix_socket_is_its_owners_and_goes_with_the_server() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let endpoint = AdminEndpoint::Unix(path.clone());
    let start = |successor| AdminServer::start(&endpoint, routes(), Options { successor, ..Options::default() });
    let server = start(false).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let request = b"GET /healthz HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n\r\n";
    assert_eq!(body(&exchange(UnixStream::connect(&path).unwrap(), request)), "ok\n");

    assert_eq!(start(false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let next = start(true).unwrap();
    drop(server);
    assert_eq!(body(&exchange(UnixStream::connect(&path).unwrap(), request)), "ok\n");
    drop(next);
    assert!(!path.exists());
}

#[test]
fn a_socket_left_behind_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    AdminServer::start(&AdminEndpoint::Unix(path), routes(), Options::default()).unwrap();
}

#[test]
fn a_file_in_the_sockets_place_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    std::fs::write(&path, "precious").unwrap();
    let refused = AdminServer::start(&AdminEndpoint::Unix(path.clone()), routes(), Options::default());
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn two_processes_share_an_address_only_on_purpose() {
    let shared = |successor| Options { shared: true, successor, ..Options::default() };
    let begin = |address, options| AdminServer::start(&AdminEndpoint::Tcp(address), routes(), options);
    let (_alone, taken) = start(Options::default());
    assert!(begin(taken, shared(true)).is_err());
    let (old, address) = start(shared(false));
    assert_eq!(begin(address, shared(false)).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let _new = begin(address, shared(true)).unwrap();
    drop(old);
    assert_eq!(status(&ask(address, "GET /healthz", "")), "200");
}
