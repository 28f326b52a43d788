//! When certificates begin and end. One out of its time is a warning, for it can be read and served, and one that ends
//! soon is another.
//!
//! What is not a certificate, or is another's, is not decided here.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// An end that is as near as this is reported, seconds; whoever renews without being told has done so before.
const SOON: i64 = 14 * 24 * 60 * 60;
/// One that lives shorter is renewed in the last part of its life.
const LAST_PART: i64 = 4;

/// When the first of these certificates ends, seconds since the epoch; `None` where one cannot be read.
pub fn first_end(chain: &[CertificateDer<'_>]) -> Option<u64> {
    let end = |der| Some(parse(der)?.validity().not_after.timestamp());
    let ends: Option<Vec<i64>> = chain.iter().map(end).collect();
    u64::try_from(ends?.into_iter().min()?.max(0)).ok()
}

/// What there is to say of these certificates' time, in a sentence about the file that they are from.
pub(super) fn untimely(chain: &[CertificateDer<'_>], file: &Path, now: SystemTime) -> Option<String> {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let said = chain.iter().find_map(|der| said(parse(der)?.validity(), now));
    said.map(|said| format!("{} {said}", file.display()))
}

fn said(validity: &x509_parser::certificate::Validity, now: i64) -> Option<String> {
    let (begin, end) = (validity.not_before, validity.not_after);
    let soon = SOON.min(end.timestamp().saturating_sub(begin.timestamp()) / LAST_PART);
    match now {
        _ if now > end.timestamp() => Some(format!("has expired: it ended at {}", utc(end))),
        _ if now < begin.timestamp() => Some(format!("is not valid yet: it begins at {}", utc(begin))),
        _ if end.timestamp() - now < soon => Some(format!("expires soon: it ends at {}", utc(end))),
        _ => None,
    }
}

fn utc(time: ASN1Time) -> String {
    time.to_string().replace(" +00:00", " UTC")
}

/// It can have signed nothing: it is no authority's, and nobody's who has signed himself.
pub(super) fn is_no_authority(der: &CertificateDer<'_>) -> bool {
    parse(der).is_some_and(|found| !found.is_ca() && found.subject().as_raw() != found.issuer().as_raw())
}

fn parse<'c>(der: &'c CertificateDer<'_>) -> Option<X509Certificate<'c>> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// From the first of January to the first of March 2030, or to another day of January.
    fn certificate(end: (u8, u8)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["x.test".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2030, 1, 1), date_time_ymd(2030, end.0, end.1));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn out_of_its_time_or_soon() {
        const BEGIN: u64 = 1_893_456_000;
        const DAY: u64 = 24 * 60 * 60;
        let said = |chain: &[CertificateDer<'static>], at: u64| {
            let said = untimely(chain, Path::new("f"), UNIX_EPOCH + Duration::from_secs(at));
            said.map(|said| said.split(':').next().unwrap().to_owned())
        };
        let long = [certificate((3, 1))];
        assert_eq!(first_end(&long), Some(BEGIN + 59 * DAY));
        for (day, want) in [(1, None), (44, None), (46, Some("f expires soon")), (60, Some("f has expired"))] {
            assert_eq!(said(&long, BEGIN + day * DAY).as_deref(), want, "{day}");
        }
        assert_eq!(said(&long, BEGIN - 1).as_deref(), Some("f is not valid yet"));
        // Six days in all: a day and a half is soon.
        let short = [certificate((1, 7))];
        assert_eq!((said(&short, BEGIN + 4 * DAY), said(&short, BEGIN + 5 * DAY).is_some()), (None, true));
        let both = [long, short].concat();
        assert_eq!((first_end(&both), said(&both, BEGIN + 7 * DAY).is_some()), (Some(BEGIN + 6 * DAY), true));
        assert_eq!(first_end(&[CertificateDer::from(vec![1, 2, 3])]), None);
    }
}
