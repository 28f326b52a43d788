//! A caller of the admin listener over its UNIX socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use super::support::{Gateway, PATIENCE, eventually};

pub(crate) struct Admin {
    socket: PathBuf,
}

impl Admin {
    pub(crate) fn of(gateway: &Gateway) -> Self {
        let socket = gateway.directory().join("admin.sock");
        eventually("the admin listener listens", || UnixStream::connect(&socket).is_ok());
        Self { socket }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.send("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, text) = self.send("POST", path, &body.to_string());
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    /// A figure of the one cache.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let (_, text) = self.get("/sluice/cache?api=shop&stage=prod");
        let status: Value = serde_json::from_str(&text).unwrap();
        status["caches"][0][name].as_u64().unwrap_or_else(|| panic!("{name} in {text}"))
    }

    pub(crate) fn send(&self, verb: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let fields = format!("Host: admin\r\nConnection: close\r\nContent-Length: {length}\r\n");
        stream.write_all(format!("{verb} {path} HTTP/1.1\r\n{fields}\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }
}
