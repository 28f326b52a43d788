//! The ways in: how a connection begins, which protocol it carries, and what is known of the client then.

/// One way in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) protocol: Protocol,
    pub(super) tls: bool,
    pub(super) proxy: Option<Proxy>,
    pub(super) before: Before,
}

/// What requests look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Plain HTTP/1.1.
    Lane,
    /// HTTP/1.1 that the lane leaves to the session because of this line.
    Session(&'static str),
    /// HTTP/1.0 on a connection that is to stay open.
    Http10,
    /// A stream of an HTTP/2 connection.
    Http2,
}

/// What comes over the connection before each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// Another request, whose answer has been read.
    Answered,
    /// Another request, in the same write.
    Pipelined,
}

/// A PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    One4,
    One6,
    OneUnknown,
    Two4,
    Two6,
    TwoLocal,
    /// IPv4, and type-length-values that nobody here knows.
    TwoMore,
}

/// The way that all others are compared with.
pub(super) const LANE: Way = Way { protocol: Protocol::Lane, tls: false, proxy: None, before: Before::Nothing };

impl Way {
    /// The same with other requests.
    pub(super) const fn speaking(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// The same under TLS.
    pub(super) const fn under_tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// The same behind a PROXY header.
    pub(super) const fn behind(self, proxy: Proxy) -> Self {
        Self { proxy: Some(proxy), ..self }
    }

    /// The same with something before each request.
    pub(super) const fn after(self, before: Before) -> Self {
        Self { before, ..self }
    }

    pub(super) const fn is_http2(self) -> bool {
        matches!(self.protocol, Protocol::Http2)
    }

    /// The client's address as it must be known.
    pub(super) fn client(self) -> &'static str {
        match self.proxy {
            None | Some(Proxy::OneUnknown | Proxy::TwoLocal) => "127.0.0.1",
            Some(Proxy::One4 | Proxy::Two4 | Proxy::TwoMore) => "192.0.2.7",
            Some(Proxy::One6 | Proxy::Two6) => "2001:db8::7",
        }
    }

    pub(super) const fn scheme(self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The metric's and the access log's name of the way that a request takes.
    pub(super) const fn name(self, has_body: bool) -> &'static str {
        match self.protocol {
            Protocol::Http2 => "http2",
            Protocol::Lane if !has_body => "lane",
            _ => "session",
        }
    }

    /// What the listener needs.
    pub(super) fn listener(self) -> String {
        let tls = if self.tls { "tls = { certificate = \"chain.pem\", private_key = \"key.pem\" }\n" } else { "" };
        let proxy = if self.proxy.is_some() { "proxy_protocol = true\n" } else { "" };
        format!("{tls}{proxy}")
    }
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

impl Proxy {
    /// The header's bytes.
    pub(super) fn header(self) -> Vec<u8> {
        let four = [192, 0, 2, 7, 192, 0, 2, 1, 0x12, 0x67, 0, 80];
        let six = [SIX, SIX, [0; 16]].concat();
        match self {
            Self::One4 => b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n".to_vec(),
            Self::One6 => b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n".to_vec(),
            Self::OneUnknown => b"PROXY UNKNOWN\r\n".to_vec(),
            Self::Two4 => two(0x21, 0x11, &four),
            Self::Two6 => two(0x21, 0x21, &six[..36]),
            Self::TwoLocal => two(0x20, 0, b""),
            Self::TwoMore => two(0x21, 0x11, &[&four[..], b"\x04\x00\x03abc\xE0\x00\x01x"].concat()),
        }
    }
}

/// 2001:db8::7.
const SIX: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

fn two(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.extend([command, family]);
    header.extend((rest.len() as u16).to_be_bytes());
    header.extend(rest);
    header
}
