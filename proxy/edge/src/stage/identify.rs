//! Stage 6, `identify`: who is calling. Methods have authorization `NONE` until authorizers and SigV4 come, and the
//! configuration refuses anything else, so every caller is anonymous.

use serde::Serialize;

use super::{Context, Exchange, Flow};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// Nobody asked.
    Anonymous,
}

/// Notes that nobody asked.
pub fn advance(exchange: &mut Exchange<'_>, _: &mut Context<'_>) -> Flow {
    exchange.ledger.identify = Verdict::Anonymous;
    Flow::Next
}
