//! What this process has used.

use std::process::Command;

/// CPU seconds of all threads.
pub(crate) fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

/// Resident memory, MiB.
pub(crate) fn resident_mib() -> u64 {
    status("VmRSS:")
}

/// The most that was ever resident, MiB.
pub(crate) fn peak_mib() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Empties the page cache, where this process may.
pub(crate) fn drop_caches() {
    let _as_far_as_allowed = Command::new("sync").status();
    let _as_far_as_allowed = std::fs::write("/proc/sys/vm/drop_caches", "1");
    let _as_far_as_allowed = std::fs::write("/proc/self/clear_refs", "5");
}
