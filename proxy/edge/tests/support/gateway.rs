//! The `sluice` binary as a child process, on a port of its own, with a configuration from the test.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::{Client, PATIENCE, Port, Response, eventually};

/// A running gateway; killed when dropped.
pub struct Gateway {
    child: Child,
    port: Port,
    log: Arc<Mutex<String>>,
    directory: tempfile::TempDir,
}

impl Gateway {
    /// Starts it with this configuration, in which `@LISTEN@` is the address to listen on and `@DIR@` a directory that
    /// lives as long as the gateway. One worker, unless the text says `threads`.
    pub fn start(configuration: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), configuration)
    }

    /// The same with files in the directory that the configuration can name.
    pub fn start_in(directory: tempfile::TempDir, configuration: &str) -> Self {
        Self::start_with(directory, configuration, &[])
    }

    /// The same with variables in its environment.
    pub fn start_with(directory: tempfile::TempDir, configuration: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command.envs(variables.iter().copied());
        Self::start_command(command, directory, configuration)
    }

    /// Starts it with so many descriptors.
    pub fn start_limited(configuration: &str, descriptors: u32) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_sluice")]);
        Self::start_command(command, tempfile::tempdir().unwrap(), configuration)
    }

    fn start_command(mut command: Command, directory: tempfile::TempDir, configuration: &str) -> Self {
        let port = Port::reserve();
        let file = directory.path().join("sluice.toml");
        std::fs::write(&file, expand(configuration, &port, &directory)).unwrap();
        let mut child = command
            .arg("run")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = collect(child.stderr.take().unwrap());
        let mut gateway = Self { child, port, log, directory };
        gateway.wait_until_it_listens();
        gateway
    }

    fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let address = self.address();
        eventually("the gateway listens", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = self.log();
                panic!("the gateway ended with {status}:\n{log}");
            }
            TcpStream::connect(address).is_ok() || Instant::now() > deadline
        });
        assert!(Instant::now() < deadline, "the gateway does not listen:\n{}", self.log.lock().unwrap());
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Its files.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// It has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Resident memory of its own, bytes: without the program's code, which comes in as it is first used.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// GET on a connection of its own.
    pub fn get(&self, path: &str) -> Response {
        self.get_with(path, "")
    }

    /// The same with further header lines, each with its line end.
    pub fn get_with(&self, path: &str, lines: &str) -> Response {
        self.connect().get_with(path, lines)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the gateway ---\n{}---", self.log.lock().unwrap());
        }
    }
}

fn expand(configuration: &str, port: &Port, directory: &tempfile::TempDir) -> String {
    let threads = if configuration.contains("threads =") { "" } else { "threads = 1\n" };
    format!("{threads}upgrade_socket = \"@DIR@/upgrade.sock\"\n{configuration}")
        .replace("@LISTEN@", &port.address().to_string())
        .replace("@DIR@", directory.path().to_str().unwrap())
}

fn collect(mut stderr: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let to = log.clone();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count) = stderr.read(&mut piece) {
            if count == 0 {
                break;
            }
            to.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    });
    log
}
