//! What the device does for `fio`, on a file that is written already. Zero where `fio` is not installed.

use std::path::Path;
use std::process::Command;

/// MB/s of large writes past the page cache.
pub(crate) fn write(directory: &Path, megabytes: u64) -> f64 {
    field(directory, megabytes, &["--rw=write", "--bs=1M", "--iodepth=4"], 48) / 1000.0 * 1.024
}

/// Reads a second of 16 KiB past the page cache.
pub(crate) fn read(directory: &Path, megabytes: u64) -> f64 {
    write(directory, megabytes);
    field(directory, megabytes, &["--rw=randread", "--bs=16k", "--iodepth=32", "--runtime=5", "--time_based"], 8)
}

/// One field of the terse output, counted from one: 7 is read KiB/s, 8 read IOPS, 48 write KiB/s.
fn field(directory: &Path, megabytes: u64, options: &[&str], number: usize) -> f64 {
    let file = directory.join("fio");
    let mut command = Command::new("fio");
    command.args(["--name=bench", "--direct=1", "--ioengine=libaio", "--minimal", "--overwrite=1"]);
    command.arg(format!("--filename={}", file.display())).arg(format!("--size={megabytes}M")).args(options);
    let Ok(output) = command.output() else { return 0.0 };
    let text = String::from_utf8_lossy(&output.stdout);
    text.split(';').nth(number - 1).and_then(|field| field.parse().ok()).unwrap_or_default()
}
