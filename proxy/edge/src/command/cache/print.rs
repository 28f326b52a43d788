//! What the commands tell people.

use serde_json::Value;

use crate::config::rough_size;

/// Tables of all caches, and of their disks where there are any.
pub(super) fn status(status: &Value) -> String {
    caches(status) + &disks(status)
}

fn disks(status: &Value) -> String {
    let disks = status.get("disks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if disks.is_empty() {
        return String::new();
    }
    let rows = disks.iter().map(|disk| {
        let number = |name: &str| disk.get(name).and_then(Value::as_u64).unwrap_or_default();
        let (size, of) = (rough_size(number("bytes")), rough_size(number("capacity")));
        [text(disk, "store"), text(disk, "state"), number("entries").to_string(), size, of]
    });
    let head = ["DISK", "STATE", "ENTRIES", "SIZE", "OF"].map(String::from);
    format!("\n{}{}", table(&[head].into_iter().chain(rows).collect::<Vec<_>>()), ailments(disks))
}

/// What ails each of them.
fn ailments(disks: &[Value]) -> String {
    let why = |disk: &Value| match (disk.get("why"), disk.get("no_space")) {
        (Some(_), _) => Some(text(disk, "why")),
        (_, Some(Value::Bool(true))) => Some("the file system is full: it keeps to what there is".into()),
        _ => None,
    };
    disks.iter().filter_map(|disk| Some(format!("{}: {}\n", text(disk, "store"), why(disk)?))).collect()
}

fn caches(status: &Value) -> String {
    let caches = status.get("caches").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if caches.is_empty() {
        return "no stage has a cache\n".into();
    }
    let head = ["CACHE", "ENTRIES", "SIZE", "OF", "HITS", "MISSES", "RATIO", "EVICTED", "PURGED", "BANS", "FETCHES"];
    let rows = caches.iter().map(|cache| {
        let number = |name: &str| cache.get(name).and_then(Value::as_u64).unwrap_or_default();
        let count = |name: &str| number(name).to_string();
        let asked = number("hits") + number("misses");
        let ratio =
            if asked == 0 { "-".into() } else { format!("{:.1} %", number("hits") as f64 * 100.0 / asked as f64) };
        let size = |name: &str| rough_size(number(name));
        [
            format!("{}/{}", text(cache, "api"), text(cache, "stage")),
            count("entries"),
            size("bytes"),
            size("capacity"),
            count("hits"),
            count("misses"),
            ratio,
            count("evicted"),
            count("purged"),
            count("bans"),
            count("fetches"),
        ]
    });
    table(&[head.map(String::from)].into_iter().chain(rows).collect::<Vec<_>>())
}

/// What a purge has taken, by cache.
pub(super) fn purged(done: &Value, verb: &str) -> String {
    let caches = done.get("purged").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let line = |cache: &Value| {
        let number = |name: &str| cache.get(name).and_then(Value::as_u64).unwrap_or_default();
        let (entries, size) = (entries(number("entries")), rough_size(number("bytes")));
        let below = match cache.get("disk") {
            Some(Value::Bool(true)) => format!(" in memory; on disk they are {verb} too"),
            _ => String::new(),
        };
        format!("{}/{}: {entries} {verb}, {size}{below}\n", text(cache, "api"), text(cache, "stage"))
    };
    caches.iter().map(line).collect()
}

