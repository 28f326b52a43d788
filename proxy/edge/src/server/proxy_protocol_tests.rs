//! PROXY headers, good and bad, whole and in pieces.

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A version 2 header.
fn v2(version_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [SIGNATURE.as_slice(), &[version_command, family], &length, body].concat()
}

const TCP4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 2, 0xdb, 0xa0, 0x01, 0xbb];

fn source(bytes: &[u8]) -> Option<String> {
    match parse(bytes).unwrap() {
        Parsed::Header { length, source, .. } => {
            assert_eq!(length, bytes.len());
            source.map(|s| s.to_string())
        }
        Parsed::Partial => panic!("partial"),
    }
}

fn good() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let tcp6 = [[0x20, 1, 0xd, 0xb8].as_slice(), &[0; 11], &[1], &[0; 15], &[1], &[0, 80, 1, 187]].concat();
    let with_tlv = [TCP4, &[0x04, 0, 2, 9, 9]].concat();
    vec![
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 56224 443\r\n".to_vec(), Some("192.0.2.1:56224")),
        (b"PROXY TCP6 2001:db8::1 ::1 80 0\r\n".to_vec(), Some("[2001:db8::1]:80")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN ffff::1 whatever  it is\r\n".to_vec(), None),
        (v2(0x21, 0x11, TCP4), Some("192.0.2.1:56224")),
        (v2(0x21, 0x11, &with_tlv), Some("192.0.2.1:56224")),
        (v2(0x21, 0x21, &tcp6), Some("[2001:db8::1]:80")),
        (v2(0x21, 0x00, &[]), None),
        (v2(0x21, 0x31, &[1; 216]), None),
        (v2(0x20, 0x00, &[]), None),
        (v2(0x20, 0x11, TCP4), None),
    ]
}

#[test]
fn every_good_header_and_each_of_its_beginnings() {
    for (bytes, expected) in good() {
        assert_eq!(source(&bytes).as_deref(), expected);
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut]).unwrap(), Parsed::Partial, "{bytes:?} cut at {cut}");
        }
        let longer = [&bytes, b"GET / HTTP/1.1\r\n".as_slice()].concat();
        assert!(matches!(parse(&longer).unwrap(), Parsed::Header { length, .. } if length == bytes.len()));
    }
}

#[test]
fn the_destination_is_there_too() {
    let Parsed::Header { destination, .. } = parse(&v2(0x21, 0x11, TCP4)).unwrap() else { panic!() };
    assert_eq!(destination, Some("198.51.100.2:443".parse().unwrap()));
}

#[test]
fn bad_lines() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
        "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2  2\r\n",
        "PROXY TCP4 ::1 ::2 1 2\r\n",
        "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP6 ::1%lo ::2 1 2\r\n",
        "PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY \r\n",
        "PROXY UNKNOWNS\r\n",
    ] {
        assert!(parse(line.as_bytes()).is_err(), "{line:?}");
    }
    assert!(parse(b"PROXY TCP4 1.1.1.1\xff 2.2.2.2 1 2\r\n").is_err());
}

#[test]
fn a_line_has_107_bytes_at_most() {
    let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    assert!(parse(line(MAX_V1).as_bytes()).is_ok());
    assert!(matches!(parse(line(MAX_V1 + 1).as_bytes()), Err(ProxyError::TooLong)));
    let endless = ["PROXY UNKNOWN ", &"x".repeat(MAX_V1)].concat();
    assert_eq!(parse(&endless.as_bytes()[..MAX_V1 - 1]).unwrap(), Parsed::Partial);
    assert!(matches!(parse(&endless.as_bytes()[..MAX_V1]), Err(ProxyError::TooLong)));
}

