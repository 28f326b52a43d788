//! Keys of what lies below the memory of the response cache: the disk, and encryption at rest.

use super::Absent::{Empty, Required, Text, Unset};
use super::{FILE, Form, Key, Kind, MIB, Section, TIB, secs};

static DIRECTORY_FORM: Form = Form { name: "a directory, relative to this file", pattern: "" };
static VARIABLE: Form = Form { name: "the name of an environment variable", pattern: "^[A-Za-z_][A-Za-z0-9_]*$" };
static ARGUMENT: Form = Form { name: "any text", pattern: "" };

pub(crate) static DISK: Key = Key::new(
    "disk",
    Kind::Table(&Section {
        title: "[cache.disk]",
        doc: "A disk below the memory of the caches: entries are found again after a restart. Stages share one store; those that begin with 6.1 GB of disk and more have their own.",
        keys: &[&DIRECTORY, &SIZE, &READS, &KEEP_REMOVED],
    }),
    Unset("memory alone"),
    "The disk of the response caches.",
);
pub(crate) static DIRECTORY: Key = Key::new(
    "directory",
    Kind::Text(&DIRECTORY_FORM),
    Required,
    "Where the stores lie; made if it is not there. One process has it at a time. Changes with a restart.",
);
pub(crate) static SIZE: Key = Key::new(
    "size",
    Kind::Size(64 * MIB, 64 * TIB),
    Required,
    "Disk for the caches of all stages together; what their `cache_cluster_size` is beyond memory may not pass it in sum.",
);
pub(crate) static READS: Key = Key::new(
    "reads",
    Kind::Choice(&["buffered", "direct"]),
    Text("buffered"),
    "`buffered`: through the page cache, which answers what it holds without waiting. `direct`: past it, so that memory is not filled twice. Changes with a restart.",
);
pub(crate) static KEEP_REMOVED: Key = Key::new(
    "keep_removed",
    Kind::Duration(secs(0), secs(30 * 24 * 3600)),
    Text("1h"),
    "How long what a stage has on disk is kept when the stage is not in the configuration any more; less if `size` has no room for it beside the others.",
);

pub(crate) static ENCRYPTION: Key = Key::new(
    "encryption",
    Kind::Table(&Section {
        title: "[cache.encryption]",
        doc: "Everything that is written to disk is sealed with AES-256-GCM. A reload reads the keys again: new entries use the current one, older ones are read with theirs as long as it is listed.",
        keys: &[&ENCRYPT, &CURRENT, &KEY],
    }),
    Unset("nothing is sealed"),
    "Encryption at rest.",
);
pub(crate) static ENCRYPT: Key = Key::new(
    "encrypt",
    Kind::Choice(&["disk", "everywhere"]),
    Text("disk"),
    "`everywhere`: entries in memory are sealed too while nobody asks for them, with a key of the process's own. Changes with a restart.",
);
pub(crate) static CURRENT: Key = Key::new(
    "current",
    Kind::Integer(0, u32::MAX as u64),
    Required,
    "The id of the key that new entries are sealed with.",
);
pub(crate) static KEY: Key = Key::new(
    "key",
    Kind::Tables(&Section {
        title: "[[cache.encryption.key]]",
        doc: "A key: 32 bytes as they are, in 64 hexadecimal digits, or in base64. It is read from one of `file`, `env` and `command`.",
        keys: &[&ID, &KEY_FILE, &ENV, &COMMAND, &TIMEOUT],
    }),
    Empty,
    "The keys.",
);
pub(crate) static ID: Key = Key::new(
    "id",
    Kind::Integer(0, u32::MAX as u64),
    Required,
    "Names the key in what is sealed with it; never use one twice.",
);
pub(crate) static KEY_FILE: Key =
    Key::new("file", Kind::Text(&FILE), Unset("another source"), "A file that holds the key.");
pub(crate) static ENV: Key =
    Key::new("env", Kind::Text(&VARIABLE), Unset("another source"), "An environment variable that holds the key.");
pub(crate) static COMMAND: Key = Key::new(
    "command",
    Kind::List(&ARGUMENT),
    Unset("another source"),
    "A program and its arguments, run without a shell; the key is what it writes to its standard output. A client of a key management service fits here.",
);
pub(crate) static TIMEOUT: Key =
    Key::new("timeout", Kind::Duration(secs(1), secs(120)), Text("10s"), "How long the command may take.");

pub(crate) static CACHE_MEMORY: Key = Key::new(
    "cache_memory",
    Kind::Size(MIB, 16 * TIB),
    Unset("an eighth of `cache_cluster_size`"),
    "The part of `cache_cluster_size` that is memory where there is a `[cache.disk]`; the rest lies on disk.",
);
