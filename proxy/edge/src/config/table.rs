//! A table of the file, read key by key through the catalogue. It reports every problem and goes on with the default,
//! so that one reading finds everything.

use std::fmt::Display;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::keys::{Absent, Key, Kind, Section};
use super::nearest::did_you_mean;
use super::report::{Mark, Report};
use super::rules;
use super::value::{self, Problem, Scalar};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Located<T> {
    pub(super) at: Mark,
    pub(super) value: T,
}

/// A table whose keys are known.
pub(super) struct Table<'a> {
    section: &'static Section,
    /// Where the table begins.
    pub(super) at: Mark,
    entries: &'a DeTable<'a>,
    report: &'a Report<'a>,
}

impl<'a> Table<'a> {
    /// Opens a table; keys that it cannot have are reported here.
    pub(super) fn open(section: &'static Section, at: Mark, entries: &'a DeTable<'a>, report: &'a Report<'a>) -> Self {
        for (key, _) in entries.iter() {
            if !section.keys.iter().any(|k| k.name == key.get_ref()) {
                unknown_key(section, key, report);
            }
        }
        Self { section, at, entries, report }
    }

    pub(super) fn report(&self) -> &'a Report<'a> {
        self.report
    }

    /// Where a key stands, if it was written.
    pub(super) fn written(&self, key: &'static Key) -> Option<Mark> {
        self.entry(key).map(|(name, _)| Mark(name.span().start))
    }

    /// Where a key stands, or else its table.
    pub(super) fn place(&self, key: &'static Key) -> Mark {
        self.written(key).unwrap_or(self.at)
    }

    pub(super) fn flag(&self, key: &'static Key) -> Option<bool> {
        self.scalar(key, value::flag)
    }

    pub(super) fn integer(&self, key: &'static Key) -> Option<u64> {
        self.scalar(key, value::integer)
    }

    pub(super) fn number(&self, key: &'static Key) -> Option<f64> {
        self.scalar(key, value::number)
    }

    pub(super) fn size(&self, key: &'static Key) -> Option<u64> {
        self.scalar(key, value::size)
    }

    pub(super) fn duration(&self, key: &'static Key) -> Option<Duration> {
        self.scalar(key, value::duration)
    }

    pub(super) fn text(&self, key: &'static Key) -> Option<String> {
        self.scalar(key, |key, v| value::text(key, v).map(str::to_owned))
    }

