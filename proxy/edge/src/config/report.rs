//! Collects findings while a file is read, and turns byte offsets into lines and columns.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sluice_api::Profile;

use super::finding::{Finding, Severity};
use super::rules::Rule;

/// A place in the file: a byte offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark(pub(super) usize);

/// The findings of one file. Bounded by the file: each is tied to a place in it.
pub(super) struct Report<'a> {
    text: &'a str,
    file: &'a Path,
    findings: RefCell<Vec<(Mark, Finding)>>,
    /// Files that were read because the configuration names them.
    files: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> Report<'a> {
    pub(super) fn new(text: &'a str, file: &'a Path) -> Self {
        Self { text, file, findings: RefCell::default(), files: RefCell::default() }
    }

    pub(super) fn error(&self, rule: &'static Rule, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Error, rule, at, message.into(), help.into());
    }

    pub(super) fn warning(&self, rule: &'static Rule, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Warning, rule, at, message.into(), help.into());
    }

    /// An error under `edge`; under `aws` a warning, for AWS takes it.
    pub(super) fn strict(
        &self,
        profile: Profile,
        rule: &'static Rule,
        at: Mark,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let severity = match profile {
            Profile::Edge => Severity::Error,
            Profile::Aws => Severity::Warning,
        };
        self.add(severity, rule, at, message.into(), help.into());
    }

    /// A path as the file means it: relative to its own directory.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Notes a file that is read.
    pub(super) fn reads(&self, path: &Path) {
        self.files.borrow_mut().insert(path.into());
    }

    /// The files that were read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.files.borrow().iter().cloned().collect()
    }

    /// Everything found, in the order of the file.
    pub(super) fn finish(self) -> Vec<Finding> {
        let mut findings = self.findings.into_inner();
        findings.sort_by(|(a, f), (b, g)| (a, f.name, &f.message).cmp(&(b, g.name, &g.message)));
        findings.dedup();
        findings.into_iter().map(|(_, finding)| finding).collect()
    }

    fn add(&self, severity: Severity, rule: &'static Rule, at: Mark, message: String, help: String) {
        let (line, col) = place(self.text, at);
        let finding = Finding { severity, name: rule.name, file: self.file.into(), line, col, message, help };
        self.findings.borrow_mut().push((at, finding));
    }
}

fn place(text: &str, at: Mark) -> (usize, usize) {
    let before = text.get(..at.0).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let col = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, col)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        assert_eq!(place("a\nbc", Mark(0)), (1, 1));
        assert_eq!(place("a\nbc", Mark(3)), (2, 2));
        assert_eq!(place("ä\nöc", Mark(5)), (2, 2));
        assert_eq!(place("a", Mark(99)), (1, 2));
    }
}
