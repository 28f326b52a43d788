//! The ARN of the method that a request has reached, with the path as it was routed.

use std::fmt;

use sluice_api::Verb;

use super::Exchange;
use crate::plan::Plan;

/// `arn:aws:execute-api:{region}:{account}:{api}/{stage}/{verb}/{path}`
pub(super) struct MethodArn<'e> {
    plan: &'e Plan,
    exchange: &'e Exchange<'e>,
    masked: bool,
}

impl<'e> MethodArn<'e> {
    pub(super) fn of(exchange: &'e Exchange<'_>, plan: &'e Plan) -> Self {
        Self { plan, exchange, masked: false }
    }

    /// As AWS shows it to callers: all but four digits of the account hidden.
    pub(super) fn masked(self) -> Self {
        Self { masked: true, ..self }
    }
}

impl fmt::Display for MethodArn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((api, stage, _)) = self.exchange.route.and_then(|r| self.plan.method(r)) else { return Ok(()) };
        let verb = self.exchange.head.verb.map_or("GET", Verb::as_str);
        let (path, _) = crate::plan::router::normal(self.exchange.routed_path(), 0);
        let path = String::from_utf8_lossy(path.strip_prefix(b"/").unwrap_or(path));
        let account = &*self.plan.account_id;
        write!(f, "arn:aws:execute-api:{}:", self.plan.region)?;
        match self.masked {
            true => write!(f, "********{}", account.get(account.len().saturating_sub(4)..).unwrap_or_default())?,
            false => f.write_str(account)?,
        }
        write!(f, ":{}/{}/{verb}/{path}", api.id, stage.name)
    }
}