    /// A text that must be a `T`.
    pub(super) fn parse<T, E: Display>(&self, key: &'static Key, read: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        self.scalar(key, |key, v| {
            let text = value::text(key, v)?;
            read(text).map_err(|e| bad_value(key, &e))
        })
    }

    /// An array of texts, each of which must be a `T`; `None` if it was not written.
    pub(super) fn list<T, E: Display>(
        &self,
        key: &'static Key,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<Located<T>>> {
        let (_, value) = self.entry(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            self.refuse(value, value::wrong_type(key, Scalar::of(value.get_ref())));
            return None;
        };
        Some(items.iter().filter_map(|item| self.item(key, item, &read)).collect())
    }

    /// A table within this one.
    pub(super) fn table(&self, key: &'static Key) -> Option<Table<'a>> {
        let Some((name, value)) = self.entry(key) else {
            self.missing(key);
            return None;
        };
        self.subtable(key, Mark(name.span().start), value)
    }

    /// Stands for a table that was not written: all its keys have their defaults.
    pub(super) fn empty<'e>(&self, key: &'static Key, entries: &'e DeTable<'e>) -> Table<'e>
    where
        'a: 'e,
    {
        let section = match key.kind {
            Kind::Table(section) => section,
            _ => self.section,
        };
        Table { section, at: self.at, entries, report: self.report }
    }

    /// An array of tables.
    pub(super) fn tables(&self, key: &'static Key) -> Vec<Table<'a>> {
        let Some((_, value)) = self.entry(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.refuse(value, value::wrong_type(key, Scalar::of(value.get_ref())));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.subtable(key, Mark(item.span().start), item)).collect()
    }

    /// A table of tables, with their names, in the order of the file.
    pub(super) fn named(&self, key: &'static Key) -> Vec<(Located<&'a str>, Table<'a>)> {
        let tables = self.members(key).into_iter();
        tables.filter_map(|(name, value)| Some((name.clone(), self.subtable(key, name.at, value)?))).collect()
    }

    /// A table of texts, in the order of the file.
    pub(super) fn texts(&self, key: &'static Key) -> Vec<(Located<&'a str>, Located<&'a str>)> {
        let members = self.members(key).into_iter();
        let text = |(name, value): (Located<&'a str>, &'a Spanned<DeValue<'a>>)| match value.get_ref() {
            DeValue::String(text) => Some((name, Located { at: Mark(value.span().start), value: &**text })),
            other => {
                let mut problem = value::wrong_type(key, Scalar::of(other));
                problem.message = format!("'{}' in '{}' is a text", name.value, key.name);
                self.refuse(value, problem);
                None
            }
        };
        members.filter_map(text).collect()
    }

    fn entry(&self, key: &'static Key) -> Option<(&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)> {
        debug_assert!(
            self.section.keys.iter().any(|k| std::ptr::eq(*k, key)),
            "{} is not in {}",
            key.name,
            self.section.title
        );
        self.entries.iter().find(|(name, _)| name.get_ref() == key.name)
    }

    fn scalar<T>(&self, key: &'static Key, read: impl Fn(&Key, Scalar<'_>) -> Result<T, Problem>) -> Option<T> {
        match self.entry(key) {
            Some((_, value)) => match read(key, Scalar::of(value.get_ref())) {
                Ok(read) => return Some(read),
                Err(problem) => self.refuse(value, problem),
            },
            None => self.missing(key),
        }
        Scalar::default_of(key).and_then(|default| read(key, default).ok())
    }

    fn item<T, E: Display>(
        &self,
        key: &'static Key,
        item: &Spanned<DeValue<'_>>,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Located<T>> {
        let result = match item.get_ref() {
            DeValue::String(text) => read(text).map_err(|e| bad_value(key, &e)),
            other => Err(value::wrong_type(key, Scalar::of(other))),
        };
        match result {
            Ok(value) => Some(Located { at: Mark(item.span().start), value }),
            Err(problem) => {
                self.refuse(item, problem);
                None
            }
        }
    }

    fn members(&self, key: &'static Key) -> Vec<(Located<&'a str>, &'a Spanned<DeValue<'a>>)> {
        let Some((_, value)) = self.entry(key) else { return Vec::new() };
        let DeValue::Table(entries) = value.get_ref() else {
            self.refuse(value, value::wrong_type(key, Scalar::of(value.get_ref())));
            return Vec::new();
        };
        let located =
            |name: &'a Spanned<DeString<'a>>| Located { at: Mark(name.span().start), value: &**name.get_ref() };
        let mut members: Vec<_> = entries.iter().map(|(name, value)| (located(name), value)).collect();
        members.sort_by_key(|(name, _)| name.at);
        members
    }

    fn subtable(&self, key: &'static Key, at: Mark, value: &'a Spanned<DeValue<'a>>) -> Option<Table<'a>> {
        match (value.get_ref(), &key.kind) {
            (DeValue::Table(entries), Kind::Table(section) | Kind::Tables(section) | Kind::Named(_, section)) => {
                Some(Table::open(section, at, entries, self.report))
            }
            (other, _) => {
                self.refuse(value, value::wrong_type(key, Scalar::of(other)));
                None
            }
        }
    }

    fn refuse(&self, value: &Spanned<DeValue<'_>>, problem: Problem) {
        self.report.error(problem.rule, Mark(value.span().start), problem.message, problem.help);
    }

    fn missing(&self, key: &'static Key) {
        if let Absent::Required = key.default {
            let message = format!("{} has no '{}'", self.section.title, key.name);
            self.report.error(&rules::MISSING_KEY, self.at, message, format!("write {}", key.kind.describe()));
        }
    }
}

fn bad_value(key: &Key, error: &dyn Display) -> Problem {
    let help = format!("'{}' is {}", key.name, key.kind.describe());
    Problem { rule: &rules::BAD_VALUE, message: error.to_string(), help }
}

fn unknown_key(section: &'static Section, key: &Spanned<DeString<'_>>, report: &Report<'_>) {
    let known: Vec<&str> = section.keys.iter().map(|k| k.name).collect();
    let name = key.get_ref();
    let place = if section.title.starts_with('[') { section.title } else { "the top level" };
    let message = format!("'{name}' is no key of {place}");
    let help = match section.keys.iter().find(|k| k.aws == Some(&**name)) {
        Some(key) => format!("AWS's {name} is written '{}' here", key.name),
        None => did_you_mean(name, &known),
    };
    report.error(&rules::UNKNOWN_KEY, Mark(key.span().start), message, help);
}
