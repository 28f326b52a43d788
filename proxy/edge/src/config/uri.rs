//! URIs of integrations, with `{name}` and `${stageVariables.name}` in them.
//!
//! AWS's developer guide, "Set up HTTP integrations". Any other `${…}` is left alone, as AWS does. `{proxy+}` is taken for
//! `{proxy}`, which is what is meant; AWS would send it as it stands.

use sluice_api::Address;

use crate::message::target;

/// A piece of a URI template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UriPart {
    /// Stands for itself.
    Text(Box<str>),
    /// `{name}`: what is mapped to `integration.request.path.name`.
    Path(Box<str>),
    /// `${stageVariables.name}`
    StageVariable(Box<str>),
    /// Any other `${…}`: stands for itself, which is hardly meant.
    LeftAlone(Box<str>),
}

/// A URI template in pieces. It has no errors by itself; what it becomes may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    /// From the left.
    pub parts: Vec<UriPart>,
}

/// Why a text is no URI that can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Only `http` and `https` are called.
    #[error("'{0}' does not begin with http:// or https://")]
    Scheme(String),
    /// A host name or address, perhaps with a port.
    #[error("'{0}' is no host with an optional port")]
    Authority(String),
    /// The origin of a request is not for the client to choose.
    #[error("a path variable cannot be in the host")]
    VariableHost,
    /// Spaces, control characters, quotes, braces, `#` or non-ASCII letters.
    #[error("'{0}' cannot stand in a URI unencoded")]
    Character(char),
    /// `%` and something else than two hexadecimal digits.
    #[error("a '%' is not followed by two hexadecimal digits; '%25' stands for itself")]
    Escape,
    /// The origin could serve another path than the one that stands there. Clients get 400 for it.
    #[error("the path has a segment '.' or '..', perhaps escaped")]
    DotSegment,
}

/// Stands for the value of a path variable while a URI is checked: good in a path, bad in a host.
const STAND_IN: &str = "*";

const STAGE_VARIABLE: &str = "stageVariables.";

impl UriTemplate {
    /// Takes `text` apart.
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            match variable(rest) {
                Some((part, length)) => {
                    push_text(&mut parts, &mut literal);
                    parts.push(part);
                    rest = rest.get(length..).unwrap_or("");
                }
                None => {
                    let (text, tail) = rest.split_at(first.len_utf8());
                    literal.push_str(text);
                    rest = tail;
                }
            }
        }
        push_text(&mut parts, &mut literal);
        Self { parts }
    }

    /// Names in `{}`, from the left.
    pub fn path_variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|p| match p {
            UriPart::Path(name) => Some(&**name),
            _ => None,
        })
    }

    /// Names in `${stageVariables.…}`, from the left.
    pub fn stage_variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|p| match p {
            UriPart::StageVariable(name) => Some(&**name),
            _ => None,
        })
    }

    /// Every other `${…}`, from the left.
    pub fn left_alone(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|p| match p {
            UriPart::LeftAlone(text) => Some(&**text),
            _ => None,
        })
    }

    /// The text with every variable replaced.
    pub fn fill<'v>(&self, path: impl Fn(&str) -> &'v str, stage: impl Fn(&str) -> &'v str) -> String {
        let piece = |part: &UriPart| match part {
            UriPart::Text(text) | UriPart::LeftAlone(text) => text.to_string(),
            UriPart::Path(name) => path(name).to_owned(),
            UriPart::StageVariable(name) => stage(name).to_owned(),
        };
        self.parts.iter().map(piece).collect()
    }

    /// With a stand-in for what is left alone, of which nothing else is asked.
    fn understood(&self) -> Self {
        let part = |part: &UriPart| match part {
            UriPart::LeftAlone(_) => UriPart::Text(STAND_IN.into()),
            part => part.clone(),
        };
        Self { parts: self.parts.iter().map(part).collect() }
    }
}

/// Checks what a template becomes: scheme, host, port, and no character that would need encoding.
pub(super) fn check<'v>(template: &UriTemplate, stage: impl Fn(&str) -> &'v str) -> Result<(), UriError> {
    let uri = template.fill(|_| STAND_IN, &stage);
    let (authority, path) = split(&uri).ok_or_else(|| UriError::Scheme(uri.clone()))?;
    if authority.contains(STAND_IN) {
        return Err(UriError::VariableHost);
    }
    Address::parse(authority, Some(80)).map_err(|_| UriError::Authority(authority.into()))?;
    let understood = template.understood().fill(|_| STAND_IN, stage);
    check_path(split(&understood).map_or(path, |(_, path)| path))
}

