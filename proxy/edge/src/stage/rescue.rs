//! The one table from an error to what the client sees: gateway-response type, status, error type and message.
//!
//! AWS's page: "Gateway response types in API Gateway". Whatever the log needs beyond that stays in the ledger.

use std::borrow::Cow;

use serde::Serialize;

use super::frame::Refusal;

/// AWS's gateway-response types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum ResponseType {
    AccessDenied,
    ApiConfigurationError,
    AuthorizerConfigurationError,
    AuthorizerFailure,
    BadRequestBody,
    BadRequestParameters,
    Default4xx,
    Default5xx,
    ExpiredToken,
    IntegrationFailure,
    IntegrationTimeout,
    InvalidApiKey,
    InvalidSignature,
    MissingAuthenticationToken,
    QuotaExceeded,
    RequestTooLarge,
    ResourceNotFound,
    Throttled,
    Unauthorized,
    UnsupportedMediaType,
    WafFiltered,
}

/// The built-in answer of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its status.
    pub status: u16,
    /// `x-amzn-ErrorType`.
    pub error_type: &'static str,
    /// `$context.error.message`; `None` is rendered as `null`.
    pub message: Option<&'static str>,
    /// Raised while the request was executed, not before: AWS then writes a blank after the colon.
    pub spaced: bool,
}

impl ResponseType {
    /// Every type, in AWS's order of enumeration.
    pub const ALL: [ResponseType; 21] = {
        use ResponseType::*;
        [
            RequestTooLarge,
            ResourceNotFound,
            AuthorizerConfigurationError,
            MissingAuthenticationToken,
            BadRequestBody,
            InvalidSignature,
            InvalidApiKey,
            BadRequestParameters,
            AuthorizerFailure,
            Unauthorized,
            IntegrationTimeout,
            AccessDenied,
            Default4xx,
            Default5xx,
            WafFiltered,
            QuotaExceeded,
            Throttled,
            ApiConfigurationError,
            UnsupportedMediaType,
            IntegrationFailure,
            ExpiredToken,
        ]
    };

    /// AWS's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "ACCESS_DENIED",
            Self::ApiConfigurationError => "API_CONFIGURATION_ERROR",
            Self::AuthorizerConfigurationError => "AUTHORIZER_CONFIGURATION_ERROR",
            Self::AuthorizerFailure => "AUTHORIZER_FAILURE",
            Self::BadRequestBody => "BAD_REQUEST_BODY",
            Self::BadRequestParameters => "BAD_REQUEST_PARAMETERS",
            Self::Default4xx => "DEFAULT_4XX",
            Self::Default5xx => "DEFAULT_5XX",
            Self::ExpiredToken => "EXPIRED_TOKEN",
            Self::IntegrationFailure => "INTEGRATION_FAILURE",
            Self::IntegrationTimeout => "INTEGRATION_TIMEOUT",
            Self::InvalidApiKey => "INVALID_API_KEY",
            Self::InvalidSignature => "INVALID_SIGNATURE",
            Self::MissingAuthenticationToken => "MISSING_AUTHENTICATION_TOKEN",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::RequestTooLarge => "REQUEST_TOO_LARGE",
            Self::ResourceNotFound => "RESOURCE_NOT_FOUND",
            Self::Throttled => "THROTTLED",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::WafFiltered => "WAF_FILTERED",
        }
    }

    /// What is answered unless an error says otherwise.
    pub const fn built_in(self) -> BuiltIn {
        const fn row(status: u16, error_type: &'static str, message: Option<&'static str>, spaced: bool) -> BuiltIn {
            BuiltIn { status, error_type, message, spaced }
        }
        const INTERNAL: Option<&str> = Some("Internal server error");
        match self {
            Self::AccessDenied => row(403, "AccessDeniedException", None, false),
            Self::ApiConfigurationError => row(500, "InternalServerErrorException", INTERNAL, true),
            Self::AuthorizerConfigurationError => row(500, "AuthorizerConfigurationException", None, false),
            Self::AuthorizerFailure => row(500, "AuthorizerFailureException", None, false),
            Self::BadRequestBody => row(400, "BadRequestException", Some("Invalid request body"), true),
            Self::BadRequestParameters => {
                row(400, "BadRequestException", Some("Missing required request parameters"), true)
            }
            Self::Default4xx => row(400, "BadRequestException", Some("Bad Request"), false),
            Self::Default5xx => row(500, "InternalServerErrorException", INTERNAL, true),
            Self::ExpiredToken => {
                row(403, "ExpiredTokenException", Some("The security token included in the request is expired"), false)
            }
            Self::IntegrationFailure => {
                row(504, "InternalServerErrorException", Some("Network error communicating with endpoint"), true)
            }
            Self::IntegrationTimeout => {
                row(504, "InternalServerErrorException", Some("Endpoint request timed out"), true)
            }
            Self::InvalidApiKey => row(403, "ForbiddenException", Some("Forbidden"), false),
            Self::InvalidSignature => row(
                403,
                "InvalidSignatureException",
                Some(
                    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
                ),
                false,
            ),
            Self::MissingAuthenticationToken => {
                row(403, "MissingAuthenticationTokenException", Some("Missing Authentication Token"), false)
            }
            Self::QuotaExceeded => row(429, "LimitExceededException", Some("Limit Exceeded"), false),
            Self::RequestTooLarge => row(413, "RequestTooLargeException", Some("Request Too Long"), false),
            Self::ResourceNotFound => row(404, "NotFoundException", Some("Not Found"), false),
            Self::Throttled => row(429, "TooManyRequestsException", Some("Too Many Requests"), false),
            Self::Unauthorized => row(401, "UnauthorizedException", Some("Unauthorized"), false),
            Self::UnsupportedMediaType => row(415, "BadRequestException", Some("Unsupported Media Type"), true),
            Self::WafFiltered => row(403, "ForbiddenException", Some("Forbidden"), false),
        }
    }
}

