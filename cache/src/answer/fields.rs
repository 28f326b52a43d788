//! Field lines as they are stored: `Name: value\r\n`, one after the other.

/// A look at stored field lines.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Reads `lines`. What is no field line is passed over.
    #[must_use]
    pub const fn of(lines: &'a [u8]) -> Self {
        Self(lines)
    }

    /// Names and values in their order, without the white space around a value.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.lines().map(|(name, value, _)| (name, value))
    }

    /// All values of a field, whose name is compared without case.
    pub fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The value of a field that is there once. Twice is as good as never: nobody can tell which one holds.
    #[must_use]
    pub fn single(self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// Whether a field is there.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// Names, values and whole lines with their ends.
    pub(crate) fn lines(self) -> impl Iterator<Item = (&'a [u8], &'a [u8], &'a [u8])> {
        let lines = self.0.split_inclusive(|byte| *byte == b'\n');
        lines.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, rest) = line.split_at_checked(colon)?;
            Some((name, rest.get(1..)?.trim_ascii(), line))
        })
    }
}

/// The members of a comma-separated list; a comma inside quotes parts nothing, and empty members are none.
pub(crate) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = value.split(move |byte| {
        let ends = *byte == b',' && !quoted;
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
        ends
    });
    parts.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &[u8] = b"ETag: \"a\"\r\nVary:  b , c\t\r\nX\r\nvary: d\r\nEmpty:\r\n";

    #[test]
    fn fields_are_found_by_name_in_any_case() {
        let fields = Fields::of(LINES);
        let vary: Vec<_> = fields.values("Vary").collect();
        assert_eq!(vary, [&b"b , c"[..], b"d"]);
        assert_eq!(fields.single("etag"), Some(&b"\"a\""[..]));
        assert_eq!(fields.single("vary"), None);
        assert_eq!(fields.single("empty"), Some(&b""[..]));
        assert!(!fields.has("x"));
    }

    #[test]
    fn a_list_is_parted_outside_of_quotes_only() {
        let parted = |value: &'static [u8]| members(value).collect::<Vec<_>>();
        assert_eq!(parted(b"a, b=\"c, d\" ,,e"), [&b"a"[..], b"b=\"c, d\"", b"e"]);
        assert_eq!(parted(b"a=\"x\\\", y\", z"), [&b"a=\"x\\\", y\""[..], b"z"]);
        assert_eq!(parted(b" , "), [&b""[..]; 0]);
    }
}
