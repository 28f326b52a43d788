//! A line's format, compiled once: literal text and variables.

use super::line::{Escape, Line};
use super::record::AccessRecord;
use super::variable::Variable;

/// AWS's JSON preset, whose values are all strings, and after it what AWS leaves out.
const JSON: &str = concat!(
    r#"{"requestId":"$context.requestId","extendedRequestId":"$context.extendedRequestId","#,
    r#""ip":"$context.identity.sourceIp","caller":"$context.identity.caller","user":"$context.identity.user","#,
    r#""requestTime":"$context.requestTime","httpMethod":"$context.httpMethod","#,
    r#""resourcePath":"$context.resourcePath","status":"$context.status","protocol":"$context.protocol","#,
    r#""responseLength":"$context.responseLength","requestTimeEpochMicros":$context.requestTimeEpochMicros,"#,
    r#""responseLatency":$context.responseLatency,"responseLatencyMicros":$context.responseLatencyMicros,"#,
    r#""integrationLatency":$context.integrationLatency,"integrationStatus":$context.integrationStatus,"#,
    r#""integrationError":"$context.integration.error","apiId":"$context.apiId","stage":"$context.stage","#,
    r#""domainName":"$context.domainName","path":"$context.path","userAgent":"$context.identity.userAgent","#,
    r#""cacheStatus":"$context.cacheStatus","brokenOff":"$context.brokenOff","errorType":"$context.error.responseType","#,
    r#""errorMessage":"$context.error.message","way":"$context.way"}"#,
);

/// AWS's common log format preset.
const CLF: &str = concat!(
    "$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime] ",
    "\"$context.httpMethod $context.resourcePath $context.protocol\" $context.status $context.responseLength ",
    "$context.requestId $context.extendedRequestId",
);

const PREFIX: &str = "$context.";

/// A format ready for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextFormat {
    parts: Vec<Part>,
    escape: Escape,
}

/// A format names a variable that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("$context.{0} is not known")]
pub struct UnknownVariable(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Variable {
        variable: Variable,
        /// What stands for a value that is absent.
        absent: &'static [u8],
    },
}

impl ContextFormat {
    /// Compiles a text in which `$context.NAME` stands for a value, and line breaks for spaces.
    ///
    /// A text that begins with `{` is JSON: values are escaped as in a JSON string, and an absent one outside of quotes
    /// is `null`. In any other text quotes, backslashes, controls and bytes outside ASCII are written as `\xNN`.
    ///
    /// # Errors
    /// The first variable that is not known.
    pub fn compile(text: &str) -> Result<Self, UnknownVariable> {
        let text = text.trim().replace(['\r', '\n'], " ");
        let escape = if text.starts_with('{') { Escape::Json } else { Escape::Text };
        let mut parts = Vec::new();
        let mut pieces = text.split(PREFIX);
        push_literal(&mut parts, pieces.next().unwrap_or_default());
        for piece in pieces {
            let (name, literal) = piece.split_at(name_length(piece));
            let variable = Variable::named(name).ok_or_else(|| UnknownVariable(name.to_owned()))?;
            let bare = escape == Escape::Json && !within_quotes(&parts);
            parts.push(Part::Variable { variable, absent: if bare { b"null" } else { b"-" } });
            push_literal(&mut parts, literal);
        }
        Ok(Self { parts, escape })
    }

    /// AWS's JSON preset with more keys after it: `requestTimeEpochMicros`, latencies, `cacheStatus` and others.
    pub fn json() -> Self {
        Self::preset(JSON)
    }

    /// AWS's common log format preset.
    pub fn clf() -> Self {
        Self::preset(CLF)
    }

    /// Appends a line, its end included; `false` and nothing if `out` would pass `limit` bytes.
    pub(super) fn append(&self, record: &AccessRecord<'_>, out: &mut Vec<u8>, limit: usize) -> bool {
        let mut line = Line::new(out, limit);
        for part in &self.parts {
            match part {
                Part::Literal(text) => line.raw(text.as_bytes()),
                Part::Variable { variable, absent } => line.value(variable.read(record), self.escape, absent),
            }
        }
        line.finish()
    }

    #[expect(clippy::expect_used, reason = "a test compiles every preset")]
    fn preset(text: &str) -> Self {
        Self::compile(text).expect("a preset names known variables only")
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Literal(text.into()));
    }
}

/// How far a variable's name goes: a full stop at its end belongs to the text.
fn name_length(piece: &str) -> usize {
    let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_').unwrap_or(piece.len());
    piece.get(..end).unwrap_or_default().trim_end_matches('.').len()
}

/// Whether the JSON text so far has an open string.
fn within_quotes(parts: &[Part]) -> bool {
    let literals = parts.iter().filter_map(|part| match part {
        Part::Literal(text) => Some(text.as_bytes()),
        Part::Variable { .. } => None,
    });
    let mut open = false;
    let mut escaped = false;
    for byte in literals.flatten() {
        open ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
    }
    open
}
