//! What a purge request says, read from its JSON. Every complaint names the field.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use sluice_api::Verb;
use sluice_cache::invalidate::{Force, Target};
use sluice_cache::notes::{TAG_BYTES, normal_path};
use sluice_cache::tier::disk::Cursor;

use crate::observe::admin::{AdminResponse, percent_encode};

/// Entries that one dry run lists at most.
pub const LISTED: usize = 10_000;

/// Where nothing is said.
const LISTED_BY_DEFAULT: usize = 1_000;

/// Tags, headers and parameters that one purge names at most.
const NAMED: usize = 256;

/// The longest path or URL, bytes.
const PATH_BYTES: usize = 8 * 1024;

/// What is to be purged, where, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Where.
    pub scope: Scope,
    /// What.
    pub what: What,
    /// How thoroughly.
    pub force: Force,
    /// Only to tell what would be taken.
    pub dry_run: bool,
    /// Entries to list.
    pub limit: usize,
    /// Where the last page of a dry run has ended.
    pub from: Reached,
}

/// How far a dry run has come: first memory, then the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Parts of memory that it has seen.
    Memory(usize),
    /// A place in the log under one of the caches that are meant.
    Disk(usize, Cursor),
}

impl Reached {
    const DISK: &str = "disk";

    /// What is sent back for the next page.
    pub fn to_json(self) -> Value {
        match self {
            Self::Memory(parts) => json!(parts),
            Self::Disk(aim, Cursor { segment, offset }) => json!(format!("{}-{aim}-{segment}-{offset}", Self::DISK)),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        if parts.next()? != Self::DISK {
            return None;
        }
        let aim = parts.next()?.parse().ok()?;
        let cursor = Cursor { segment: parts.next()?.parse().ok()?, offset: parts.next()?.parse().ok()? };
        parts.next().is_none().then_some(Self::Disk(aim, cursor))
    }
}

/// Whose caches are meant; all where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// An API's id.
    pub api: Option<String>,
    /// One of its stages.
    pub stage: Option<String>,
}

/// What is to be purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// What requests for a URL find.
    Url(Asked),
    /// What can be told of an entry without its key.
    Covered(Vec<Target>),
}

/// A request whose answer is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `https://host/path?query`, or `/path?query` behind the stage.
    pub url: String,
    /// Every verb where none is named.
    pub verb: Option<Verb>,
    /// Of a path alone.
    pub host: Option<String>,
    /// Fields that are part of the key.
    pub headers: Vec<(String, String)>,
    /// Who would ask; nobody in particular where it is not said.
    pub peer: Option<SocketAddr>,
}

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    /// Its name.
    pub field: String,
    /// What is wrong with it, for the operator.
    pub why: String,
}

impl BadField {
    /// A complaint about a field.
    pub fn new(field: &str, why: impl Into<String>) -> Self {
        Self { field: field.into(), why: why.into() }
    }
}

impl From<BadField> for AdminResponse {
    fn from(BadField { field, why }: BadField) -> Self {
        AdminResponse::json(400, &json!({ "message": format!("'{field}': {why}"), "field": field }))
    }
}

const FIELDS: [&str; 16] = [
    "api",
    "stage",
    "url",
    "verb",
    "host",
    "headers",
    "method",
    "prefix",
    "tag",
    "tags",
    "everything",
    "soft",
    "dry_run",
    "limit",
    "parameters",
    "from",
];

impl Wish {
    /// Reads a request's body.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn read(body: &[u8]) -> Result<Self, BadField> {
        let value: Value = serde_json::from_slice(body).map_err(|e| BadField::new("body", format!("not JSON: {e}")))?;
        let Value::Object(map) = &value else { return Err(BadField::new("body", "a JSON object is needed")) };
        if let Some(unknown) = map.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(BadField::new(unknown, format!("unknown; known are {}", FIELDS.join(", "))));
        }
        Fields(map).wish()
    }
}

struct Fields<'v>(&'v Map<String, Value>);

