//! What leaves a stream, and in how many writes.

use std::os::fd::{AsRawFd, RawFd};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Takes at most `per_write` bytes at once, is not ready every other time if `stalls`, and keeps what it took. Gives
/// `input` to be read, then nothing more.
#[derive(Debug, Default)]
struct Sink {
    input: Vec<u8>,
    count: Arc<AtomicUsize>,
    taken: Vec<u8>,
    writes: usize,
    per_write: usize,
    stalls: bool,
    stalled: bool,
}

impl Sink {
    fn stream(per_write: usize, stalls: bool, writing: Writing) -> EdgeStream<Self> {
        let sink = Self { per_write, stalls, ..Self::default() };
        let mut stream = EdgeStream::new(sink, ([127, 0, 0, 1], 9).into(), None);
        stream.set_writing(writing);
        stream
    }
}

impl AsRawFd for Sink {
    fn as_raw_fd(&self) -> RawFd {
        -1
    }
}

impl AtOnce for Sink {}

impl Transport for Sink {
    fn tls(&self) -> Option<&ServerConnection> {
        None
    }
}

impl AsyncRead for Sink {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            return Poll::Pending;
        }
        let size = self.input.len().min(buf.remaining());
        buf.put_slice(&self.input.drain(..size).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stalled = self.stalls && !self.stalled;
        if self.stalled {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let all: Vec<u8> = bufs.iter().flat_map(|b| b.iter().copied()).take(self.per_write).collect();
        self.taken.extend_from_slice(&all);
        self.writes += 1;
        self.count.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(all.len()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_head_leaves_with_its_body_in_one_write() {
    for body in [350, 10_000, 16 * 1024, 1_000_000] {
        let mut stream = Sink::stream(usize::MAX, false, Writing::Http1);
        stream.write_all(&[b'h'; 300]).await.unwrap();
        assert_eq!(stream.transport.writes, 0);
        stream.write_all(&vec![b'b'; body]).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!((stream.transport.writes, stream.transport.taken.len()), (1, 300 + body));
    }
}

#[tokio::test]
async fn the_frames_of_a_batch_leave_in_one_write() {
    let mut stream = Sink::stream(usize::MAX, false, Writing::Http2);
    assert!(!stream.is_write_vectored());
    for _ in 0..32 {
        stream.write_all(&[0; 60]).await.unwrap();
        stream.write_all(&[0; 350]).await.unwrap();
    }
    assert_eq!(stream.transport.writes, 0);
    stream.flush().await.unwrap();
    assert_eq!((stream.transport.writes, stream.transport.taken.len()), (1, 32 * 410));
}

#[tokio::test]
async fn a_large_piece_is_not_copied_to_wait_alone() {
    let mut stream = Sink::stream(usize::MAX, false, Writing::Http1);
    stream.write_all(&[0; LARGE]).await.unwrap();
    assert!(!stream.is_waiting());
    stream.write_all(&[0; LARGE - 1]).await.unwrap();
    assert!(stream.is_waiting());
}

#[tokio::test]
async fn what_waits_is_bounded() {
    for writing in [Writing::Http1, Writing::Http2] {
        let mut stream = Sink::stream(usize::MAX, false, writing);
        for _ in 0..1000 {
            stream.write_all(&[0; 999]).await.unwrap();
            assert!(stream.outbox.unsent().len() <= outbox::WAITING);
        }
    }
}

#[tokio::test]
async fn an_idle_connection_owns_no_buffer() {
    let mut stream = Sink::stream(usize::MAX, false, Writing::Http2);
    stream.write_all(&[0; 350]).await.unwrap();
    assert!(stream.is_waiting());
    stream.flush().await.unwrap();
    assert!(!stream.is_waiting());
    assert_eq!(stream.write(&[]).await.unwrap(), 0);
    assert!(!stream.is_waiting());
    stream.set_writing(Writing::Http1);
    stream.write_all(&[0; 100]).await.unwrap();
    stream.write_all(&[0; 100_000]).await.unwrap();
    assert!(!stream.is_waiting());
}

#[tokio::test]
async fn what_waits_goes_before_what_is_written_directly() {
    let mut stream = Sink::stream(usize::MAX, false, Writing::Http1);
    stream.write_all(b"first ").await.unwrap();
    stream.set_writing(Writing::Direct);
    stream.write_all(b"second ").await.unwrap();
    stream.write_all(b"third").await.unwrap();
    assert_eq!(stream.transport.taken, b"first second third");
    assert_eq!(stream.transport.writes, 2);
}

#[tokio::test]
async fn a_transport_that_takes_nothing_is_an_error() {
    let mut stream = Sink::stream(0, false, Writing::Http1);
    stream.write_all(b"x").await.unwrap();
    assert_eq!(stream.flush().await.unwrap_err().kind(), io::ErrorKind::WriteZero);
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Vectored(Vec<usize>),
    Flush,
    Mode(Writing),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![0..500_usize, 15_000..18_000_usize, 60_000..70_000_usize];
    let mode = prop_oneof![Just(Writing::Direct), Just(Writing::Http1), Just(Writing::Http2)];
    let step = prop_oneof![
        4 => size.prop_map(Step::Write),
        2 => proptest::collection::vec(0..9000_usize, 1..20).prop_map(Step::Vectored),
        1 => Just(Step::Flush),
        1 => mode.prop_map(Step::Mode),
    ];
    proptest::collection::vec(step, 0..20)
}

async fn write_vectored(stream: &mut EdgeStream<Sink>, pieces: &[Vec<u8>]) {
    let all = pieces.concat();
    let slices: Vec<_> = pieces.iter().map(|p| IoSlice::new(p)).collect();
    let written = stream.write_vectored(&slices).await.unwrap();
    assert!(all.is_empty() || written > 0);
    stream.write_all(&all[written..]).await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_byte_arrives_once_and_in_order(steps in steps(), per_write in 1000..40_000_usize, stalls: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut stream = Sink::stream(per_write, stalls, Writing::Http1);
            let mut numbers = (0_u32..).flat_map(u32::to_be_bytes);
            let mut expected = Vec::new();
            for step in steps {
                let mut next = |size: &usize| -> Vec<u8> {
                    let bytes: Vec<u8> = numbers.by_ref().take(*size).collect();
                    expected.extend_from_slice(&bytes);
                    bytes
                };
                match step {
                    Step::Write(size) => stream.write_all(&next(&size)).await.unwrap(),
                    Step::Vectored(sizes) => write_vectored(&mut stream, &sizes.iter().map(next).collect::<Vec<_>>()).await,
                    Step::Flush => stream.flush().await.unwrap(),
                    Step::Mode(writing) => stream.set_writing(writing),
                }
            }
            stream.flush().await.unwrap();
            assert!(stream.transport.taken == expected);
            assert!(!stream.is_waiting());
        });
    }
}

#[tokio::test]
async fn it_is_pingoras_stream_and_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    let (mut client, (server, peer)) = (client.unwrap(), accepted.unwrap());
    let descriptor = server.as_raw_fd();

    let mut stream = Box::new(EdgeStream::new(server, peer, None));
    stream.set_writing(Writing::Http1);
    let mut stream: Stream = stream;
    assert_eq!(stream.id(), descriptor);
    stream.write_all(b"hello").await.unwrap();

    let mut mine = EdgeStream::<TcpStream>::reclaim(stream).unwrap();
    assert_eq!(mine.peer(), client.local_addr().unwrap());
    assert!(mine.is_waiting() && !mine.is_http2() && mine.client_certificate().is_none());
    mine.flush().await.unwrap();
    drop(mine.into_parts());
    let mut got = String::new();
    client.read_to_string(&mut got).await.unwrap();
    assert_eq!(got, "hello");
}

