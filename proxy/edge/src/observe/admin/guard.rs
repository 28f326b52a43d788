//! Who may speak to the admin listener: whoever shows the token, and no web page on someone else's behalf.
//!
//! Without a token a loopback listener is open to every program on the machine, a browser among them. So the host asked
//! for must be an address or `localhost`: a page's own name that is made to point here (DNS rebinding) is neither. A page
//! cannot know the token, so with one any name will do; and it cannot reach a UNIX socket. Requests that say that they
//! come from another site's page are refused in any case.

use std::hint::black_box;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::message::{AdminRequest, AdminResponse};

/// What callers must show as `Authorization: Bearer …`. Its copies are one token, and change together.
#[derive(Clone)]
pub struct Token(Arc<ArcSwap<Box<[u8]>>>);

impl Token {
    /// Takes a token over, without white space around it; `None` if nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(Arc::new(ArcSwap::from_pointee(text.as_bytes().into()))))
    }

    /// Reads a token from its file.
    ///
    /// # Errors
    /// The file cannot be read, is not text, or is empty.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Self::new(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the token file is empty"))
    }

    /// Is what `other` is from now on.
    pub fn become_same(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// Compares in a time that depends on the lengths only.
    fn is(&self, shown: &[u8]) -> bool {
        let ours = self.0.load();
        let difference = ours.iter().zip(shown).fold(0, |all, (ours, theirs)| black_box(all | (ours ^ theirs)));
        ours.len() == shown.len() && difference == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Lets a request's head through or not.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) token: Option<Token>,
    /// Whether a browser could reach the listener.
    pub(super) is_network: bool,
}

impl Guard {
    pub(super) fn check(&self, request: &AdminRequest) -> Result<(), AdminResponse> {
        let host = host(request)?;
        if self.token.is_none() && self.is_network && !is_plain_host(&host) {
            return Err(AdminResponse::error(403, "the host must be an address or localhost"));
        }
        if is_cross_site(request, &host) {
            return Err(AdminResponse::error(403, "requests from other sites are refused"));
        }
        self.check_token(request)
    }

    fn check_token(&self, request: &AdminRequest) -> Result<(), AdminResponse> {
        let Some(token) = &self.token else { return Ok(()) };
        if request.header("authorization").and_then(bearer).is_some_and(|shown| token.is(shown)) {
            return Ok(());
        }
        let refusal = AdminResponse::error(401, "a bearer token is needed");
        Err(refusal.with_header("WWW-Authenticate", "Bearer realm=\"sluice\"".into()))
    }
}

/// The one Host field.
fn host(request: &AdminRequest) -> Result<String, AdminResponse> {
    let mut fields = request.fields("host");
    match (fields.next(), fields.next()) {
        (Some(host), None) => Ok(String::from_utf8_lossy(host).to_ascii_lowercase()),
        _ => Err(AdminResponse::error(400, "one Host field is needed")),
    }
}

fn is_plain_host(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

fn is_cross_site(request: &AdminRequest, host: &str) -> bool {
    let origin_differs = request.fields("origin").any(|origin| !is_own_origin(origin, host));
    let site_differs = request.fields("sec-fetch-site").any(|site| site != b"same-origin" && site != b"none");
    origin_differs || site_differs
}

fn is_own_origin(origin: &[u8], host: &str) -> bool {
    let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_bytes()))
}

fn bearer(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = credentials.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(fields: &[(&str, &str)]) -> AdminRequest {
        let headers = fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        AdminRequest { headers, ..AdminRequest::default() }
    }

    fn status(guard: &Guard, fields: &[(&str, &str)]) -> u16 {
        guard.check(&asking(fields)).map_or_else(|refusal| refusal.status, |()| 200)
    }

    fn open() -> Guard {
        Guard { token: None, is_network: true }
    }

    #[test]
    fn only_addresses_and_localhost_are_hosts_without_a_token() {
        for host in ["127.0.0.1", "127.0.0.1:9901", "[::1]:9901", "[::1]", "localhost:9901", "LOCALHOST"] {
            assert_eq!(status(&open(), &[("host", host)]), 200, "{host}");
        }
        for host in ["evil.example:9901", "127.0.0.1.evil.example", "localhost.evil.example", "", "[", "1.2.3"] {
            assert_eq!(status(&open(), &[("host", host)]), 403, "{host}");
        }
        let socket = Guard { token: None, is_network: false };
        assert_eq!(status(&socket, &[("host", "sluice")]), 200);
    }

    #[test]
    fn exactly_one_host_is_needed() {
        assert_eq!(status(&open(), &[]), 400);
        assert_eq!(status(&open(), &[("host", "localhost"), ("host", "localhost")]), 400);
    }

    #[test]
    fn other_sites_are_refused_and_the_own_page_is_not() {
        let host = ("host", "localhost:9901");
        assert_eq!(status(&open(), &[host, ("origin", "http://localhost:9901")]), 200);
        assert_eq!(status(&open(), &[host, ("sec-fetch-site", "same-origin")]), 200);
        for origin in ["https://evil.example", "null", "http://localhost:3000", ""] {
            assert_eq!(status(&open(), &[host, ("origin", origin)]), 403, "{origin}");
        }
        assert_eq!(status(&open(), &[host, ("sec-fetch-site", "cross-site")]), 403);
    }

    #[test]
    fn the_token_and_nothing_like_it() {
        let guard = Guard { token: Token::new("s3cret\n"), is_network: true };
        let with = |credentials| status(&guard, &[("host", "gateway.internal"), ("authorization", credentials)]);
        assert_eq!(with("Bearer s3cret"), 200);
        assert_eq!(with("bearer s3cret"), 200);
        for wrong in ["Bearer s3cre", "Bearer s3cret1", "Bearer", "Bearer ", "Basic s3cret", "", "Béarer x"] {
            assert_eq!(with(wrong), 401, "{wrong}");
        }
        assert_eq!(status(&guard, &[("host", "localhost")]), 401);
    }

    #[test]
    fn an_empty_token_is_none_and_none_is_shown() {
        assert!(Token::new(" \n").is_none());
        assert_eq!(format!("{:?}", Token::new("s3cret")), "Some(Token(…))");
    }
}
