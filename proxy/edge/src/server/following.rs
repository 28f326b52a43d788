//! Waiting for another request's fetch: how long, and what is answered if it fails.
//!
//! A failure is the answer of all who waited for it. Had each of them to try next, the last would wait for as many failures
//! as there are clients, and a broken URL would fill the room for requests in flight.

use std::time::Duration;

use sluice_cache::flight::{Failure, Follower, Leader, Verdict};

use super::downstream::Downstream;
use super::drive::{Arrival, Trip};
use crate::message::body::RequestBody;
use crate::message::encode::CacheStatus;
use crate::plan::IntegrationPlan;
use crate::stage::{Fault, Reply};

/// Waits for the leader as long as an endpoint may take to answer; `None` when the client leaves. An answer that is still
/// coming by then is fetched once more: its length is not known, and it may never end.
pub(super) async fn wait<D: Downstream>(trip: &Trip, mut follower: Follower, down: &mut D) -> Option<Verdict> {
    let Some(limit) = limit(trip) else { return Some(Verdict::Alone) };
    tokio::select! {
        biased;
        verdict = tokio::time::timeout(limit, &mut follower) => Some(match verdict {
            Ok(verdict) => verdict,
            Err(_) if follower.is_promised() => Verdict::Alone,
            Err(_) => Verdict::Failed(Failure::Timeout),
        }),
        () = down.body().left() => None,
    }
}

fn limit(trip: &Trip) -> Option<Duration> {
    let (_, _, method) = trip.plan.method(trip.exchange.route?)?;
    match &method.integration {
        IntegrationPlan::Http(http) => Some(http.endpoint.timeout),
        _ => None,
    }
}

/// Answers who has waited for a fetch that failed.
pub(super) async fn answer<D: Downstream>(mut trip: Trip, failure: Failure, down: &mut D) -> Arrival {
    trip.exchange.origin.error = Some("the fetch that it waited for failed".into());
    if let CacheStatus::Forward { collapsed, .. } = &mut trip.exchange.cache_status {
        *collapsed = true;
    }
    trip.fail(match failure {
        Failure::Network => Fault::EndpointUnreachable,
        Failure::Timeout => Fault::EndpointTimeout,
        Failure::Malformed => Fault::EndpointMalformed,
    });
    trip.deliver(None, down).await
}

/// Tells those who wait that this fetch has failed, if it would have for any of them.
pub(super) fn tell(trip: &Trip, leader: Leader) {
    match failure(trip) {
        Some(failure) => leader.fail(failure),
        None => leader.stand_down(),
    }
}

/// What is wrong with the endpoint, whoever asks it; nothing where it may be the request.
const fn failure(trip: &Trip) -> Option<Failure> {
    match trip.exchange.reply {
        Reply::Fault(Fault::EndpointUnreachable) => Some(Failure::Network),
        Reply::Fault(Fault::EndpointTimeout) => Some(Failure::Timeout),
        Reply::Fault(Fault::EndpointMalformed) => Some(Failure::Malformed),
        _ => None,
    }
}