impl Fields<'_> {
    fn wish(&self) -> Result<Wish, BadField> {
        let scope = Scope { api: self.text("api")?, stage: self.text("stage")? };
        if scope.stage.is_some() && scope.api.is_none() {
            return Err(BadField::new("stage", "say of which 'api'"));
        }
        let limit = self.number("limit", LISTED)?.unwrap_or(LISTED_BY_DEFAULT);
        let from = self.from()?;
        let force = if self.flag("soft")? { Force::Soft } else { Force::Hard };
        Ok(Wish { scope, what: self.what()?, force, dry_run: self.flag("dry_run")?, limit, from })
    }

    fn from(&self) -> Result<Reached, BadField> {
        match self.0.get("from") {
            Some(Value::String(text)) => {
                Reached::read(text).ok_or_else(|| BadField::new("from", "what 'next' has said"))
            }
            _ => Ok(Reached::Memory(self.number("from", usize::MAX)?.unwrap_or(0))),
        }
    }

    /// Exactly one way of saying what.
    fn what(&self) -> Result<What, BadField> {
        const WAYS: [&str; 6] = ["url", "method", "prefix", "tag", "tags", "everything"];
        let mut named = WAYS.into_iter().filter(|name| self.0.contains_key(*name));
        let (Some(way), another) = (named.next(), named.next()) else {
            return Err(BadField::new("url", format!("missing; say what is meant by one of {}", WAYS.join(", "))));
        };
        if let Some(another) = another {
            return Err(BadField::new(another, format!("there is '{way}' already; one of them")));
        }
        let names_a_key = way == "url" || self.0.contains_key("parameters");
        let of_keys = ["verb", "host", "headers"].into_iter().find(|name| self.0.contains_key(*name));
        match of_keys {
            Some("verb" | "headers") if way == "method" => return Err(BadField::new("method", "says so already")),
            Some(only) if !names_a_key => return Err(BadField::new(only, "goes with 'url' or 'parameters' only")),
            _ => {}
        }
        if way != "method" && self.0.contains_key("parameters") {
            return Err(BadField::new("parameters", "go with 'method' only"));
        }
        match way {
            "url" => self.asked().map(What::Url),
            "method" if names_a_key => self.parameters().map(What::Url),
            "method" => self.method().map(|target| What::Covered(vec![target])),
            "prefix" => self.prefix().map(|target| What::Covered(vec![target])),
            "everything" => self.everything().map(|target| What::Covered(vec![target])),
            _ => self.tags().map(What::Covered),
        }
    }

    fn asked(&self) -> Result<Asked, BadField> {
        let url = self.needed("url")?;
        let is_path = url.starts_with('/');
        if !is_path && crate::config::scheme(&url).is_none() {
            return Err(BadField::new("url", "begins with http://, https:// or /"));
        }
        if url.len() > PATH_BYTES || url.bytes().any(|byte| byte <= b' ' || byte == 127 || byte == b'#') {
            return Err(BadField::new("url", "too long, or with a blank, a control character or a fragment in it"));
        }
        let host = self.text("host")?;
        if is_path && self.0.get("stage").is_none() {
            return Err(BadField::new("stage", "a path alone needs 'api' and 'stage'"));
        }
        if !is_path && host.is_some() {
            return Err(BadField::new("host", "the URL has one"));
        }
        Ok(Asked { url, verb: self.verb()?, host, headers: self.headers()?, peer: None })
    }

    /// The request of a method that has these parameters.
    fn parameters(&self) -> Result<Asked, BadField> {
        let bad = |why: String| BadField::new("parameters", why);
        let target = self.method()?;
        let method = String::from_utf8_lossy(target.text()).into_owned();
        let (verb, resource) = method.split_once(' ').unwrap_or_default();
        if self.0.get("stage").is_none() {
            return Err(BadField::new("stage", "parameters need 'api' and 'stage'"));
        }
        let named = self.0.get("parameters").and_then(Value::as_object).filter(|map| map.len() <= NAMED);
        let named = named.ok_or_else(|| bad("an object of texts".into()))?;
        let (mut url, mut query, mut headers) = (resource.to_owned(), Vec::new(), Vec::new());
        for (name, value) in named {
            let value = value.as_str().ok_or_else(|| bad(format!("'{name}' is no text")))?;
            match name.split_once('.') {
                Some(("path", variable)) => {
                    url = fill(&url, variable, value).ok_or_else(|| {
                        bad(format!("'{resource}' has no variable '{variable}', or this is nothing that it can be"))
                    })?
                }
                Some(("query", name)) => query.push(format!("{}={}", percent_encode(name), percent_encode(value))),
                Some(("header", name)) => headers
                    .push(header(name, value).ok_or_else(|| {
                        bad(format!("'{name}' is no name of a field, or its value is no plain text"))
                    })?),
                _ => return Err(bad(format!("'{name}' is none; write path.NAME, query.NAME or header.NAME"))),
            }
        }
        if url.contains('{') {
            return Err(bad(format!("the variables of '{resource}' are not all there")));
        }
        if resource.bytes().any(|byte| byte <= b' ' || byte == 127 || b"?#".contains(&byte)) {
            return Err(BadField::new("method", "no resource has a blank, a control character, '?' or '#' in it"));
        }
        if !query.is_empty() {
            url = format!("{url}?{}", query.join("&"));
        }
        let verb = Verb::from_bytes(verb.as_bytes()).filter(|verb| *verb != Verb::Any);
        Ok(Asked { url, verb, host: self.text("host")?, headers, peer: None })
    }

    fn verb(&self) -> Result<Option<Verb>, BadField> {
        let Some(text) = self.text("verb")? else { return Ok(None) };
        let verb = Verb::from_bytes(text.as_bytes()).filter(|verb| *verb != Verb::Any);
        verb.map(Some).ok_or_else(|| BadField::new("verb", format!("'{text}' is none")))
    }

    fn headers(&self) -> Result<Vec<(String, String)>, BadField> {
        let Some(value) = self.0.get("headers") else { return Ok(Vec::new()) };
        let bad = |why: &str| BadField::new("headers", why);
        let map = value.as_object().filter(|map| map.len() <= NAMED).ok_or_else(|| bad("an object of texts"))?;
        let read = |(name, value): (&String, &Value)| {
            let field = value.as_str().and_then(|value| header(name, value));
            field.ok_or_else(|| bad(&format!("'{name}' is no name or has no plain text")))
        };
        map.iter().map(read).collect()
    }

    fn method(&self) -> Result<Target, BadField> {
        let text = self.needed("method")?;
        let is_method = text.split_once(' ').is_some_and(|(verb, path)| {
            Verb::from_bytes(verb.as_bytes()).is_some() && path.starts_with('/') && path.len() <= PATH_BYTES
        });
        match is_method {
            true => Ok(Target::Method(text.into_bytes().into())),
            false => Err(BadField::new("method", "a verb and a resource are needed, such as 'GET /pets/{id}'")),
        }
    }

    fn prefix(&self) -> Result<Target, BadField> {
        let text = self.needed("prefix")?;
        match text.starts_with('/') && text.len() <= PATH_BYTES {
            true => Ok(Target::Prefix(normal_path(text.as_bytes()).into())),
            false => Err(BadField::new("prefix", "a path begins with '/'")),
        }
    }

    fn everything(&self) -> Result<Target, BadField> {
        match self.flag("everything")? {
            true => Ok(Target::Everything),
            false => Err(BadField::new("everything", "is true, or is not there")),
        }
    }

    fn tags(&self) -> Result<Vec<Target>, BadField> {
        if self.0.contains_key("tag") {
            return tag("tag", &self.needed("tag")?).map(|target| vec![target]);
        }
        let bad = || BadField::new("tags", format!("from 1 to {NAMED} texts"));
        let list = self.0.get("tags").and_then(Value::as_array).ok_or_else(bad)?;
        if list.is_empty() || list.len() > NAMED {
            return Err(bad());
        }
        list.iter().map(|value| value.as_str().ok_or_else(bad).and_then(|text| tag("tags", text))).collect()
    }

    fn text(&self, name: &str) -> Result<Option<String>, BadField> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(BadField::new(name, "a text is needed")),
        }
    }

    fn needed(&self, name: &str) -> Result<String, BadField> {
        self.text(name)?.ok_or_else(|| BadField::new(name, "a text is needed"))
    }

    fn flag(&self, name: &str) -> Result<bool, BadField> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(BadField::new(name, "true or false")),
        }
    }

    fn number(&self, name: &str, most: usize) -> Result<Option<usize>, BadField> {
        let Some(value) = self.0.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok()).filter(|number| *number <= most);
        number.map(Some).ok_or_else(|| BadField::new(name, format!("a number up to {most}")))
    }
}

