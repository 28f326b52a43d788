//! Stage 5, `throttle`: one token each of the method's, the stage's and the account's bucket, all or none; and room
//! among the requests in flight.
//!
//! A request that is answered at once is never in flight, so here it only has to find room; one that goes on takes a
//! place when it leaves the synchronous path.

use serde::Serialize;
use sluice_policy::{Bucket, give_back_all, take_all};

use super::rescue::Fault;
use super::{Context, Exchange, Flow, Reply};
use crate::plan::{MethodPlan, Plan, StagePlan};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// No bucket stands in the way.
    Unlimited,
    /// This many tokens were taken.
    Admitted(u8),
    /// The method's bucket is empty.
    MethodEmpty,
    /// The stage's bucket is empty.
    StageEmpty,
    /// The account's bucket is empty.
    AccountEmpty,
    /// Too many requests are in flight.
    InFlight,
}

/// Takes the tokens.
pub fn advance(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Flow {
    let Some((_, stage, method)) = exchange.route.and_then(|r| context.plan.method(r)) else {
        return Flow::Answer(Reply::Fault(Fault::Internal));
    };
    let verdict = decide(context.plan, stage, method, exchange.now.mono);
    exchange.ledger.throttle = verdict;
    match verdict {
        Verdict::Unlimited | Verdict::Admitted(_) => Flow::Next,
        _ => Flow::Answer(Reply::Fault(Fault::Throttled)),
    }
}

/// Gives the tokens back: the request is refused after all, and a refused request is never charged.
pub fn give_back(exchange: &Exchange<'_>, plan: &Plan) {
    if let (Verdict::Admitted(_), Some((_, stage, method))) =
        (exchange.ledger.throttle, exchange.route.and_then(|r| plan.method(r)))
    {
        give_back_all(&layers(plan, stage, method));
    }
}

fn decide(plan: &Plan, stage: &StagePlan, method: &MethodPlan, now: u64) -> Verdict {
    if !plan.in_flight.has_room() {
        return Verdict::InFlight;
    }
    let buckets = layers(plan, stage, method);
    match take_all(buckets, now) {
        Ok(()) => match buckets.iter().flatten().count() {
            0 => Verdict::Unlimited,
            taken => Verdict::Admitted(taken as u8),
        },
        Err(0) => Verdict::MethodEmpty,
        Err(1) => Verdict::StageEmpty,
        Err(_) => Verdict::AccountEmpty,
    }
}

/// The buckets that stand in the way, in AWS's order: the method's, the stage's, the account's.
#[inline]
fn layers<'p>(plan: &'p Plan, stage: &'p StagePlan, method: &'p MethodPlan) -> [Option<&'p Bucket>; 3] {
    [method.bucket.as_deref(), stage.bucket.as_deref(), plan.account.as_deref()]
}
