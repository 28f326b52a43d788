//! What is being sent from disk comes whole when its store closes meanwhile.

use super::support::disk::send_signal;
use super::*;

const FILM: &str = "/film-24000000";

/// A client that has the beginning of an object from disk.
fn begun(gateway: &Gateway) -> Client {
    get_at_ease(gateway, FILM);
    settle(gateway, 1.0);
    let mut client = with_little_room(gateway);
    client.request("GET", FILM, "");
    while client.reader().unused.len() < MIB {
        assert!(client.reader().more().unwrap());
    }
    client
}

fn assert_comes_whole(mut client: Client) {
    let film = client.read();
    assert!(is_hit(&film) && film.body == file(FILM), "{:?}, {} bytes", film.head, film.body.len());
}

/// Nobody writes to the store any more.
fn is_closed(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let names = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.into_iter().all(|name| name.trim() != "cache-write")
}

#[test]
fn at_a_graceful_stop() {
    let rig = Rig::of_files();
    let mut gateway = rig.start();
    let client = begun(&gateway);
    send_signal(gateway.pid(), libc::SIGTERM);
    eventually("the store is closed", || is_closed(gateway.pid()));
    assert_comes_whole(client);
    eventually("the process has ended", || !gateway.is_alive());
}

/// The same configuration without a cache.
fn without_cache(text: &str) -> String {
    let text = text.replace("cache_cluster_enabled = true", "cache_cluster_enabled = false");
    let is_of_it = |line: &str| {
        ["cache_cluster_size", "cache_memory", "cache_ttl", "cache_large"].iter().any(|key| line.starts_with(key))
    };
    text.lines().filter(|line| !is_of_it(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn when_a_reload_takes_the_cache_away_and_its_store_is_removed() {
    let rig = Rig { more: "keep_removed = \"0s\"".into(), ..Rig::of_files() };
    let gateway = rig.start();
    let client = begun(&gateway);
    let path = gateway.directory().join("sluice.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, without_cache(&text)).unwrap();
    eventually("the store is gone", || is_closed(gateway.pid()) && !rig.directory().join("pool").exists());
    assert_comes_whole(client);
}

#[test]
fn when_its_part_of_a_store_is_to_be_forgotten() {
    let rig = Rig { more: "keep_removed = \"0s\"".into(), ..Rig::of_files() };
    let other = "[api.stage.other]\ncache_cluster_enabled = true\ncache_cluster_size = \"0.5 GB\"\n";
    let gateway = rig.start_with(&format!("{CONFIGURATION}\n{other}"));
    let client = begun(&gateway);
    let path = gateway.directory().join("sluice.toml");
    let text = fs::read_to_string(&path).unwrap();
    let stage = text.find("[api.stage.other]").unwrap();
    fs::write(&path, without_cache(&text[..stage]) + "\n" + &text[stage..]).unwrap();
    eventually("the cache is gone", || !gateway.admin("GET", "/sluice/cache").body.contains("\"prod\""));
    assert_comes_whole(client);
}
