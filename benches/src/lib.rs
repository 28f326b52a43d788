//! A worker without sockets, for benchmarks and for counting what a hit allocates: the lane over a connection that
//! lives in memory, before a cache that holds the answer.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sluice::config::Configuration;
use sluice::message::head::{Head, Version};
use sluice::observe::process_log;
use sluice::server::at_once::AtOnce;
use sluice::server::core::{Core, with};
use sluice::server::drive;
use sluice::server::gateway::Gateway;
use sluice::server::lane::Lane;
use sluice::server::storing::Answer;
use sluice::stage::accept::{Connection, Verdict};
use sluice::stage::{Exchange, Stop, frame, walk};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The request that is answered from the cache.
pub const REQUEST: &[u8] = b"GET /pets/7?view=full HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench\r\n\r\n";

/// Two methods, throttles that never refuse, and networks to look up.
const CONFIGURATION: &str = r#"
[cache]
memory = "64 MiB"
[throttle]
account_rate_limit = 900_000_000
account_burst_limit = 1_000_000_000
[[listener]]
address = "127.0.0.1:0"
default_api = "bench"
default_stage = "prod"
[[api]]
id = "bench"
[api.resource_policy]
allow = ["127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16"]
[[api.resource]]
path = "/pets/{id}"
[api.resource.method.GET]
integration = { type = "HTTP_PROXY", uri = "http://127.0.0.1:9/pets/{id}" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "64 MiB"
cache_ttl = "3600s"
throttling_rate_limit = 900_000_000
throttling_burst_limit = 1_000_000_000
"#;

/// The lane of one connection, on a worker whose cache holds the answer to `REQUEST`.
pub struct Bench {
    lane: Lane,
    wire: Wire,
}

impl Bench {
    /// Makes this thread a worker and fills its cache with an answer of `body` bytes.
    pub fn new(body: usize) -> Result<Self, Box<dyn std::error::Error>> {
        let gateway = gateway()?;
        Core::install(&gateway);
        let peer: SocketAddr = "127.0.0.1:40000".parse()?;
        let connection = Connection { peer, listener: 0, verdict: Verdict::Plain, mutual: None };
        store(connection, body)?;
        let lane = Lane::new(connection, gateway.plan.load().timeouts, drive::now());
        Ok(Self { lane, wire: Wire { fed: true, written: 0 } })
    }

    /// One request in, one answer out. Gives the bytes of the answer.
    pub fn hit(&mut self) -> usize {
        self.wire.fed = false;
        self.wire.written = 0;
        let mut context = Context::from_waker(Waker::noop());
        let polled = self.lane.poll(&mut self.wire, &mut context);
        assert!(polled.is_pending(), "the lane has given the connection up: {polled:?}");
        self.wire.written
    }
}

/// One for the process: its log can be set up once.
fn gateway() -> Result<Arc<Gateway>, Box<dyn std::error::Error>> {
    static GATEWAY: OnceLock<Arc<Gateway>> = OnceLock::new();
    if let Some(gateway) = GATEWAY.get() {
        return Ok(gateway.clone());
    }
    let file = Path::new("bench.toml");
    let (configuration, _) = Configuration::parse(CONFIGURATION, file).map_err(|findings| format!("{findings:?}"))?;
    let log = process_log::init(&configuration.node.log)?;
    let gateway = Arc::new(Gateway::new(&configuration, file, log)?);
    Ok(GATEWAY.get_or_init(|| gateway).clone())
}

/// Walks to the miss, and stores an answer under the key that it left.
fn store(connection: Connection, body: usize) -> Result<(), Box<dyn std::error::Error>> {
    let stored = with(|core| {
        let (now, id) = (core.clock.now(), core.ids.draw());
        let plan = core.plan();
        let mut exchange = Exchange::new(Head::new(Cow::Borrowed(REQUEST), Version::Http11), connection, now, id);
        frame::read(REQUEST, &plan.limits, &mut exchange.head);
        // A bench before this one may have stored its answer.
        plan.apis.iter().flat_map(|api| &api.stages).filter_map(|s| s.cache.as_ref()).for_each(|cache| {
            cache.memory.flush();
            while cache.memory.drain_some(64) > 0 {}
        });
        let stop = walk(&mut exchange, &mut core.context(&plan));
        let (_, stage, method) = exchange.route.and_then(|r| plan.method(r))?;
        let (cache, rule, key) = (stage.cache.as_ref()?, method.cache.as_ref()?, exchange.key.as_ref()?);
        let body = [Bytes::from(vec![b'x'; body])];
        let head = b"Content-Type: application/json\r\n";
        Answer { ttl: rule.store.ttl, status: 200, head, body: &body }.store(cache, key, now.mono);
        matches!(stop, Stop::Waiting(_)).then_some(())
    });
    stored.flatten().ok_or_else(|| "the request did not miss".into())
}

/// A connection in memory: gives the request once per turn, takes every answer.
struct Wire {
    fed: bool,
    written: usize,
}

impl AtOnce for Wire {}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.fed, true) {
            return Poll::Pending;
        }
        buf.put_slice(REQUEST);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.written += buf.len();
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = bufs.iter().map(|b| b.len()).sum();
        self.written += written;
        Poll::Ready(Ok(written))
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
