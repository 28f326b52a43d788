//! Stage 4, `screen`: explicit denies before anything is charged. Today the network policies of API and stage.
//!
//! An allow list that does not hold the caller denies as well: without identities there is nothing later that could
//! still allow it. Web ACLs and the policies of VPC endpoints come with the policy language.

use serde::Serialize;
use sluice_policy::NetworkVerdict;

use super::rescue::Fault;
use super::{Context, Exchange, Flow, Reply};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// Neither API nor stage has a network policy.
    Unconfigured,
    /// Not denied, and on every allow list that there is.
    Allowed,
    /// The API's policy denies.
    ApiExplicitDeny,
    /// The API's allow list lacks the caller.
    ApiImplicitDeny,
    /// The stage's policy denies.
    StageExplicitDeny,
    /// The stage's allow list lacks the caller.
    StageImplicitDeny,
}

/// Asks both policies.
pub fn advance(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Flow {
    let Some((api, stage, _)) = exchange.route.and_then(|r| context.plan.method(r)) else {
        return Flow::Answer(Reply::Fault(Fault::Internal));
    };
    let by_api = api.network.decide(exchange.client);
    let by_stage = stage.network.decide(exchange.client);
    let (verdict, fault) = match (by_api, by_stage) {
        (NetworkVerdict::ExplicitDeny, _) => (Verdict::ApiExplicitDeny, Some(Fault::ExplicitDeny)),
        (_, NetworkVerdict::ExplicitDeny) => (Verdict::StageExplicitDeny, Some(Fault::ExplicitDeny)),
        (NetworkVerdict::ImplicitDeny, _) => (Verdict::ApiImplicitDeny, Some(Fault::ImplicitDeny)),
        (_, NetworkVerdict::ImplicitDeny) => (Verdict::StageImplicitDeny, Some(Fault::ImplicitDeny)),
        (NetworkVerdict::Unconfigured, NetworkVerdict::Unconfigured) => (Verdict::Unconfigured, None),
        _ => (Verdict::Allowed, None),
    };
    exchange.ledger.screen = verdict;
    fault.map_or(Flow::Next, |f| Flow::Answer(Reply::Fault(f)))
}
