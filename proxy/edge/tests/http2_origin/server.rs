//! An HTTP/2 server on the `h2` crate that answers by path, counts its connections and notes what it was asked.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsAcceptor;

/// What a connection does; the number counts from 1.
pub type Serve = Arc<dyn Fn(Arc<Seen>, TcpStream, usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What has come.
pub struct Seen {
    pub connections: AtomicUsize,
    pub heads: Mutex<Vec<Request<()>>>,
    /// Requests for `/together` so far.
    together: AtomicUsize,
    /// Lets resets within a body happen, each permit one.
    pub go: Semaphore,
}

impl Default for Seen {
    fn default() -> Self {
        Self { connections: 0.into(), heads: Mutex::default(), together: 0.into(), go: Semaphore::new(0) }
    }
}

impl Seen {
    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub fn count_of(&self, path: &str) -> usize {
        self.heads.lock().unwrap().iter().filter(|h| h.uri().path() == path).count()
    }

    pub fn last(&self) -> Request<()> {
        self.heads.lock().unwrap().last().cloned().unwrap()
    }
}

/// A running server; it ends when dropped.
pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// Serves HTTP/2 without TLS.
    pub fn start() -> Self {
        Self::with(Arc::new(|seen, tcp, _| Box::pin(http2(seen, tcp))))
    }

    /// Serves connections as told.
    pub fn with(serve: Serve) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Seen>::default());
        let (stop, stopped) = oneshot::channel();
        let noted = seen.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let accept = async {
                    loop {
                        let (tcp, _) = listener.accept().await.unwrap();
                        let number = noted.connections.fetch_add(1, SeqCst) + 1;
                        tokio::spawn(serve(noted.clone(), tcp, number));
                    }
                };
                tokio::select! { () = accept => {}, _ = stopped => {} }
            });
        });
        Self { address, seen, _stop: stop }
    }

    /// Serves TLS, and HTTP/2 in it where ALPN says so, else one answer after the other by HTTP/1.1.
    pub fn tls(acceptor: TlsAcceptor) -> Self {
        Self::with(Arc::new(move |seen, tcp, _| {
            let acceptor = acceptor.clone();
            Box::pin(async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                match tls.get_ref().1.alpn_protocol() {
                    Some(b"h2") => http2(seen, tls).await,
                    _ => http1(tls).await,
                }
            })
        }))
    }
}

/// Serves HTTP/2.
pub async fn http2(seen: Arc<Seen>, io: impl AsyncRead + AsyncWrite + Unpin) {
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(50).initial_window_size(1 << 20).initial_connection_window_size(1 << 22);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(io).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        if request.uri().path() == "/last" {
            connection.graceful_shutdown();
        }
        tokio::spawn(answer(seen.clone(), request, respond));
    }
}

async fn http1(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = Vec::new();
    while let Ok(byte) = io.read_u8().await {
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            io.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nby 1.1").await.unwrap();
            io.flush().await.unwrap();
        }
    }
}

/// Answers each request with one write: a head that states 1,000 bytes, so many of them, and a reset.
pub async fn breaking_off(mut tcp: TcpStream, count: u8) {
    tcp.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut preface = [0; 24];
    tcp.read_exact(&mut preface).await.unwrap();
    let mut head = [0; 9];
    while tcp.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        tcp.read_exact(&mut payload).await.unwrap();
        if head[3] == 1 {
            let on = &head[5..];
            let answer = [&[0, 0, 8, 1, 4], on, b"\x88\x0f\x0d\x041000", &[0, 0, count, 0, 0], on];
            let reset = [&[0, 0, 4, 3, 0], on, &[0, 0, 0, 2]];
            let body = vec![b'z'; count.into()];
            tcp.write_all(&[answer.concat(), body, reset.concat()].concat()).await.unwrap();
        }
    }
}

