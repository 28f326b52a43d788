//! What the stages decided: one small typed verdict each, no text, so nothing secret can be in it.
//!
//! Explain, access log and metrics read these verdicts and decide nothing themselves.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Route, accept, authorize, deliver, dispatch, frame, identify, locate, plan, recall, screen, shape, store, throttle,
    validate,
};

use crate::plan::Plan;

/// The verdicts of one request. `Copy` and at most 256 bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Ledger {
    /// The plan by which it was decided.
    pub plan_version: u64,
    /// API, stage and method, as places in that plan.
    #[serde(skip)]
    pub route: Option<Route>,
    /// Stage 1.
    pub accept: accept::Verdict,
    /// Stage 2.
    pub frame: frame::Verdict,
    /// Stage 3.
    pub locate: locate::Verdict,
    /// Stage 4.
    pub screen: screen::Verdict,
    /// Stage 5.
    pub throttle: throttle::Verdict,
    /// Stage 6.
    pub identify: identify::Verdict,
    /// Stage 7.
    pub authorize: authorize::Verdict,
    /// Stage 8.
    pub plan: plan::Verdict,
    /// Stage 9.
    pub validate: validate::Verdict,
    /// Stage 10.
    pub recall: recall::Verdict,
    /// Stage 11.
    pub prepare: super::prepare::Verdict,
    /// Stage 12.
    pub dispatch: dispatch::Verdict,
    /// Stage 13.
    pub shape: shape::Verdict,
    /// Stage 14.
    pub store: store::Verdict,
    /// Stage 15.
    pub deliver: deliver::Verdict,
}

const _: () = assert!(size_of::<Ledger>() <= 256);

impl Ledger {
    /// The verdicts, with API, stage and method by name where the plan that decided is still the plan.
    pub fn to_json(&self, plan: &Plan) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        let route = self.route.filter(|_| self.plan_version == plan.version);
        if let (Some((api, stage, method)), Some(map)) = (route.and_then(|r| plan.method(r)), value.as_object_mut()) {
            map.insert("api".into(), json!(api.id));
            map.insert("stage".into(), json!(stage.name));
            map.insert("method".into(), json!(format!("{} {}", method.verb, method.path)));
        }
        value
    }
}
