//! The fixed answer of a `MOCK` integration.

use std::collections::BTreeSet;

use sluice_api::{MockIntegration, Profile};

use crate::config::keys::api as keys;
use crate::config::rules;
use crate::config::table::{Located, Table};

/// Fields that belong to a connection or to the framing: the gateway sets them itself.
const OWN_FIELDS: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields of every answer, which says by them when it was made and which request it answers.
const OWN_ANSWER_FIELDS: &[&str] = &["date", "x-amzn-requestid", "x-amz-apigw-id"];

pub(super) fn read(table: &Table<'_>, profile: Profile) -> MockIntegration {
    let status = table.integer(&keys::STATUS).and_then(|n| u16::try_from(n).ok()).unwrap_or(200);
    let body = table.text(&keys::BODY).unwrap_or_default();
    if matches!(status, 204 | 205 | 304) && !body.is_empty() {
        let message = format!("an answer with status {status} has no body");
        let at = table.place(&keys::BODY);
        table.report().strict(profile, &rules::NO_EFFECT, at, message, "remove 'body', or choose another status");
    }
    MockIntegration { status, headers: headers(table), body }
}

fn headers(table: &Table<'_>) -> Vec<(String, String)> {
    let mut names = BTreeSet::new();
    let mut fields = Vec::new();
    for (name, value) in table.texts(&keys::HEADERS) {
        if field(table, &name, &value, &mut names) {
            fields.push((name.value.to_owned(), value.value.to_owned()));
        }
    }
    fields
}

fn field(table: &Table<'_>, name: &Located<&str>, value: &Located<&str>, names: &mut BTreeSet<String>) -> bool {
    let lower = name.value.to_ascii_lowercase();
    let before = table.report();
    if !is_token(name.value) {
        let message = format!("'{}' is no header name", name.value);
        before.error(&rules::BAD_HEADER, name.at, message, "names have letters, digits and !#$%&'*+-.^_`|~");
    } else if is_own(&lower) || OWN_ANSWER_FIELDS.contains(&lower.as_str()) {
        let message = format!("the gateway sets '{}' itself", name.value);
        before.error(&rules::BAD_HEADER, name.at, message, "remove it");
    } else if !is_field_value(value.value) {
        let message = format!("the value of '{}' has characters that a header cannot hold", name.value);
        before.error(&rules::BAD_HEADER, value.at, message, "write visible ASCII characters, spaces within");
    } else if !names.insert(lower) {
        let message = format!("'{}' stands there twice", name.value);
        before.error(&rules::DUPLICATE, name.at, message, "write it once");
    } else {
        return true;
    }
    false
}

/// A lower-case name of a field that only the gateway sets.
pub(super) fn is_own(lower: &str) -> bool {
    OWN_FIELDS.contains(&lower)
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(good)
}

/// RFC 9110 §5.5, without obs-text.
pub(super) fn is_field_value(text: &str) -> bool {
    text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) && text.trim_matches([' ', '\t']) == text
}
