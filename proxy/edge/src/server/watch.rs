//! Tells when one of the files changes that the configuration is made of: the file itself, certificates, keys, authorities,
//! tokens.
//!
//! What the system tells of a directory is only a hint to look again; what counts is whether a path leads to something
//! else than before. So it makes no difference whether a file is written, replaced by another of its name, or reached
//! through a link that is turned (certbot, Kubernetes). Where nothing is told, as on a network file system, the files are
//! looked at now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

/// Editors and deployment tools write in several steps: a change is looked at when it has been quiet for so long.
const QUIET: Duration = Duration::from_millis(300);
/// Steps that are waited for.
const STEPS: usize = 20;
/// How often files are looked at without a hint.
const LOOK: Duration = Duration::from_secs(15);
/// Between two looks at most, whatever goes on in the directories.
const PAUSE: Duration = Duration::from_millis(100);
/// Links that are followed on the way to a file; the system follows 40.
const LINKS: usize = 40;

/// Watches files.
pub(super) struct Watch {
    files: Vec<PathBuf>,
    seen: Seen,
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    hints: mpsc::Receiver<()>,
    look: Interval,
}

/// What each path leads to: device, number, size, time of the last change in nanoseconds. None where it leads nowhere.
type Seen = BTreeMap<PathBuf, Option<(u64, u64, u64, i128)>>;

impl Watch {
    /// Watches these files.
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        let (hint, hints) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if !event.is_ok_and(|event| event.kind.is_access()) {
                // One that waits already will see this change too.
                let _ = hint.try_send(());
            }
        });
        let watcher = watcher
            .map_err(|error| tracing::warn!(%error, "the system tells of no changes: files are looked at every 15 s"))
            .ok();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (seen, directories) = (look_at(&files), BTreeSet::new());
        let mut watch = Self { files: Vec::new(), seen, watcher, directories, hints, look };
        watch.follow(files);
        watch
    }

    /// Watches these files from now on. What changed since they were last looked at is still a change.
    pub(super) fn follow(&mut self, files: Vec<PathBuf>) {
        let directories = files.iter().flat_map(|file| directories_of(file)).collect();
        if let Some(watcher) = &mut self.watcher {
            for gone in self.directories.difference(&directories) {
                // It may be gone itself.
                let _ = watcher.unwatch(gone);
            }
            // Those that are known are watched again: another one may lie under the same name by now.
            for directory in &directories {
                if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                    tracing::debug!(%error, directory = %directory.display(), "not watched");
                }
            }
        }
        for (path, now) in look_at(&files) {
            self.seen.entry(path).or_insert(now);
        }
        self.seen.retain(|path, _| files.contains(path));
        (self.files, self.directories) = (files, directories);
    }

    /// Waits until something has changed, and then until nothing has for a while.
    pub(super) async fn changed(&mut self) {
        // Something may have changed in a directory that was not watched yet.
        while !self.look() {
            tokio::select! {
                Some(()) = self.hints.recv() => {}
                _ = self.look.tick() => {}
            }
            // It may be somebody else's file, and a log.
            sleep(PAUSE).await;
        }
        for _ in 0..STEPS {
            sleep(QUIET).await;
            if !self.look() {
                break;
            }
        }
        let _ = self.hints.try_recv();
    }

    /// Whether something has changed since it was last looked at.
    pub(super) fn look(&mut self) -> bool {
        let now = look_at(&self.files);
        std::mem::replace(&mut self.seen, now) != self.seen
    }
}

fn look_at(files: &[PathBuf]) -> Seen {
    let look = |path: &PathBuf| {
        let found = fs::metadata(path).ok().map(|m| {
            let changed = i128::from(m.ctime()) * 1_000_000_000 + i128::from(m.ctime_nsec());
            (m.dev(), m.ino(), m.size(), changed)
        });
        (path.clone(), found)
    };
    files.iter().map(look).collect()
}

/// The directories in which a change may make the path lead elsewhere: its own, and that of every link on the way.
fn directories_of(file: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut rest: Vec<PathBuf> = vec![std::path::absolute(file).unwrap_or_else(|_| file.to_owned())];
    for _ in 0..LINKS {
        let Some(path) = rest.pop() else { break };
        found.extend(path.parent().map(Path::to_owned));
        for place in path.ancestors() {
            let (Ok(target), Some(directory)) = (fs::read_link(place), place.parent()) else { continue };
            found.insert(directory.to_owned());
            let beyond = path.strip_prefix(place).unwrap_or(Path::new(""));
            let target = directory.join(target);
            rest.push(if beyond.as_os_str().is_empty() { target } else { target.join(beyond) });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
    }

    /// Kubernetes: `tls.crt` → `..data/tls.crt`, `..data` → `..1`, and only `..data` is turned.
    fn secret() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for version in ["..1", "..2"] {
            fs::create_dir(at(version)).unwrap();
            write(&at(version).join("tls.crt"), version);
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/tls.crt", at("tls.crt")).unwrap();
        directory
    }

    fn turn(directory: &Path) {
        symlink("..2", directory.join("..data_new")).unwrap();
        fs::rename(directory.join("..data_new"), directory.join("..data")).unwrap();
    }

    #[test]
    fn every_link_on_the_way_is_in_a_watched_directory() {
        let directory = secret();
        let root = directory.path();
        let found = directories_of(&root.join("tls.crt"));
        assert!(found.contains(root) && found.contains(&root.join("..data")), "{found:?}");
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(root, elsewhere.path().join("link")).unwrap();
        let found = directories_of(&elsewhere.path().join("link/tls.crt"));
        assert!(found.contains(root) && found.contains(elsewhere.path()), "{found:?}");
        symlink("loop", elsewhere.path().join("loop")).unwrap();
        assert!(directories_of(&elsewhere.path().join("loop")).contains(elsewhere.path()));
    }

    #[tokio::test]
    async fn a_written_a_replaced_a_turned_a_removed_file_is_a_change() {
        let directory = secret();
        let root = directory.path();
        let (plain, linked, other) = (root.join("plain"), root.join("tls.crt"), root.join("other"));
        write(&plain, "1");
        let mut watch = Watch::new(vec![plain.clone(), linked]);
        assert!(!watch.look());
        let changes: [&dyn Fn(); 5] = [
            &|| write(&plain, "22"),
            &|| {
                write(&other, "33");
                fs::rename(&other, &plain).unwrap();
            },
            &|| turn(root),
            &|| fs::remove_file(&plain).unwrap(),
            &|| write(&plain, "4"),
        ];
        for change in changes {
            change();
            tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.unwrap();
            assert!(!watch.look());
        }
        write(&root.join("a stranger"), "");
        assert!(!watch.look());
    }

    #[test]
    fn a_change_between_two_lists_is_not_lost() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (directory.path().join("one"), directory.path().join("two"));
        write(&one, "1");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let mut watch = Watch::new(vec![one.clone()]);
        write(&one, "22");
        watch.follow(vec![one.clone(), two.clone()]);
        assert!(watch.look());
        watch.follow(vec![two.clone()]);
        assert!(!watch.look());
        write(&two, "2");
        assert!(watch.look());
    }
}
