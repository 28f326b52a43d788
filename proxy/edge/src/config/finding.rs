//! What `sluice check` finds: a severity, a name, a place and a way out.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is taken, but probably not meant so.
    Warning,
}

/// One thing that is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// One of [`RULES`](super::RULES), in kebab-case.
    pub name: &'static str,
    /// The file as it was named.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub col: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

impl Finding {
    /// Whether it keeps the configuration from being used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { severity, name, file, line, col, message, help } = self;
        write!(f, "{}:{line}:{col}: {severity}[{name}]: {message}; help: {help}", file.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            severity: Severity::Error,
            name: "unknown-key",
            file: "a.toml".into(),
            line: 3,
            col: 1,
            message: "'hed' is no key of [limits]".into(),
            help: "write 'head'".into(),
        }
    }

    #[test]
    fn printed_for_people() {
        let text = "a.toml:3:1: error[unknown-key]: 'hed' is no key of [limits]; help: write 'head'";
        assert_eq!(finding().to_string(), text);
    }

    #[test]
    fn printed_for_tools() {
        let json = serde_json::to_value(finding()).unwrap();
        assert_eq!(json["severity"], "error");
        assert_eq!(json["line"], 3);
    }
}
