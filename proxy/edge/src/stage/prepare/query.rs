//! What of the client's query goes on to the endpoint: all of it, but under `edge` for what a mapping has taken, and where a
//! method states the parameters of its key, for what the key does not know. An endpoint that saw a parameter which tells
//! no answers apart could let one caller choose what all others get.

use sluice_api::Verb;

use super::super::{Exchange, recall};
use crate::plan::{HttpPlan, MethodPlan, Parameters, Plan};

/// What passes of a request's query.
#[derive(Clone, Copy)]
pub(super) struct Passing<'p> {
    /// Their names belong to the mapping, unless what is mapped is appended.
    mapped: &'p Parameters,
    /// What is mapped comes behind what the client has sent of that name, as AWS does it.
    appends: bool,
    /// No others pass.
    keyed: Option<&'p [Box<str>]>,
}

impl<'p> Passing<'p> {
    pub(super) fn of(exchange: &Exchange<'_>, plan: &'p Plan, http: &'p HttpPlan) -> Self {
        let method = exchange.route.and_then(|route| plan.method(route)).map(|(.., method)| method);
        let keyed = exchange.head.verb.zip(method).and_then(|(verb, method)| keyed(verb, method));
        Self { mapped: &http.parameters, appends: http.aws, keyed }
    }

    /// Something is left out for the key does not know it.
    pub(super) fn reduces(&self, query: &[u8]) -> bool {
        let is_left_out = |pair: &[u8]| !pair.is_empty() && !self.is_mapped(pair) && !self.is_keyed(pair);
        self.keyed.is_some() && query.split(|b| *b == b'&').any(is_left_out)
    }

    /// The pairs that pass, as they came and in their order.
    pub(super) fn pairs<'q>(self, query: &'q [u8]) -> impl Iterator<Item = &'q [u8]> + use<'q, 'p> {
        let is_whole = self.keyed.is_none() && (self.appends || self.mapped.query.is_empty());
        let whole = Some(query).filter(|query| is_whole && !query.is_empty());
        let some = Some(query).filter(|query| !is_whole && !query.is_empty());
        let pairs = some.into_iter().flat_map(|query| query.split(|b| *b == b'&'));
        whole.into_iter().chain(pairs.filter(move |pair| self.passes(pair)))
    }

    fn passes(&self, pair: &[u8]) -> bool {
        !self.is_mapped(pair) && self.is_keyed(pair)
    }

    fn is_mapped(&self, pair: &[u8]) -> bool {
        !self.appends && !self.mapped.query.is_empty() && self.mapped.has_query(&recall::query_name(pair))
    }

    fn is_keyed(&self, pair: &[u8]) -> bool {
        let Some(keyed) = self.keyed else { return true };
        let name = recall::query_name(pair);
        keyed.iter().any(|known| known.as_bytes() == &*name)
    }
}

/// The query parameters of the key, if no others may pass. Whether this request is answered from the cache, or kept out of
/// it, makes no difference: an endpoint sees the same of both.
fn keyed(verb: Verb, method: &MethodPlan) -> Option<&[Box<str>]> {
    method.cache.as_ref().filter(|rule| rule.caches(verb))?.passes.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(keyed: Option<&[&str]>, mapped: &[&str], query: &str) -> String {
        let source = || sluice_mapping::Expression::parse("'x'").unwrap();
        let query_parameters = mapped.iter().map(|name| ((*name).into(), source())).collect();
        let mapped = Parameters { query: query_parameters, ..Parameters::default() };
        let keyed: Option<Vec<Box<str>>> = keyed.map(|names| names.iter().map(|name| (*name).into()).collect());
        let passing = Passing { mapped: &mapped, appends: false, keyed: keyed.as_deref() };
        let pairs: Vec<&[u8]> = passing.pairs(query.as_bytes()).collect();
        String::from_utf8(pairs.join(&b'&')).unwrap()
    }

    #[test]
    fn what_the_key_knows_passes_as_it_came() {
        assert_eq!(passed(Some(&["a", "c d"]), &[], "b=2&a=1&%61=%31&A=1&c+d=4&&c%20d&=x"), "a=1&%61=%31&c+d=4&c%20d");
        assert_eq!(passed(Some(&[]), &[], "a=1&b"), "");
        assert_eq!(passed(Some(&["a"]), &["a"], "a=1&b=2"), "", "the mapping says what the endpoint gets of it");
    }

    #[test]
    fn without_names_all_passes_that_is_not_mapped() {
        assert_eq!(passed(None, &[], "b=2&&a=%zz;c"), "b=2&&a=%zz;c");
        assert_eq!(passed(None, &["b"], "b=2&a=1&%62=3"), "a=1");
        assert_eq!(passed(None, &[], ""), "");
    }
}
