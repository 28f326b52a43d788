//! What an access log reads a `$context` variable from. The names are in `config::context`.

use super::line::Value;
use super::record::AccessRecord;
use crate::config::context;

/// What an authorizer returned: any name may follow.
const AUTHORIZER: &str = "authorizer.";

type Read = for<'a> fn(&AccessRecord<'a>) -> Value<'a>;

/// A variable: its place among those that have a value here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variable(Option<usize>);

impl Variable {
    /// The variable of that name, without `$context.`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let place = READERS.iter().position(|(known, _)| *known == name);
        let property = name.strip_prefix(AUTHORIZER).is_some_and(|property| !property.is_empty());
        (property || context::LOGGED.contains(&name)).then_some(Self(place))
    }

    pub(super) fn read<'a>(self, record: &AccessRecord<'a>) -> Value<'a> {
        self.0.and_then(|place| READERS.get(place)).map_or(Value::Absent, |(_, read)| read(record))
    }
}

const INTEGRATION_ERROR: Read = |r| r.integration_error.into();
const INTEGRATION_LATENCY: Read = |r| r.integration_latency_us.map(|us| us / 1_000).into();
const INTEGRATION_STATUS: Read = |r| r.integration_status.map(u64::from).into();

/// Every other known variable belongs to a feature that this node does not have, and is absent.
const READERS: [(&str, Read); 38] = [
    ("accountId", |r| r.account_id.into()),
    ("apiId", |r| r.api_id.into()),
    ("brokenOff", |r| r.broken_off.into()),
    ("cacheStatus", |r| r.cache_status.into()),
    ("customDomain.basePathMatched", |r| r.base_path.into()),
    ("deploymentId", |r| r.deployment_id.into()),
    ("domainName", |r| r.domain_name.into()),
    ("domainPrefix", |r| r.domain_name.and_then(|name| name.split('.').next()).into()),
    ("error.message", |r| r.error_message.into()),
    ("error.messageString", |r| r.error_message.map_or(Value::Absent, |text| Value::Quoted(text.as_bytes()))),
    ("error.responseType", |r| r.error_type.into()),
    ("extendedRequestId", |r| Value::ExtendedId(r.request_id)),
    ("httpMethod", |r| Some(r.method).into()),
    ("identity.sourceIp", |r| Value::Ip(r.source_ip)),
    ("identity.userAgent", |r| r.user_agent.into()),
    ("integration.error", INTEGRATION_ERROR),
    ("integration.integrationStatus", INTEGRATION_STATUS),
    ("integration.latency", INTEGRATION_LATENCY),
    ("integration.status", INTEGRATION_STATUS),
    ("integrationErrorMessage", INTEGRATION_ERROR),
    ("integrationLatency", INTEGRATION_LATENCY),
    ("integrationStatus", INTEGRATION_STATUS),
    ("path", |r| Some(r.path).into()),
    ("protocol", |r| Some(r.protocol).into()),
    ("queryString", |r| r.query.into()),
    ("requestId", |r| Value::Id(r.request_id)),
    ("requestTime", |r| Value::Date(r.time_us)),
    ("requestTimeEpoch", |r| Value::Number(r.time_us / 1_000)),
    ("requestTimeEpochMicros", |r| Value::Number(r.time_us)),
    ("resourceId", |r| r.resource_id.into()),
    ("resourcePath", |r| r.resource_path.into()),
    ("responseLatency", |r| Value::Number(r.latency_us / 1_000)),
    ("responseLatencyMicros", |r| Value::Number(r.latency_us)),
    ("responseLength", |r| Value::Number(r.response_length)),
    ("stage", |r| r.stage.into()),
    ("status", |r| Value::Number(u64::from(r.status))),
    ("way", |r| Some(r.way).into()),
    ("xrayTraceId", |r| r.trace_id.into()),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_known() {
        assert!(READERS.iter().all(|(name, _)| context::LOGGED.contains(name)));
        assert!(READERS.is_sorted_by(|a, b| a.0 < b.0), "sorted, without doubles");
    }
}
