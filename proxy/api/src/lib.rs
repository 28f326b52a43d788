//! The nouns of an API, named as Amazon API Gateway names them.
//!
//! Pure data: text becomes a type that cannot be wrong, and nothing here knows of sockets, clocks or files.

mod cache_key;
mod id;
mod integration;
mod method;
mod path;
mod stage;
mod status;

pub use cache_key::{KeyParameter, KeyParameterError, KeySource};
pub use id::{ApiId, IdError, StageName};
pub use integration::{
    Address, AddressError, HttpIntegration, Integration, IntegrationKind, MockIntegration, OriginTls, UpstreamVersion,
};
pub use method::{Method, Verb, VerbError, VerbSet};
pub use path::{PathError, ResourcePath, Segment};
pub use stage::{
    CacheMode, Caching, MethodKey, MethodSettings, Stage, Throttle, UnauthorizedCacheControl, memory_share,
};
pub use status::{StatusPattern, StatusPatternError};

use std::collections::BTreeMap;

use ipnetwork::IpNetwork;

/// Which of two behaviours is meant where AWS's and an edge operator's expectations differ (`docs/parity.md`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// What Amazon API Gateway does, its surprises included.
    Aws,
    /// Safe and observable defaults for an edge node.
    #[default]
    Edge,
}

/// A REST API with its resources and stages.
#[derive(Clone, Debug, PartialEq)]
pub struct Api {
    /// AWS's `restapi_id`.
    pub id: ApiId,
    /// Shown in metrics and logs; the id where none was given.
    pub name: String,
    /// The node's profile unless the API states its own.
    pub profile: Profile,
    /// The API's resources in the order of the configuration. Paths are unique.
    pub resources: Vec<Resource>,
    /// Who may reach the API from which network.
    pub network: NetworkPolicy,
    /// AWS's `disableExecuteApiEndpoint`: it is reached through custom domains and listeners' defaults only.
    pub execute_api_endpoint_disabled: bool,
    /// The API's stages by name.
    pub stages: BTreeMap<StageName, Stage>,
}

/// A path of an API and what may be done with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// The path, `/` for the root.
    pub path: ResourcePath,
    /// Methods by verb; `Verb::Any` is the fall-back.
    pub methods: BTreeMap<Verb, Method>,
}

/// Allow and deny lists of networks: the part of a resource policy that needs no identity.
///
/// A deny wins; an allow list that is present and does not hold the caller denies implicitly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPolicy {
    /// `None`: everybody who is not denied.
    pub allow: Option<Vec<IpNetwork>>,
    /// Denied explicitly.
    pub deny: Vec<IpNetwork>,
}
