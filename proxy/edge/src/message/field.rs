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
    KeepAlive,
    MaxForwards,
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

impl FieldKind {
    /// The kind of the field `name`, whatever its case.
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        use FieldKind::*;
        let candidates: &[(&[u8], FieldKind)] = match name.len() {
            2 => &[(b"te", Te)],
            3 => &[(b"via", Via)],
            4 => &[(b"host", Host), (b"date", Date), (b"vary", Vary)],
            5 => &[(b"range", Range)],
            6 => &[(b"accept", Accept), (b"cookie", Cookie), (b"expect", Expect), (b"server", Server)],
            7 => &[(b"upgrade", Upgrade), (b"trailer", Trailer)],
            9 => &[(b"forwarded", Forwarded)],
            10 => &[
                (b"user-agent", UserAgent),
                (b"connection", Connection),
                (b"keep-alive", KeepAlive),
                (b"set-cookie", SetCookie),
            ],
            11 => &[(b"traceparent", Traceparent), (b"content-md5", ContentMd5)],
            12 => &[(b"content-type", ContentType), (b"max-forwards", MaxForwards)],
            13 => &[(b"authorization", Authorization), (b"cache-control", CacheControl)],
            14 => &[
                (b"content-length", ContentLength),
                (b"http2-settings", Http2Settings),
                (b"x-amz-apigw-id", XAmzApigwId),
                (b"x-apigw-api-id", XApigwApiId),
            ],
            15 => &[
                (b"accept-encoding", AcceptEncoding),
                (b"x-forwarded-for", XForwardedFor),
                (b"x-amzn-trace-id", XAmznTraceId),
            ],
            16 => &[
                (b"content-encoding", ContentEncoding),
                (b"x-amzn-requestid", XAmznRequestId),
                (b"x-forwarded-host", XForwardedHost),
                (b"x-forwarded-port", XForwardedPort),
                (b"proxy-connection", ProxyConnection),
                (b"www-authenticate", WwwAuthenticate),
                (b"x-sluice-explain", XSluiceExplain),
            ],
            17 => &[(b"transfer-encoding", TransferEncoding), (b"x-forwarded-proto", XForwardedProto)],
            18 => &[(b"proxy-authenticate", ProxyAuthenticate)],
            19 => &[(b"proxy-authorization", ProxyAuthorization)],
            22 => &[(b"x-http-method-override", XHttpMethodOverride)],
            _ => &[],
        };
        for (known, kind) in candidates {
            if known.eq_ignore_ascii_case(name) {
                return *kind;
            }
        }
        Other
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
