//! An origin that records every byte and every request it gets, and answers by script.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};

use super::answer::{After, Answer};
use super::wire::{End, Head, Reader, framing};
use super::{PATIENCE, Port, eventually};

/// A request as the origin got it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The verb.
    pub method: String,
    /// The request target.
    pub target: String,
    /// Request line and fields.
    pub head: Head,
    /// Without its framing.
    pub body: Vec<u8>,
    /// Connections are numbered from 0.
    pub connection: usize,
}

impl Deref for Request {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

#[derive(Default)]
struct Log {
    requests: Vec<Request>,
    /// The bytes of each connection.
    streams: Vec<Arc<Mutex<Vec<u8>>>>,
    /// What could not be read as a request.
    garbage: Vec<String>,
    bodies: u64,
}

struct Shared {
    log: Mutex<Log>,
    script: Box<dyn Fn(&Request) -> Answer + Send + Sync>,
    stopped: AtomicBool,
    keep_bodies: bool,
}

/// A recording origin.
pub struct Recorder {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Recorder {
    /// Answers each request as `script` says.
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), Box::new(script), true)
    }

    /// The same, but bodies are only counted.
    pub fn counting(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), Box::new(script), false)
    }

    /// Answers every request with its own target.
    pub fn echoing() -> Self {
        Self::start(|request| Answer::ok(&request.target))
    }

    /// The same on a port that was reserved and refused until now.
    pub fn on_port(port: &Port, script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&port.address().into()).unwrap();
        socket.listen(64).unwrap();
        Self::on(socket.into(), Box::new(script), true)
    }

    fn on(listener: TcpListener, script: Box<dyn Fn(&Request) -> Answer + Send + Sync>, keep_bodies: bool) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { log: Mutex::default(), script, stopped: false.into(), keep_bodies });
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopped.load(SeqCst) {
                    break;
                }
                let shared = accepting.clone();
                std::thread::spawn(move || shared.serve(stream.unwrap()));
            }
        });
        Self { address, shared }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Request> {
        self.log().requests.clone()
    }

    /// The last request.
    pub fn last(&self) -> Request {
        self.log().requests.last().cloned().unwrap()
    }

    /// How many requests have come.
    pub fn count(&self) -> usize {
        self.log().requests.len()
    }

    /// How many requests have come for this target.
    pub fn count_of(&self, target: &str) -> usize {
        self.log().requests.iter().filter(|r| r.target == target).count()
    }

    /// How many connections have come.
    pub fn connections(&self) -> usize {
        self.log().streams.len()
    }

    /// Everything that came over all connections, one after the other.
    pub fn bytes(&self) -> Vec<u8> {
        self.log().streams.iter().flat_map(|stream| stream.lock().unwrap().clone()).collect()
    }

    /// Bytes of bodies that came.
    pub fn body_bytes(&self) -> u64 {
        self.log().bodies
    }

    /// What came and was no request.
    pub fn garbage(&self) -> Vec<String> {
        self.log().garbage.clone()
    }

    /// Waits until these bytes have come over some connection.
    pub fn wait_for_bytes(&self, bytes: &str) {
        let came = || self.bytes().windows(bytes.len()).any(|w| w == bytes.as_bytes());
        eventually(&format!("{bytes:?} at the origin"), came);
    }

    /// Waits until so many requests have come.
    pub fn wait_for(&self, count: usize) {
        eventually(&format!("{count} requests at the origin"), || self.count() >= count);
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.shared.log.lock().unwrap()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        stream.set_read_timeout(Some(PATIENCE * 6)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut reader = Reader::new(stream);
        let connection = {
            let mut log = self.log.lock().unwrap();
            log.streams.push(reader.all.clone());
            log.streams.len() - 1
        };
        loop {
            let read = self.read(&mut reader, connection);
            let request = match read {
                Ok(Some(request)) => request,
                Ok(None) => return,
                Err(error) => {
                    self.log.lock().unwrap().garbage.push(error.to_string());
                    return;
                }
            };
            let answer = (self.script)(&request);
            self.log.lock().unwrap().requests.push(request);
            match answer.play(&mut reader.stream) {
                Ok(After::NextRequest) => {}
                Ok(After::Over) | Err(_) => return,
            }
        }
    }

    fn read(&self, reader: &mut Reader, connection: usize) -> std::io::Result<Option<Request>> {
        let Some(head) = reader.head()? else { return Ok(None) };
        let bad = || std::io::Error::other(format!("no request line: {head:?}"));
        let [method, target, "HTTP/1.1"] = head.start.split(' ').collect::<Vec<_>>()[..] else { return Err(bad()) };
        let (method, target) = (method.to_owned(), target.to_owned());
        let end = framing(&head)?.unwrap_or(End::Length(0));
        let mut body = Vec::new();
        match (self.keep_bodies, end) {
            (false, End::Length(length)) => self.skip(reader, length)?,
            _ => reader.body(end, &mut body)?,
        }
        self.log.lock().unwrap().bodies += body.len() as u64;
        Ok(Some(Request { method, target, head, body, connection }))
    }

    fn skip(&self, reader: &mut Reader, length: usize) -> std::io::Result<()> {
        let (mut rest, mut piece) = (length, Vec::new());
        while rest > 0 {
            let now = rest.min(64 * 1024);
            reader.body(End::Length(now), &mut piece)?;
            piece.clear();
            rest -= now;
            self.log.lock().unwrap().bodies += now as u64;
        }
        Ok(())
    }
}
