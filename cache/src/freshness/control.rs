//! The directives of an answer's Cache-Control that forbid storing it.

/// What Cache-Control forbids; everything else in it is left to the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheControl {
    /// `no-store`.
    pub no_store: bool,
    /// `private`, also where it names fields.
    pub private: bool,
}

impl CacheControl {
    /// Reads all Cache-Control values of an answer. What is malformed forbids nothing.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut control = Self::default();
        values.into_iter().for_each(|value| control.value(value));
        control
    }

    fn value(&mut self, value: &[u8]) {
        let mut quoted = false;
        value
            .split(|byte| {
                quoted ^= *byte == b'"';
                *byte == b',' && !quoted
            })
            .for_each(|directive| self.directive(directive));
    }

    fn directive(&mut self, directive: &[u8]) {
        let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        self.no_store |= name.eq_ignore_ascii_case(b"no-store");
        self.private |= name.eq_ignore_ascii_case(b"private");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> (bool, bool) {
        let control = CacheControl::parse([value.as_bytes()]);
        (control.no_store, control.private)
    }

    #[test]
    fn directives_are_tokens_in_any_case() {
        assert_eq!(parse("max-age=3, No-Store"), (true, false));
        assert_eq!(parse("PRIVATE=\"set-cookie\" , max-age=1"), (false, true));
        assert_eq!(parse("no-stores, xprivate, public"), (false, false));
        assert_eq!(parse(""), (false, false));
    }

    #[test]
    fn a_comma_inside_quotes_does_not_end_a_directive() {
        assert_eq!(parse("no-cache=\"a, no-store\", private"), (false, true));
    }

    #[test]
    fn all_field_lines_count() {
        let control = CacheControl::parse([&b"private"[..], b"no-store"]);
        assert!(control.no_store && control.private);
    }
}
