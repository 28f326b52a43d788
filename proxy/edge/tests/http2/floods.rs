//! Clients that cost more than they ask for. Whatever they do, others are served and memory stays bounded.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::scene;
use super::support::{Answer, Gateway, PATIENCE, Recorder};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
/// RFC 9113 §7.
const ENHANCE_YOUR_CALM: u32 = 11;
/// GET, http, path `/`, and authority `a`, by HPACK's static table.
const REQUEST: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];
/// The same without an authority.
const NOBODY: &[u8] = &[0x82, 0x86, 0x84];
/// The same as the first for `/x/a`.
const GET_X: &[u8] = &[0x82, 0x86, 0x44, 4, b'/', b'x', b'/', b'a', 0x41, 1, b'a'];
/// The end of a head; and, for `HEADERS`, of the stream.
const END: u8 = 0x5;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn connect(gateway: &Gateway) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
    stream
}

/// Sends, and reads meanwhile. The error code with which the gateway ends the connection comes back, if it does.
fn flood(stream: TcpStream, bytes: &[u8]) -> Option<u32> {
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        // A connection that the gateway has ended takes no more.
        scope.spawn(move || writer.write_all(bytes).and_then(|()| writer.shutdown(std::net::Shutdown::Write)).ok());
        goodbye(stream)
    })
}

/// The code of the last GOAWAY until the connection's end.
fn goodbye(mut stream: TcpStream) -> Option<u32> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => {}
    }
    let (mut rest, mut code) = (&bytes[..], None);
    while let Some((head, tail)) = rest.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        if let (GOAWAY, Some(payload)) = (head[3], tail.get(..length)) {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        rest = tail.get(length..).unwrap_or_default();
    }
    code
}

fn serves_on(gateway: &mut Gateway) {
    assert_eq!(gateway.get("/mock").text(), "mock");
    assert!(gateway.is_alive() && !gateway.log().contains("panicked"), "{}", gateway.log());
}

#[test]
fn who_resets_all_that_he_asks_for_is_sent_away() {
    let origin = Recorder::echoing();
    let mut gateway = scene(&origin);
    let pair = |id: u32| [frame(HEADERS, END, id, REQUEST), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])].concat();
    let bytes: Vec<u8> = (0..20_000).flat_map(|n| pair(2 * n + 1)).collect();
    assert_eq!(flood(connect(&gateway), &bytes), Some(ENHANCE_YOUR_CALM));
    serves_on(&mut gateway);
}

#[test]
fn who_sends_malformed_requests_only_is_sent_away() {
    let origin = Recorder::echoing();
    let mut gateway = scene(&origin);
    // As many as end a connection and no more, and the client's side stays open: what the gateway left unread would reset
    // the connection, and an end on both sides at once needs no goodbye.
    let bytes: Vec<u8> = (0..32).flat_map(|n| frame(HEADERS, END, 2 * n + 1, NOBODY)).collect();
    let mut stream = connect(&gateway);
    stream.write_all(&bytes).unwrap();
    assert_eq!(goodbye(stream), Some(ENHANCE_YOUR_CALM));
    serves_on(&mut gateway);
}

/// Frames that ask for nothing: all kinds have one budget, and others are served meanwhile.
#[test]
fn who_sends_frames_for_nothing_is_sent_away() {
    let origin = Recorder::echoing();
    let mut gateway = scene(&origin);
    let open = frame(HEADERS, 0x4, 1, &[0x83, 0x86, 0x84, 0x41, 1, b'a']);
    let ping = frame(PING, 0, 0, &[7; 8]);
    let settings = frame(SETTINGS, 0, 0, &[]);
    let empty = frame(DATA, 0, 1, &[]);
    let unknown = frame(0x42, 0, 0, b"x");
    let reset = [frame(HEADERS, END, 1, REQUEST), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])].concat();
    let update = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
    let mixed = [ping.clone(), settings.clone(), empty.clone(), unknown.clone(), update.clone()].concat();
    for (begun, piece) in [
        (&[][..], ping),
        (&[], settings),
        (&open, empty),
        (&[], unknown),
        (&[], update),
        (&open, mixed),
        (&reset, frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])),
    ] {
        let bytes = [begun.to_vec(), piece.repeat(50_000)].concat();
        std::thread::scope(|scope| {
            let flood = scope.spawn(|| flood(connect(&gateway), &bytes));
            let mut client = gateway.connect();
            (0..20).for_each(|_| assert_eq!(client.get("/mock").status, 200));
            assert_eq!(flood.join().unwrap(), Some(ENHANCE_YOUR_CALM), "{:?}", piece.get(3));
        });
        serves_on(&mut gateway);
    }
}

