//! The admin listener over its UNIX socket, and the metrics that it shows.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{Gateway, PATIENCE, eventually};

/// What a configuration needs for [`Gateway::admin`].
pub const ADMIN: &str = "[admin]\naddress = \"unix:@DIR@/admin.sock\"\n";

/// An answer of the admin listener.
#[derive(Debug)]
pub struct Told {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Asks over a UNIX socket, as soon as somebody listens there.
pub fn ask(socket: &Path, method: &str, path: &str) -> Told {
    send(socket, method, path, "")
}

/// The same with a body.
pub fn send(socket: &Path, method: &str, path: &str, body: &str) -> Told {
    let mut connected = UnixStream::connect(socket);
    eventually("the admin listener", || {
        if connected.is_err() {
            connected = UnixStream::connect(socket);
        }
        connected.is_ok()
    });
    let mut stream = connected.unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let request = match body {
        "" => format!("{head}\r\n"),
        body => format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()),
    };
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no status: {head:?}"));
    Told { status, head: head.to_owned(), body: body.to_owned() }
}

impl Gateway {
    /// Asks the admin listener, which [`ADMIN`] has configured.
    pub fn admin(&self, method: &str, path: &str) -> Told {
        ask(&self.directory().join("admin.sock"), method, path)
    }

    /// All samples of the metrics.
    pub fn metrics(&self) -> Samples {
        let told = self.admin("GET", "/metrics");
        assert_eq!(told.status, 200, "{told:?}");
        Samples::parse(&told.body)
    }
}

/// Samples by name and labels, as they are written: `name{label="value"}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(pub BTreeMap<String, f64>);

impl Samples {
    /// Reads the text form strictly.
    pub fn parse(page: &str) -> Self {
        let samples = page.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line:?}")))
        });
        Self(samples.collect())
    }

    /// A sample; 0 if it is not there.
    pub fn value(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// The sum of a family's samples.
    pub fn sum(&self, family: &str) -> f64 {
        self.0.iter().filter(|(name, _)| name.split('{').next() == Some(family)).map(|(_, value)| value).sum()
    }

    /// What has been added since.
    pub fn since(&self, before: &Self) -> Self {
        let added = self.0.iter().map(|(name, value)| (name.clone(), value - before.value(name)));
        Self(added.filter(|(_, value)| *value != 0.0).collect())
    }
}
