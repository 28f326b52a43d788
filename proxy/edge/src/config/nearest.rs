//! The nearest known name, for help texts.

/// The one of `known` that `text` was probably meant to be: a slip of the pen, another spelling, or a part of it.
pub(crate) fn nearest<'a>(text: &str, known: &[&'a str]) -> Option<&'a str> {
    let wanted = plain(text);
    let distance = |name: &str| strsim::damerau_levenshtein(&wanted, &plain(name));
    let best = known.iter().copied().min_by_key(|name| (distance(name), *name))?;
    if distance(best) <= plain(best).len().max(4) / 3 {
        return Some(best);
    }
    known.iter().copied().find(|name| wanted.len() > 2 && plain(name).contains(&wanted))
}

/// `cacheTtl`, `cache-ttl` and `CACHE_TTL` are the same slip.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

/// "write 'x'", or the whole choice.
pub(super) fn did_you_mean(text: &str, known: &[&str]) -> String {
    match (nearest(text, known), known) {
        (Some(name), _) => format!("did you mean '{name}'?"),
        (None, []) => "remove it".into(),
        (None, _) => format!("known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_not() {
        let known = ["cache_ttl", "caching_enabled", "idle"];
        assert_eq!(nearest("cache_tll", &known), Some("cache_ttl"));
        assert_eq!(nearest("cacheTtl", &known), Some("cache_ttl"));
        assert_eq!(nearest("Caching_enable", &known), Some("caching_enabled"));
        assert_eq!(nearest("ttl", &known), Some("cache_ttl"));
        assert_eq!(nearest("zzz", &known), None);
        assert_eq!(did_you_mean("zzz", &known), "known are cache_ttl, caching_enabled, idle");
    }
}
