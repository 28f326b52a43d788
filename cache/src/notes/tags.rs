//! The tags of an answer, from its header fields.

use thiserror::Error;

/// Tags that one answer may have.
pub const TAG_COUNT: usize = 64;

/// Bytes of one answer's tags, all together.
pub const TAG_BYTES: usize = 16 * 1024;

/// An answer has more than [`TAG_COUNT`] tags, or more than [`TAG_BYTES`] bytes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an answer may have {TAG_COUNT} tags with {TAG_BYTES} bytes in all")]
pub struct TooManyTags;

/// What stands between two tags of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Separator {
    /// White space, as in `Surrogate-Key`.
    Blank,
    /// A comma, with or without white space, as in `Cache-Tag`.
    Comma,
    /// Either.
    Both,
}

impl Separator {
    /// What separates the tags in the field of that name.
    #[must_use]
    pub fn of(field: &str) -> Self {
        match field {
            name if name.eq_ignore_ascii_case("surrogate-key") => Self::Blank,
            name if name.eq_ignore_ascii_case("cache-tag") => Self::Comma,
            _ => Self::Both,
        }
    }

    fn separates(self, byte: u8) -> bool {
        let (blank, comma) = (byte.is_ascii_whitespace(), byte == b',');
        match self {
            Self::Blank => blank,
            Self::Comma => comma,
            Self::Both => blank || comma,
        }
    }
}

/// Tags in their order, each once. At most [`TAG_COUNT`] with [`TAG_BYTES`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    tags: Vec<Box<[u8]>>,
    bytes: usize,
}

impl Tags {
    /// Reads field values. Upper and lower case are different tags.
    ///
    /// # Errors
    /// There are too many: then the answer must not be stored, for a purge would not find it.
    pub fn collect<'v>(values: impl IntoIterator<Item = (Separator, &'v [u8])>) -> Result<Self, TooManyTags> {
        let mut tags = Self::default();
        for (separator, value) in values {
            let pieces = value.split(|byte| separator.separates(*byte)).map(<[u8]>::trim_ascii);
            pieces.filter(|tag| !tag.is_empty()).try_for_each(|tag| tags.add(tag))?;
        }
        Ok(tags)
    }

    fn add(&mut self, tag: &[u8]) -> Result<(), TooManyTags> {
        if self.iter().any(|known| known == tag) {
            return Ok(());
        }
        if self.tags.len() == TAG_COUNT || self.bytes + tag.len() > TAG_BYTES {
            return Err(TooManyTags);
        }
        self.bytes += tag.len();
        self.tags.push(tag.into());
        Ok(())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.tags.iter().map(|tag| &**tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(separator: Separator, text: &str) -> Vec<String> {
        let tags = Tags::collect([(separator, text.as_bytes())]).unwrap();
        tags.iter().map(|tag| String::from_utf8_lossy(tag).into_owned()).collect()
    }

    #[test]
    fn each_field_has_its_own_separator() {
        assert_eq!(read(Separator::of("Surrogate-Key"), " a  b,c\td "), ["a", "b,c", "d"]);
        assert_eq!(read(Separator::of("cache-tag"), "a b, c ,,d"), ["a b", "c", "d"]);
        assert_eq!(read(Separator::of("x-tags"), "a b,c"), ["a", "b", "c"]);
        assert_eq!(read(Separator::Both, " , "), [""; 0]);
    }

    #[test]
    fn a_tag_counts_once_and_case_matters() {
        assert_eq!(read(Separator::Blank, "a A a"), ["a", "A"]);
    }

    #[test]
    fn too_many_are_an_error_and_never_a_part_of_them() {
        let many = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert!(Tags::collect([(Separator::Blank, many(TAG_COUNT).as_bytes())]).is_ok());
        assert_eq!(Tags::collect([(Separator::Blank, many(TAG_COUNT + 1).as_bytes())]), Err(TooManyTags));
        let long = vec![b'x'; TAG_BYTES];
        assert!(Tags::collect([(Separator::Blank, &long[..])]).is_ok());
        assert_eq!(Tags::collect([(Separator::Blank, &long[..]), (Separator::Blank, b"y")]), Err(TooManyTags));
    }
}