#[tokio::test]
async fn pingoras_session_answers_in_one_write() {
    use pingora_core::protocols::http::ServerSession;
    use pingora_http::ResponseHeader;

    let stream = Sink::stream(usize::MAX, false, Writing::Http1);
    let mut session = ServerSession::new_http1(Box::new(stream));
    session.set_pipelining_enabled(true);
    session.set_pipelined_prefix(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice().into());
    assert!(session.read_request().await.unwrap());
    let mut head = ResponseHeader::build(200, None).unwrap();
    head.insert_header("content-length", "5").unwrap();
    session.write_response_header(Box::new(head)).await.unwrap();
    session.write_response_body("hello".into(), true).await.unwrap();
    let (stream, _) = session.finish().await.unwrap().unwrap().into_parts();
    let stream = EdgeStream::<Sink>::reclaim(stream).unwrap();
    assert_eq!(stream.transport.writes, 1);
    assert!(stream.transport.taken.ends_with(b"\r\n\r\nhello"));
}

/// A client's preface, its empty SETTINGS, and `count` requests for `/`.
fn http2_requests(count: u32) -> Vec<u8> {
    const HEADERS: &[u8] = &[0, 0, 6, 1, 5];
    const GET_ROOT_OF_A: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for request in 0..count {
        bytes.extend([HEADERS, &(2 * request + 1).to_be_bytes(), GET_ROOT_OF_A].concat());
    }
    bytes
}

#[tokio::test]
async fn pingoras_http2_answers_of_one_read_leave_in_one_write() {
    use pingora_core::protocols::Digest;
    use pingora_core::protocols::http::v2::server::{H2Accept, HttpSession, handshake};
    use pingora_http::ResponseHeader;

    let mut stream = Sink::stream(usize::MAX, false, Writing::Http2);
    stream.transport.input = http2_requests(32);
    let count = stream.transport.count.clone();
    let mut connection = handshake(Box::new(stream), None).await.unwrap();
    let digest = Arc::new(Digest::default());
    let mut answered = 0;
    let mut writes_before = 0;
    std::future::poll_fn(|cx| {
        let mut sessions = Vec::new();
        while let Poll::Ready(next) = pin!(HttpSession::from_h2_conn(&mut connection, digest.clone())).poll(cx) {
            let Some(H2Accept::Session(session)) = next.unwrap() else { panic!("refused") };
            sessions.push(session);
        }
        if sessions.is_empty() {
            return Poll::Ready(());
        }
        answered += sessions.len();
        writes_before = count.load(Ordering::Relaxed);
        for mut session in sessions {
            let head = ResponseHeader::build(200, None).unwrap();
            session.write_response_header(Box::new(head), false).unwrap();
            let mut body = session.take_response_body_writer().unwrap();
            body.send_data(vec![b'x'; 350].into(), true).unwrap();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    assert_eq!(answered, 32);
    assert_eq!(count.load(Ordering::Relaxed), writes_before + 1);
}
