//! One line of an access log: this gateway's or API Gateway's JSON, or the common and combined formats.

use std::borrow::Cow;

use serde_json::Value;

/// What a line tells about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Microseconds since 1970.
    pub at_us: u64,
    /// The verb.
    pub verb: Cow<'a, str>,
    /// The path; the resource's own where the log has no other.
    pub path: Cow<'a, str>,
    /// The query without its question mark; `None` also where the log does not have it.
    pub query: Option<Cow<'a, str>>,
    /// The answer's status.
    pub status: u16,
    /// Bytes of its body.
    pub bytes: u64,
    /// The API's id.
    pub api: Option<Cow<'a, str>>,
    /// The resource's path.
    pub resource: Option<Cow<'a, str>>,
}

/// Why a line cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Neither a JSON object nor a line with a date in brackets and a request in quotes.
    #[error("it is neither JSON nor the common log format")]
    Format,
    /// No time, or one that is none.
    #[error("it has no time")]
    Time,
    /// No verb, path or status.
    #[error("it has no verb, path or status")]
    Request,
}

impl<'a> Line<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// What it lacks.
    pub fn parse(text: &'a str) -> Result<Self, Unreadable> {
        match text.trim_start().starts_with('{') {
            true => json(text),
            false => common(text),
        }
    }
}

fn json(text: &str) -> Result<Line<'static>, Unreadable> {
    let object: Value = serde_json::from_str(text).map_err(|_| Unreadable::Format)?;
    let text = |names: &[&str]| names.iter().find_map(|name| told(object.get(name)?));
    let number = |names: &[&str]| text(names).and_then(|text| text.parse::<u64>().ok());
    let micros = number(&["requestTimeEpochMicros"]);
    let millis = || number(&["requestTimeEpoch"]).map(|ms| ms * 1_000);
    let clf = || clf_time(&text(&["requestTime", "time_local", "time"])?);
    let resource = text(&["resourcePath"]);
    Ok(Line {
        at_us: micros.or_else(millis).or_else(clf).ok_or(Unreadable::Time)?,
        verb: text(&["httpMethod", "request_method", "method"]).ok_or(Unreadable::Request)?.into(),
        path: text(&["path", "uri"]).or_else(|| resource.clone()).ok_or(Unreadable::Request)?.into(),
        query: text(&["queryString", "query_string", "args"]).map(Cow::from),
        status: number(&["status"]).and_then(|n| u16::try_from(n).ok()).ok_or(Unreadable::Request)?,
        bytes: number(&["responseLength", "body_bytes_sent", "bytes"]).unwrap_or(0),
        api: text(&["apiId"]).map(Cow::from),
        resource: resource.map(Cow::from),
    })
}

/// A value that says something; `-` is AWS's word for nothing.
fn told(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() || text == "-" => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `HOST IDENT USER [DATE] "VERB TARGET PROTOCOL" STATUS BYTES …`
fn common(text: &str) -> Result<Line<'_>, Unreadable> {
    let (_, rest) = text.split_once('[').ok_or(Unreadable::Format)?;
    let (date, rest) = rest.split_once(']').ok_or(Unreadable::Format)?;
    let (_, rest) = rest.split_once('"').ok_or(Unreadable::Format)?;
    let (request, rest) = rest.split_once('"').ok_or(Unreadable::Format)?;
    let mut request = request.split(' ');
    let (verb, target) = request.next().zip(request.next()).ok_or(Unreadable::Request)?;
    let mut numbers = rest.split_ascii_whitespace();
    let status = numbers.next().and_then(|n| n.parse().ok()).ok_or(Unreadable::Request)?;
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    Ok(Line {
        at_us: clf_time(date).ok_or(Unreadable::Time)?,
        verb: verb.into(),
        path: path.into(),
        query: query.map(Cow::from),
        status,
        bytes: numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0),
        api: None,
        resource: None,
    })
}

/// `10/Oct/2000:13:55:36 -0700`, microseconds since 1970.
fn clf_time(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (moment, zone) = text.trim().split_once(' ')?;
    let mut parts = moment.split(['/', ':']);
    let mut next = || parts.next();
    let day: i64 = next()?.parse().ok()?;
    let month = next().and_then(|name| MONTHS.iter().position(|month| *month == name))? as i64 + 1;
    let mut number = || next()?.parse::<i64>().ok();
    let (year, hour, minute, second) = (number()?, number()?, number()?, number()?);
    let valid = (1..=31).contains(&day) && (1970..3000).contains(&year) && hour < 24 && minute < 60 && second < 61;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    u64::try_from(seconds).ok().filter(|_| valid).map(|seconds| seconds * 1_000_000)
}

/// `+0130`, seconds.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: i64 = zone.get(1..).filter(|digits| digits.len() == 4)?.parse().ok()?;
    Some(sign * (digits / 100 * 3_600 + digits % 100 * 60))
}

/// Days from 1970 to a date of the Gregorian calendar.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_combined_format() {
        let text =
            r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a%20b?x=1&y HTTP/1.0" 200 2326 "-" "Moz [x]""#;
        let line = Line::parse(text).unwrap();
        assert_eq!(line.at_us, 971_211_336_000_000);
        assert_eq!((&*line.verb, &*line.path, line.query.as_deref()), ("GET", "/a%20b", Some("x=1&y")));
        assert_eq!((line.status, line.bytes), (200, 2326));
        assert_eq!(Line::parse(&text.replace(" 2326", " -")).unwrap().bytes, 0);
    }

    #[test]
    fn this_gateways_json_and_aws_own() {
        let text = r#"{"httpMethod":"GET","resourcePath":"/pets/{id}","status":"200","responseLength":"350","path":"/pets/7",
            "requestTimeEpochMicros":1798761599000001,"apiId":"pets","queryString":"-"}"#;
        let line = Line::parse(text).unwrap();
        assert_eq!((line.at_us, &*line.path, line.bytes), (1_798_761_599_000_001, "/pets/7", 350));
        assert_eq!((line.api.as_deref(), line.resource.as_deref()), (Some("pets"), Some("/pets/{id}")));
        assert_eq!(line.query, None);
        let aws = r#"{"requestTime":"31/Dec/2026:23:59:59 +0000","httpMethod":"GET","resourcePath":"/pets","status":"200",
            "responseLength":"9"}"#;
        let line = Line::parse(aws).unwrap();
        assert_eq!((line.at_us, &*line.path), (1_798_761_599_000_000, "/pets"));
    }

    #[test]
    fn what_is_no_request_is_told() {
        assert_eq!(Line::parse("hello"), Err(Unreadable::Format));
        assert_eq!(Line::parse("{"), Err(Unreadable::Format));
        assert_eq!(Line::parse("{}"), Err(Unreadable::Time));
        assert_eq!(Line::parse(r#"a [10/Oct/2000:13:55:36 -0700] "-" 400 0"#), Err(Unreadable::Request));
        assert_eq!(Line::parse(r#"a [10/Foo/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 0"#), Err(Unreadable::Time));
        assert_eq!(Line::parse(r#"a [99/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 0"#), Err(Unreadable::Time));
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2024, 2, 29), 19_782);
    }
}
