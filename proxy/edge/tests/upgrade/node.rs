//! A node: an address, a configuration, and one process after the other that serves there.

use std::net::SocketAddr;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use sluice::server::upgrade::Channel;

use crate::support::{Client, Port, eventually};

/// The binary under test.
pub const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// A mocked answer behind the listener `@LISTEN@`.
pub const MOCK: &str = r#"
[[listener]]
address = "@LISTEN@"
default_api = "a"
default_stage = "prod"
[[api]]
id = "a"
[[api.resource]]
path = "/a"
method.GET.integration = { type = "MOCK", body = "a" }
[api.stage.prod]
"#;

/// One address and its files; every process that has served here is gone when this is dropped.
pub struct Node {
    directory: tempfile::TempDir,
    port: Port,
    first: Option<Child>,
    /// Where the processes say to the service manager that they are ready.
    manager: UnixDatagram,
}

impl Node {
    /// Starts the first process, with one worker unless the text says `threads`.
    pub fn start(configuration: &str) -> Self {
        Self::start_binary(configuration, SLUICE.as_ref())
    }

    /// The same with another binary.
    pub fn start_binary(configuration: &str, binary: &Path) -> Self {
        let mut node = Self::idle();
        node.configure(configuration);
        node.first = Some(node.command(binary, &["run"]).spawn().unwrap());
        let pid = node.first.as_ref().unwrap().id();
        assert_eq!(node.announced(), pid);
        node
    }

    /// One whose first process is still to be started.
    pub fn idle() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let manager = UnixDatagram::bind(directory.path().join("notify.sock")).unwrap();
        manager.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
        Self { directory, port: Port::reserve(), first: None, manager }
    }

    /// Starts the first process, and does not wait for it.
    pub fn begin(&mut self) {
        self.first = Some(self.command(SLUICE.as_ref(), &["run"]).spawn().unwrap());
    }

    /// Starts the first process once more, when none is left.
    pub fn start_again(&mut self) {
        self.begin();
        while self.announced() != self.first() {}
    }

    /// Writes the configuration that the next process reads.
    pub fn configure(&self, configuration: &str) {
        let threads = if configuration.contains("threads =") { "" } else { "threads = 1\n" };
        let text = format!("{threads}upgrade_socket = \"up.sock\"\n{configuration}");
        std::fs::write(self.file(), text.replace("@LISTEN@", &self.address().to_string())).unwrap();
    }

    /// A command line over the configuration file, in the node's directory.
    pub fn command(&self, binary: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary);
        command.args(arguments).arg(self.file()).current_dir(self.directory());
        command.env("NOTIFY_SOCKET", self.directory().join("notify.sock"));
        let log = std::fs::File::options().create(true).append(true).open(self.directory().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    /// `sluice upgrade`, and what came of it.
    pub fn upgrade(&self) -> Output {
        let mut command = self.command(SLUICE.as_ref(), &["upgrade"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
    }

    /// The same, which must succeed; the process that serves then.
    pub fn upgraded(&self) -> u32 {
        let output = self.upgrade();
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        let pid = self.announced();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("process {pid} serves now\n"));
        pid
    }

    /// The process that has told the service manager that it is ready and the main one.
    pub fn announced(&self) -> u32 {
        loop {
            let told = self.told();
            // The process before may have seen that its configuration has changed, and tells of the reload.
            if let Some(pid) = told.lines().find_map(|line| line.strip_prefix("MAINPID=")) {
                assert!(told.lines().any(|line| line == "READY=1"), "{told}");
                return pid.parse().unwrap();
            }
        }
    }

    /// What the service manager is told next.
    pub fn told(&self) -> String {
        let mut text = [0; 4096];
        let length = self.manager.recv(&mut text).unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        String::from_utf8(text[..length].to_vec()).unwrap()
    }

    /// A connection to its upgrade socket.
    pub fn channel(&self) -> Channel {
        Channel::new(self.upgrade_stream()).unwrap()
    }

    /// The same, byte by byte.
    pub fn upgrade_stream(&self) -> UnixStream {
        UnixStream::connect(self.directory().join("up.sock")).unwrap()
    }

    /// Waits until the first process has gone.
    pub fn first_ends(&mut self) -> ExitStatus {
        let mut status = None;
        let first = self.first.as_mut().unwrap();
        eventually("the first process ends", || {
            status = first.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// The first process, as an id.
    pub fn first(&self) -> u32 {
        self.first.as_ref().unwrap().id()
    }

    /// Sends a signal.
    pub fn signal(pid: u32, signal: &str) {
        assert!(Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status().unwrap().success());
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// Its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its configuration.
    pub fn file(&self) -> PathBuf {
        self.directory().join("sluice.toml")
    }

    /// What all processes have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory().join("log")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the node ---\n{}---", self.log());
        }
        if let Some(first) = &mut self.first {
            let _ = first.kill();
            let _ = first.wait();
        }
        // The others are known by the one file that only they were started with.
        for pid in processes_with(&self.file()) {
            let _ = Command::new("kill").arg("-KILL").arg(pid.to_string()).status();
        }
    }
}

/// Processes that have this path among their arguments.
fn processes_with(file: &Path) -> Vec<u32> {
    let named = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).any(|argument| argument == file.as_os_str().as_encoded_bytes())
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(named).collect()
}
