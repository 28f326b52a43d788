//! From a URL to the cache keys of the requests for it: each is routed as a client's would be.
//!
//! A purge takes every variant, so all verbs are asked for unless one is named, all codings, and all listeners, for each
//! may have a default API of its own. Fields that are part of the key have to be given.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use sluice_api::Verb;
use sluice_cache::invalidate::Target;

use super::caches::{Cached, meant};
use super::wish::{Asked, BadField, Scope};
use crate::message::date::Now;
use crate::message::head::{Head, Version};
use crate::message::request_id::RequestId;
use crate::plan::Plan;
use crate::plan::Route;
use crate::plan::host::without_port;
use crate::server::gateway::Gateway;
use crate::stage::accept::{Connection, Verdict};
use crate::stage::frame::{self, Framed};
use crate::stage::{Context, Exchange, locate, recall};

/// What `Accept-Encoding` comes down to.
const CODINGS: [&str; 3] = ["", "accept-encoding: gzip\r\n", "accept-encoding: br\r\n"];

/// Stands for a host that was not said; no client can ask for it.
const NO_HOST: &str = "host.invalid";

/// The caches that requests for a URL ask, and their keys there.
///
/// # Errors
/// The field that is wrong; among others, if the URL leads to nothing that is cached.
pub(super) fn aims<'p>(
    gateway: &Gateway,
    plan: &'p Arc<Plan>,
    scope: &Scope,
    asked: &Asked,
) -> Result<Vec<(Cached<'p>, Vec<Target>)>, BadField> {
    let caches = meant(plan, scope)?;
    let mut search = Search { gateway, plan, scope, asked, found: BTreeMap::new(), lacks_host: false };
    for request in requests(plan, asked) {
        search.ask(&request)?;
    }
    let aim = |(place, keys): ((u32, u32), BTreeSet<Box<[u8]>>)| {
        let cached = caches.iter().find(|cached| cached.place == place)?;
        Some((*cached, keys.into_iter().map(Target::Key).collect()))
    };
    let lacks_host = search.lacks_host;
    match search.found.into_iter().filter_map(aim).collect::<Vec<_>>() {
        none if none.is_empty() && lacks_host => Err(BadField::new("host", "missing; it is part of the key")),
        none if none.is_empty() => Err(BadField::new("url", "leads to nothing that is cached")),
        aims => Ok(aims),
    }
}

/// One request for the URL.
struct Request {
    verb: Verb,
    listener: u16,
    is_https: bool,
    head: String,
}

/// Every request whose answer may be stored under a key of its own.
fn requests(plan: &Plan, asked: &Asked) -> Vec<Request> {
    let (schemes, authority, target) = match asked.url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            (vec![scheme.eq_ignore_ascii_case("https")], authority, target)
        }
        None => (vec![false, true], asked.host.as_deref().unwrap_or(NO_HOST), asked.url.as_str()),
    };
    let slash = if target.starts_with('/') { "" } else { "/" };
    let fields: String = asked.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let states_coding = asked.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept-encoding"));
    let codings = CODINGS.get(..if states_coding { 1 } else { CODINGS.len() }).unwrap_or(&CODINGS);
    let verbs = asked.verb.map_or_else(|| Verb::CONCRETE.to_vec(), |verb| vec![verb]);
    let mut requests = Vec::new();
    for (listener, _) in plan.listeners.iter().enumerate() {
        for (verb, is_https) in verbs.iter().flat_map(|verb| schemes.iter().map(move |https| (*verb, *https))) {
            requests.extend(codings.iter().map(|coding| {
                let head = format!("{verb} {slash}{target} HTTP/1.1\r\nhost: {authority}\r\n{fields}{coding}\r\n");
                Request { verb, listener: listener as u16, is_https, head }
            }));
        }
    }
    requests
}

struct Search<'s> {
    gateway: &'s Gateway,
    plan: &'s Arc<Plan>,
    scope: &'s Scope,
    asked: &'s Asked,
    /// Keys by API and stage.
    found: BTreeMap<(u32, u32), BTreeSet<Box<[u8]>>>,
    /// A key would have needed a host.
    lacks_host: bool,
}

impl Search<'_> {
    fn ask(&mut self, request: &Request) -> Result<(), BadField> {
        let bytes = request.head.as_bytes();
        let mut head = Head::new(Cow::Borrowed(bytes), Version::Http11);
        if !matches!(frame::read(bytes, &self.plan.limits, &mut head), Framed::Lane(_) | Framed::Session) {
            return Err(BadField::new("url", "no request for it would be understood"));
        }
        let mut exchange = Exchange::new(head, self.connection(request), Now::default(), RequestId::default());
        let mut room = Vec::new();
        let mut context = Context { plan: self.plan, hasher: &self.gateway.hasher, key: &mut room };
        match self.asked.url.starts_with('/') {
            true => self.place(&mut exchange, request.verb),
            // What it answers a client with who is lost is of no interest.
            false => drop(locate::advance(&mut exchange, &mut context)),
        }
        self.keep(&exchange, &mut context);
        Ok(())
    }

    fn connection(&self, Request { listener, is_https, head, .. }: &Request) -> Connection {
        let host = head.split("host: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap_or_default();
        let mutual = self.plan.domains.find(without_port(host.as_bytes())).and_then(|domain| domain.mutual);
        let verdict = if *is_https { Verdict::Tls } else { Verdict::Plain };
        let peer = self.asked.peer.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Connection { peer, listener: *listener, verdict, mutual }
    }

    /// A path behind a stage that is named.
    fn place(&self, exchange: &mut Exchange<'_>, verb: Verb) {
        let route = || {
            let place = |name: &Option<String>| name.clone().unwrap_or_default();
            let api = *self.plan.api_ids.get(place(&self.scope.api).as_str())?;
            let plan = self.plan.apis.get(api as usize)?;
            Some((plan, api, *plan.stage_names.get(place(&self.scope.stage).as_str())?))
        };
        let Some((api_plan, api, stage)) = route() else { return };
        let path = exchange.head.path_span();
        let found = api_plan.router.find(path.of(exchange.head.bytes()), path.start(), verb, &mut exchange.captures);
        let Some(method) = found else { return };
        exchange.head.verb = Some(verb);
        exchange.path = path;
        exchange.route = Some(Route { api, stage, method });
    }

    fn keep(&mut self, exchange: &Exchange<'_>, context: &mut Context<'_>) {
        let Some((route, verb)) = exchange.route.zip(exchange.head.verb) else { return };
        let rule = self.plan.method(route).and_then(|(_, _, method)| method.cache.as_ref());
        let Some(rule) = rule.filter(|rule| rule.verbs.contains(verb)) else { return };
        if rule.keys_host && exchange.head.host() == NO_HOST.as_bytes() {
            self.lacks_host = true;
            return;
        }
        if let Ok(key) = recall::key(exchange, context, rule, verb) {
            self.found.entry((route.api, route.stage)).or_default().insert(key.bytes.into());
        }
    }
}
