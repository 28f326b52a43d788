//! A request head in the one form that all stages read: flat bytes and spans into them.
//!
//! The HTTP/1.1 lane points into the bytes it has read; the other ways in copy theirs into a flat buffer. A request
//! that has to wait takes its bytes along, and every span stays good.

use std::borrow::Cow;

use sluice_api::Verb;

use super::field::FieldKind;
use super::fields::Fields;

/// The most header fields that a request may have; the configuration can only lower it.
pub const MAX_FIELDS: usize = 128;
/// The longest head, bytes: spans are 16 bits wide.
pub const MAX_HEAD: usize = 65_535;

/// A piece of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u16,
    len: u16,
}

impl Span {
    /// `start..end`, cut to what a span can hold.
    pub fn new(start: usize, end: usize) -> Self {
        let clip = |n: usize| n.min(MAX_HEAD) as u16;
        Self { start: clip(start), len: clip(end.saturating_sub(start)) }
    }

    /// Where `inner`, a part of `outer`, lies in it.
    #[inline]
    pub fn within(outer: &[u8], inner: &[u8]) -> Self {
        let start = (inner.as_ptr() as usize).wrapping_sub(outer.as_ptr() as usize);
        Self::new(start, start.wrapping_add(inner.len()))
    }

    /// The bytes; empty should the span not fit.
    #[inline]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start()..self.end()).unwrap_or_default()
    }

    /// Has no bytes.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// First byte's place.
    pub fn start(self) -> usize {
        usize::from(self.start)
    }

    /// The place behind the last byte.
    pub fn end(self) -> usize {
        usize::from(self.start) + usize::from(self.len)
    }
}

/// A header field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// What Sluice knows it as.
    pub kind: FieldKind,
    /// Its name as received.
    pub name: Span,
    /// Its value without surrounding blanks.
    pub value: Span,
}

/// The protocol's version as the request stated it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// As `$context.protocol` prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
            Version::Http2 => "HTTP/2.0",
        }
    }
}

/// A request's head.
#[derive(Clone, Debug)]
pub struct Head<'b> {
    bytes: Cow<'b, [u8]>,
    method: Span,
    path: Span,
    query: Option<Span>,
    host: Span,
    present: u64,
    fields: Fields,
    /// One of API Gateway's verbs, or none of them.
    pub verb: Option<Verb>,
    /// The protocol's version.
    pub version: Version,
    /// The client wants the connection closed.
    pub close: bool,
    /// A body follows.
    pub has_body: bool,
}

impl<'b> Head<'b> {
    /// A head over `bytes` with nothing in it yet.
    pub fn new(bytes: Cow<'b, [u8]>, version: Version) -> Self {
        Self {
            bytes,
            method: Span::default(),
            path: Span::default(),
            query: None,
            host: Span::default(),
            present: 0,
            fields: Fields::new(),
            verb: None,
            version,
            close: false,
            has_body: false,
        }
    }

