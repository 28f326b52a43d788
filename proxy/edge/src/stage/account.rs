//! Stage 16, `account`: always runs. What it has to say is said by the driver, once the last byte is known:
//! `server::accounts` counts, logs and keeps the ledger for explain.

use super::{Context, Exchange, Flow};

/// Nothing is left to decide.
pub fn advance(_: &mut Exchange<'_>, _: &mut Context<'_>) -> Flow {
    Flow::Next
}
