//! What the stages decided: one small typed verdict each, no text, so nothing secret can be in it.
//!
//! Explain, access log and metrics read these verdicts and decide nothing themselves.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    accept, authorize, deliver, dispatch, frame, identify, locate, plan, recall, screen, shape, store, throttle,
    validate,
};

use crate::plan::{Plan, Route};

/// The verdicts of one request. `Copy` and at most 256 bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Ledger {
    /// The plan by which it was decided.
    pub plan_version: u64,
    /// The API's place in that plan, whether or not a method was reached.
    #[serde(skip)]
    pub api: Option<u32>,
    /// The place of that API's stage, likewise.
    #[serde(skip)]
    pub stage: Option<u32>,
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
        let Some(map) = value.as_object_mut().filter(|_| self.plan_version == plan.version) else { return value };
        let (api, stage) = plan.api_and_stage(self.api, self.stage);
        let method = self.route.and_then(|route| plan.method(route)).map(|(_, _, method)| method);
        map.extend(api.map(|api| ("api".into(), json!(api.id))));
        map.extend(stage.map(|stage| ("stage".into(), json!(stage.name))));
        map.extend(method.map(|method| ("method".into(), json!(format!("{} {}", method.verb, method.path)))));
        value
    }
}
