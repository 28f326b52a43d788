//! The catalogue: every key of the configuration, defined once.
//!
//! From it come the refusal of unknown keys, the messages about types, units and ranges, the defaults,
//! `docs/configuration.md` and `config/schema.json`. What a value means is decided where it is read (`read/`).

pub(super) mod api;
pub(super) mod cache;
pub(super) mod disk;
pub(super) mod front;
pub(super) mod node;
pub(super) mod stage;

use std::time::Duration;

/// One key of a table.
#[derive(Debug)]
pub struct Key {
    /// In snake_case.
    pub name: &'static str,
    /// What may be written.
    pub kind: Kind,
    /// What holds if nothing is written.
    pub default: Absent,
    /// AWS's name for it, if it has one.
    pub aws: Option<&'static str>,
    /// What it does, as Markdown sentences.
    pub doc: &'static str,
}

/// A table with a fixed set of keys. Any other key in it is an error.
#[derive(Debug)]
pub struct Section {
    /// As it is written in TOML: `[limits]`, `[[listener]]`.
    pub title: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its keys, in the order of the reference.
    pub keys: &'static [&'static Key],
}

/// What may be written for a key.
#[derive(Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number, between these.
    Integer(u64, u64),
    /// A number, between these.
    Number(f64, f64),
    /// A text with a unit of bytes; its least and greatest bytes.
    Size(u64, u64),
    /// A text with a unit of time; its least and greatest.
    Duration(Duration, Duration),
    /// A text of a certain form.
    Text(&'static Form),
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// An array of texts.
    List(&'static Form),
    /// A table.
    Table(&'static Section),
    /// An array of tables.
    Tables(&'static Section),
    /// A table whose keys are names; every value is such a table.
    Named(&'static Form, &'static Section),
    /// A table whose keys are names; every value is a text.
    Texts(&'static Form, &'static Form),
}

/// What a text must look like.
#[derive(Debug)]
pub struct Form {
    /// For the reference: `IP:PORT`.
    pub name: &'static str,
    /// A regular expression for editors; empty for any text. The gateway itself checks more.
    pub pattern: &'static str,
}

/// What holds if a key is not written.
#[derive(Clone, Copy, Debug)]
pub enum Absent {
    /// It must be written.
    Required,
    /// Nothing, which means this.
    Unset(&'static str),
    /// This text, size or duration.
    Text(&'static str),
    /// This number.
    Integer(u64),
    /// This.
    Flag(bool),
    /// No entries.
    Empty,
}

impl Key {
    const fn new(name: &'static str, kind: Kind, default: Absent, doc: &'static str) -> Self {
        Self { name, kind, default, aws: None, doc }
    }

    const fn aws(mut self, name: &'static str) -> Self {
        self.aws = Some(name);
        self
    }
}

impl Kind {
    /// For messages: "a duration such as \"300s\"".
    pub(super) fn describe(&self) -> String {
        match self {
            Kind::Flag => "true or false".into(),
            Kind::Integer(..) => "a whole number".into(),
            Kind::Number(..) => "a number".into(),
            Kind::Size(..) => "a size such as \"512 MiB\"".into(),
            Kind::Duration(..) => "a duration such as \"300s\"".into(),
            Kind::Text(form) => format!("a text, {}", form.name),
            Kind::Choice(names) => format!("one of {}", quoted(names)),
            Kind::List(form) => format!("an array of texts, each {}", form.name),
            Kind::Table(_) => "a table".into(),
            Kind::Tables(_) => "an array of tables".into(),
            Kind::Named(form, _) => format!("a table of tables, each named by {}", form.name),
            Kind::Texts(..) => "a table of texts".into(),
        }
    }
}

/// Every key with its dotted path (`api.stage.cache_ttl`), in the order of the reference. Names that the operator
/// chooses, such as a stage's, are not part of the path.
pub fn paths() -> Vec<(String, &'static Key)> {
    let mut all = Vec::new();
    collect(&node::ROOT, "", &mut all);
    all
}

/// The whole file.
pub(super) fn root() -> &'static Section {
    &node::ROOT
}

pub(super) fn quoted(names: &[&str]) -> String {
    names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ")
}

fn collect(section: &'static Section, prefix: &str, all: &mut Vec<(String, &'static Key)>) {
    for key in section.keys {
        let path = format!("{prefix}{}", key.name);
        all.push((path.clone(), *key));
        if let Kind::Table(s) | Kind::Tables(s) | Kind::Named(_, s) = key.kind {
            collect(s, &format!("{path}."), all);
        }
    }
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
const DAY: u64 = 24 * 3600;

pub(super) static ANY_TEXT: Form = Form { name: "any text", pattern: "" };
pub(super) static FILE: Form = Form { name: "a path, relative to this file", pattern: "" };
pub(super) static SOCKET: Form = Form { name: "IP:PORT", pattern: r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}$" };
pub(super) static NETWORK: Form =
    Form { name: "an address or network in CIDR notation", pattern: r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$" };
pub(super) static API_ID: Form = Form { name: "an API id", pattern: "^[a-z0-9][a-z0-9-]{0,63}$" };
pub(super) static STAGE_NAME: Form = Form { name: "a stage name", pattern: "^[A-Za-z0-9_-]{1,128}$" };
pub(super) static PROFILES: &[&str] = &["edge", "aws"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn paths_are_unique_and_documented() {
        let all = paths();
        let unique: BTreeSet<_> = all.iter().map(|(p, _)| p).collect();
        assert_eq!(unique.len(), all.len());
        for (path, key) in &all {
            assert!(key.doc.ends_with('.') || key.doc.ends_with(')'), "{path}: {}", key.doc);
        }
    }
}
