//! `sluice check`: reads a configuration and prints everything that is wrong with it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::usual_file::usual_file;
use crate::config::{Configuration, Finding, read_file, unreadable};

/// Check a configuration file and print every finding.
///
/// Exits with 0 if there is no error, with 1 if there is one, and with 2 if the file cannot be read.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The configuration file.
    #[arg(default_value_os_t = usual_file())]
    pub file: PathBuf,
    /// Print the findings as a JSON array.
    #[arg(long)]
    pub json: bool,
}

impl Check {
    /// Checks the file; findings go to standard output, the count to standard error.
    pub fn run(&self) -> ExitCode {
        let (findings, code) = self.findings();
        // A reader that has gone away does not change what was found.
        let _ = self.print(&findings);
        ExitCode::from(code)
    }

    fn findings(&self) -> (Vec<Finding>, u8) {
        let text = match read_file(&self.file) {
            Ok(text) => text,
            Err(error) => return (vec![unreadable(&self.file, &error)], 2),
        };
        match Configuration::parse(&text, &self.file) {
            Ok((_, warnings)) => (warnings, 0),
            Err(findings) => (findings, 1),
        }
    }

    fn print(&self, findings: &[Finding]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, findings)?;
            return writeln!(out);
        }
        for finding in findings {
            writeln!(out, "{finding}")?;
        }
        let errors = findings.iter().filter(|finding| finding.is_error()).count();
        let warnings = findings.len() - errors;
        let counts = [count(errors, "error"), count(warnings, "warning")].join(", ");
        writeln!(io::stderr(), "{}: {counts}", self.file.display())
    }
}

fn count(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> u8 {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Check { file: file.path().into(), json: false }.findings().1
    }

    #[test]
    fn exit_codes() {
        assert_eq!(code("[[listener]]\naddress = \"127.0.0.1:0\"\n"), 0);
        assert_eq!(code("[[api]]\nid = \"a\"\n[[listener]]\naddress = \"127.0.0.1:0\"\n"), 0, "a warning is no error");
        assert_eq!(code("lisener = 1\n"), 1);
        assert_eq!(code("[["), 1);
        assert_eq!(Check { file: "/nowhere/sluice.toml".into(), json: true }.findings().1, 2);
    }
}
