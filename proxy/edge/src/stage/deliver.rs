//! Stage 15, `deliver`: the answer in the form that leaves: status, fields, framing, body.

use std::borrow::Cow;
use std::io::Write;

use bytes::Bytes;
use serde::Serialize;
use sluice_api::{Profile, Verb};
use sluice_cache::answer::Fields;

use super::arn::MethodArn;
use super::derive::{Content, Derived, Whole, derive};
use super::recall::Object;
use super::rescue::{Fault, rescue};
use super::{Context, Exchange, Flow, Need, Reply};
use crate::message::encode::{Framing, ResponseHead, Variable};
use crate::message::field::{CONDITIONS, FieldKind};
use crate::message::request_id::RequestId;
use crate::plan::host::without_port;
use crate::plan::{CachePlan, IntegrationPlan, Plan};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// A stored answer.
    Stored,
    /// A fixed answer.
    Mock,
    /// The endpoint's answer.
    Streamed,
    /// A gateway response.
    Gateway(Fault),
    /// It had begun and did not reach its end.
    BrokenOff(BrokenBy),
}

impl Verdict {
    /// Whose doing it is that the answer broke off, if it did.
    pub const fn broken_by(self) -> Option<BrokenBy> {
        match self {
            Self::BrokenOff(by) => Some(by),
            _ => None,
        }
    }
}

/// Whose doing it is that an answer broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokenBy {
    /// The endpoint cut it, or a fetch for many failed.
    Endpoint,
    /// The endpoint took too long for its body.
    EndpointTimeout,
    /// The client left, or took nothing for too long.
    Client,
    /// The disk lost, or was too slow for, the rest of what was stored.
    Disk,
}

impl BrokenBy {
    /// All of them, in order.
    pub const ALL: [&'static str; 4] = ["endpoint", "endpoint_timeout", "client", "disk"];

    /// In logs and metrics.
    pub fn as_str(self) -> &'static str {
        Self::ALL.get(self as usize).copied().unwrap_or_default()
    }
}

/// An answer ready to be encoded.
pub struct Outgoing<'e> {
    /// Its head.
    pub head: ResponseHead<'e>,
    /// Its body.
    pub body: Body<'e>,
    /// The connection ends with it.
    pub close: bool,
}

/// Where an answer's body comes from.
pub enum Body<'e> {
    /// It is at hand.
    Shared(&'e Bytes),
    /// The text of a gateway response.
    Text(Cow<'static, str>),
    /// It streams in from the endpoint.
    Stream,
}

/// Takes the client's request id over, and notes what is delivered.
pub fn advance(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Flow {
    if exchange.head.has(FieldKind::XSluiceExplain) {
        exchange.explain = context.plan.explain_callers.contains(exchange.client);
    }
    if let Some(id) = exchange.head.value(FieldKind::XAmznRequestId).and_then(RequestId::parse) {
        exchange.request_id = id;
    }
    if matches!(exchange.reply, Reply::Origin) {
        if let Some(object) = exchange.confirmed.take() {
            exchange.reply = Reply::Object(object);
        }
        let by_origin = cache_plan(exchange, context.plan).is_some_and(|rule| rule.origin.is_some());
        exchange.dated = by_origin && Fields::of(&exchange.origin.fields).has("date");
    }
    exchange.derived = match exchange.head.has_any(CONDITIONS) {
        true => derived(exchange, context.plan),
        false => None,
    };
    exchange.ledger.deliver = match exchange.reply {
        Reply::Object(_) if !exchange.opening.is_done() => return Flow::Await(Need::Object),
        Reply::Entry(_) | Reply::Object(_) => Verdict::Stored,
        Reply::Mock => Verdict::Mock,
        Reply::Origin => Verdict::Streamed,
        Reply::Fault(fault) => Verdict::Gateway(fault),
        Reply::None => Verdict::None,
    };
    Flow::Next
}

/// What the client's conditions make of an answer that others may get, too.
#[cold]
fn derived(exchange: &Exchange<'_>, plan: &Plan) -> Option<Box<Derived>> {
    cache_plan(exchange, plan).filter(|rule| rule.derives)?;
    let seconds = |ns: u64| ns / 1_000_000_000;
    let whole = match &exchange.reply {
        Reply::Entry(entry) => Whole {
            status: entry.status(),
            fields: entry.head(),
            body: Some(Content::Here(entry.body())),
            stored_at: seconds(entry.lifetime().stored_at_ns),
        },
        Reply::Object(object) => Whole {
            status: object.manifest.status(),
            fields: fields_of(exchange, object),
            body: Some(Content::OnDisk(object.manifest.length())),
            stored_at: seconds(object.head.lifetime().stored_at_ns),
        },
        Reply::Origin if exchange.key.is_some() => Whole {
            status: exchange.origin.status,
            fields: &exchange.origin.fields,
            body: None,
            stored_at: seconds(exchange.origin.came),
        },
        _ => return None,
    };
    derive(exchange, whole)
}

fn cache_plan<'p>(exchange: &Exchange<'_>, plan: &'p Plan) -> Option<&'p CachePlan> {
    plan.method(exchange.route?)?.2.cache.as_ref()
}

/// The status of the answer.
pub fn status(exchange: &Exchange<'_>, plan: &Plan) -> u16 {
    if let Some(derived) = &exchange.derived {
        return derived.status;
    }
    match &exchange.reply {
        Reply::Entry(entry) => entry.status(),
        Reply::Object(object) => object.manifest.status(),
        Reply::Mock => mock(exchange, plan).map_or(500, |m| m.status),
        Reply::Origin => exchange.origin.status,
        Reply::Fault(Fault::Redirect) => 308,
        Reply::Fault(fault) => rescue(*fault, None).status,
        Reply::None => 500,
    }
}

/// The field lines of an object: its own, or as the endpoint has brought them up to date.
fn fields_of<'e>(exchange: &'e Exchange<'_>, object: &'e Object) -> &'e [u8] {
    if object.renewed { &exchange.origin.fields } else { object.head.head() }
}