    /// A head that another parser has read, copied into a flat buffer; `None` when it is too long or has too many fields.
    pub fn flat<'f>(
        version: Version,
        method: &[u8],
        target: &[u8],
        host: &[u8],
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    ) -> Option<Head<'static>> {
        let (mut bytes, mut head) = (Vec::with_capacity(512), Head::new(Cow::Borrowed(&[]), version));
        let spans = head.copy_into(&mut bytes, [method, target, host], fields)?;
        head.set(Cow::Owned(bytes), spans);
        Some(head)
    }

    /// Reads such a head into this one, which is new. Its bytes are copied into `buffer`, whatever was there before.
    pub fn fill<'f>(
        &mut self,
        buffer: &'b mut Vec<u8>,
        method: &[u8],
        target: &[u8],
        host: &[u8],
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    ) -> Option<()> {
        buffer.clear();
        let spans = self.copy_into(buffer, [method, target, host], fields)?;
        self.set(Cow::Borrowed(buffer), spans);
        Some(())
    }

    fn copy_into<'f>(
        &mut self,
        bytes: &mut Vec<u8>,
        line: [&[u8]; 3],
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    ) -> Option<[Span; 3]> {
        let mut copy = |part: &[u8]| {
            let start = bytes.len();
            bytes.extend_from_slice(part);
            Span::new(start, bytes.len())
        };
        let spans = line.map(&mut copy);
        for (name, value) in fields {
            let field = Field { kind: FieldKind::of(name), name: copy(name), value: copy(value) };
            if !self.push(field) {
                return None;
            }
        }
        (bytes.len() <= MAX_HEAD).then_some(spans)
    }

    fn set(&mut self, bytes: Cow<'b, [u8]>, [method, target, host]: [Span; 3]) {
        self.bytes = bytes;
        self.set_method(method);
        self.set_target(target);
        self.set_host(host);
    }

    /// How many fields there are.
    pub fn field_count(&self) -> usize {
        self.fields.len()
    }

    /// Sets the method.
    pub fn set_method(&mut self, method: Span) {
        self.method = method;
        self.verb = Verb::from_bytes(method.of(&self.bytes)).filter(|v| *v != Verb::Any);
    }

    /// Sets what a request line says that was read to its parts.
    #[inline]
    pub fn set_line(&mut self, verb: Verb, method: Span, path: Span, query: Option<Span>) {
        (self.verb, self.method) = (Some(verb), method);
        (self.path, self.query) = (path, query);
    }

    /// Forgets all but its bytes and its version.
    pub fn clear(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        *self = Self::new(bytes, self.version);
    }

    /// Sets path and query from an origin-form target.
    pub fn set_target(&mut self, target: Span) {
        let bytes = target.of(&self.bytes);
        let start = target.start();
        match memchr::memchr(b'?', bytes) {
            Some(at) => {
                let end = start + bytes.len();
                self.path = Span::new(start, start + at);
                self.query = Some(Span::new(start + at + 1, end));
            }
            None => (self.path, self.query) = (target, None),
        }
    }

    /// Sets a path and a query that do not stand behind each other.
    pub fn set_root(&mut self, path: Span, query: Option<Span>) {
        (self.path, self.query) = (path, query);
    }

    /// Sets the host that the request is for.
    pub fn set_host(&mut self, host: Span) {
        self.host = host;
    }

    /// Appends a field; `false` when there are too many.
    pub fn push(&mut self, field: Field) -> bool {
        self.present |= field.kind.bit();
        self.fields.push(field)
    }

    /// The bytes that spans point into.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The request method as it was sent.
    pub fn method(&self) -> &[u8] {
        self.method.of(&self.bytes)
    }

    /// The answer has no body whatever its head says: the method on the wire is HEAD, whatever is executed.
    #[inline]
    pub fn is_head(&self) -> bool {
        self.method() == b"HEAD"
    }

    /// The path, undecoded.
    #[inline]
    pub fn path(&self) -> &[u8] {
        self.path.of(&self.bytes)
    }

    /// The path's span.
    pub fn path_span(&self) -> Span {
        self.path
    }

    /// The query without its question mark; `None` where there was none.
    #[inline]
    pub fn query(&self) -> Option<&[u8]> {
        self.query.map(|q| q.of(&self.bytes))
    }

    /// Host, with a port if one was named.
    #[inline]
    pub fn host(&self) -> &[u8] {
        self.host.of(&self.bytes)
    }

    /// All fields in the order of arrival.
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = (FieldKind, &[u8], &[u8])> {
        self.fields.iter().map(|f| (f.kind, f.name.of(&self.bytes), f.value.of(&self.bytes)))
    }

    /// A field of this kind was sent.
    #[inline]
    pub fn has(&self, kind: FieldKind) -> bool {
        self.present & kind.bit() != 0
    }

    /// One of the kinds in `set` was sent.
    #[inline]
    pub fn has_any(&self, set: u64) -> bool {
        self.present & set != 0
    }

    /// The last value of a known field, as AWS's single-value view has it.
    #[inline]
    pub fn value(&self, kind: FieldKind) -> Option<&[u8]> {
        if !self.has(kind) {
            return None;
        }
        self.fields.iter().rev().find(|f| f.kind == kind).map(|f| f.value.of(&self.bytes))
    }

    /// All values of a known field.
    pub fn values(&self, kind: FieldKind) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.fields.iter().filter(move |f| f.kind == kind).map(|f| f.value.of(&self.bytes))
    }

    /// The last value of the field `name`, in any case.
    pub fn value_named(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.fields.iter().rev().find(|f| f.name.of(&self.bytes).eq_ignore_ascii_case(name));
        found.map(|f| f.value.of(&self.bytes))
    }

    /// Forgets what lies behind the head's `len` bytes.
    #[inline]
    pub fn shorten(&mut self, len: usize) {
        if let Cow::Borrowed(bytes) = self.bytes {
            self.bytes = Cow::Borrowed(bytes.get(..len).unwrap_or(bytes));
        }
    }

    /// The same head with bytes of its own, for a request that has to wait.
    pub fn into_owned(self) -> Head<'static> {
        Head {
            bytes: Cow::Owned(self.bytes.into_owned()),
            method: self.method,
            path: self.path,
            query: self.query,
            host: self.host,
            present: self.present,
            fields: self.fields,
            verb: self.verb,
            version: self.version,
            close: self.close,
            has_body: self.has_body,
        }
    }
}
