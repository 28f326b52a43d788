//! Stage 9, `validate`: required parameters and models. No method has a request validator until models come.

use serde::Serialize;

use super::{Context, Exchange, Flow};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// The method has no validator.
    NoValidator,
}

/// Notes that nothing is to be validated.
pub fn advance(exchange: &mut Exchange<'_>, _: &mut Context<'_>) -> Flow {
    exchange.ledger.validate = Verdict::NoValidator;
    Flow::Next
}
