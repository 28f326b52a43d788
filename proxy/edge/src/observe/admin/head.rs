//! A request's head: strictly HTTP/1, and nothing that leaves the end of the body in doubt.

use super::message::{AdminRequest, AdminResponse};

/// Header fields at most.
const FIELDS: usize = 64;

/// A head that was understood.
#[derive(Debug)]
pub(super) struct Head {
    /// Without its body.
    pub(super) request: AdminRequest,
    /// Bytes of the head.
    pub(super) length: usize,
    /// Bytes of the body.
    pub(super) body_length: usize,
    /// The connection may go on afterwards.
    pub(super) keep_alive: bool,
}

/// Reads a head off the front of `bytes`; `None` if its end is not there yet.
///
/// # Errors
/// The answer to a head that is not understood, or to a body above `body_limit`.
pub(super) fn parse(bytes: &[u8], body_limit: usize) -> Result<Option<Head>, AdminResponse> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(AdminResponse::error(431, "too many header fields")),
        Err(_) => return Err(AdminResponse::error(400, "the request is not HTTP")),
    };
    let request = request(&parsed)?;
    let body_length = body_length(&request, body_limit)?;
    let keep_alive = parsed.version == Some(1) && !wants_close(&request);
    Ok(Some(Head { request, length, body_length, keep_alive }))
}

fn request(parsed: &httparse::Request<'_, '_>) -> Result<AdminRequest, AdminResponse> {
    let target = parsed.path.filter(|target| target.starts_with('/') && target.is_ascii());
    let target = target.ok_or_else(|| AdminResponse::error(400, "the target must be a path"))?;
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let lowered = |field: &httparse::Header<'_>| (field.name.to_ascii_lowercase(), field.value.to_vec());
    Ok(AdminRequest {
        verb: parsed.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query,
        headers: parsed.headers.iter().map(lowered).collect(),
        ..AdminRequest::default()
    })
}

fn body_length(request: &AdminRequest, limit: usize) -> Result<usize, AdminResponse> {
    if request.header("transfer-encoding").is_some() {
        return Err(AdminResponse::error(501, "transfer codings are not understood here"));
    }
    let mut fields = request.fields("content-length");
    let length = match (fields.next(), fields.next()) {
        (None, _) => 0,
        (Some(field), None) => decimal(field)?,
        _ => return Err(AdminResponse::error(400, "more than one Content-Length")),
    };
    if length > limit {
        return Err(AdminResponse::error(413, "the body is too large"));
    }
    Ok(length)
}

/// Digits only; a number past counting is as good as the largest.
fn decimal(field: &[u8]) -> Result<usize, AdminResponse> {
    let digits = std::str::from_utf8(field).ok().filter(|text| !text.is_empty());
    let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let digits = digits.ok_or_else(|| AdminResponse::error(400, "Content-Length is not a number"))?;
    Ok(digits.parse().unwrap_or(usize::MAX))
}

fn wants_close(request: &AdminRequest) -> bool {
    let options = request.fields("connection").flat_map(|field| field.split(|byte| *byte == b','));
    options.map(<[u8]>::trim_ascii).any(|option| option.eq_ignore_ascii_case(b"close"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> u16 {
        match parse(format!("{head}\r\n\r\n").as_bytes(), 100) {
            Ok(head) => head.map_or(0, |_| 200),
            Err(refusal) => refusal.status,
        }
    }

    #[test]
    fn bodies_have_one_plain_length() {
        assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 100"), 200);
        assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 101"), 413);
        assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999"), 413);
        assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1"), 400);
        assert_eq!(status("POST / HTTP/1.1\r\nTransfer-Encoding: chunked"), 501);
        for length in ["+1", "-1", "0x1", "1,1", "1 1", ""] {
            assert_eq!(status(&format!("POST / HTTP/1.1\r\nContent-Length: {length}")), 400, "{length}");
        }
    }

    #[test]
    fn targets_are_paths() {
        assert_eq!(status("GET http://localhost/ HTTP/1.1"), 400);
        assert_eq!(status("OPTIONS * HTTP/1.1"), 400);
        assert_eq!(status("GET / HTTP/2.0"), 400);
        assert_eq!(status("garbage"), 400);
    }

    #[test]
    fn fields_are_counted() {
        let fields = "\r\na: b".repeat(FIELDS);
        assert_eq!(status(&format!("GET / HTTP/1.1{fields}")), 200);
        assert_eq!(status(&format!("GET / HTTP/1.1{fields}\r\na: b")), 431);
    }

    #[test]
    fn connections_go_on_unless_told_otherwise() {
        let keeps = |head: &str| parse(head.as_bytes(), 0).unwrap().unwrap().keep_alive;
        assert!(keeps("GET / HTTP/1.1\r\n\r\n"));
        assert!(!keeps("GET / HTTP/1.0\r\n\r\n"));
        assert!(!keeps("GET / HTTP/1.1\r\nConnection: TE, Close\r\n\r\n"));
    }
}