/// What a caller is told who asked for a fresh answer and may not.
const WARNING: &[u8] = b"Warning: 199 Cache-control headers were ignored because the caller was unauthorized.\r\n";

/// The answer of an exchange that was walked to its end. `fields` is room for field lines.
pub fn outgoing<'e>(exchange: &'e Exchange<'_>, plan: &'e Plan, fields: &'e mut Vec<u8>) -> Outgoing<'e> {
    let variable = Variable {
        request_id: exchange.request_id,
        age: exchange.age,
        cache_status: exchange.cache_status,
        apigw_id: is_aws(exchange, plan),
        dated: exchange.dated,
    };
    fields.clear();
    if exchange.warns {
        fields.extend_from_slice(WARNING);
    }
    if exchange.explain {
        explain(exchange, plan, fields);
    }
    let fault = match exchange.reply {
        Reply::Fault(fault) => Some(fault),
        Reply::None => Some(Fault::Internal),
        Reply::Mock if mock(exchange, plan).is_none() => Some(Fault::Internal),
        _ => None,
    };
    match fault {
        Some(fault) => gateway(exchange, plan, fault, fields, variable),
        None => answer(exchange, plan, fields, variable),
    }
}

fn answer<'e>(exchange: &'e Exchange<'_>, plan: &'e Plan, extra: &'e [u8], variable: Variable) -> Outgoing<'e> {
    let close = exchange.head.close;
    let shared = |status, fields, framing, body: &'e Bytes| {
        let head = ResponseHead { status, fields, extra, framing, variable };
        Outgoing { head, body: Body::Shared(body), close }
    };
    if let Some(derived) = exchange.derived.as_deref() {
        return shared(derived.status, &derived.fields, derived.framing, &derived.body);
    }
    match &exchange.reply {
        Reply::Entry(entry) => {
            // What is stored for HEAD has no body, and how long GET's is, it does not know.
            let framing = match exchange.head.verb {
                Some(Verb::Head) if !cache_plan(exchange, plan).is_some_and(CachePlan::answers_head) => {
                    Framing::Bodiless
                }
                _ => framing(entry.status(), entry.body().len()),
            };
            let framing = told(exchange, entry.status(), framing);
            shared(entry.status(), entry.head(), framing, entry.body())
        }
        Reply::Object(object) => {
            let framing = Framing::Length(object.manifest.length());
            let (status, fields) = (object.manifest.status(), fields_of(exchange, object));
            let head = ResponseHead { status, fields, extra, framing, variable };
            Outgoing { head, body: Body::Stream, close }
        }
        Reply::Mock => match mock(exchange, plan) {
            Some(mock) => shared(mock.status, &mock.fields, framing(mock.status, mock.body.len()), &mock.body),
            None => streamed(exchange, extra, variable),
        },
        _ => streamed(exchange, extra, variable),
    }
}

