//! What is to be purged, and how.

use crate::entry::Entry;
use crate::key::{KeyRef, Keyed, VARIANT};
use crate::notes::NotesRef;

/// A wish to purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// What.
    pub target: Target,
    /// How.
    pub force: Force,
}

/// How entries are purged. The greater one does more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Force {
    /// They are expired: they may still be served stale while a fresh answer is fetched, where that is switched on.
    Soft,
    /// They are gone.
    Hard,
}

/// Which entries of a stage's cache are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// The entry under this key, and all of its variants.
    Key(Box<[u8]>),
    /// All entries of a method: `GET /pets/{id}`; with `ANY` as the verb, of all methods of the resource.
    Method(Box<[u8]>),
    /// All entries whose routed path begins so, in the form that [`normal_path`](crate::notes::normal_path) gives.
    Prefix(Box<[u8]>),
    /// All entries with this tag.
    Tag(Box<[u8]>),
    /// All.
    Everything,
}

/// Which way of naming entries a target uses, for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// [`Target::Key`].
    Key,
    /// [`Target::Method`].
    Method,
    /// [`Target::Prefix`].
    Prefix,
    /// [`Target::Tag`].
    Tag,
    /// [`Target::Everything`].
    Everything,
}

impl TargetKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Key, Self::Method, Self::Prefix, Self::Tag, Self::Everything];

    /// Its name in metrics and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Method => "method",
            Self::Prefix => "prefix",
            Self::Tag => "tag",
            Self::Everything => "everything",
        }
    }
}

impl Target {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Key(_) => TargetKind::Key,
            Self::Method(_) => TargetKind::Method,
            Self::Prefix(_) => TargetKind::Prefix,
            Self::Tag(_) => TargetKind::Tag,
            Self::Everything => TargetKind::Everything,
        }
    }

    /// The bytes that name what is meant.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Key(text) | Self::Method(text) | Self::Prefix(text) | Self::Tag(text) => text,
            Self::Everything => b"",
        }
    }

    /// Whether an entry is meant. Notes that cannot be read may say anything: then it is.
    #[must_use]
    pub fn covers(&self, entry: &Entry) -> bool {
        match self {
            Self::Key(key) => is_variant_of(entry.key().bytes, key),
            Self::Everything => true,
            _ => NotesRef::read(entry.notes()).is_none_or(|notes| self.covers_notes(notes)),
        }
    }

    /// Whether what a fetch will bring may be meant: what its answer will be tagged with is not known yet.
    #[must_use]
    pub fn may_cover(&self, key: KeyRef<'_>, notes: &[u8]) -> bool {
        match self {
            Self::Key(named) => is_variant_of(key.bytes, named),
            Self::Everything | Self::Tag(_) => true,
            _ => NotesRef::read(notes).is_none_or(|notes| self.covers_notes(notes)),
        }
    }

    fn covers_notes(&self, notes: NotesRef<'_>) -> bool {
        match self {
            Self::Method(method) => is_method(notes.method(), method),
            Self::Prefix(prefix) => notes.path().starts_with(prefix),
            Self::Tag(tag) => notes.tags().any(|known| *known == **tag),
            Self::Key(_) | Self::Everything => true,
        }
    }

    /// Whether everything that `other` means is meant.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) => true,
            (Self::Prefix(short), Self::Prefix(long)) => long.starts_with(short),
            _ => self == other,
        }
    }
}

impl Purge {
    /// Whether nothing is left for `other` to do that this does not do as well.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.force >= other.force && self.target.includes(&other.target)
    }
}

/// The key itself, or the key followed by what makes a variant of it. Keys are injective, so nothing else begins so.
fn is_variant_of(bytes: &[u8], key: &[u8]) -> bool {
    bytes.strip_prefix(key).is_some_and(|rest| rest.first().is_none_or(|marker| *marker == VARIANT))
}

/// `ANY` stands for every verb.
fn is_method(noted: &[u8], named: &[u8]) -> bool {
    match named.strip_prefix(b"ANY ") {
        Some(resource) => noted.splitn(2, |byte| *byte == b' ').nth(1) == Some(resource),
        None => noted == named,
    }
}
