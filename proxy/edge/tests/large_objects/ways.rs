//! A large object is the same over every way in.

use std::io::{Read, Write};

use super::client::{Connection, get, run};
use super::support::{Answer, Gateway};
use super::{Rig, file, find, is_hit, settle};

const TARGET: &str = "/film-3000000";

fn started() -> (Rig, Gateway) {
    let rig = Rig::of_files();
    let gateway = rig.start();
    gateway.get(TARGET);
    settle(&gateway, 1.0);
    (rig, gateway)
}

#[test]
fn over_http2_many_at_once_whole_and_in_parts() {
    let (rig, gateway) = started();
    run(async {
        let connection = Connection::open(&gateway).await;
        let whole = file(TARGET);
        let (one, two) = tokio::join!(connection.get(TARGET), connection.get(TARGET));
        assert!(one.body == whole && two.body == whole);
        assert_eq!((one.status, one.field("content-length")), (200, Some("3000000")));
        let part = connection.ask(get(TARGET).header("range", "bytes=262140-262149"), None).await;
        assert!(part.status == 206 && part.body == whole[262_140..262_150]);
        assert_eq!(connection.ask(get(TARGET).header("if-none-match", "\"v1\""), None).await.status, 304);
    });
    assert_eq!(rig.origin.count(), 1);
}

#[test]
fn filled_over_http2() {
    let rig = Rig::new(|request| Answer::ok(file(&request.target)));
    let gateway = rig.start();
    run(async { assert!(Connection::open(&gateway).await.get(TARGET).await.body == file(TARGET)) });
    settle(&gateway, 1.0);
    assert!(is_hit(&gateway.get(TARGET)));
}

#[test]
fn over_the_session() {
    let (rig, gateway) = started();
    let mut stream = gateway.connect().stream().try_clone().unwrap();
    stream.write_all(format!("GET {TARGET} HTTP/1.0\r\nHost: gateway.test\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(&file(TARGET)), "{}", String::from_utf8_lossy(&answer[..200]));
    assert_eq!(rig.origin.count(), 1);
}

#[test]
fn head_has_the_length_and_a_connection_goes_on_behind_it() {
    let (rig, gateway) = started();
    let mut client = gateway.connect();
    let head = client.request("HEAD", TARGET, "").read_bodiless();
    assert_eq!((head.status, head.field("content-length")), (200, Some("3000000")));
    assert!(is_hit(&head));
    client.send(format!(
        "GET {TARGET} HTTP/1.1\r\nHost: gateway.test\r\n\r\nGET {TARGET} HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
    ));
    assert!(client.read().body == file(TARGET) && client.read().body == file(TARGET));
    assert_eq!(rig.origin.count(), 1);
}

#[test]
fn a_lost_chunk_resets_the_stream_and_leaves_the_connection() {
    let (rig, gateway) = started();
    let (path, at) = find(&rig.directory(), &file(TARGET)[2_000_000..2_000_064]).unwrap();
    let disk = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_at(&disk, b"damaged", at).unwrap();
    run(async {
        let connection = Connection::open(&gateway).await;
        let mut stream = connection.start(get(TARGET), None).await.into_body();
        let mut came = 0;
        let error = loop {
            let piece = stream.data().await.unwrap();
            let Ok(piece) = piece else { break piece.unwrap_err() };
            came += piece.len();
            stream.flow_control().release_capacity(piece.len()).unwrap();
        };
        assert!(error.is_reset() && came < 2_000_000, "{error}");
        assert!(connection.get(TARGET).await.body == file(TARGET));
    });
    assert_eq!(rig.origin.count(), 2);
}
