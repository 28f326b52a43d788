//! A request as parameter mappings read it: path variables, query, fields, body, stage variables, context.

use std::borrow::Cow;

use sluice_mapping::Source;

use super::Exchange;
use super::recall::{header_values, query_values};
use crate::config::context;
use crate::message::field::FieldKind;
use crate::plan::host::without_port;
use crate::plan::{ApiPlan, MethodPlan, Plan, StagePlan};

/// The request at hand.
pub struct Request<'e> {
    exchange: &'e Exchange<'e>,
    plan: &'e Plan,
    api: &'e ApiPlan,
    stage: &'e StagePlan,
    method: &'e MethodPlan,
}

impl<'e> Request<'e> {
    /// A request that has reached a method.
    pub fn new(exchange: &'e Exchange<'_>, plan: &'e Plan) -> Option<Self> {
        let (api, stage, method) = plan.method(exchange.route?)?;
        Some(Self { exchange, plan, api, stage, method })
    }

    fn host(&self) -> &'e [u8] {
        without_port(self.exchange.head.host())
    }
}

impl Source for Request<'_> {
    fn path(&self, name: &str) -> Option<&[u8]> {
        let place = self.method.variables.iter().position(|variable| **variable == *name)?;
        self.exchange.captures.get(place).map(|span| span.of(self.exchange.head.bytes()))
    }

    fn query(&self, name: &str) -> Vec<Cow<'_, [u8]>> {
        query_values(self.exchange.head.query().unwrap_or_default(), name.as_bytes()).collect()
    }

    fn header(&self, name: &str) -> Vec<&[u8]> {
        header_values(self.exchange, name.as_bytes()).collect()
    }

    fn body(&self) -> &[u8] {
        self.exchange.body.as_deref().unwrap_or_default()
    }

    fn stage_variable(&self, name: &str) -> Option<&str> {
        self.stage.variables.get(name).map(String::as_str)
    }

    fn context(&self, name: &str) -> Option<Cow<'_, str>> {
        CONTEXT.iter().find(|(known, _)| *known == name).and_then(|(_, read)| read(self))
    }
}

type Read = for<'r> fn(&'r Request<'_>) -> Option<Cow<'r, str>>;

/// For every name in `config::context::MAPPED`.
const CONTEXT: [(&str, Read); context::MAPPED.len()] = [
    ("accountId", |r| Some(Cow::Borrowed(&r.plan.account_id))),
    ("apiId", |r| Some(Cow::Borrowed(&r.api.id))),
    ("deploymentId", |r| r.stage.deployment_id.as_deref().map(Cow::Borrowed)),
    ("domainName", |r| text(r.host())),
    ("domainPrefix", |r| text(r.host().split(|b| *b == b'.').next().unwrap_or_default())),
    ("extendedRequestId", |r| text(&r.exchange.request_id.extended()).map(|id| Cow::Owned(id.into_owned()))),
    ("httpMethod", |r| text(r.exchange.head.method())),
    ("identity.sourceIp", |r| Some(Cow::Owned(r.exchange.client.to_string()))),
    ("identity.userAgent", |r| r.exchange.head.value(FieldKind::UserAgent).and_then(text)),
    ("path", |r| text(r.exchange.head.path())),
    ("protocol", |r| Some(Cow::Borrowed(r.exchange.head.version.as_str()))),
    ("requestId", |r| text(&r.exchange.request_id.text()).map(|id| Cow::Owned(id.into_owned()))),
    ("requestTimeEpoch", |r| Some(Cow::Owned((r.exchange.now.wall_micros / 1_000).to_string()))),
    ("resourcePath", |r| Some(Cow::Borrowed(&r.method.path))),
    ("stage", |r| Some(Cow::Borrowed(&r.stage.name))),
];

fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty()).map(Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_mapped_can_be_read() {
        assert_eq!(CONTEXT.map(|(name, _)| name), context::MAPPED);
    }
}
