//! A client on the `h2` crate.

use std::future::Future;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{ResponseFuture, SendRequest};
use http::request::Builder;
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::support::{Gateway, PATIENCE};

/// Runs a test's asynchronous part, for so long and not longer.
pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE * 3, test).await.unwrap() })
}

/// A request for this target.
pub(super) fn get(target: &str) -> Builder {
    Request::get(format!("http://gateway.test{target}"))
}

/// An answer.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) fields: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Got {
    /// Reads an answer to its end, and lets the server send on with each piece.
    pub(super) async fn read(response: Response<RecvStream>) -> Self {
        let (head, mut stream) = response.into_parts();
        let mut body = Vec::new();
        while let Some(piece) = stream.data().await {
            let piece = piece.unwrap();
            body.extend_from_slice(&piece);
            stream.flow_control().release_capacity(piece.len()).unwrap();
        }
        Self { status: head.status.as_u16(), fields: head.headers, body }
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|v| v.to_str().unwrap())
    }
}

/// A connection to the gateway.
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    driver: JoinHandle<Result<(), h2::Error>>,
}

impl Connection {
    /// By prior knowledge.
    pub(super) async fn open(gateway: &Gateway) -> Self {
        Self::over(TcpStream::connect(gateway.address()).await.unwrap()).await
    }

    /// Over a stream that is there.
    pub(super) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        Self { requests, driver: tokio::spawn(connection) }
    }

    /// Sends a request; its answer's head comes later. The request leaves now, whether that is waited for or not.
    pub(super) fn start(
        &self,
        request: Builder,
        body: Option<Vec<u8>>,
    ) -> impl Future<Output = Response<RecvStream>> + use<> {
        let (requests, request) = (self.requests.clone(), request.body(()).unwrap());
        let answer = tokio::spawn(async move { send(requests, request, body).await.await.unwrap() });
        async { answer.await.unwrap() }
    }

    pub(super) async fn ask(&self, request: Builder, body: Option<Vec<u8>>) -> Got {
        Got::read(self.start(request, body).await).await
    }

    pub(super) async fn get(&self, target: &str) -> Got {
        self.ask(get(target), None).await
    }

    /// Waits until the server takes no new streams.
    pub(super) async fn is_told_to_go(&self) {
        while let Ok(mut requests) = self.requests.clone().ready().await {
            let Ok((answer, _)) = requests.send_request(get("/mock").body(()).unwrap(), true) else { return };
            if answer.await.is_err() {
                return;
            }
        }
    }

    /// The connection ends, and not by an error.
    pub(super) async fn ends_in_order(self) {
        drop(self.requests);
        self.driver.await.unwrap().unwrap();
    }
}

async fn send(requests: SendRequest<Bytes>, request: Request<()>, body: Option<Vec<u8>>) -> ResponseFuture {
    let mut requests = requests.ready().await.unwrap();
    let (answer, mut stream) = requests.send_request(request, body.is_none()).unwrap();
    if let Some(body) = body {
        let mut rest = Bytes::from(body);
        while !rest.is_empty() {
            stream.reserve_capacity(rest.len());
            let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
            let piece = rest.split_to(room.min(rest.len()));
            stream.send_data(piece, rest.is_empty()).unwrap();
        }
    }
    answer
}
