//! The commands of the `sluice` binary, one file each.

pub mod cache;
pub mod check;
pub mod completions;
pub mod demo;
pub mod run;
mod told;
pub mod upgrade;
mod usual_file;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// A self-hosted API gateway for the edge: the data plane of Amazon API Gateway in one binary.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Run(run::Run),
    /// Have the running gateway replaced by the binary that is installed now, without losing a request.
    Upgrade(upgrade::Upgrade),
    /// Check a configuration and report every finding at once.
    Check(check::Check),
    /// Work with the response cache.
    #[command(subcommand)]
    Cache(cache::Cache),
    /// Run the demo origin alone.
    Demo(demo::Demo),
    /// Print the version.
    Version,
    /// Print completions for a shell.
    Completions(completions::Completions),
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Upgrade(upgrade) => upgrade.run(),
            Command::Check(check) => check.run(),
            Command::Cache(cache) => cache.run(),
            Command::Demo(demo) => demo.run(),
            Command::Completions(completions) => completions.run(&mut Self::command()),
            Command::Version => {
                println!("sluice {}", env!("CARGO_PKG_VERSION"));
                ExitCode::SUCCESS
            }
        }
    }
}