fn check_path(path: &str) -> Result<(), UriError> {
    if let Some(c) = path.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`#{}".contains(*c)) {
        return Err(UriError::Character(c));
    }
    let is_hex = |at: usize| path.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    if path.match_indices('%').any(|(at, _)| !is_hex(at + 1) || !is_hex(at + 2)) {
        return Err(UriError::Escape);
    }
    let path = path.split('?').next().filter(|path| !path.is_empty()).unwrap_or("/");
    if target::is_plain(path.as_bytes(), None) { Ok(()) } else { Err(UriError::DotSegment) }
}

/// What a URI's scheme says of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// The port where none is written.
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A URI's scheme, whose letters may be large or small (RFC 3986 §3.1), and what stands behind `://`.
pub(crate) fn scheme(uri: &str) -> Option<(Scheme, &str)> {
    let (name, rest) = uri.split_once("://")?;
    let named = |known: &str| name.eq_ignore_ascii_case(known);
    match () {
        () if named("http") => Some((Scheme::Http, rest)),
        () if named("https") => Some((Scheme::Https, rest)),
        () => None,
    }
}

fn split(uri: &str) -> Option<(&str, &str)> {
    let (_, rest) = scheme(uri)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some(rest.split_at(end))
}

/// The variable at the start of `rest`, and how long it is.
fn variable(rest: &str) -> Option<(UriPart, usize)> {
    match rest.strip_prefix('$') {
        Some(braced) => {
            let inner = braced.strip_prefix('{')?.split_once('}')?.0;
            let length = "${}".len() + inner.len();
            let part = match inner.strip_prefix(STAGE_VARIABLE).filter(|name| is_name(name)) {
                Some(name) => UriPart::StageVariable(name.into()),
                None => UriPart::LeftAlone(rest.get(..length).filter(|_| !inner.contains('{'))?.into()),
            };
            Some((part, length))
        }
        None => {
            let inner = rest.strip_prefix('{')?.split_once('}')?.0;
            let name = inner.strip_suffix('+').unwrap_or(inner);
            is_name(name).then(|| (UriPart::Path(name.into()), "{}".len() + inner.len()))
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

fn push_text(parts: &mut Vec<UriPart>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(UriPart::Text(std::mem::take(literal).into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_come_apart_and_together() {
        let t = UriTemplate::parse("http://${stageVariables.h}:80/a/{id}?x={q}${other}");
        assert_eq!(t.stage_variables().collect::<Vec<_>>(), ["h"]);
        assert_eq!(t.path_variables().collect::<Vec<_>>(), ["id", "q"]);
        assert_eq!(t.fill(|_| "P", |_| "S"), "http://S:80/a/P?x=P${other}");
        assert_eq!(t.left_alone().collect::<Vec<_>>(), ["${other}"]);
        assert_eq!(UriTemplate::parse("http://h/{}").path_variables().count(), 0);
        let odd = UriTemplate::parse("http://h/${stageVariables.}/${a{id}}/${");
        assert_eq!(odd.left_alone().collect::<Vec<_>>(), ["${stageVariables.}"]);
        assert_eq!(odd.path_variables().collect::<Vec<_>>(), ["id"]);
        assert_eq!(odd.fill(|_| "P", |_| "S"), "http://h/${stageVariables.}/${aP}/${");
    }

    #[test]
    fn greedy_names_are_understood() {
        let t = UriTemplate::parse("http://h/{proxy+}");
        assert_eq!(t.path_variables().collect::<Vec<_>>(), ["proxy"]);
    }

    #[test]
    fn uris() {
        let check = |text: &str| check(&UriTemplate::parse(text), |_| "host");
        for good in [
            "http://h",
            "HTTP://h",
            "hTTpS://h/x",
            "https://h:8443/a?b=c",
            "http://[::1]:80/",
            "http://10.0.0.1/%20",
            "http://h/a..b/.c?d=..",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check("https://${stageVariables.h}:80/{id}"), Ok(()));
        assert_eq!(check("ftp://h"), Err(UriError::Scheme("ftp://h".into())));
        assert_eq!(check("http:h"), Err(UriError::Scheme("http:h".into())));
        assert_eq!(check("http://"), Err(UriError::Authority("".into())));
        assert_eq!(check("http://u@h/"), Err(UriError::Authority("u@h".into())));
        assert_eq!(check("http://h:99999/"), Err(UriError::Authority("h:99999".into())));
        assert_eq!(check("http://{id}.internal/"), Err(UriError::VariableHost));
        assert_eq!(check("http://h/a b"), Err(UriError::Character(' ')));
        assert_eq!(check("http://h/${a.b c}/x?y=${z}"), Ok(()), "AWS leaves it alone");
        assert_eq!(check("http://${a}/"), Err(UriError::Authority("${a}".into())));
        for open in ["http://h/{", "http://h/{x", "http://h/{}", "http://h/?a={x y}", "http://h/${x"] {
            assert_eq!(check(open), Err(UriError::Character('{')), "{open}");
        }
        for bad in ["http://h/%zz", "http://h/%", "http://h/?a=%4", "http://h/${a}%g0"] {
            assert_eq!(check(bad), Err(UriError::Escape), "{bad}");
        }
        for dots in ["http://h/a/../b", "http://h/..", "http://h/%2e%2E/x", "http://h/./x?y", "http://h/{id}/.;a"] {
            assert_eq!(check(dots), Err(UriError::DotSegment), "{dots}");
        }
    }
}
