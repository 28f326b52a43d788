//! Stage 3, `locate`: domain, base path, API, stage, resource, method; and who is calling.
//!
//! The order in which an API is named: custom domain and base path; Host `{api-id}.execute-api.…`; `x-apigw-api-id` on
//! private listeners; `/_aws/execute-api/{api-id}/{stage}/…`; the listener's default. AWS's answers: an unknown API,
//! stage or base path is 403 Forbidden, an unknown path or verb 403 Missing Authentication Token.

use std::net::IpAddr;

use serde::Serialize;
use sluice_api::{Profile, Verb};

use super::frame::Refusal;
use super::rescue::Fault;
use super::{Context, Exchange, Flow, Reply};
use crate::message::field::FieldKind;
use crate::message::head::Span;
use crate::plan::Route;
use crate::plan::host::{execute_api_id, lower};
use crate::plan::{ApiPlan, ListenerPlan, Plan};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// By a custom domain.
    Domain,
    /// By the API's own host name.
    ExecuteApiHost,
    /// By `x-apigw-api-id`.
    ApiIdHeader,
    /// By the path `/_aws/execute-api/…`.
    Path,
    /// By the listener's default.
    Default,
    /// No API of that name, or none at all.
    NoApi,
    /// The domain has no mapping for the path.
    NoBasePath,
    /// The API's default endpoint is closed; a custom domain may lead to it.
    EndpointDisabled,
    /// The API has no such stage.
    NoStage,
    /// The API has no such resource, or the resource no such method.
    NoMethod,
    /// This listener sends everybody to another port.
    Redirected,
    /// The domain and the one whose client certificate was verified are not the same.
    Misdirected,
}

/// An API and how the rest of the path is to be read.
struct Place {
    api: u32,
    stage: Option<u32>,
    /// Begins behind base path, or is the whole path.
    path: Span,
    by: Verdict,
}

