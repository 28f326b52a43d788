//! Stage 8, `plan`: API key, usage-plan buckets and quota. No method asks for a key until usage plans come, and the
//! configuration refuses one that would.

use serde::Serialize;

use super::{Context, Exchange, Flow};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// The method asks for no API key.
    KeyNotRequired,
}

/// Notes that no key is asked for.
pub fn advance(exchange: &mut Exchange<'_>, _: &mut Context<'_>) -> Flow {
    exchange.ledger.plan = Verdict::KeyNotRequired;
    Flow::Next
}
