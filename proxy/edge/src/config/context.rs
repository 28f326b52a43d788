//! The names of `$context` variables: AWS's, and six of ours, without `$context.`.
//!
//! Which of them has a value, and where it comes from, is known to those who read them: `observe::access_log` and
//! `stage::source`, whose tests hold their tables against these.

/// Those that an access log may show; besides them, any that begins with `authorizer.`. AWS lists them in "Variables for
/// access logging for API Gateway"; those of features that this node does not have are known too, so that a format that
/// was copied from AWS works.
pub const LOGGED: [&str; 80] = [
    "accountId",
    "apiId",
    "authenticate.error",
    "authenticate.latency",
    "authenticate.status",
    "authorize.error",
    "authorize.latency",
    "authorize.status",
    "authorizer.error",
    "authorizer.integrationLatency",
    "authorizer.integrationStatus",
    "authorizer.latency",
    "authorizer.principalId",
    "authorizer.requestId",
    "authorizer.status",
    "awsEndpointRequestId",
    "brokenOff",
    "cacheStatus",
    "customDomain.basePathMatched",
    "deploymentId",
    "domainName",
    "domainPrefix",
    "error.message",
    "error.messageString",
    "error.responseType",
    "error.validationErrorString",
    "extendedRequestId",
    "httpMethod",
    "identity.accessKey",
    "identity.accountId",
    "identity.apiKey",
    "identity.apiKeyId",
    "identity.caller",
    "identity.clientCert.clientCertPem",
    "identity.clientCert.issuerDN",
    "identity.clientCert.serialNumber",
    "identity.clientCert.subjectDN",
    "identity.clientCert.validity.notAfter",
    "identity.clientCert.validity.notBefore",
    "identity.cognitoAuthenticationProvider",
    "identity.cognitoAuthenticationType",
    "identity.cognitoIdentityId",
    "identity.cognitoIdentityPoolId",
    "identity.principalOrgId",
    "identity.sourceIp",
    "identity.user",
    "identity.userAgent",
    "identity.userArn",
    "identity.vpcId",
    "identity.vpceId",
    "integration.error",
    "integration.integrationStatus",
    "integration.latency",
    "integration.requestId",
    "integration.status",
    "integrationErrorMessage",
    "integrationLatency",
    "integrationStatus",
    "isCanaryRequest",
    "path",
    "protocol",
    "queryString",
    "requestId",
    "requestTime",
    "requestTimeEpoch",
    "requestTimeEpochMicros",
    "resourceId",
    "resourcePath",
    "responseLatency",
    "responseLatencyMicros",
    "responseLength",
    "stage",
    "status",
    "waf.error",
    "waf.latency",
    "waf.status",
    "wafResponseCode",
    "way",
    "webaclArn",
    "xrayTraceId",
];

/// Those that a request parameter may be mapped from: what is known of a request before it is answered.
pub const MAPPED: [&str; 15] = [
    "accountId",
    "apiId",
    "deploymentId",
    "domainName",
    "domainPrefix",
    "extendedRequestId",
    "httpMethod",
    "identity.sourceIp",
    "identity.userAgent",
    "path",
    "protocol",
    "requestId",
    "requestTimeEpoch",
    "resourcePath",
    "stage",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted_and_without_doubles() {
        assert!(LOGGED.is_sorted_by(|a, b| a < b));
        assert!(MAPPED.is_sorted_by(|a, b| a < b));
    }
}
