//! `sluice check`: reads a configuration and prints everything that is wrong with it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::usual_file::usual_file;
use crate::config::{Configuration, Finding, index_memory, read_file, rough_size, unreadable};

/// Check a configuration file and print every finding.
///
/// Exits with 0 if there is no error, with 1 if there is one, and with 2 if the file cannot be read.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The configuration file; `config/sluice.toml`, or where there is none `/etc/sluice/sluice.toml`, if none is named.
    #[arg(default_value_os_t = usual_file())]
    pub file: PathBuf,
    /// Print the findings as a JSON array.
    #[arg(long)]
    pub json: bool,
}

impl Check {
    /// Checks the file; findings go to standard output, the count to standard error.
    pub fn run(&self) -> ExitCode {
        let (findings, code, index) = self.findings();
        // A reader that has gone away does not change what was found.
        let _ = self.print(&findings, index);
        ExitCode::from(code)
    }

    /// The findings, the exit status, and what the index of the disk needs.
    fn findings(&self) -> (Vec<Finding>, u8, Option<(u64, u64)>) {
        let text = match read_file(&self.file) {
            Ok(text) => text,
            Err(error) => return (vec![unreadable(&self.file, &error)], 2, None),
        };
        match Configuration::parse(&text, &self.file) {
            Ok((configuration, warnings)) => (warnings, 0, index_memory(&configuration)),
            Err(findings) => (findings, 1, None),
        }
    }

    fn print(&self, findings: &[Finding], index: Option<(u64, u64)>) -> io::Result<()> {
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
        writeln!(io::stderr(), "{}: {counts}", self.file.display())?;
        match index {
            Some((disk, index)) => writeln!(io::stderr(), "{}", needs(disk, index)),
            None => Ok(()),
        }
    }
}

fn needs(disk: u64, index: u64) -> String {
    let (disk, index) = (rough_size(disk), rough_size(index));
    format!("the index of {disk} of disk takes up to {index} of memory beside [cache] memory, with entries of 4 KB")
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
    fn what_the_index_of_a_disk_needs_is_said_at_every_size() {
        assert_eq!(
            needs(500_000_000, 4_882_800),
            "the index of 500 MB of disk takes up to 4.88 MB of memory beside [cache] memory, with entries of 4 KB"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = |stage: &str| {
            format!(
                "[cache.disk]\ndirectory = \"d\"\nsize = \"1 GB\"\n[[listener]]\naddress = \"127.0.0.1:0\"\n[[api]]\nid = \"a\"\n[[api.resource]]\npath = \"/\"\nmethod.GET.integration = {{ type = \"HTTP_PROXY\", uri = \"http://a/\" }}\n{stage}"
            )
        };
        let check = Check { file: file.path().into(), json: false };
        let cached =
            "[api.stage.p]\ncache_cluster_enabled = true\ncache_cluster_size = \"1 GB\"\ncache_memory = \"200 MB\"\n";
        for (stage, disk) in [(cached, 800_000_000), ("[api.stage.p]\n", 0)] {
            std::fs::write(file.path(), text(stage)).unwrap();
            assert_eq!(check.findings().2, Some((disk, disk / 4096 * 40)));
        }
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
