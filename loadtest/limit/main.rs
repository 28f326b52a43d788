//! The limit: what the kernel allows on this machine. A single-threaded epoll loop that finds the end of a request
//! head and writes one fixed answer; it does nothing else that a gateway must do.
//!
//! Build: `rustc -O --edition 2024 main.rs`. Run: `limit ADDRESS BODY_SIZE`.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

const IN: u32 = 0x001;
const OUT: u32 = 0x004;
const EDGE: u32 = 1 << 31;
const BATCH: usize = 512;

#[repr(C)]
#[cfg_attr(target_arch = "x86_64", repr(packed))]
#[derive(Clone, Copy)]
struct Event {
    kinds: u32,
    token: u64,
}

unsafe extern "C" {
    fn epoll_create1(flags: i32) -> i32;
    fn epoll_ctl(queue: i32, operation: i32, fd: i32, event: *mut Event) -> i32;
    fn epoll_wait(queue: i32, events: *mut Event, most: i32, timeout: i32) -> i32;
    fn listen(fd: i32, backlog: i32) -> i32;
}

struct Connection {
    stream: TcpStream,
    /// The end of a head that has not come whole yet.
    seen: Vec<u8>,
    /// Bytes of the answer that the socket has not taken yet.
    left: usize,
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let size: usize = arguments[2].parse().expect("a number of bytes");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncache-control: public, max-age=3600\r\ncontent-length: ";
    let answer = [format!("{head}{size}\r\n\r\n").into_bytes(), vec![b'x'; size]].concat();
    let listener = TcpListener::bind(&arguments[1])?;
    listener.set_nonblocking(true)?;
    // SAFETY: a listening socket may be told to listen again, with a longer backlog.
    unsafe { listen(listener.as_raw_fd(), 8192) };
    serve(&listener, &answer)
}

fn watch(queue: i32, fd: i32, kinds: u32) {
    let mut event = Event { kinds, token: fd as u64 };
    // SAFETY: the event lives until the call is over; 1 is EPOLL_CTL_ADD.
    unsafe { epoll_ctl(queue, 1, fd, &mut event) };
}

fn serve(listener: &TcpListener, answer: &[u8]) -> std::io::Result<()> {
    // SAFETY: no arguments but flags.
    let queue = unsafe { epoll_create1(0) };
    watch(queue, listener.as_raw_fd(), IN);
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = [Event { kinds: 0, token: 0 }; BATCH];
    let mut input = vec![0; 64 * 1024];
    loop {
        // SAFETY: the array has room for BATCH events.
        let ready = unsafe { epoll_wait(queue, events.as_mut_ptr(), BATCH as i32, -1) };
        for event in events.iter().take(ready.max(0) as usize) {
            let place = event.token as usize;
            if place == listener.as_raw_fd() as usize {
                accept(queue, listener, &mut connections);
            } else if connections[place].as_mut().is_some_and(|c| !advance(c, &mut input, answer)) {
                connections[place] = None;
            }
        }
    }
}

fn accept(queue: i32, listener: &TcpListener, connections: &mut Vec<Option<Connection>>) {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).ok();
        let fd = stream.as_raw_fd();
        if connections.len() <= fd as usize {
            connections.resize_with(fd as usize + 1, || None);
        }
        connections[fd as usize] = Some(Connection { stream, seen: Vec::new(), left: 0 });
        watch(queue, fd, IN | OUT | EDGE);
    }
}

/// Reads, answers and writes as far as the socket goes; false when the connection is over.
fn advance(connection: &mut Connection, input: &mut [u8], answer: &[u8]) -> bool {
    loop {
        if connection.left > 0 && !push(connection, answer) {
            return connection.left > 0;
        }
        match connection.stream.read(input) {
            Ok(0) => return false,
            Ok(size) => connection.left += heads(&mut connection.seen, &input[..size]) * answer.len(),
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
        if connection.left > 0 && !push(connection, answer) {
            return connection.left > 0;
        }
        if connection.left == 0 {
            return true;
        }
    }
}

/// Writes what is left; false when the socket takes no more, or is broken: then nothing is left.
fn push(connection: &mut Connection, answer: &[u8]) -> bool {
    while connection.left > 0 {
        let place = (answer.len() - connection.left % answer.len()) % answer.len();
        match connection.stream.write(&answer[place..]) {
            Ok(size) => connection.left -= size,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => {
                connection.left = 0;
                return false;
            }
        }
    }
    true
}

/// How many heads end in `input`; what comes after the last one is kept.
fn heads(seen: &mut Vec<u8>, input: &[u8]) -> usize {
    if seen.is_empty() && input.ends_with(b"\r\n\r\n") && input.len() < 512 {
        return input.windows(4).filter(|four| four == b"\r\n\r\n").count();
    }
    seen.extend_from_slice(input);
    let mut count = 0;
    while let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
        seen.drain(..end + 4);
        count += 1;
    }
    count
}