/// Finds the method.
pub fn advance(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Flow {
    let plan = context.plan;
    exchange.ledger.plan_version = plan.version;
    exchange.client = client_address(exchange, plan);
    let Some(listener) = plan.listeners.get(usize::from(exchange.connection.listener)) else {
        return refuse(exchange, Verdict::NoApi);
    };
    if listener.redirect_to_https.is_some() {
        return refuse(exchange, Verdict::Redirected);
    }
    let place = place(exchange, plan, listener);
    exchange.api = place.as_ref().ok().map(|place| place.api);
    exchange.ledger.api = exchange.api;
    match place.and_then(|place| route(exchange, plan, place)) {
        Ok((route, by)) => {
            exchange.ledger.locate = by;
            exchange.ledger.route = Some(route);
            exchange.route = Some(route);
            Flow::Next
        }
        Err(verdict) => refuse(exchange, verdict),
    }
}

fn refuse(exchange: &mut Exchange<'_>, verdict: Verdict) -> Flow {
    exchange.ledger.locate = verdict;
    Flow::Answer(Reply::Fault(match verdict {
        Verdict::NoMethod => Fault::NoMethod,
        // HTTP/1.0 may come without a host: then there is nowhere to send it.
        Verdict::Redirected if exchange.head.host().is_empty() => Fault::Refused(Refusal::Host),
        Verdict::Redirected => Fault::Redirect,
        Verdict::Misdirected => Fault::Refused(Refusal::Misdirected),
        _ => Fault::Forbidden,
    }))
}

fn place(exchange: &Exchange<'_>, plan: &Plan, listener: &ListenerPlan) -> Result<Place, Verdict> {
    let head = &exchange.head;
    let (path, host) = (head.path_span(), head.host());
    let domain = plan.domains.find(host);
    if domain.and_then(|d| d.mutual) != exchange.connection.mutual {
        return Err(Verdict::Misdirected);
    }
    if let Some(domain) = domain {
        let (mapping, rest) = domain.find(head.path()).ok_or(Verdict::NoBasePath)?;
        let path = Span::within(head.bytes(), rest);
        return Ok(Place { api: mapping.api, stage: mapping.stage, path, by: Verdict::Domain });
    }
    if let Some(id) = execute_api_id(host) {
        let api = api_by_id(plan, id).ok_or(Verdict::NoApi)?;
        return Ok(Place { api, stage: None, path, by: Verdict::ExecuteApiHost });
    }
    if let Some(id) = head.value(FieldKind::XApigwApiId).filter(|_| listener.private) {
        let api = api_by_id(plan, id).ok_or(Verdict::NoApi)?;
        return Ok(Place { api, stage: None, path, by: Verdict::ApiIdHeader });
    }
    if let Some(rest) = head.path().strip_prefix(b"/_aws/execute-api/") {
        let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
        let (id, rest) = rest.split_at_checked(end).unwrap_or_default();
        let api = api_by_id(plan, id).ok_or(Verdict::NoApi)?;
        return Ok(Place { api, stage: None, path: Span::within(head.bytes(), rest), by: Verdict::Path });
    }
    let (api, stage) = listener.default_api.ok_or(Verdict::NoApi)?;
    Ok(Place { api, stage, path, by: Verdict::Default })
}

fn route(exchange: &mut Exchange<'_>, plan: &Plan, place: Place) -> Result<(Route, Verdict), Verdict> {
    let api = plan.apis.get(place.api as usize).ok_or(Verdict::NoApi)?;
    if api.execute_api_endpoint_disabled && is_execute_api_endpoint(place.by) {
        return Err(Verdict::EndpointDisabled);
    }
    let bytes = exchange.head.bytes();
    let (stage, path) = match place.stage {
        Some(stage) => (stage, place.path),
        None => stage_segment(api, bytes, place.path).ok_or(Verdict::NoStage)?,
    };
    exchange.stage = Some(stage);
    exchange.ledger.stage = exchange.stage;
    let verb = effective_verb(exchange, api).ok_or(Verdict::NoMethod)?;
    exchange.head.verb = Some(verb);
    let bytes = exchange.head.bytes();
    let text: &[u8] = match path.of(bytes) {
        b"" => b"/",
        text => text,
    };
    let method = api.router.find(text, path.start(), verb, &mut exchange.captures).ok_or(Verdict::NoMethod)?;
    exchange.path = path;
    Ok((Route { api: place.api, stage, method }, place.by))
}

/// The API was named by its id, not by what an operator maps to it.
fn is_execute_api_endpoint(by: Verdict) -> bool {
    matches!(by, Verdict::ExecuteApiHost | Verdict::ApiIdHeader | Verdict::Path)
}

/// The verb that is executed: under `aws`, what `X-HTTP-Method-Override` says.
fn effective_verb(exchange: &Exchange<'_>, api: &ApiPlan) -> Option<Verb> {
    match exchange.head.value(FieldKind::XHttpMethodOverride).filter(|_| api.profile == Profile::Aws) {
        Some(name) => Verb::from_bytes(name).filter(|v| *v != Verb::Any),
        None => exchange.head.verb,
    }
}

/// The first segment names the stage; what follows is the path.
fn stage_segment(api: &ApiPlan, bytes: &[u8], path: Span) -> Option<(u32, Span)> {
    let rest = path.of(bytes).strip_prefix(b"/")?;
    let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
    let (name, rest) = rest.split_at_checked(end)?;
    let stage = *api.stage_names.get(std::str::from_utf8(name).ok()?)?;
    Some((stage, Span::within(bytes, rest)))
}

fn api_by_id(plan: &Plan, id: &[u8]) -> Option<u32> {
    let mut buffer = [0; 255];
    let id = std::str::from_utf8(lower(id, &mut buffer)?).ok()?;
    plan.api_ids.get(id).copied()
}

/// The peer, unless it is a trusted proxy: then the right-most address in the field that counts that is not one.
fn client_address(exchange: &Exchange<'_>, plan: &Plan) -> IpAddr {
    let peer = exchange.connection.address();
    if plan.trusted_proxies.is_empty() || !plan.trusted_proxies.contains(peer) {
        return peer;
    }
    let mut client = peer;
    for hop in hops(exchange, plan.client_address_field) {
        let Some(address) = hop else { break };
        client = address;
        if !plan.trusted_proxies.contains(address) {
            break;
        }
    }
    client
}

/// The hops of `X-Forwarded-For` or `Forwarded`, from the right.
fn hops<'e>(exchange: &'e Exchange<'_>, field: FieldKind) -> impl Iterator<Item = Option<IpAddr>> + 'e {
    let split = |v: &'e [u8]| v.rsplit(|b| *b == b',').map(<[u8]>::trim_ascii);
    let hops = exchange.head.values(field).rev().flat_map(split);
    hops.map(if field == FieldKind::Forwarded { forwarded_node } else { node_address })
}

/// The address in an element of `Forwarded`: `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_node(element: &[u8]) -> Option<IpAddr> {
    let mut pairs = element.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let node = pairs.find_map(|p| p.get(..4).filter(|n| n.eq_ignore_ascii_case(b"for=")).and(p.get(4..)))?;
    node_address(node.strip_prefix(b"\"").and_then(|n| n.strip_suffix(b"\"")).unwrap_or(node))
}

/// An address, perhaps in brackets, perhaps with a port.
fn node_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok().map(|a| a.to_canonical())
}
