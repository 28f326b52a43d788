//! The directives of Cache-Control (RFC 9111 §5.2, RFC 5861), of requests and of answers.
//!
//! What cannot be understood makes an answer staler, never fresher: a number that is none counts as 0, of two numbers
//! the smaller one holds, and a directive that names fields holds for the whole answer.

use crate::answer::members;

/// The largest number of seconds; more means the same.
const FOREVER: u32 = 1 << 31;

/// What Cache-Control says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheControl {
    /// `no-store`.
    pub no_store: bool,
    /// `private`, also where it names fields.
    pub private: bool,
    /// `no-cache`, also where it names fields.
    pub no_cache: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate` or `proxy-revalidate`.
    pub must_revalidate: bool,
    /// `must-understand`.
    pub must_understand: bool,
    /// `only-if-cached`.
    pub only_if_cached: bool,
    /// `max-age`, seconds.
    pub max_age: Option<u32>,
    /// `s-maxage`, seconds.
    pub s_maxage: Option<u32>,
    /// `stale-while-revalidate`, seconds.
    pub stale_while_revalidate: Option<u32>,
    /// `stale-if-error`, seconds.
    pub stale_if_error: Option<u32>,
    /// `min-fresh`, seconds.
    pub min_fresh: Option<u32>,
    /// `max-stale`, seconds; without a number, any.
    pub max_stale: Option<u32>,
}

impl CacheControl {
    /// Reads all Cache-Control values of a message.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut control = Self::default();
        values.into_iter().flat_map(members).for_each(|directive| control.directive(directive));
        control
    }

    fn directive(&mut self, directive: &[u8]) {
        let mut parts = directive.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        let flag = |name: &[u8]| match name.to_ascii_lowercase().as_slice() {
            b"no-store" => Some(Flag::NoStore),
            b"private" => Some(Flag::Private),
            b"no-cache" => Some(Flag::NoCache),
            b"public" => Some(Flag::Public),
            b"must-revalidate" | b"proxy-revalidate" => Some(Flag::MustRevalidate),
            b"must-understand" => Some(Flag::MustUnderstand),
            b"only-if-cached" => Some(Flag::OnlyIfCached),
            _ => None,
        };
        match flag(name.trim_ascii()) {
            Some(flag) => *self.flag(flag) = true,
            None => self.seconds(name, value),
        }
    }

    fn flag(&mut self, flag: Flag) -> &mut bool {
        match flag {
            Flag::NoStore => &mut self.no_store,
            Flag::Private => &mut self.private,
            Flag::NoCache => &mut self.no_cache,
            Flag::Public => &mut self.public,
            Flag::MustRevalidate => &mut self.must_revalidate,
            Flag::MustUnderstand => &mut self.must_understand,
            Flag::OnlyIfCached => &mut self.only_if_cached,
        }
    }

    fn seconds(&mut self, name: &[u8], value: Option<&[u8]>) {
        let place = match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"max-age" => &mut self.max_age,
            b"s-maxage" => &mut self.s_maxage,
            b"stale-while-revalidate" => &mut self.stale_while_revalidate,
            b"stale-if-error" => &mut self.stale_if_error,
            b"min-fresh" => &mut self.min_fresh,
            b"max-stale" if value.is_none() => return self.max_stale = Some(FOREVER),
            b"max-stale" => &mut self.max_stale,
            _ => return,
        };
        // A blank before the `=` makes it another token; only its owner knows what was meant.
        let told = value.and_then(delta_seconds).filter(|_| name.trim_ascii_end().len() == name.len()).unwrap_or(0);
        *place = Some(place.map_or(told, |other| other.min(told)));
    }
}

enum Flag {
    NoStore,
    Private,
    NoCache,
    Public,
    MustRevalidate,
    MustUnderstand,
    OnlyIfCached,
}

/// Digits, perhaps in quotes.
fn delta_seconds(value: &[u8]) -> Option<u32> {
    let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
    number(inner)
}

/// A number of seconds, in digits alone.
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| {
        let sum = digits.iter().fold(0_u32, |n, digit| n.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
        sum.min(FOREVER)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> CacheControl {
        CacheControl::parse([value.as_bytes()])
    }

    #[test]
    fn directives_are_tokens_in_any_case() {
        let control = parse("max-age=3, No-Store");
        assert!(control.no_store && !control.private);
        let control = parse("PRIVATE=\"set-cookie\" , max-age=1");
        assert!(!control.no_store && control.private);
        assert_eq!(parse("no-stores, xprivate, publics"), CacheControl::default());
        assert_eq!(parse(""), CacheControl::default());
    }

    #[test]
    fn a_comma_inside_quotes_does_not_end_a_directive() {
        let control = parse("no-cache=\"a, no-store\", private");
        assert!(control.no_cache && control.private && !control.no_store);
        assert_eq!(parse("extension=\"max-age=100, a=b\", max-age=1").max_age, Some(1));
        assert_eq!(parse("max-age=1, extension=\"max-age=100, a=b\"").max_age, Some(1));
    }

    #[test]
    fn all_field_lines_count() {
        let control = CacheControl::parse([&b"private"[..], b"no-store"]);
        assert!(control.private && control.no_store);
    }

    #[test]
    fn seconds_are_digits_and_nothing_else() {
        let max_age = |value: &str| parse(&format!("max-age{value}")).max_age;
        assert_eq!(max_age("=3600"), Some(3600));
        assert_eq!(max_age("=003600"), Some(3600));
        assert_eq!(max_age("=\"3600\""), Some(3600));
        assert_eq!(max_age("=99999999999"), Some(FOREVER));
        for wrong in ["=-1", "='3600'", "=3600.5", "=a100", "=100a", "=", "", " =100", "= 100"] {
            assert_eq!(max_age(wrong), Some(0), "{wrong}");
        }
    }

    #[test]
    fn of_two_numbers_the_smaller_one_holds() {
        assert_eq!(parse("max-age=1, max-age=9").max_age, Some(1));
        assert_eq!(parse("max-age=9, max-age=1").max_age, Some(1));
    }

    #[test]
    fn any_staleness_may_be_allowed() {
        assert_eq!(parse("max-stale").max_stale, Some(FOREVER));
        assert_eq!(parse("max-stale=5").max_stale, Some(5));
    }
}
