//! The `$context` variables of access logs: AWS's, under AWS's names, and five of ours.
//!
//! AWS lists them in "Variables for access logging for API Gateway". Those of features that this node does not have are
//! known and absent, so a format that was copied from AWS works.

use super::line::Value;
use super::record::AccessRecord;

/// What an authorizer returned: any name may follow.
const AUTHORIZER: &str = "authorizer.";

/// The names of all variables, without `$context.`; besides them, any that begins with `authorizer.`.
pub const KNOWN_VARIABLES: [&str; VARIABLES.len()] = names();

type Read = for<'a> fn(&AccessRecord<'a>) -> Value<'a>;

/// A variable: its place in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variable(usize);

impl Variable {
    /// The variable of that name, without `$context.`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let place = |name: &str| VARIABLES.iter().position(|(known, _)| *known == name).map(Self);
        let property = name.strip_prefix(AUTHORIZER).filter(|property| !property.is_empty());
        place(name).or_else(|| property.and_then(|_| place("authorizer.principalId")))
    }

    pub(super) fn read<'a>(self, record: &AccessRecord<'a>) -> Value<'a> {
        VARIABLES.get(self.0).map_or(Value::Absent, |(_, read)| read(record))
    }
}

const ABSENT: Read = |_| Value::Absent;
const INTEGRATION_ERROR: Read = |r| r.integration_error.into();
const INTEGRATION_LATENCY: Read = |r| r.integration_latency_us.map(|us| us / 1_000).into();
const INTEGRATION_STATUS: Read = |r| r.integration_status.map(u64::from).into();

const VARIABLES: [(&str, Read); 79] = [
    ("accountId", |r| r.account_id.into()),
    ("apiId", |r| r.api_id.into()),
    ("authenticate.error", ABSENT),
    ("authenticate.latency", ABSENT),
    ("authenticate.status", ABSENT),
    ("authorize.error", ABSENT),
    ("authorize.latency", ABSENT),
    ("authorize.status", ABSENT),
    ("authorizer.error", ABSENT),
    ("authorizer.integrationLatency", ABSENT),
    ("authorizer.integrationStatus", ABSENT),
    ("authorizer.latency", ABSENT),
    ("authorizer.principalId", ABSENT),
    ("authorizer.requestId", ABSENT),
    ("authorizer.status", ABSENT),
    ("awsEndpointRequestId", ABSENT),
    ("cacheStatus", |r| r.cache_status.into()),
    ("customDomain.basePathMatched", |r| r.base_path.into()),
    ("deploymentId", |r| r.deployment_id.into()),
    ("domainName", |r| r.domain_name.into()),
    ("domainPrefix", |r| r.domain_name.and_then(|name| name.split('.').next()).into()),
    ("error.message", |r| r.error_message.into()),
    ("error.messageString", |r| r.error_message.map_or(Value::Absent, |text| Value::Quoted(text.as_bytes()))),
    ("error.responseType", |r| r.error_type.into()),
    ("error.validationErrorString", ABSENT),
    ("extendedRequestId", |r| Value::ExtendedId(r.request_id)),
    ("httpMethod", |r| Some(r.method).into()),
    ("identity.accessKey", ABSENT),
    ("identity.accountId", ABSENT),
    ("identity.apiKey", ABSENT),
    ("identity.apiKeyId", ABSENT),
    ("identity.caller", ABSENT),
    ("identity.clientCert.clientCertPem", ABSENT),
    ("identity.clientCert.issuerDN", ABSENT),
    ("identity.clientCert.serialNumber", ABSENT),
    ("identity.clientCert.subjectDN", ABSENT),
    ("identity.clientCert.validity.notAfter", ABSENT),
    ("identity.clientCert.validity.notBefore", ABSENT),
    ("identity.cognitoAuthenticationProvider", ABSENT),
    ("identity.cognitoAuthenticationType", ABSENT),
    ("identity.cognitoIdentityId", ABSENT),
    ("identity.cognitoIdentityPoolId", ABSENT),
    ("identity.principalOrgId", ABSENT),
    ("identity.sourceIp", |r| Value::Ip(r.source_ip)),
    ("identity.user", ABSENT),
    ("identity.userAgent", |r| r.user_agent.into()),
    ("identity.userArn", ABSENT),
    ("identity.vpcId", ABSENT),
    ("identity.vpceId", ABSENT),
    ("integration.error", INTEGRATION_ERROR),
    ("integration.integrationStatus", INTEGRATION_STATUS),
    ("integration.latency", INTEGRATION_LATENCY),
    ("integration.requestId", ABSENT),
    ("integration.status", INTEGRATION_STATUS),
    ("integrationErrorMessage", INTEGRATION_ERROR),
    ("integrationLatency", INTEGRATION_LATENCY),
    ("integrationStatus", INTEGRATION_STATUS),
    ("isCanaryRequest", ABSENT),
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
    ("waf.error", ABSENT),
    ("waf.latency", ABSENT),
    ("waf.status", ABSENT),
    ("wafResponseCode", ABSENT),
    ("way", |r| Some(r.way).into()),
    ("webaclArn", ABSENT),
    ("xrayTraceId", |r| r.trace_id.into()),
];

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn names() -> [&'static str; VARIABLES.len()] {
    let mut names = [""; VARIABLES.len()];
    let mut place = 0;
    while place < names.len() {
        names[place] = VARIABLES[place].0;
        place += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sorted_and_without_doubles() {
        assert!(KNOWN_VARIABLES.is_sorted_by(|a, b| a < b));
    }
}
