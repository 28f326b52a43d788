//! `sluice run`: the gateway.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use parking_lot::Mutex;
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{RunArgs, Server, ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::told;
use super::usual_file::usual_file;
use crate::config::{Admin, Configuration};
use crate::demo::Demo;
use crate::observe::admin::{AdminServer, Options};
use crate::observe::process_log;
use crate::server::admin;
use crate::server::gateway::Gateway;
use crate::server::notify;
use crate::server::reload::Reloader;
use crate::server::service::Worker;
use crate::server::socket::{Waiting, socket_name};
use crate::server::upgrade::Predecessor;
use crate::tcp_socket;

/// Runs the gateway.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The configuration file; `config/sluice.toml`, or where there is none `/etc/sluice/sluice.toml`, if none is named.
    #[arg(value_name = "FILE", default_value_os_t = usual_file())]
    file: PathBuf,
    /// Takes over from the process that runs, which then ends as soon as its requests have.
    #[arg(long)]
    upgrade: bool,
}

impl Run {
    /// Runs until the process is told to stop.
    pub fn run(&self) -> ExitCode {
        // First of all: the configuration alone may take a while to read.
        let early = match EarlySignals::listen() {
            Ok(early) => early,
            Err(error) => {
                eprintln!("sluice: signals: {error}");
                return ExitCode::FAILURE;
            }
        };
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
        match self.serve(&configuration, early) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("sluice: {}", told::told(&error));
                ExitCode::FAILURE
            }
        }
    }

    fn serve(&self, configuration: &Configuration, early: EarlySignals) -> anyhow::Result<()> {
        let process_log = process_log::init(&configuration.node.log).context("the process log")?;
        let mut predecessor = self.predecessor(configuration)?;
        check_addresses(configuration, predecessor.as_ref())?;
        let sockets = sockets(configuration, predecessor.as_mut())?;
        let demo_address = configuration.node.demo;
        let demo_before = predecessor.as_mut().and_then(|before| before.socket(&demo_name(demo_address?)));
        let gateway = Arc::new(Gateway::after(predecessor, configuration, &self.file, process_log)?);
        let _demo = demo_address.map(|address| demo(address, demo_before, &gateway)).transpose()?;
        if let Some(admin) = &configuration.node.admin {
            gateway.life.keep_admin(start_admin(admin, &gateway, self.upgrade)?);
        }
        let mut server = Server::new_with_opt_and_conf(None, server_conf(configuration));
        server.bootstrap();
        for (core, sockets) in sockets.into_iter().enumerate() {
            server.add_service(Worker { name: format!("edge-{core}"), core, gateway: gateway.clone(), sockets });
        }
        server.add_service(Reloader { gateway: gateway.clone(), hangup: early.hangup });
        let reopen = Mutex::new(Some(early.reopen));
        server.run(RunArgs { shutdown_signal: Box::new(Signals { gateway, reopen }) });
        Ok(())
    }

    /// The process to take over from.
    fn predecessor(&self, configuration: &Configuration) -> anyhow::Result<Option<Predecessor>> {
        let meet = || Predecessor::meet(&configuration.node.upgrade_socket);
        self.upgrade.then(meet).transpose().context("the upgrade")
    }
}

/// The demo origin, on the socket of the process before if that had one.
fn demo(address: SocketAddr, before: Option<TcpListener>, gateway: &Gateway) -> anyhow::Result<Demo> {
    let serve = || {
        let listener = before.map_or_else(|| crate::demo::bind(address), Ok)?;
        gateway.life.keep_socket(demo_name(address), listener.try_clone()?.into());
        crate::demo::serve_while(listener, gateway.life.accepting())
    };
    serve().with_context(|| format!("the demo origin on {address}"))
}

/// Names its socket in the hand-over.
fn demo_name(address: SocketAddr) -> String {
    format!("demo {address}")
}

/// Two gateways would share the connections to an address, and each would have caches and buckets of its own. Only the
/// ports of the process that hands over are taken rightly.
fn check_addresses(configuration: &Configuration, before: Option<&Predecessor>) -> anyhow::Result<()> {
    let is_handed = |address: &SocketAddr| before.is_some_and(|before| before.listens_on(address.port()));
    let addresses = configuration.listeners.iter().map(|l| l.address).filter(|address| !is_handed(address));
    for address in addresses {
        tcp_socket::check_free(address).map_err(|error| cannot_listen(&address, &error, before.is_some()))?;
    }
    Ok(())
}

