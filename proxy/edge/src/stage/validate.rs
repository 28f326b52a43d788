//! Stage 9, `validate`: required parameters and models. No method has a request validator until models come; what AWS has
//! no place for in a query is refused under `aws`.

use serde::Serialize;
use sluice_api::Profile;

use super::{Context, Exchange, Fault, Flow, Reply};
use crate::plan::Plan;

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// The method has no validator.
    NoValidator,
    /// The query has characters that AWS wants escaped.
    RawQuery,
}

/// Lets on what AWS would.
pub fn advance(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Flow {
    if is_raw(exchange.head.query()) && is_aws(exchange, context.plan) {
        exchange.ledger.validate = Verdict::RawQuery;
        return Flow::Answer(Reply::Fault(Fault::BadParameter));
    }
    exchange.ledger.validate = Verdict::NoValidator;
    Flow::Next
}

/// `|`, `{` and `}` have to be escaped ("Amazon API Gateway important notes"); browsers send the first as it is.
fn is_raw(query: Option<&[u8]>) -> bool {
    query.is_some_and(|query| memchr::memchr3(b'|', b'{', b'}', query).is_some())
}

fn is_aws(exchange: &Exchange<'_>, plan: &Plan) -> bool {
    let api = exchange.route.and_then(|route| plan.method(route)).map(|(api, ..)| api);
    api.is_some_and(|api| api.profile == Profile::Aws)
}