/// A path with the value of a variable in its place, as a client would write it.
fn fill(path: &str, variable: &str, value: &str) -> Option<String> {
    let is_plain = |byte: u8| byte > b' ' && byte != 127 && !b"?#{}".contains(&byte);
    let (segment, greedy) = (format!("{{{variable}}}"), format!("{{{variable}+}}"));
    let place = if path.contains(&greedy) { greedy } else { segment };
    let fits = !value.is_empty() && value.bytes().all(is_plain) && (place.ends_with("+}") || !value.contains('/'));
    (fits && path.contains(&place)).then(|| path.replacen(&place, value, 1))
}

/// A header field that no client could object to.
fn header(name: &str, value: &str) -> Option<(String, String)> {
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let is_value = value.len() <= PATH_BYTES && !value.bytes().any(|b| b < b' ' || b == 127);
    (is_name && is_value).then(|| (name.to_owned(), value.to_owned()))
}

fn tag(field: &str, text: &str) -> Result<Target, BadField> {
    match !text.is_empty() && text.len() <= TAG_BYTES && text.trim() == text {
        true => Ok(Target::Tag(text.as_bytes().into())),
        false => Err(BadField::new(field, "a tag is not empty and has no blanks around it")),
    }
}

#[cfg(test)]
mod tests;