#[test]
fn a_budget_s_worth_of_them_is_fine() {
    let origin = Recorder::echoing();
    let gateway = scene(&origin);
    let mut stream = connect(&gateway);
    stream.write_all(&frame(PING, 0, 0, &[7; 8]).repeat(900)).unwrap();
    stream.write_all(&frame(HEADERS, END, 1, REQUEST)).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_ne!(goodbye(stream), Some(ENHANCE_YOUR_CALM));
}

/// One for each small piece of a long answer, for its stream and for the connection.
#[test]
fn who_widens_his_windows_as_he_reads_is_fine() {
    let pieces: usize = 4_000;
    let origin = Recorder::start(move |_| Answer::ok(vec![b'x'; pieces * 64]));
    let gateway = scene(&origin);
    let mut stream = connect(&gateway);
    let window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 64]);
    let update = |stream| frame(WINDOW_UPDATE, 0, stream, &[0, 0, 0, 64]);
    stream.write_all(&[window, frame(HEADERS, END, 1, GET_X)].concat()).unwrap();
    let mut received = 0;
    while received < pieces * 64 {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).unwrap();
        assert_ne!(head[3], GOAWAY, "after {received} bytes");
        if head[3] == DATA {
            received += payload.len();
            stream.write_all(&[update(0), update(1)].concat()).unwrap();
        }
    }
}

#[test]
fn an_idle_connection_is_told_to_go() {
    let origin = Recorder::echoing();
    let text = super::configuration(&origin, "");
    let gateway = Gateway::start(&format!("timeouts = {{ idle = \"300ms\" }}\n{text}"));
    let begun = std::time::Instant::now();
    let mut stream = connect(&gateway);
    stream.write_all(&frame(HEADERS, END, 1, REQUEST)).unwrap();
    assert_eq!(goodbye(stream), Some(0), "NO_ERROR");
    assert!((Duration::from_millis(300)..PATIENCE).contains(&begun.elapsed()));
}

#[test]
fn who_does_not_read_is_not_read_from() {
    let origin = Recorder::echoing();
    let mut gateway = scene(&origin);
    let (ping, settings) = (frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[]));
    // What is there once is no growth.
    pour(&gateway, &ping);
    for piece in [ping, settings] {
        let before = gateway.resident();
        let sent = pour(&gateway, &piece);
        let grown = gateway.resident().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes for {sent} that were sent");
        serves_on(&mut gateway);
    }
}

/// Sends and reads nothing, until the gateway takes no more. How many bytes it took.
fn pour(gateway: &Gateway, piece: &[u8]) -> usize {
    let mut stream = connect(gateway);
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let (bytes, mut sent) = (piece.repeat(4_000), 0);
    while stream.write_all(&bytes).is_ok() {
        sent += bytes.len();
        assert!(sent < 256 << 20, "it reads on and on");
    }
    sent
}

#[test]
fn a_connection_that_breaks_the_protocol_ends_alone() {
    let origin = Recorder::echoing();
    let mut gateway = scene(&origin);
    let unasked = frame(DATA, 0, 1, b"x");
    let even = frame(HEADERS, END, 2, REQUEST);
    let long = frame(PING, 0, 0, &[0; 9]);
    let bomb =
        frame(HEADERS, END, 1, &[&[0x40, 1, b'a', 0x7f, 0x81, 0x1f][..], &[b'x'; 4096], &[0xbe; 12_000]].concat());
    for bytes in [unasked, even, long, bomb] {
        flood(connect(&gateway), &bytes);
        serves_on(&mut gateway);
    }
    assert_eq!(origin.count(), 0);
}
