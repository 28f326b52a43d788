//! A gateway with a disk below its cache, and an origin that numbers its answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::front::{proxied, shop};
use super::{Answer, Gateway, Recorder, eventually};

/// An origin that numbers its answers, and a directory that outlives gateways.
pub struct Rig {
    pub origin: Recorder,
    pub cache: tempfile::TempDir,
    pub more: String,
    pub size: &'static str,
    /// More lines of the stage.
    pub stage: &'static str,
}

impl Rig {
    pub fn new() -> Self {
        let count = AtomicUsize::new(0);
        let origin = Recorder::start(move |request| {
            let name = request.target.rsplit('/').next().unwrap_or_default().to_owned();
            let body = format!("secret-plain-text {name} answer {}", count.fetch_add(1, SeqCst));
            Answer::status(200, &format!("Surrogate-Key: {name}\r\n"), body)
        });
        Self { origin, cache: tempfile::tempdir().unwrap(), more: String::new(), size: "128 MiB", stage: "" }
    }

    pub fn sealed(key: &str) -> Self {
        let rig = Self::new();
        let more = format!(
            "[cache.encryption]\ncurrent = 7\n[[cache.encryption.key]]\nid = 7\nfile = \"{}\"\n",
            rig.cache.path().join("key").display()
        );
        fs::write(rig.cache.path().join("key"), key).unwrap();
        Self { more, ..rig }
    }

    pub fn configuration(&self) -> String {
        let Self { size, stage, more, .. } = self;
        let (directory, budget) = (self.directory(), if size.ends_with("GB") { "7 GB" } else { "1 GB" });
        let disk = format!("[cache.disk]\ndirectory = \"{}\"\nsize = \"{budget}\"\n{more}", directory.display());
        let stage = format!(
            "[api.stage.prod]\ncache_cluster_enabled = true\ncache_cluster_size = \"{size}\"\ncache_memory = \"1 MiB\"\n\
             cache_ttl = \"3600s\"\n{stage}"
        );
        let text = shop(&disk, &(proxied("GET", "/pets/{id}", "") + &stage));
        text.replace("@ORIGIN@", &self.origin.address().to_string())
    }

    pub fn directory(&self) -> PathBuf {
        self.cache.path().join("store")
    }

    /// Has a running gateway take the configuration as it is now; `change` has the last word. It is told to anew: what it
    /// makes of it is for the caller to wait for.
    pub fn reload(&self, gateway: &Gateway, change: impl FnOnce(String) -> String) {
        let text = self.configuration().replace("@LISTEN@", &gateway.address().to_string());
        let text = change(text.replace("@DIR@", &gateway.directory().display().to_string()));
        fs::write(gateway.directory().join("sluice.toml"), text).unwrap();
        send_signal(gateway.pid(), libc::SIGHUP);
    }

    pub fn start(&self) -> Gateway {
        let gateway = Gateway::start(&self.configuration());
        eventually("the disk is ready", || state(&gateway) == "good");
        gateway
    }
}

pub fn state(gateway: &Gateway) -> String {
    let status: serde_json::Value = serde_json::from_str(&gateway.admin("GET", "/sluice/cache").body).unwrap();
    status["disks"][0]["state"].as_str().unwrap_or_default().to_owned()
}

/// Sends JSON to the admin listener: status and answer.
pub fn post(gateway: &Gateway, path: &str, body: &serde_json::Value) -> (u16, serde_json::Value) {
    let told = super::admin::send(&gateway.directory().join("admin.sock"), "POST", path, &body.to_string());
    (told.status, serde_json::from_str(&told.body).unwrap_or_default())
}

/// Until all that was stored is on disk.
pub fn settle(gateway: &Gateway, entries: f64) {
    eventually("the entries are on disk", || gateway.metrics().sum("sluice_cache_disk_entries") >= entries);
}

pub fn kill(mut gateway: Gateway, signal: libc::c_int) {
    send_signal(gateway.pid(), signal);
    eventually("the process has ended", || !gateway.is_alive());
}

#[allow(unsafe_code, reason = "there is no other way to send a signal")]
pub fn send_signal(pid: u32, signal: libc::c_int) {
    // SAFETY: sends a signal to a child of ours.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}

pub fn body(gateway: &Gateway, path: &str) -> String {
    gateway.get(path).text().to_owned()
}

/// The contents of all files below a directory.
pub fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for file in fs::read_dir(directory).unwrap().map(|f| f.unwrap().path()) {
        match file.is_dir() {
            true => all.extend(files(&file)),
            false => all.push((file.clone(), fs::read(&file).unwrap())),
        }
    }
    all
}

pub fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