/// Who is making an upgrade needs no advice to make one.
fn cannot_listen(place: &dyn Display, error: &io::Error, upgrades: bool) -> anyhow::Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse if !upgrades => "; `sluice upgrade` takes over from a gateway that runs",
        _ => "",
    };
    anyhow::anyhow!("cannot listen on {place}: {error}{hint}")
}

/// Each worker's sockets, in the order of the listeners. A taken address is an error of the start: all are bound before
/// anything runs.
fn sockets(configuration: &Configuration, mut before: Option<&mut Predecessor>) -> anyhow::Result<Vec<Vec<Waiting>>> {
    let mut socket = |address: SocketAddr, core| match &mut before {
        None => Waiting::bind(address),
        Some(before) => match before.socket(&socket_name(address, core)) {
            Some(socket) => Waiting::inherited(socket, address),
            None => Waiting::bind(address),
        },
    };
    let mut worker = |core| {
        let addresses = configuration.listeners.iter().map(|l| l.address);
        addresses.map(|a| socket(a, core).with_context(|| format!("{a}"))).collect::<anyhow::Result<_>>()
    };
    (0..configuration.node.threads).map(&mut worker).collect()
}

fn start_admin(admin: &Admin, gateway: &Arc<Gateway>, successor: bool) -> anyhow::Result<AdminServer> {
    admin::watch(gateway);
    // Both processes of an upgrade listen for a while.
    let options = Options { token: gateway.admin_token(), shared: true, successor, ..Options::default() };
    let started = AdminServer::start(&admin.endpoint, admin::routes(gateway), options);
    started.map_err(|error| cannot_listen(&admin.endpoint, &error, successor))
}

fn server_conf(configuration: &Configuration) -> ServerConf {
    ServerConf {
        work_stealing: false,
        threads: 1,
        grace_period_seconds: Some(configuration.node.shutdown_grace.as_secs()),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    }
}

/// SIGTERM ends gracefully, SIGUSR1 opens the access log anew, SIGUSR2 starts the next process, SIGINT ends at once.
/// A second SIGTERM or SIGINT does not wait for anybody. SIGQUIT is how some are told that the next process is there; here
/// that one says so itself.
struct Signals {
    gateway: Arc<Gateway>,
    reopen: Mutex<Option<Signal>>,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        if let Some(reopen) = self.reopen.lock().take() {
            tokio::spawn(reopen_logs(self.gateway.clone(), reopen));
        }
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::user_defined2(), SignalKind::quit()];
        let [Ok(mut terminate), Ok(mut interrupt), Ok(mut upgrade), Ok(mut quit)] = kinds.map(signal) else {
            return ShutdownSignal::FastShutdown;
        };
        loop {
            tokio::select! {
                () = self.gateway.life.left() => break,
                _ = terminate.recv() => {
                    notify::stopping();
                    break self.gateway.drain();
                }
                _ = interrupt.recv() => {
                    notify::stopping();
                    return ShutdownSignal::FastShutdown;
                }
                _ = upgrade.recv() => self.launch(),
                _ = quit.recv() => tracing::info!("an upgrade needs no SIGQUIT; SIGTERM ends this process"),
            }
        }
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            std::process::exit(130);
        });
        ShutdownSignal::GracefulTerminate
    }
}

/// Signals that would end the process if they came before those who wait for them do. A reload or a rotation that is
/// asked for while the process starts follows when it has; an upgrade or its end does not, for there is nothing to end yet.
struct EarlySignals {
    hangup: Signal,
    reopen: Signal,
}

impl EarlySignals {
    fn listen() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _entered = runtime.enter();
        for kind in [SignalKind::user_defined2(), SignalKind::quit()] {
            drop(signal(kind)?);
        }
        Ok(Self { hangup: signal(SignalKind::hangup())?, reopen: signal(SignalKind::user_defined1())? })
    }
}

/// For as long as the process lives: who rotates a log does not ask whether it is ending.
async fn reopen_logs(gateway: Arc<Gateway>, mut reopen: Signal) {
    while reopen.recv().await.is_some() {
        gateway.reopen_logs();
        tracing::info!("SIGUSR1: the access log is to be opened anew");
    }
}

impl Signals {
    /// Starts the next process, on a thread of its own, for that takes a while.
    fn launch(&self) {
        let gateway = self.gateway.clone();
        let launch = move || match gateway.launcher.launch(&gateway) {
            Ok(pid) => tracing::info!(pid, "the next process serves"),
            Err(error) => tracing::error!(%error, "the upgrade failed; this process goes on serving"),
        };
        if let Err(error) = std::thread::Builder::new().name("launch".into()).spawn(launch) {
            tracing::error!(%error, "no thread to start the next process from; this process goes on serving");
        }
    }
}
