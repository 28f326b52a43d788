//! Resource paths: `/pets/{id}/{proxy+}`. The rules are in AWS's developer guide, "Set up a resource".

use std::fmt;

/// Why a text is no resource path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Paths are absolute.
    #[error("a resource path begins with '/'")]
    NotAbsolute,
    /// `/a//b`, or a trailing slash.
    #[error("a resource path has no empty segments and no trailing '/'")]
    EmptySegment,
    /// A character that AWS refuses in a path part.
    #[error(
        "path part '{0}' has a character other than A-Z, a-z, 0-9, '_', '-', '.', ',', ':', or braces around it all"
    )]
    Character(String),
    /// `{}` or a variable with strange characters.
    #[error("path part '{0}' has no proper name: letters, digits, '_', '-' and '.'")]
    Name(String),
    /// `{proxy+}` before the end.
    #[error("the greedy part '{0}' must be the last one")]
    GreedyNotLast(String),
    /// The same variable twice.
    #[error("the variable '{0}' occurs twice")]
    Duplicate(String),
}

/// One part of a resource path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Matches itself, byte by byte.
    Static(Box<str>),
    /// `{name}`: matches one segment.
    Variable(Box<str>),
    /// `{name+}`: matches one segment or more, to the end.
    Greedy(Box<str>),
}

/// A checked resource path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourcePath {
    text: Box<str>,
    segments: Vec<Segment>,
}

impl ResourcePath {
    /// Checks `text`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let rest = text.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
        let mut segments = Vec::new();
        if !rest.is_empty() {
            for part in rest.split('/') {
                segments.push(segment(part)?);
            }
        }
        check_order(&segments)?;
        Ok(Self { text: text.into(), segments })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its parts; none for the root.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Names of the variables, from the left.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|s| match s {
            Segment::Static(_) => None,
            Segment::Variable(n) | Segment::Greedy(n) => Some(&**n),
        })
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn segment(part: &str) -> Result<Segment, PathError> {
    if part.is_empty() {
        return Err(PathError::EmptySegment);
    }
    let Some(inner) = part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) else {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"_-.,:".contains(&b);
        return match part.bytes().all(good) {
            true => Ok(Segment::Static(part.into())),
            false => Err(PathError::Character(part.into())),
        };
    };
    let (name, greedy) = match inner.strip_suffix('+') {
        Some(name) => (name, true),
        None => (inner, false),
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    match (!name.is_empty() && name.bytes().all(good), greedy) {
        (false, _) => Err(PathError::Name(part.into())),
        (true, true) => Ok(Segment::Greedy(name.into())),
        (true, false) => Ok(Segment::Variable(name.into())),
    }
}

fn check_order(segments: &[Segment]) -> Result<(), PathError> {
    let mut names: Vec<&str> = Vec::new();
    for (i, s) in segments.iter().enumerate() {
        match s {
            Segment::Static(_) => continue,
            Segment::Greedy(n) if i + 1 < segments.len() => return Err(PathError::GreedyNotLast(n.to_string())),
            Segment::Variable(n) | Segment::Greedy(n) => {
                if names.contains(&&**n) {
                    return Err(PathError::Duplicate(n.to_string()));
                }
                names.push(n);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        let p = ResourcePath::parse("/pets/{id}/{proxy+}").unwrap();
        let want = [Segment::Static("pets".into()), Segment::Variable("id".into()), Segment::Greedy("proxy".into())];
        assert_eq!(p.segments(), want);
        assert_eq!(p.variables().collect::<Vec<_>>(), ["id", "proxy"]);
        assert!(ResourcePath::parse("/").unwrap().segments().is_empty());
    }

    #[test]
    fn bad_paths_say_what_is_wrong() {
        for (text, error) in [
            ("pets", PathError::NotAbsolute),
            ("/a//b", PathError::EmptySegment),
            ("/a/", PathError::EmptySegment),
            ("/a b", PathError::Character("a b".into())),
            ("/x{id}", PathError::Character("x{id}".into())),
            ("/{}", PathError::Name("{}".into())),
            ("/{+}", PathError::Name("{+}".into())),
            ("/{p+}/x", PathError::GreedyNotLast("p".into())),
            ("/{a}/{a}", PathError::Duplicate("a".into())),
        ] {
            assert_eq!(ResourcePath::parse(text), Err(error), "{text}");
        }
    }
}
