//! The head of an answer, from HTTP/2's form into the lines that everything behind reads.
//!
//! The `h2` crate refuses fields of a connection, and lengths that contradict each other or the body.

use http::Response;
use http::header::CONTENT_LENGTH;
use sluice_api::Verb;

use super::super::head::{AnswerHead, BodyEnd, MAX_FIELDS, Malformed};

/// The head of an answer whose body is empty if `ended`.
pub(super) fn head<B>(response: &Response<B>, verb: Verb, ended: bool) -> Result<AnswerHead, Malformed> {
    let status = response.status().as_u16();
    let fields = response.headers();
    if !(200..600).contains(&status) || fields.len() > MAX_FIELDS {
        return Err(Malformed);
    }
    let mut lines = Vec::with_capacity(fields.len() * 48);
    for (name, value) in fields {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    let length = match fields.get(CONTENT_LENGTH) {
        Some(value) => Some(value.to_str().ok().and_then(|v| v.parse().ok()).ok_or(Malformed)?),
        None => None,
    };
    let end = match (status, length) {
        (204 | 304, _) => BodyEnd::Bodiless,
        _ if verb == Verb::Head => BodyEnd::Bodiless,
        (_, Some(n)) => BodyEnd::Length(n),
        (_, None) if ended => BodyEnd::Length(0),
        (_, None) => BodyEnd::Stream,
    };
    Ok(AnswerHead { status, fields: lines.into(), end, stated_length: length, keep_alive: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(status: u16, length: Option<&str>) -> Response<()> {
        let response = Response::builder().status(status).header("a", "b");
        length.iter().fold(response, |r, n| r.header("content-length", *n)).body(()).unwrap()
    }

    #[test]
    fn bodies_end_as_head_and_stream_say() {
        let end = |response, verb, ended| head(&response, verb, ended).unwrap().end;
        assert_eq!(end(made(200, Some("5")), Verb::Get, false), BodyEnd::Length(5));
        assert_eq!(end(made(200, None), Verb::Get, false), BodyEnd::Stream);
        assert_eq!(end(made(200, None), Verb::Get, true), BodyEnd::Length(0));
        assert_eq!(end(made(204, None), Verb::Get, true), BodyEnd::Bodiless);
        assert_eq!(end(made(304, Some("5")), Verb::Get, true), BodyEnd::Bodiless);
        let asked = head(&made(200, Some("5")), Verb::Head, true).unwrap();
        assert_eq!((asked.end, asked.stated_length), (BodyEnd::Bodiless, Some(5)));
        assert_eq!(asked.fields, "a: b\r\ncontent-length: 5\r\n");
    }

    #[test]
    fn strange_answers_are_malformed() {
        assert_eq!(head(&made(600, None), Verb::Get, false), Err(Malformed));
        assert_eq!(head(&made(101, None), Verb::Get, false), Err(Malformed));
    }
}
