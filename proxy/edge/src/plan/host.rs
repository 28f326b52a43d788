//! From a request's host to a custom domain or an API id.

use crate::names::Names;

/// Custom domains by name.
#[derive(Debug, Default)]
pub struct Domains {
    exact: Names<[u8], DomainPlan>,
    /// Without the leading `*`, so beginning with a dot.
    wildcard: Names<[u8], DomainPlan>,
}

/// A custom domain, compiled.
#[derive(Debug, Default)]
pub struct DomainPlan {
    /// Longest base path first.
    pub mappings: Vec<MappingPlan>,
    /// Its number, if it verifies client certificates.
    pub mutual: Option<u64>,
}

/// A base path mapping, compiled.
#[derive(Debug)]
pub struct MappingPlan {
    /// With a leading slash and no trailing one; empty for the rest.
    pub base_path: Box<[u8]>,
    /// Place of the API.
    pub api: u32,
    /// Place of its stage; without it the next segment names the stage.
    pub stage: Option<u32>,
}

impl Domains {
    /// Adds a domain.
    pub fn insert(&mut self, name: &str, mut plan: DomainPlan) {
        plan.mappings.sort_by_key(|m| std::cmp::Reverse(m.base_path.len()));
        match name.strip_prefix('*') {
            Some(rest) => self.wildcard.insert(rest.as_bytes().into(), plan),
            None => self.exact.insert(name.as_bytes().into(), plan),
        };
    }

    /// The domain of a host: exact before wildcard, which stands for one label.
    #[inline]
    pub fn find(&self, host: &[u8]) -> Option<&DomainPlan> {
        if self.exact.is_empty() && self.wildcard.is_empty() {
            return None;
        }
        self.find_name(name(host))
    }

    fn find_name(&self, name: &[u8]) -> Option<&DomainPlan> {
        let mut buffer = [0; 255];
        let lower = lower(name, &mut buffer)?;
        self.exact.get(lower).or_else(|| {
            // A label has a character at least (RFC 1035 §2.3.1).
            let dot = memchr::memchr(b'.', lower).filter(|dot| *dot > 0)?;
            self.wildcard.get(lower.get(dot..)?)
        })
    }
}

impl DomainPlan {
    /// The longest mapping that matches whole segments, and the path behind it.
    pub fn find<'p>(&self, path: &'p [u8]) -> Option<(&MappingPlan, &'p [u8])> {
        self.mappings.iter().find_map(|m| {
            let rest = path.strip_prefix(&*m.base_path)?;
            matches!(rest.first(), None | Some(b'/')).then_some((m, rest))
        })
    }
}

/// Numbers a domain by its name, alike in every plan.
pub fn domain_id(name: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(name.as_bytes())
}

/// The host without its port.
#[inline]
pub fn without_port(host: &[u8]) -> &[u8] {
    if host.first() == Some(&b'[') {
        let end = memchr::memchr(b']', host).map_or(host.len(), |at| at + 1);
        return host.get(..end).unwrap_or(host);
    }
    match memchr::memchr(b':', host) {
        Some(at) => host.get(..at).unwrap_or(host),
        None => host,
    }
}

/// The name that a host is looked up by: without its port, and without the dot that makes a name absolute.
#[inline]
pub fn name(host: &[u8]) -> &[u8] {
    let name = without_port(host);
    name.strip_suffix(b".").unwrap_or(name)
}

/// The API id of `{api-id}.execute-api.…` or `{api-id}-{vpce-id}.execute-api.…`.
#[inline]
pub fn execute_api_id(host: &[u8]) -> Option<&[u8]> {
    // A first label is short: this is faster than to call for something faster.
    let dot = host.iter().position(|byte| *byte == b'.')?;
    let marked = |host: &[u8]| host.get(dot..dot + 13).is_some_and(|r| r.eq_ignore_ascii_case(b".execute-api."));
    if !marked(host) || !marked(name(host)) {
        return None;
    }
    let label = host.get(..dot)?;
    match memchr::memmem::find(label, b"-vpce-") {
        Some(at) => label.get(..at),
        None => Some(label),
    }
}

/// ASCII lower case in a buffer of the caller's; `None` where it is too long.
pub fn lower<'b>(text: &[u8], buffer: &'b mut [u8; 255]) -> Option<&'b [u8]> {
    let to = buffer.get_mut(..text.len())?;
    to.copy_from_slice(text);
    to.make_ascii_lowercase();
    Some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(base_path: &str, api: u32) -> MappingPlan {
        MappingPlan { base_path: base_path.as_bytes().into(), api, stage: None }
    }

    #[test]
    fn exact_before_wildcard_in_any_case() {
        let mut d = Domains::default();
        d.insert("api.example.com", DomainPlan { mappings: vec![mapping("", 1)], mutual: None });
        d.insert("*.example.com", DomainPlan { mappings: vec![mapping("", 2)], mutual: None });
        let api = |host: &str| d.find(host.as_bytes()).map(|p| p.mappings[0].api);
        assert_eq!(api("API.example.com"), Some(1));
        assert_eq!(api("x.example.com"), Some(2));
        assert_eq!(api("a.x.example.com"), None, "a wildcard is one label");
        assert_eq!((api("example.com"), api(".example.com")), (None, None));
    }

    #[test]
    fn the_longest_base_path_wins_on_whole_segments() {
        let mut d = Domains::default();
        d.insert(
            "x",
            DomainPlan { mappings: vec![mapping("/a", 1), mapping("/a/b", 2), mapping("", 3)], mutual: None },
        );
        let find = |path: &'static str| {
            let (m, rest) = d.find(b"x").unwrap().find(path.as_bytes()).unwrap();
            (m.api, std::str::from_utf8(rest).unwrap())
        };
        assert_eq!(find("/a/b/c"), (2, "/c"));
        assert_eq!(find("/a/bc"), (1, "/bc"));
        assert_eq!(find("/a"), (1, ""));
        assert_eq!(find("/ab"), (3, "/ab"));
    }

    #[test]
    fn hosts_and_ids() {
        assert_eq!(without_port(b"a:80"), b"a");
        assert_eq!(without_port(b"[::1]:80"), b"[::1]");
        assert_eq!(execute_api_id(b"abc123.execute-api.eu-west-1.amazonaws.com"), Some(&b"abc123"[..]));
        assert_eq!(execute_api_id(b"abc123-vpce-0f1.execute-api.local"), Some(&b"abc123"[..]));
        assert_eq!(name(b"api.example.com.:80"), b"api.example.com");
        assert_eq!((name(b"a"), name(b"a.."), name(b".")), (&b"a"[..], &b"a."[..], &b""[..]));
        assert_eq!(execute_api_id(b"abc123.execute-api"), None);
        assert_eq!(execute_api_id(b"example.com"), None);
    }
}
