//! The configuration: TOML text becomes a [`Configuration`] that cannot be wrong, or a list of everything that is.
//!
//! `keys/` is the catalogue, in which every key is defined once. `read/` gives the values their meaning and looks for
//! what does not fit together. `reference` and `schema` write the catalogue down for people and for editors.
//!
//! It reads the files that are named only to see that they can be used; it listens nowhere and resolves no names.

pub mod context;
mod expiry;
mod finding;
mod keys;
mod log_format;
mod model;
mod nearest;
mod pem;
mod read;
pub mod reference;
mod report;
mod rules;
pub mod schema;
mod syntax;
mod table;
mod units;
mod uri;
mod value;

use std::io::Read;
use std::path::Path;

pub(crate) use nearest::nearest;
pub(crate) use read::index_memory;

pub use expiry::first_end;
pub use finding::{Finding, Severity};
pub use keys::{Absent, Form, Key, Kind, Section, paths as key_paths};
pub use model::*;
pub use rules::{RULES, Rule};
pub(crate) use units::{duration, rough_size, show_size, size};
pub(crate) use uri::{Scheme, scheme};
pub use uri::{UriError, UriPart, UriTemplate};

use report::{Mark, Report};

impl Configuration {
    /// Reads and checks a file. Warnings travel with success.
    ///
    /// # Errors
    /// Every finding, warnings included, if one of them is an error.
    pub fn load(path: &Path) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        match read_file(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) => Err(vec![unreadable(path, &error)]),
        }
    }

    /// Checks `text`; paths in it are relative to the directory of `origin`, which is also named in findings.
    ///
    /// # Errors
    /// Every finding, warnings included, if one of them is an error.
    pub fn parse(text: &str, origin: &Path) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        let report = Report::new(text, origin);
        let (document, syntax) = toml::de::DeTable::parse_recoverable(text);
        for error in &syntax {
            let span = error.span().unwrap_or_default();
            let help = syntax::help(text, span.clone(), error.message());
            report.error(&rules::SYNTAX, Mark(span.start), error.message().replace('\n', "; "), help);
        }
        // A table that could not be parsed would only give findings about what is missing in it.
        let configuration = match syntax.is_empty() {
            true => read::configuration(document.get_ref(), &report),
            false => None,
        };
        let findings = report.finish();
        match configuration {
            Some(configuration) if !findings.iter().any(Finding::is_error) => Ok((configuration, findings)),
            _ => Err(findings),
        }
    }
}

/// The largest configuration that is read, bytes: tens of thousands of routes fit.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A file's text, up to the largest size.
pub(crate) fn read_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    match text.len() as u64 > LARGEST {
        true => Err(std::io::Error::other("it is larger than 64 MiB")),
        false => Ok(text),
    }
}

/// The finding for a file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Finding {
    Finding {
        severity: Severity::Error,
        name: rules::UNREADABLE.name,
        file: path.into(),
        line: 1,
        col: 1,
        message: format!("the file cannot be read: {error}"),
        help: "name a TOML file that this user may read".into(),
    }
}
