//! What a handler of the admin listener sees and says.

use std::fmt::Write;

use serde_json::{Value, json};

/// A request, whole, with its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminRequest {
    /// The method, such as `GET`.
    pub verb: String,
    /// The path, raw.
    pub path: String,
    /// After the `?`, raw.
    pub query: Option<String>,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// At most as long as the listener allows.
    pub body: Vec<u8>,
    pub(super) parameters: Vec<(&'static str, String)>,
}

impl AdminRequest {
    /// The part of the path that `{name}` of the route stands for, decoded.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a query parameter, decoded; `None` too if it is badly encoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let pairs = self.query.as_deref().unwrap_or_default().split('&');
        let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(key, _)| *key == name).and_then(|(_, value)| percent_decode(&value.replace('+', " ")))
    }

    /// The first field of that lower-case name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.fields(name).next()
    }

    pub(super) fn fields(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

/// An answer, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminResponse {
    /// From 200 to 599.
    pub status: u16,
    /// Of the body, if there is one.
    pub content_type: &'static str,
    /// More header fields; neither names nor values from a request.
    pub headers: Vec<(&'static str, String)>,
    /// Sent with its length.
    pub body: Vec<u8>,
}

impl AdminResponse {
    /// No body.
    pub fn empty(status: u16) -> Self {
        Self::new(status, "", Vec::new())
    }

    /// A line of plain text.
    pub fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{text}\n").into_bytes())
    }

    /// A JSON document.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string().into_bytes())
    }

    /// `{"message": …}`.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    /// Any body.
    pub fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, headers: Vec::new(), body }
    }

    /// The same with one more header field.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The text that `%XX` stand for, if they stand for text.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { digit(bytes.next()?)? << 4 | digit(bytes.next()?)? } else { byte });
    }
    String::from_utf8(decoded).ok()
}

/// A text as the value of a query parameter.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
