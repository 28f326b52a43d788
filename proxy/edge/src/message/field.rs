//! The header fields that Sluice treats in some way of its own, recognised once when a head is read.

/// What a field is to Sluice; everything that is only passed on is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "each variant is the field's name")]
pub enum FieldKind {
    Other,
    Accept,
    AcceptEncoding,
    Authorization,
    CacheControl,
    Connection,
    ContentEncoding,
    ContentLength,
    ContentMd5,
    ContentType,
    Cookie,
    Date,
    Expect,
    Forwarded,
    Host,
    Http2Settings,
    IfMatch,
    IfModifiedSince,
    IfNoneMatch,
    IfRange,
    IfUnmodifiedSince,
    KeepAlive,
    MaxForwards,
    Pragma,
    Proxy,
    ProxyAuthenticate,
    ProxyAuthorization,
    ProxyConnection,
    Range,
    Server,
    SetCookie,
    Te,
    Traceparent,
    Trailer,
    TransferEncoding,
    Upgrade,
    UserAgent,
    Vary,
    Via,
    WwwAuthenticate,
    XAmzApigwId,
    XAmznRequestId,
    XAmznTraceId,
    XApigwApiId,
    XForwardedFor,
    XForwardedHost,
    XForwardedPort,
    XForwardedProto,
    XHttpMethodOverride,
    XSluiceExplain,
}

/// Bytes of the longest name that is known.
const LONGEST: usize = 22;

impl FieldKind {
    /// The kind of the field `name`, whatever its case.
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        let mut buffer = [0; LONGEST];
        let Some(lower) = buffer.get_mut(..name.len()) else { return FieldKind::Other };
        for (to, from) in lower.iter_mut().zip(name) {
            // Lower case for letters; what it makes of the other bytes of a token is no letter, digit or hyphen.
            *to = *from | 0x20;
        }
        Self::of_lower(lower)
    }

    fn of_lower(name: &[u8]) -> Self {
        use FieldKind::*;
        match name {
            b"te" => Te,
            b"via" => Via,
            b"host" => Host,
            b"date" => Date,
            b"vary" => Vary,
            b"proxy" => Proxy,
            b"range" => Range,
            b"accept" => Accept,
            b"cookie" => Cookie,
            b"expect" => Expect,
            b"server" => Server,
            b"pragma" => Pragma,
            b"upgrade" => Upgrade,
            b"if-match" => IfMatch,
            b"if-range" => IfRange,
            b"trailer" => Trailer,
            b"forwarded" => Forwarded,
            b"user-agent" => UserAgent,
            b"connection" => Connection,
            b"keep-alive" => KeepAlive,
            b"set-cookie" => SetCookie,
            b"traceparent" => Traceparent,
            b"content-md5" => ContentMd5,
            b"content-type" => ContentType,
            b"max-forwards" => MaxForwards,
            b"authorization" => Authorization,
            b"if-none-match" => IfNoneMatch,
            b"cache-control" => CacheControl,
            b"content-length" => ContentLength,
            b"http2-settings" => Http2Settings,
            b"x-amz-apigw-id" => XAmzApigwId,
            b"x-apigw-api-id" => XApigwApiId,
            b"accept-encoding" => AcceptEncoding,
            b"x-forwarded-for" => XForwardedFor,
            b"x-amzn-trace-id" => XAmznTraceId,
            b"content-encoding" => ContentEncoding,
            b"x-amzn-requestid" => XAmznRequestId,
            b"x-forwarded-host" => XForwardedHost,
            b"x-forwarded-port" => XForwardedPort,
            b"proxy-connection" => ProxyConnection,
            b"www-authenticate" => WwwAuthenticate,
            b"x-sluice-explain" => XSluiceExplain,
            b"if-modified-since" => IfModifiedSince,
            b"transfer-encoding" => TransferEncoding,
            b"x-forwarded-proto" => XForwardedProto,
            b"proxy-authenticate" => ProxyAuthenticate,
            b"if-unmodified-since" => IfUnmodifiedSince,
            b"proxy-authorization" => ProxyAuthorization,
            b"x-http-method-override" => XHttpMethodOverride,
            _ => Other,
        }
    }

    /// Its place in a set of kinds.
    #[inline]
    pub const fn bit(self) -> u64 {
        1 << self as u8
    }
}

/// Fields of one connection only (RFC 9110 §7.6.1), and those that a proxy answers for itself.
pub const HOP_BY_HOP: u64 = FieldKind::Connection.bit()
    | FieldKind::KeepAlive.bit()
    | FieldKind::ProxyConnection.bit()
    | FieldKind::Te.bit()
    | FieldKind::Trailer.bit()
    | FieldKind::TransferEncoding.bit()
    | FieldKind::Upgrade.bit()
    | FieldKind::Http2Settings.bit();

/// What a client asks about its own copy of an answer, or of a part of it (RFC 9110 §13, §14).
pub const CONDITIONS: u64 =
    FieldKind::IfModifiedSince.bit() | FieldKind::IfNoneMatch.bit() | FieldKind::IfRange.bit() | FieldKind::Range.bit();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(FieldKind::of(b"hOsT"), FieldKind::Host);
        assert_eq!(FieldKind::of(b"X-Forwarded-For"), FieldKind::XForwardedFor);
        assert_eq!(FieldKind::of(b"x-apigw-api-id"), FieldKind::XApigwApiId);
        assert_eq!(FieldKind::of(b"x-amz-apigw-id"), FieldKind::XAmzApigwId);
        assert_eq!(FieldKind::of(b"hosts"), FieldKind::Other);
        assert_eq!(FieldKind::of(b""), FieldKind::Other);
    }

    #[test]
    fn every_candidate_stands_under_its_length() {
        for name in [
            "te",
            "via",
            "upgrade",
            "traceparent",
            "max-forwards",
            "http2-settings",
            "x-amzn-trace-id",
            "x-forwarded-proto",
            "proxy-authenticate",
            "proxy-authorization",
            "x-http-method-override",
        ] {
            assert_ne!(FieldKind::of(name.as_bytes()), FieldKind::Other, "{name}");
        }
    }
}
