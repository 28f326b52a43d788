//! Stage 7, `authorize`: makes the `Permit` without which no stored answer is served and no endpoint is called.
//!
//! Methods have authorization `NONE`, and `screen` has asked the network policies; a method is permitted.

use serde::Serialize;

use super::{Context, Exchange, Flow};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// The method asks for no authorization.
    NotRequired,
}

/// That this request may be served. Made here and nowhere else.
#[derive(Debug)]
pub struct Permit(());

/// Makes the permit.
pub fn advance(exchange: &mut Exchange<'_>, _: &mut Context<'_>) -> Flow {
    exchange.ledger.authorize = Verdict::NotRequired;
    exchange.permit = Some(Permit(()));
    Flow::Next
}
