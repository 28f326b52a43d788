//! `sluice upgrade`: has the running gateway start the binary that is installed now, and hand everything over to it.

use std::path::PathBuf;
use std::process::ExitCode;

use super::told;
use super::usual_file::usual_file;
use crate::config::Configuration;
use crate::server::upgrade::request;

/// Replaces the running gateway by the binary that is installed now, without losing a request.
#[derive(Debug, clap::Args)]
pub struct Upgrade {
    /// The configuration file of the running gateway.
    #[arg(value_name = "FILE", default_value_os_t = usual_file())]
    file: PathBuf,
}

impl Upgrade {
    /// Waits until the new process serves; fails, with the old one going on, if it does not come to that.
    pub fn run(&self) -> ExitCode {
        let configuration = match Configuration::load(&self.file) {
            Ok((configuration, _)) => configuration,
            Err(findings) => {
                findings.iter().for_each(|f| eprintln!("{f}"));
                return ExitCode::FAILURE;
            }
        };
        match request(&configuration.node.upgrade_socket) {
            Ok(pid) => {
                println!("process {pid} serves now");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("sluice: no upgrade: {}", told::told(&error));
                ExitCode::FAILURE
            }
        }
    }
}