/// Refuses what comes by a GOAWAY that excludes every stream, and stays connected.
pub async fn going_away(mut tcp: TcpStream) {
    tcp.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut preface = [0; 24];
    tcp.read_exact(&mut preface).await.unwrap();
    let mut head = [0; 9];
    while tcp.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        tcp.read_exact(&mut payload).await.unwrap();
        // HEADERS is answered with GOAWAY: the last stream 0, no error.
        if head[3] == 1 {
            tcp.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
        }
    }
}

async fn answer(seen: Arc<Seen>, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (parts, mut body) = request.into_parts();
    let (path, method) = (parts.uri.path().to_owned(), parts.method.clone());
    let before = seen.count_of(&path);
    seen.heads.lock().unwrap().push(Request::from_parts(parts, ()));
    let whole = |n: usize| Response::builder().header("content-length", n).header("x-by", "2").body(()).unwrap();
    let open = || Response::builder().body(()).unwrap();
    match path.as_str() {
        "/echo" => {
            let body = read(&mut body).await;
            send(respond.send_response(whole(body.len()), false).unwrap(), body.into(), true).await;
        }
        "/large" => send(respond.send_response(whole(LARGE), false).unwrap(), vec![b'x'; LARGE].into(), true).await,
        "/pieces" => {
            let mut stream = respond.send_response(open(), false).unwrap();
            for piece in ["one, ", "two, ", "three"] {
                stream.send_data(piece.into(), false).unwrap();
                tokio::task::yield_now().await;
            }
            stream.send_trailers(http::HeaderMap::new()).unwrap();
        }
        "/empty" => drop(respond.send_response(open(), true).unwrap()),
        "/none" => {
            drop(respond.send_response(Response::builder().status(204).body(()).unwrap(), true).unwrap());
        }
        "/early" => {
            let refusal = Response::builder().status(413).header("content-length", 5).body(()).unwrap();
            respond.send_response(refusal, false).unwrap().send_data("early".into(), true).unwrap();
            written().await;
            respond.send_reset(Reason::NO_ERROR);
        }
        "/refused" if before == 0 => respond.send_reset(Reason::REFUSED_STREAM),
        "/always-refused" => respond.send_reset(Reason::REFUSED_STREAM),
        "/reset-before" => respond.send_reset(Reason::INTERNAL_ERROR),
        "/reset" | "/reset-open" | "/reset-no-error" => {
            let head = if path == "/reset" { whole(100) } else { open() };
            let mut stream = respond.send_response(head, false).unwrap();
            stream.send_data("0123456789".into(), false).unwrap();
            let reason = if path == "/reset-no-error" { Reason::NO_ERROR } else { Reason::INTERNAL_ERROR };
            seen.go.acquire().await.unwrap().forget();
            stream.send_reset(reason);
        }
        "/hang" => {
            // Until the caller has had enough.
            let _ = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
        }
        "/together" => {
            static ALL: Semaphore = Semaphore::const_new(0);
            if seen.together.fetch_add(1, SeqCst) + 1 == TOGETHER {
                ALL.add_permits(TOGETHER);
            }
            ALL.acquire().await.unwrap().forget();
            send(respond.send_response(whole(8), false).unwrap(), "together".into(), true).await;
        }
        _ if method == http::Method::HEAD => drop(respond.send_response(whole(5), true).unwrap()),
        _ => send(respond.send_response(whole(5), false).unwrap(), "hello".into(), true).await,
    }
}

/// How many requests for `/together` are answered at once.
pub const TOGETHER: usize = 200;

/// Bytes of `/large`: more than sockets hold.
pub const LARGE: usize = 16 << 20;

async fn read(body: &mut RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        all.extend_from_slice(&piece);
    }
    all
}

async fn send(mut stream: SendStream<Bytes>, mut body: Bytes, end: bool) {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        while stream.capacity() == 0 {
            match std::future::poll_fn(|cx| stream.poll_capacity(cx)).await {
                Some(Ok(_)) => {}
                _ => return,
            }
        }
        let piece = body.split_to(stream.capacity().min(body.len()));
        let last = end && body.is_empty();
        if stream.send_data(piece, last).is_err() {
            return;
        }
    }
}

/// Lets the connection's task write what it has: a reset overtakes what has not been sent.
async fn written() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}
