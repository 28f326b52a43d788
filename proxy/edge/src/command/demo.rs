//! `sluice demo`: the demo origin without a gateway before it.

use std::net::SocketAddr;
use std::process::ExitCode;

/// Runs the demo origin alone.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:9000")]
    address: SocketAddr,
}

impl Demo {
    /// Runs until the process is killed.
    pub fn run(&self) -> ExitCode {
        match crate::demo::serve(self.address) {
            Ok(_demo) => loop {
                std::thread::park();
            },
            Err(error) => {
                eprintln!("sluice: {}: {error}", self.address);
                ExitCode::FAILURE
            }
        }
    }
}