/// One entry of a dry run.
pub(super) fn entry(entry: &Value) -> String {
    let list = entry.get("tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let tags: Vec<_> = list.iter().filter_map(Value::as_str).collect();
    let number = |name: &str| entry.get(name).and_then(Value::as_u64).unwrap_or_default();
    let fresh = if entry.get("fresh") == Some(&Value::Bool(true)) { "" } else { ", expired" };
    let (size, age) = (rough_size(number("bytes")), number("age"));
    let tags = if tags.is_empty() { String::new() } else { format!("  [{}]", tags.join(", ")) };
    let (cache, method) = (format!("{}/{}", text(entry, "api"), text(entry, "stage")), text(entry, "method"));
    let verb = method.split(' ').next().unwrap_or_default();
    format!("{cache}  {verb} {}  {}  {size}  {age} s{fresh}{tags}", text(entry, "path"), number("status"))
}

/// The sum of a dry run: entries and bytes in memory, the same on disk, entries that could not be read.
pub(super) fn found([count, bytes, disk_count, disk_bytes, unreadable]: [u64; 5]) -> String {
    let mut told = format!("{}, {}", entries(count), rough_size(bytes));
    if disk_count > 0 {
        told += &format!(" in memory; {}, {} on disk", entries(disk_count), rough_size(disk_bytes));
    }
    if unreadable > 0 {
        told += &format!("; {} on disk cannot be read", entries(unreadable));
    }
    told
}

/// `1 entry`, `2 entries`.
pub(super) fn entries(count: u64) -> String {
    if count == 1 { "1 entry".into() } else { format!("{count} entries") }
}

/// Control characters do not reach a terminal.
fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str).unwrap_or_default();
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The first column to the left, all others to the right.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|at| width(at).unwrap_or_default()).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn caches_stand_in_columns() {
        let cache = json!({ "api": "pets", "stage": "prod", "entries": 12, "hits": 3, "misses": 1, "capacity": 1024 });
        let table = status(&json!({ "caches": [cache] }));
        let lines: Vec<_> = table.lines().collect();
        assert!(lines[0].starts_with("CACHE      ENTRIES") && lines[1].starts_with("pets/prod       12"), "{table}");
        assert!(lines[1].contains("75.0 %") && lines[1].contains("1 KiB"), "{table}");
        assert_eq!(lines[0].len(), lines[1].len());
    }

    #[test]
    fn a_purge_says_what_it_has_counted() {
        let of =
            |disk: bool| json!({ "purged": [{ "api": "a", "stage": "s", "entries": 2, "bytes": 1024, "disk": disk }] });
        assert_eq!(purged(&of(false), "purged"), "a/s: 2 entries purged, 1 KiB\n");
        let told = "a/s: 2 entries expired, 1 KiB in memory; on disk they are expired too\n";
        assert_eq!(purged(&of(true), "expired"), told);
    }

    #[test]
    fn the_sum_names_the_disk_where_there_is_something() {
        assert_eq!(found([2, 2048, 0, 0, 0]), "2 entries, 2 KiB");
        assert_eq!(found([0, 0, 1, 1024, 0]), "0 entries, 0 B in memory; 1 entry, 1 KiB on disk");
        assert_eq!(found([1, 1024, 0, 0, 3]), "1 entry, 1 KiB; 3 entries on disk cannot be read");
    }

    #[test]
    fn disks_come_below_with_what_ails_them() {
        let open = json!({ "store": "pool", "state": "good", "entries": 7, "bytes": 1024, "capacity": 2048,
            "no_space": true });
        let away = json!({ "store": "a.b", "state": "not-open", "why": "no such\ndisk" });
        let told = status(&json!({ "caches": [], "disks": [open, away] }));
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(
            lines[2..],
            [
                "DISK     STATE  ENTRIES   SIZE     OF",
                "pool      good        7  1 KiB  2 KiB",
                "a.b   not-open        0    0 B    0 B",
                "pool: the file system is full: it keeps to what there is",
                "a.b: no such\u{fffd}disk",
            ]
        );
    }

    #[test]
    fn an_entry_is_a_line_without_control_characters() {
        let one = json!({ "api": "a", "stage": "s", "method": "GET /x/{id}", "path": "/x/\u{1b}[1m", "status": 200,
            "bytes": 2048, "age": 3, "fresh": false, "tags": ["t", "u"] });
        assert_eq!(entry(&one), "a/s  GET /x/\u{fffd}[1m  200  2 KiB  3 s, expired  [t, u]");
    }
}
