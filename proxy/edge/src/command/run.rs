//! `sluice run`: the gateway.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use pingora_core::server::Server;
use pingora_core::server::configuration::{Opt, ServerConf};

use crate::config::Configuration;
use crate::observe::process_log;
use crate::server::gateway::Gateway;
use crate::server::service::{Socket, Worker};

/// Runs the gateway.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The configuration file.
    #[arg(value_name = "FILE", default_value = "config/sluice.toml")]
    file: PathBuf,
}

impl Run {
    /// Runs until the process is told to stop.
    pub fn run(&self) -> ExitCode {
        let configuration = match Configuration::load(&self.file) {
            Ok((configuration, findings)) => {
                findings.iter().for_each(|f| eprintln!("{f}"));
                configuration
            }
            Err(findings) => {
                findings.iter().for_each(|f| eprintln!("{f}"));
                return ExitCode::FAILURE;
            }
        };
        match self.serve(&configuration) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("sluice: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    fn serve(&self, configuration: &Configuration) -> anyhow::Result<()> {
        process_log::init(&configuration.node.log).context("the process log")?;
        let gateway = Arc::new(Gateway::new(configuration, &self.file)?);
        let mut conf = ServerConf::default();
        conf.work_stealing = false;
        conf.threads = 1;
        let mut server = Server::new_with_opt_and_conf(None::<Opt>, conf);
        server.bootstrap();
        for worker in 0..configuration.node.threads {
            let mut sockets = Vec::new();
            for (place, listener) in configuration.listeners.iter().enumerate() {
                sockets.push(Socket {
                    place: place as u16,
                    id: gateway.metrics.listener(&listener.address.to_string()),
                    address: listener.address,
                    key: format!("{}#{worker}", listener.address),
                    listener: Some(bind(listener.address)?),
                });
            }
            server.add_service(Worker { name: format!("edge-{worker}"), gateway: gateway.clone(), sockets });
        }
        server.run_forever()
    }
}

fn bind(address: std::net::SocketAddr) -> anyhow::Result<std::net::TcpListener> {
    use socket2::{Domain, Socket, Type};
    let s = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    s.set_reuse_address(true)?;
    s.set_reuse_port(true)?;
    s.set_nonblocking(true)?;
    s.bind(&address.into()).with_context(|| format!("{address}"))?;
    s.listen(8192)?;
    Ok(s.into())
}
