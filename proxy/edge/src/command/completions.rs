//! `sluice completions`: what a shell can complete.

use std::process::ExitCode;

use clap_complete::Shell;

/// Prints completions for a shell.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    /// Prints them to standard output.
    pub fn run(&self, command: &mut clap::Command) -> ExitCode {
        clap_complete::generate(self.shell, command, "sluice", &mut std::io::stdout());
        ExitCode::SUCCESS
    }
}
