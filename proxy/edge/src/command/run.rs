//! `sluice run`: the gateway.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use pingora_core::server::configuration::{Opt, ServerConf};
use pingora_core::server::{RunArgs, Server, ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Admin, Configuration};
use crate::demo::Demo;
use crate::observe::admin::{AdminServer, Options, Token};
use crate::observe::process_log;
use crate::server::gateway::Gateway;
use crate::server::reload::Reloader;
use crate::server::service::Worker;
use crate::server::socket::{bind, check_keys, fd_key};
use crate::server::{BACKLOG, admin};

/// How often an upgraded process looks whether the demo origin's address is free.
const TAKE_OVER: Duration = Duration::from_millis(100);

/// Runs the gateway.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The configuration file.
    #[arg(value_name = "FILE", default_value = "config/sluice.toml")]
    file: PathBuf,
    /// Takes the listening sockets over from the process that runs; then send that one SIGQUIT.
    #[arg(long)]
    upgrade: bool,
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
        let process_log = process_log::init(&configuration.node.log).context("the process log")?;
        let gateway = Arc::new(Gateway::new(configuration, &self.file, process_log)?);
        let _demo = configuration.node.demo.map(|address| self.demo(address)).transpose()?;
        let workers = self.workers(configuration, &gateway)?;
        let _admin = configuration.node.admin.as_ref().map(|a| self.admin(a, &gateway)).transpose()?;
        let mut server = Server::new_with_opt_and_conf(self.options(), server_conf(configuration));
        server.bootstrap();
        for worker in workers {
            server.add_service(worker);
        }
        server.add_service(Reloader { gateway: gateway.clone() });
        server.run(RunArgs { shutdown_signal: Box::new(Signals { gateway }) });
        Ok(())
    }

    /// At an upgrade the address is taken until the process before has gone.
    fn demo(&self, address: SocketAddr) -> anyhow::Result<Option<Demo>> {
        if !self.upgrade {
            return crate::demo::serve(address).map(Some).with_context(|| format!("the demo origin on {address}"));
        }
        let take_over = move || loop {
            if let Ok(_demo) = crate::demo::serve(address) {
                loop {
                    std::thread::park();
                }
            }
            std::thread::sleep(TAKE_OVER);
        };
        std::thread::Builder::new().name("demo-take-over".into()).spawn(take_over)?;
        Ok(None)
    }

    fn options(&self) -> Option<Opt> {
        self.upgrade.then(|| Opt { upgrade: true, ..Opt::default() })
    }

    /// All sockets are bound before anything runs, so that a taken address is an error of the start.
    fn workers(&self, configuration: &Configuration, gateway: &Arc<Gateway>) -> anyhow::Result<Vec<Worker>> {
        let addresses: Vec<_> = configuration.listeners.iter().map(|l| l.address).collect();
        let cores = 0..configuration.node.threads;
        let keys: Vec<_> = cores.clone().flat_map(|core| addresses.iter().map(move |a| fd_key(*a, core))).collect();
        check_keys(&keys)?;
        let worker = |core| {
            let socket = |address: &SocketAddr| match self.upgrade {
                true => Ok(None),
                false => bind(*address, BACKLOG).map(Some).with_context(|| format!("{address}")),
            };
            let sockets = addresses.iter().map(socket).collect::<anyhow::Result<_>>()?;
            Ok(Worker { name: format!("edge-{core}"), core, gateway: gateway.clone(), sockets })
        };
        cores.map(worker).collect()
    }

    fn admin(&self, admin: &Admin, gateway: &Arc<Gateway>) -> anyhow::Result<AdminServer> {
        admin::watch(gateway);
        let token = admin.token_file.as_deref().map(Token::from_file).transpose().context("the admin token")?;
        // Both processes of an upgrade listen for a while.
        let options = Options { token, shared: true, ..Options::default() };
        AdminServer::start(&admin.endpoint, admin::routes(gateway), options).context("the admin listener")
    }
}

fn server_conf(configuration: &Configuration) -> ServerConf {
    let socket = &configuration.node.upgrade_socket;
    if let Some(directory) = socket.parent().filter(|d| !d.exists()) {
        // Without it there is no upgrade; everything else works.
        if let Err(error) = std::fs::create_dir_all(directory) {
            tracing::warn!(%error, directory = %directory.display(), "no upgrade will be possible");
        }
    }
    ServerConf {
        work_stealing: false,
        threads: 1,
        upgrade_sock: socket.display().to_string(),
        grace_period_seconds: Some(configuration.node.shutdown_grace.as_secs()),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    }
}

/// SIGTERM ends gracefully, SIGQUIT hands over to the next process, SIGINT ends at once. A second SIGTERM or SIGINT does
/// not wait for anybody.
struct Signals {
    gateway: Arc<Gateway>,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        let signals = (signal(SignalKind::quit()), signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut quit), Ok(mut terminate), Ok(mut interrupt)) = signals else {
            return ShutdownSignal::FastShutdown;
        };
        tokio::select! {
            _ = quit.recv() => ShutdownSignal::GracefulUpgrade,
            _ = terminate.recv() => {
                self.gateway.stop();
                tokio::spawn(async move {
                    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
                    std::process::exit(130);
                });
                ShutdownSignal::GracefulTerminate
            }
            _ = interrupt.recv() => ShutdownSignal::FastShutdown,
        }
    }
}
