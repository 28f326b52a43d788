//! The integration of a method: which type it has, and what of that type's keys.

use std::time::Duration;

use sluice_api::{HttpIntegration, Integration, IntegrationKind, Profile, ResourcePath, Verb};

pub(super) use super::origin::Origin;
use super::{http, mock};
use crate::config::keys::{Key, api as keys};
use crate::config::rules;
use crate::config::table::Table;
use crate::config::units::show_duration;

const MOCK_KEYS: &[&Key] = &[&keys::STATUS, &keys::HEADERS, &keys::BODY];
const HTTP_KEYS: &[&Key] = &[
    &keys::URI,
    &keys::HTTP_METHOD,
    &keys::REQUEST_PARAMETERS,
    &keys::ADDRESSES,
    &keys::TIMEOUT,
    &keys::CONNECT_TIMEOUT,
    &keys::FIRST_BYTE_TIMEOUT,
    &keys::IDLE_TIMEOUT,
    &keys::TOTAL_TIMEOUT,
    &keys::RETRIES,
    &keys::PRESERVE_HOST,
    &keys::HTTP_VERSION,
    &keys::CA_FILE,
    &keys::SERVER_NAME,
];
/// AWS's limits for `timeoutInMillis`.
const AWS_TIMEOUT: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(29);

/// An integration and, if it calls an origin, what it passes on.
pub(super) fn read(
    table: &Table<'_>,
    path: &ResourcePath,
    verb: Verb,
    profile: Profile,
) -> Option<(Integration, Option<Origin>)> {
    let timeout = table.duration(&keys::TIMEOUT).unwrap_or_default();
    match table.text(&keys::TYPE)?.as_str() {
        "MOCK" => {
            without_effect(table, HTTP_KEYS, "MOCK", profile);
            let kind = IntegrationKind::Mock(mock::read(table, profile));
            Some((Integration { kind, timeout }, None))
        }
        _ => {
            without_effect(table, MOCK_KEYS, "HTTP_PROXY", profile);
            let total = table.duration(&keys::TOTAL_TIMEOUT);
            for (key, limit) in [(&keys::TIMEOUT, Some(timeout)), (&keys::TOTAL_TIMEOUT, total)] {
                like_aws(table, key, limit, profile);
            }
            let total = total.or((profile == Profile::Aws).then_some(timeout));
            let timeout = within_total(table, timeout, total, profile);
            let (http, origin) = http::read(table, path, verb, profile, timeout)?;
            let http = HttpIntegration { total_timeout: total, ..http };
            let kind = IntegrationKind::HttpProxy(Box::new(http));
            Some((Integration { kind, timeout }, Some(origin)))
        }
    }
}

fn like_aws(table: &Table<'_>, key: &'static Key, limit: Option<Duration>, profile: Profile) {
    let Some(limit) = limit.filter(|limit| profile == Profile::Aws && !AWS_TIMEOUT.contains(limit)) else { return };
    let message = format!("AWS's timeouts are 50ms to 29s, not {}", show_duration(limit));
    table.report().warning(&rules::BEYOND_AWS, table.place(key), message, "write \"29s\"");
}

/// The answer's head cannot come after the whole call.
fn within_total(table: &Table<'_>, timeout: Duration, total: Option<Duration>, profile: Profile) -> Duration {
    let Some(total) = total.filter(|total| *total < timeout) else { return timeout };
    if let Some(at) = table.written(&keys::TIMEOUT) {
        let message = "'timeout' is longer than 'total_timeout', which ends the call before";
        table.report().strict(profile, &rules::NO_EFFECT, at, message, "write less, or raise 'total_timeout'");
    }
    total
}

fn without_effect(table: &Table<'_>, foreign: &[&'static Key], kind: &str, profile: Profile) {
    for key in foreign {
        if let Some(at) = table.written(key) {
            let message = format!("'{}' means nothing to {kind}", key.name);
            table.report().strict(profile, &rules::NO_EFFECT, at, message, "remove it");
        }
    }
}