#[test]
fn bad_binary_headers() {
    for bytes in [
        v2(0x11, 0x11, TCP4),
        v2(0x22, 0x11, TCP4),
        v2(0x21, 0x12, TCP4),
        v2(0x21, 0x13, TCP4),
        v2(0x21, 0x41, TCP4),
        v2(0x21, 0x11, &TCP4[..11]),
        v2(0x21, 0x21, &[0; 35]),
        v2(0x21, 0x31, &[0; 215]),
        v2(0x21, 0x11, &[TCP4, &[4]].concat()),
        v2(0x21, 0x11, &[TCP4, &[4, 0, 2, 9]].concat()),
        v2(0x21, 0x11, &[0; MAX_V2 - V2_FIXED + 1]),
        b"\r\n\r\n\0\r\nQUIT\r".to_vec(),
    ] {
        assert!(parse(&bytes).is_err(), "{bytes:?}");
    }
    let too_long = v2(0x21, 0x11, &[0; MAX_V2]);
    assert!(matches!(parse(&too_long[..V2_FIXED]), Err(ProxyError::TooLong)), "before its body was read");
}

#[test]
fn a_checksum_that_is_there_is_checked() {
    assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283, "the check value of CRC-32C");
    let mut bytes = v2(0x21, 0x11, &[TCP4, &[3, 0, 4, 0, 0, 0, 0], &[4, 0, 1, 7]].concat());
    assert!(parse(&bytes).is_err());
    let sum = crc32c(bytes.iter().copied()).to_be_bytes();
    bytes[V2_FIXED + 15..V2_FIXED + 19].copy_from_slice(&sum);
    assert!(source(&bytes).is_some());
    bytes[V2_FIXED] ^= 1;
    assert!(parse(&bytes).is_err());
}

proptest! {
    #[test]
    fn strangers_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn nor_do_bytes_behind_a_signature(bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0..3_u8) {
        let prefix = match which { 0 => V1_PREFIX, 1 => SIGNATURE.as_slice(), _ => b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0" };
        let _ = parse(&[prefix, &bytes].concat());
    }

    #[test]
    fn a_changed_byte_never_panics(index in 0..11_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (mut bytes, _) = good().swap_remove(index);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = parse(&bytes);
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

/// Reads the header of `bytes`, sent in two pieces, and what comes behind it.
async fn read_split(bytes: &[u8], cut: usize) -> (Result<Option<SocketAddr>, ProxyError>, Vec<u8>) {
    let (mut client, mut server) = pair().await;
    client.set_nodelay(true).unwrap();
    let (first, second) = bytes.split_at(cut);
    client.write_all(first).await.unwrap();
    let writer = async {
        tokio::task::yield_now().await;
        client.write_all(second).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let (found, ()) = tokio::join!(read_header(&mut server), writer);
    let mut rest = Vec::new();
    if found.is_ok() {
        server.read_to_end(&mut rest).await.unwrap();
    }
    (found, rest)
}

#[tokio::test]
async fn not_one_byte_too_many_is_read_wherever_it_is_split() {
    for (header, expected) in good() {
        let bytes = [header.as_slice(), b"GET /\n"].concat();
        for cut in (0..bytes.len()).step_by(if bytes.len() > 100 { 17 } else { 1 }) {
            let (found, rest) = read_split(&bytes, cut).await;
            assert_eq!(found.unwrap().map(|s| s.to_string()).as_deref(), expected);
            assert_eq!(rest, b"GET /\n");
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_or_says_something_else_is_an_error() {
    assert!(matches!(read_split(b"PROXY TCP4 1.1", 3).await.0, Err(ProxyError::Io(_))));
    assert!(matches!(read_split(&v2(0x21, 0x11, TCP4)[..20], 3).await.0, Err(ProxyError::Io(_))));
    assert!(matches!(read_split(b"", 0).await.0, Err(ProxyError::Io(_))));
    assert!(matches!(read_split(b"GET / HTTP/1.1\r\n\r\n", 2).await.0, Err(ProxyError::Absent)));
    assert!(matches!(read_split(&[b'\r'; 300], 0).await.0, Err(ProxyError::Absent)));
    assert!(matches!(
        read_split(&[b"PROXY UNKNOWN ", [b'x'; 300].as_slice()].concat(), 20).await.0,
        Err(ProxyError::TooLong)
    ));
}
