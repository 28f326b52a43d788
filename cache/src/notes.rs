//! What a stored answer carries for purges to ask about: method, path, tags.
//!
//! Written once when the answer is stored, and kept by every tier as it is. A version, then fields, each a kind, a
//! length and bytes; readers skip the kinds that they do not know, so more can be noted later (the names that an answer
//! varies by). What cannot be read is taken for covered by every purge: better a miss than a stale answer.

mod tags;

use std::borrow::Cow;

pub use tags::{Separator, TAG_BYTES, TAG_COUNT, Tags, TooManyTags};

const VERSION: u8 = 1;

const METHOD: u8 = 1;
const PATH: u8 = 2;
const TAG: u8 = 3;

/// What is noted of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Notes<'a> {
    /// The verb that was executed, such as `GET`.
    pub verb: &'a str,
    /// The resource's path as it is configured, such as `/pets/{id}`.
    pub resource: &'a str,
    /// The routed path as the client sent it, behind base path and stage.
    pub path: &'a [u8],
    /// Its tags.
    pub tags: &'a Tags,
}

impl Notes<'_> {
    /// Writes them behind what is in `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        field(out, METHOD, &[self.verb.as_bytes(), b" ", self.resource.as_bytes()]);
        field(out, PATH, &[&normal_path(self.path)]);
        self.tags.iter().for_each(|tag| field(out, TAG, &[tag]));
    }
}

fn field(out: &mut Vec<u8>, kind: u8, pieces: &[&[u8]]) {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    out.push(kind);
    // Paths, names and tags are far shorter than 4 GiB: each comes from one head.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
}

/// Notes as they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotesRef<'a> {
    fields: &'a [u8],
}

impl<'a> NotesRef<'a> {
    /// Reads what [`Notes::encode`] wrote; `None` for anything else.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (version, fields) = bytes.split_first()?;
        let whole = Fields { rest: fields };
        let is_whole = whole.clone().fold(0, |end, field| end + HEADER + field.1.len()) == fields.len();
        (*version == VERSION && is_whole).then_some(Self { fields })
    }

    /// `GET /pets/{id}`.
    #[must_use]
    pub fn method(self) -> &'a [u8] {
        self.of(METHOD).next().unwrap_or_default()
    }

    /// The routed path in its normal form, see [`normal_path`].
    #[must_use]
    pub fn path(self) -> &'a [u8] {
        self.of(PATH).next().unwrap_or_default()
    }

    /// Its tags.
    pub fn tags(self) -> impl Iterator<Item = &'a [u8]> {
        self.of(TAG)
    }

    fn of(self, kind: u8) -> impl Iterator<Item = &'a [u8]> {
        Fields { rest: self.fields }.filter(move |(found, _)| *found == kind).map(|(_, value)| value)
    }
}

/// Kind and length.
const HEADER: usize = 5;

/// Iterates over fields; ends early where they are cut off.
#[derive(Debug, Clone)]
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ([kind, length @ ..], after) = self.rest.split_first_chunk::<HEADER>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (value, rest) = after.split_at_checked(length)?;
        self.rest = rest;
        Some((*kind, value))
    }
}

/// A path as purges compare it: escapes of letters, digits and `-._~` undone, all others in capitals (RFC 3986, 6.2.2),
/// and a `%` that begins no escape escaped itself. So all spellings of one path are one, and the form of a form is itself.
#[must_use]
pub fn normal_path(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.contains(&b'%') {
        return Cow::Borrowed(path);
    }
    let (mut out, mut rest) = (Vec::with_capacity(path.len()), path);
    while let Some((first, after)) = rest.split_first() {
        rest = match escape(rest) {
            Some((byte, after)) => {
                put(&mut out, byte);
                after
            }
            None if *first == b'%' => {
                put(&mut out, b'%');
                after
            }
            None => {
                out.push(*first);
                after
            }
        };
    }
    Cow::Owned(out)
}

/// The byte that an escape at the front stands for, and what follows it.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([b'%', high, low], after) = text.split_first_chunk::<3>()? else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(high)? << 4 | digit(low)?, after))
}

fn put(out: &mut Vec<u8>, byte: u8) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        out.push(byte);
    } else {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase() as u8;
        out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(verb: &str, resource: &str, path: &[u8], tags: &Tags) -> Vec<u8> {
        let mut out = Vec::new();
        Notes { verb, resource, path, tags }.encode(&mut out);
        out
    }

    fn tags(text: &str) -> Tags {
        Tags::collect([(Separator::Blank, text.as_bytes())]).unwrap()
    }

    #[test]
    fn what_was_noted_is_read() {
        let bytes = encoded("GET", "/pets/{id}", b"/pets/42", &tags("a bb"));
        let notes = NotesRef::read(&bytes).unwrap();
        assert_eq!((notes.method(), notes.path()), (&b"GET /pets/{id}"[..], &b"/pets/42"[..]));
        assert_eq!(notes.tags().collect::<Vec<_>>(), [&b"a"[..], b"bb"]);
    }

    #[test]
    fn a_kind_from_the_future_is_skipped() {
        let mut bytes = encoded("GET", "/", b"/", &tags("a"));
        field(&mut bytes, 200, &[b"later"]);
        field(&mut bytes, TAG, &[b"b"]);
        let notes = NotesRef::read(&bytes).unwrap();
        assert_eq!(notes.tags().collect::<Vec<_>>(), [b"a", b"b"]);
    }

    #[test]
    fn what_is_cut_off_or_of_another_version_is_not_read() {
        let bytes = encoded("GET", "/", b"/", &tags("a"));
        for end in 0..bytes.len() {
            let is_boundary = NotesRef::read(&bytes[..end]).is_some();
            assert!(!is_boundary || Fields { rest: &bytes[1..end] }.count() < 3, "{end}");
        }
        assert_eq!(NotesRef::read(&[2]), None);
        assert_eq!(NotesRef::read(&[VERSION, TAG, 255, 255, 255, 255]), None);
    }

    #[test]
    fn spellings_of_one_path_are_one_path() {
        assert_eq!(*normal_path(b"/%70ets/%34%32"), *b"/pets/42");
        assert_eq!(*normal_path(b"/a%2fb%2F"), *b"/a%2Fb%2F");
        assert_eq!(*normal_path(b"/100%/%zz%4"), *b"/100%25/%25zz%254");
        assert_eq!(*normal_path(b"/plain"), *b"/plain");
    }

    proptest! {
        #[test]
        fn different_notes_have_different_bytes(
            a in (".{0,4}", ".{0,4}", proptest::collection::vec(any::<u8>(), 0..6), "[a-c ]{0,6}"),
            b in (".{0,4}", ".{0,4}", proptest::collection::vec(any::<u8>(), 0..6), "[a-c ]{0,6}"),
        ) {
            let verb = |text: &str| text.replace(' ', "");
            let of = |(v, r, p, t): &(String, String, Vec<u8>, String)| (verb(v), r.clone(), normal_path(p).into_owned(), tags(t));
            let bytes = |(v, r, p, t): &(String, String, Vec<u8>, Tags)| encoded(v, r, p, t);
            let (a, b) = (of(&a), of(&b));
            prop_assert_eq!(a == b, bytes(&a) == bytes(&b));
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(notes) = NotesRef::read(&bytes) {
                let _ = (notes.method(), notes.path(), notes.tags().count());
            }
        }

        #[test]
        fn the_normal_form_is_stable(path in proptest::collection::vec(any::<u8>(), 0..32)) {
            let once = normal_path(&path).into_owned();
            prop_assert_eq!(&*normal_path(&once), &*once);
        }
    }
}
