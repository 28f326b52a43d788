//! APIs with their resources, methods and stages.

use std::collections::BTreeMap;

use sluice_api::{Api, ApiId, Method, Profile, Resource, ResourcePath, Verb};

use super::integration::{self, Origin};
use super::policy::{self, PolicyKeys};
use super::{node, routes, stage};
use crate::config::keys::api as keys;
use crate::config::model::Node;
use crate::config::report::{Mark, Report};
use crate::config::rules;
use crate::config::table::{Located, Table};

/// As many as a request's captures hold.
const MOST_VARIABLES: usize = 16;

/// An API, and where in the file its parts are.
pub(super) struct ApiDraft {
    pub(super) api: Api,
    pub(super) at: Mark,
    /// The sizes of its stages' caches.
    pub(super) caches: Vec<Located<stage::CacheShare>>,
}

/// Every API, in the order of the file, found by id.
#[derive(Default)]
pub(super) struct Apis {
    pub(super) drafts: Vec<ApiDraft>,
    places: BTreeMap<ApiId, usize>,
}

impl Apis {
    pub(super) fn find(&self, id: &ApiId) -> Option<&ApiDraft> {
        self.places.get(id).and_then(|place| self.drafts.get(*place))
    }

    /// An id that is there already comes back.
    fn add(&mut self, draft: ApiDraft) -> Result<(), ApiId> {
        let id = draft.api.id.clone();
        if self.places.contains_key(&id) {
            return Err(id);
        }
        self.places.insert(id, self.drafts.len());
        self.drafts.push(draft);
        Ok(())
    }
}

/// A method, and what other parts of the file are checked against.
pub(super) struct MethodDraft {
    pub(super) path: ResourcePath,
    pub(super) verb: Verb,
    /// What an `HTTP_PROXY` passes on.
    pub(super) origin: Option<Origin>,
}

/// A resource, and where it is.
pub(super) struct ResourceDraft {
    pub(super) resource: Resource,
    pub(super) at: Mark,
}

/// Reads every `[[api]]`. Those without a good id are read for their findings only.
pub(super) fn read_all(tables: &[Table<'_>], node: &Node) -> Apis {
    let mut apis = Apis::default();
    for table in tables {
        let Some(draft) = read(table, node) else { continue };
        if let Err(id) = apis.add(draft) {
            let message = format!("there is another API '{id}'");
            table.report().error(&rules::DUPLICATE, table.place(&keys::ID), message, "give it another id");
        }
    }
    apis
}

fn read(table: &Table<'_>, node: &Node) -> Option<ApiDraft> {
    let id = table.parse(&keys::ID, ApiId::parse);
    let name = table.text(&keys::NAME).or_else(|| id.as_ref().map(ApiId::to_string));
    let profile = table.text(&keys::PROFILE).as_deref().map_or(node.profile, node::profile);
    let execute_api_endpoint_disabled = table.flag(&keys::DISABLE_EXECUTE_API_ENDPOINT).unwrap_or_default();
    let policy = PolicyKeys { table: &keys::POLICY, allow: &keys::ALLOW, deny: &keys::DENY };
    let network = policy::read(table, &policy, profile);
    let (resources, methods) = resources(table, profile);
    let (stages, caches) = stage::read_all(table, profile, &methods);
    let none_written = table.tables(&keys::RESOURCE).iter().all(|resource| resource.written(&keys::METHOD).is_none());
    if none_written && !stages.is_empty() {
        let message = "the API has a stage and no methods: every request gets 403";
        table.report().error(&rules::NO_METHODS, table.at, message, "add an [[api.resource]] with a method");
    }
    let api = Api { id: id?, name: name?, profile, resources, network, execute_api_endpoint_disabled, stages };
    Some(ApiDraft { api, at: table.at, caches })
}

fn resources(table: &Table<'_>, profile: Profile) -> (Vec<Resource>, Vec<MethodDraft>) {
    let mut drafts = Vec::new();
    let mut methods = Vec::new();
    for resource in table.tables(&keys::RESOURCE) {
        if let Some(draft) = read_resource(&resource, profile, &mut methods) {
            drafts.push(draft);
        }
    }
    routes::check(&mut drafts, profile, table.report());
    (drafts.into_iter().map(|d| d.resource).collect(), methods)
}

fn read_resource(table: &Table<'_>, profile: Profile, drafts: &mut Vec<MethodDraft>) -> Option<ResourceDraft> {
    let path = path(table)?;
    let mut methods = BTreeMap::new();
    let written = table.named(&keys::METHOD);
    let none_written = written.is_empty();
    for (verb, method) in written {
        let Some(verb) = checked_verb(&verb, table.report()) else { continue };
        let Some(integration) = method.table(&keys::INTEGRATION) else { continue };
        let Some((integration, origin)) = integration::read(&integration, &path, verb, profile) else { continue };
        drafts.push(MethodDraft { path: path.clone(), verb, origin });
        methods.insert(verb, Method { integration });
    }
    if none_written {
        let message = format!("{path} has no methods");
        let help = "add [api.resource.method.GET], or remove the resource";
        table.report().strict(profile, &rules::NO_METHODS, table.place(&keys::PATH), message, help);
    }
    Some(ResourceDraft { resource: Resource { path, methods }, at: table.place(&keys::PATH) })
}

/// The path; a child of a greedy part is told apart from what is merely badly written.
fn path(table: &Table<'_>) -> Option<ResourcePath> {
    let text = table.text(&keys::PATH)?;
    match ResourcePath::parse(&text) {
        Ok(path) if path.variables().count() > MOST_VARIABLES => {
            let message = format!("{path} has more than {MOST_VARIABLES} variables");
            table.report().error(
                &rules::OUT_OF_RANGE,
                table.place(&keys::PATH),
                message,
                "use a greedy part, {proxy+}",
            );
            None
        }
        Ok(path) => Some(path),
        Err(error) => {
            let (rule, help) = match error {
                sluice_api::PathError::GreedyNotLast(_) => {
                    (&rules::CHILD_OF_GREEDY, "make the part an ordinary {name}, or remove what follows it")
                }
                _ => (&rules::BAD_VALUE, "write a path such as \"/pets/{id}\" or \"/files/{proxy+}\""),
            };
            table.report().error(rule, table.place(&keys::PATH), error.to_string(), help);
            None
        }
    }
}

fn checked_verb(verb: &Located<&str>, report: &Report<'_>) -> Option<Verb> {
    match Verb::parse(verb.value) {
        Ok(verb) => Some(verb),
        Err(error) => {
            let help = match Verb::parse(&verb.value.to_ascii_uppercase()) {
                Ok(verb) => format!("write {verb}"),
                Err(_) => "other verbs are always refused with 403".into(),
            };
            report.error(&rules::BAD_VALUE, verb.at, error.to_string(), help);
            None
        }
    }
}