/// What went wrong, as the stage that found it says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// `frame` refused it.
    Refused(Refusal),
    /// No API, stage or base path.
    Forbidden,
    /// No resource, or no method for the verb.
    NoMethod,
    /// The listener only redirects.
    Redirect,
    /// A network policy denies explicitly.
    ExplicitDeny,
    /// A network policy does not allow.
    ImplicitDeny,
    /// The caller may not have a stored answer replaced.
    InvalidationDenied,
    /// A mapping reads the body as JSON, and it is none.
    InvalidJson,
    /// A mapping needs a value for the URI that the request does not have.
    MissingParameter,
    /// A mapped value cannot stand where it is mapped to.
    BadParameter,
    /// A bucket is empty or too many requests are in flight.
    Throttled,
    /// The integration cannot be called as configured: its URI cannot be built.
    Configuration,
    /// Refused, reset, not resolved, or no TLS.
    EndpointUnreachable,
    /// Too slow.
    EndpointTimeout,
    /// The answer is not HTTP.
    EndpointMalformed,
    /// The request wanted a stored answer or none (RFC 9111 §5.2.1.7).
    NotCached,
    /// The client has left: what is answered is for the log alone.
    ClientLeft,
    /// The gateway itself failed.
    Internal,
}

/// The public side of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescue {
    /// The gateway-response type.
    pub response_type: ResponseType,
    /// The status sent.
    pub status: u16,
    /// `x-amzn-ErrorType`.
    pub error_type: &'static str,
    /// The whole body, JSON.
    pub body: Cow<'static, str>,
    /// The connection ends with this answer.
    pub close: bool,
}

/// What the client sees of `fault`. `denial` is the message of a denied access, which names the caller and the method.
pub fn rescue(fault: Fault, denial: Option<&str>) -> Rescue {
    use ResponseType::*;
    match fault {
        Fault::Refused(refusal) => refused(refusal),
        Fault::Forbidden => with(MissingAuthenticationToken, 403, "ForbiddenException", Some("Forbidden")),
        Fault::NoMethod => plain(MissingAuthenticationToken),
        Fault::Redirect => plain(Default4xx),
        Fault::ExplicitDeny | Fault::ImplicitDeny | Fault::InvalidationDenied => denied(denial.unwrap_or("Forbidden")),
        Fault::InvalidJson => with(BadRequestBody, 400, "BadRequestException", Some("Invalid JSON in request body")),
        Fault::MissingParameter => plain(BadRequestParameters),
        Fault::BadParameter => plain(Default4xx),
        Fault::Throttled => plain(Throttled),
        Fault::Configuration => plain(ApiConfigurationError),
        Fault::EndpointUnreachable => plain(IntegrationFailure),
        Fault::EndpointTimeout => plain(IntegrationTimeout),
        Fault::EndpointMalformed => {
            with(IntegrationFailure, 502, "InternalServerErrorException", Some("Internal server error"))
        }
        Fault::NotCached => with(Default5xx, 504, "InternalServerErrorException", Some("Not in the cache")),
        // The status is nginx's.
        Fault::ClientLeft => with(Default4xx, 499, "BadRequestException", Some("Client closed request")),
        Fault::Internal => plain(Default5xx),
    }
}