fn streamed<'e>(exchange: &'e Exchange<'_>, extra: &'e [u8], variable: Variable) -> Outgoing<'e> {
    let framing = exchange.origin.framing.unwrap_or(Framing::Bodiless);
    let framing = told(exchange, exchange.origin.status, framing);
    let (status, fields) = (exchange.origin.status, &exchange.origin.fields);
    let head = ResponseHead { status, fields, extra, framing, variable };
    Outgoing { head, body: Body::Stream, close: exchange.head.close }
}

/// An answer without a body where the client expects one (it asked with another verb and meant HEAD) says so.
fn told(exchange: &Exchange<'_>, status: u16, framing: Framing) -> Framing {
    match framing {
        Framing::Bodiless if !exchange.head.is_head() && !matches!(status, 204 | 304) => Framing::Length(0),
        framing => framing,
    }
}

/// The ledger so far, for a caller who may see it.
fn explain(exchange: &Exchange<'_>, plan: &Plan, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "X-Sluice-Explain: {}\r\n", exchange.ledger.to_json(plan));
}

fn framing(status: u16, len: usize) -> Framing {
    if matches!(status, 204 | 304) { Framing::Bodiless } else { Framing::Length(len as u64) }
}

fn is_aws(exchange: &Exchange<'_>, plan: &Plan) -> bool {
    let api = exchange.api.and_then(|place| plan.apis.get(place as usize));
    api.is_some_and(|api| api.profile == Profile::Aws)
}

fn mock<'p>(exchange: &Exchange<'_>, plan: &'p Plan) -> Option<&'p crate::plan::MockPlan> {
    match &plan.method(exchange.route?)?.2.integration {
        IntegrationPlan::Mock(mock) => Some(mock),
        _ => None,
    }
}

fn gateway<'e>(
    exchange: &Exchange<'_>,
    plan: &Plan,
    fault: Fault,
    fields: &'e mut Vec<u8>,
    variable: Variable,
) -> Outgoing<'e> {
    if fault == Fault::Redirect {
        return redirect(exchange, plan, fields, variable);
    }
    let denial = denial(exchange, plan, fault);
    let rescued = rescue(fault, denial.as_deref());
    // Writing to a Vec cannot fail.
    let _ = write!(fields, "Content-Type: application/json\r\nx-amzn-ErrorType: {}\r\n", rescued.error_type);
    let framing = Framing::Length(rescued.body.len() as u64);
    let head = ResponseHead { status: rescued.status, fields, extra: b"", framing, variable };
    Outgoing { head, body: Body::Text(rescued.body), close: rescued.close || exchange.head.close }
}

/// 308 keeps the method (RFC 9110 §15.4.9).
fn redirect<'e>(exchange: &Exchange<'_>, plan: &Plan, fields: &'e mut Vec<u8>, variable: Variable) -> Outgoing<'e> {
    let listener = plan.listeners.get(usize::from(exchange.connection.listener));
    let port = listener.and_then(|l| l.redirect_to_https).unwrap_or(443);
    fields.extend_from_slice(b"Location: https://");
    fields.extend_from_slice(without_port(exchange.head.host()));
    if port != 443 {
        let _ = write!(fields, ":{port}");
    }
    fields.extend_from_slice(exchange.head.path());
    if let Some(query) = exchange.head.query() {
        fields.push(b'?');
        fields.extend_from_slice(query);
    }
    fields.extend_from_slice(b"\r\n");
    let head = ResponseHead { status: 308, fields, extra: b"", framing: Framing::Length(0), variable };
    Outgoing { head, body: Body::Text("".into()), close: exchange.head.close }
}

/// AWS names the caller, the action and the method's ARN, with all but four digits of the account hidden.
fn denial(exchange: &Exchange<'_>, plan: &Plan, fault: Fault) -> Option<String> {
    let (action, reason) = match fault {
        Fault::ExplicitDeny => ("Invoke", " with an explicit deny in a resource-based policy"),
        Fault::ImplicitDeny => ("Invoke", " because no resource-based policy allows the execute-api:Invoke action"),
        Fault::InvalidationDenied => ("InvalidateCache", ""),
        _ => return None,
    };
    exchange.route?;
    let arn = MethodArn::of(exchange, plan).masked();
    Some(format!("User: anonymous is not authorized to perform: execute-api:{action} on resource: {arn}{reason}"))
}
