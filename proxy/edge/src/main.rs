//! The `sluice` binary.

use std::process::ExitCode;

use clap::Parser;
use sluice::command::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything that speaks TLS: both providers are compiled in, and the first one to be installed stays.
    let _ = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
    Cli::parse().run()
}