fn plain(response_type: ResponseType) -> Rescue {
    let b = response_type.built_in();
    with(response_type, b.status, b.error_type, b.message)
}

fn with(response_type: ResponseType, status: u16, error_type: &'static str, message: Option<&str>) -> Rescue {
    let blank = if response_type.built_in().spaced { " " } else { "" };
    let body = match message {
        Some(m) => Cow::Owned(format!("{{\"message\":{blank}{}}}", serde_json::Value::from(m))),
        None => Cow::Borrowed("{\"message\":null}"),
    };
    Rescue { response_type, status, error_type, body, close: false }
}

/// AWS spells this one with a capital letter.
fn denied(message: &str) -> Rescue {
    let response_type = ResponseType::AccessDenied;
    let b = response_type.built_in();
    let body = Cow::Owned(format!("{{\"Message\":{}}}", serde_json::Value::from(message)));
    Rescue { response_type, status: b.status, error_type: b.error_type, body, close: false }
}

fn refused(refusal: Refusal) -> Rescue {
    let message = match refusal {
        Refusal::HeadTooLarge | Refusal::TooManyFields => "Request header fields too large",
        Refusal::Expectation => "Expectation failed",
        Refusal::TransferCoding => "Transfer coding not implemented",
        Refusal::Version => "HTTP version not supported",
        Refusal::Timeout => "Request timed out",
        Refusal::Misdirected => "Misdirected request",
        Refusal::BodyTooLarge => return Rescue { close: true, ..plain(ResponseType::RequestTooLarge) },
        Refusal::Malformed | Refusal::BodyFraming | Refusal::Host | Refusal::Target => "Bad Request",
    };
    let response_type = match refusal.status() {
        500.. => ResponseType::Default5xx,
        _ => ResponseType::Default4xx,
    };
    let error_type = response_type.built_in().error_type;
    let body = Cow::Owned(format!("{{\"message\":\"{message}\"}}"));
    Rescue { response_type, status: refusal.status(), error_type, body, close: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_aws_s_byte_by_byte() {
        for (fault, status, error_type, body) in [
            (
                Fault::NoMethod,
                403,
                "MissingAuthenticationTokenException",
                r#"{"message":"Missing Authentication Token"}"#,
            ),
            (Fault::Forbidden, 403, "ForbiddenException", r#"{"message":"Forbidden"}"#),
            (Fault::InvalidJson, 400, "BadRequestException", r#"{"message": "Invalid JSON in request body"}"#),
            (
                Fault::MissingParameter,
                400,
                "BadRequestException",
                r#"{"message": "Missing required request parameters"}"#,
            ),
            (Fault::BadParameter, 400, "BadRequestException", r#"{"message":"Bad Request"}"#),
            (Fault::Throttled, 429, "TooManyRequestsException", r#"{"message":"Too Many Requests"}"#),
            (Fault::Configuration, 500, "InternalServerErrorException", r#"{"message": "Internal server error"}"#),
            (
                Fault::EndpointUnreachable,
                504,
                "InternalServerErrorException",
                r#"{"message": "Network error communicating with endpoint"}"#,
            ),
            (
                Fault::EndpointTimeout,
                504,
                "InternalServerErrorException",
                r#"{"message": "Endpoint request timed out"}"#,
            ),
            (Fault::EndpointMalformed, 502, "InternalServerErrorException", r#"{"message": "Internal server error"}"#),
            (
                Fault::Refused(Refusal::BodyTooLarge),
                413,
                "RequestTooLargeException",
                r#"{"message":"Request Too Long"}"#,
            ),
        ] {
            let r = rescue(fault, None);
            assert_eq!((r.status, r.error_type, &*r.body), (status, error_type, body), "{fault:?}");
        }
    }

    #[test]
    fn a_denial_is_capital_and_escaped() {
        let r = rescue(Fault::ExplicitDeny, Some("User: \"x\""));
        assert_eq!((r.status, &*r.body), (403, r#"{"Message":"User: \"x\""}"#));
    }

    #[test]
    fn every_type_has_a_status_of_its_class() {
        for t in ResponseType::ALL {
            assert!((400..600).contains(&t.built_in().status), "{t:?}");
        }
    }
}
