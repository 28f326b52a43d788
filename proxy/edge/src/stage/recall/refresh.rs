//! `Cache-Control: max-age=0`: a client asks for a fresh answer in place of the stored one.
//!
//! AWS's page "Enabling API caching", "Invalidate an API Gateway cache entry". Other directives of a request mean nothing
//! to AWS's cache, nor to this one.

use sluice_api::UnauthorizedCacheControl;
use sluice_policy::Invalidation;

use super::super::Exchange;
use super::super::arn::MethodArn;
use super::Cached;
use crate::message::field::FieldKind;
use crate::message::head::Head;
use crate::plan::Plan;

/// What a request asks of a stored answer, and what becomes of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing.
    None,
    /// It gets a fresh one, which is stored in its place.
    Granted,
    /// It may not, and gets a 403.
    Denied,
    /// It may not, and is answered as if it had not asked.
    Ignored {
        /// It is told so.
        warns: bool,
    },
}

/// AWS's table: is authorisation asked for, is the caller authorised, and what happens if not.
#[inline]
pub(super) fn wish(exchange: &Exchange<'_>, plan: &Plan, method: &Cached<'_>) -> Wish {
    if !exchange.head.has(FieldKind::CacheControl) || !asks(&exchange.head) {
        return Wish::None;
    }
    match method.rule.unauthorized {
        Some(strategy) if !may(exchange, plan, method) => refused(strategy),
        _ => Wish::Granted,
    }
}

/// The caller may have an entry of the method replaced.
pub(super) fn may(exchange: &Exchange<'_>, plan: &Plan, method: &Cached<'_>) -> bool {
    if method.rule.unauthorized.is_none() {
        return true;
    }
    let arn = MethodArn::of(exchange, plan);
    method.stage.invalidation.allows(&Invalidation { source_ip: exchange.client, method_arn: &arn })
}

fn refused(strategy: UnauthorizedCacheControl) -> Wish {
    match strategy {
        UnauthorizedCacheControl::FailWith403 => Wish::Denied,
        UnauthorizedCacheControl::SucceedWithResponseHeader => Wish::Ignored { warns: true },
        UnauthorizedCacheControl::SucceedWithoutResponseHeader => Wish::Ignored { warns: false },
    }
}

/// `max-age=0` stands among the directives.
fn asks(head: &Head<'_>) -> bool {
    head.values(FieldKind::CacheControl).any(|value| value.split(|b| *b == b',').any(is_max_age_0))
}

fn is_max_age_0(directive: &[u8]) -> bool {
    let mut parts = directive.splitn(2, |b| *b == b'=').map(<[u8]>::trim_ascii);
    let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"max-age"));
    let zero = |seconds: &[u8]| !seconds.is_empty() && seconds.iter().all(|b| *b == b'0');
    named && parts.next().is_some_and(zero)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::head::Version;

    fn asks_for(values: &[&str]) -> bool {
        let fields = values.iter().map(|v| (&b"cache-Control"[..], v.as_bytes()));
        Head::flat(Version::Http11, b"GET", b"/", b"a", fields).is_some_and(|head| asks(&head))
    }

    #[test]
    fn the_directive_is_a_token_of_the_list() {
        for yes in ["max-age=0", "no-cache, Max-Age=0", "max-age = 0 ,x", "max-age=00"] {
            assert!(asks_for(&[yes]), "{yes}");
        }
        for no in
            ["", "no-cache", "no-store", "max-age=1", "max-age=01", "max-age", "max-age=", "s-max-age=0", "max-age=0x"]
        {
            assert!(!asks_for(&[no]), "{no}");
        }
        assert!(asks_for(&["no-cache", "max-age=0"]), "every line counts");
    }

    #[test]
    fn each_strategy() {
        assert_eq!(refused(UnauthorizedCacheControl::FailWith403), Wish::Denied);
        assert_eq!(refused(UnauthorizedCacheControl::SucceedWithResponseHeader), Wish::Ignored { warns: true });
        assert_eq!(refused(UnauthorizedCacheControl::SucceedWithoutResponseHeader), Wish::Ignored { warns: false });
    }
}
