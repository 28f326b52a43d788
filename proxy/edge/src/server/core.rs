//! What a worker has for itself: clock, buffers, counters. Nothing in it is shared, so nothing in it is locked.

use std::cell::RefCell;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::gateway::Gateway;
use crate::message::date::Clock;
use crate::message::out::Out;
use crate::message::request_id::RequestIds;
use crate::observe::access_log::CoreLog;
use crate::observe::explain::CoreExplain;
use crate::observe::metrics::CoreMetrics;
use crate::plan::Plan;
use crate::stage::{Context, Ledger};

/// Bytes that one read of a connection can bring.
const SCRATCH: usize = 32 * 1024;

/// A worker's own things.
pub struct Core {
    /// What all workers share.
    pub gateway: Arc<Gateway>,
    /// The time.
    pub clock: Clock,
    /// Request ids.
    pub ids: RequestIds,
    /// Where connections are read into; a connection keeps only what is left of a split request.
    pub scratch: Vec<u8>,
    /// What leaves in one write.
    pub out: Out,
    metrics: CoreMetrics,
    log: Option<CoreLog>,
    explain: CoreExplain<Ledger>,
    fields: Vec<u8>,
    key: Vec<u8>,
    plan: Cache<Arc<ArcSwap<Plan>>, Arc<Plan>>,
}

thread_local! {
    static CORE: RefCell<Option<Box<Core>>> = const { RefCell::new(None) };
}

/// Where accounts are settled.
pub struct Desk<'c> {
    /// Counters.
    pub metrics: &'c CoreMetrics,
    /// Access log lines.
    pub log: Option<&'c mut CoreLog>,
    /// The last requests.
    pub explain: &'c mut CoreExplain<Ledger>,
}

/// A worker's things, borrowed apart.
pub struct Parts<'c> {
    /// What stages decide by.
    pub context: Context<'c>,
    /// What leaves in one write.
    pub out: &'c mut Out,
    /// Room for the field lines of the answer at hand.
    pub fields: &'c mut Vec<u8>,
    /// The time.
    pub clock: &'c mut Clock,
    /// Where accounts are settled.
    pub desk: Desk<'c>,
}

impl Core {
    /// Makes this thread a worker.
    pub fn install(gateway: &Arc<Gateway>) {
        let core = Self {
            clock: Clock::new(gateway.epoch),
            ids: RequestIds::new(),
            scratch: vec![0; SCRATCH],
            out: Out::default(),
            metrics: gateway.metrics.core(),
            log: gateway.access_log.as_ref().map(|log| log.core()),
            explain: gateway.explain.core(),
            fields: Vec::new(),
            key: Vec::with_capacity(1024),
            plan: Cache::new(gateway.plan.clone()),
            gateway: gateway.clone(),
        };
        CORE.set(Some(Box::new(core)));
    }

    /// The plan of the moment, to be kept.
    pub fn plan(&mut self) -> Arc<Plan> {
        self.plan.load().clone()
    }

    /// The plan of the moment; one atomic load.
    #[inline]
    pub fn plan_ref(&mut self) -> &Plan {
        self.plan.load()
    }

    /// The connection that has carried so many requests ends with this one.
    #[inline]
    pub fn closing(&mut self, served: u32) -> bool {
        let limit = self.plan_ref().limits.requests_per_connection;
        limit.is_some_and(|limit| served >= limit) || self.gateway.is_draining()
    }

    /// Counters, for what is no request.
    pub fn metrics(&self) -> &CoreMetrics {
        &self.metrics
    }

    /// What stages decide by, under a plan that a request has kept.
    pub fn context<'c>(&'c mut self, plan: &'c Arc<Plan>) -> Context<'c> {
        Context { plan, hasher: &self.gateway.hasher, key: &mut self.key }
    }

    /// Everything, under the plan of the moment: asked for once per request, for the next moment may have another plan.
    #[inline]
    pub fn parts(&mut self) -> Parts<'_> {
        Parts {
            context: Context { plan: self.plan.load(), hasher: &self.gateway.hasher, key: &mut self.key },
            out: &mut self.out,
            fields: &mut self.fields,
            clock: &mut self.clock,
            desk: Desk { metrics: &self.metrics, log: self.log.as_mut(), explain: &mut self.explain },
        }
    }

    /// What a second brings: log lines that wait leave, connections that have been idle for too long close.
    pub fn tick(&mut self) {
        self.clock.now();
        if let Some(log) = &mut self.log {
            log.hand_over();
        }
        crate::integration::http::sweep();
    }
}

/// Runs `f` with this thread's worker. `f` must not call `with` again; `None` on a thread that is no worker.
#[inline]
pub fn with<R>(f: impl FnOnce(&mut Core) -> R) -> Option<R> {
    CORE.with_borrow_mut(|core| core.as_deref_mut().map(f))
}
