//! The path of a request: sixteen stages, each one file, each leaving one verdict in the ledger.
//!
//! `STAGES` is the table; `walk` is the only thing that calls it. A stage either lets the request on, answers it, or
//! names what has to be fetched first; the driver (`server::drive`) fetches it, puts it into the exchange and walks on
//! from the same stage. Stages 2 to 10 do no I/O, so HTTP/1.1, HTTP/2 and the tests share them.
//! `docs/request-path.md` tells the story at length.

pub mod accept;
pub mod account;
mod arn;
pub mod authorize;
pub mod deliver;
pub mod derive;
pub mod dispatch;
mod exchange;
pub mod frame;
pub mod identify;
mod ledger;
pub mod locate;
pub mod mapped;
pub mod plan;
pub mod prepare;
pub mod recall;
pub mod rescue;
pub mod screen;
pub mod shape;
pub mod source;
pub mod store;
pub mod throttle;
pub mod validate;

use std::sync::Arc;

use sluice_cache::{Entry, KeyHasher};

pub use exchange::{Exchange, OriginAnswer};
pub use ledger::Ledger;
pub use rescue::Fault;

use crate::plan::Plan;

/// What a stage says.
#[derive(Debug)]
pub enum Flow {
    /// On to the next stage.
    Next,
    /// The request is answered; `deliver` and `account` follow.
    Answer(Reply),
    /// Something has to be fetched; then the same stage is asked again.
    Await(Need),
}

/// What a stage waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The request's body, up to so many bytes.
    Body(u64),
    /// What is being read from disk.
    Disk,
    /// A place among those who want the same object: lead, follow, or go alone.
    Flight,
    /// The endpoint's answer, up to the end of its head.
    Endpoint,
    /// The first bytes of a large object.
    Object,
}

/// What a request is answered with.
#[derive(Debug, Default)]
pub enum Reply {
    /// Nothing yet.
    #[default]
    None,
    /// A stored response.
    Entry(Arc<Entry>),
    /// One whose body lies on disk in chunks.
    Object(Box<recall::Object>),
    /// The fixed answer of a MOCK method.
    Mock,
    /// The endpoint's answer, streamed.
    Origin,
    /// A gateway response.
    Fault(Fault),
}

/// What the stages decide by, besides the exchange.
pub struct Context<'c> {
    /// The compiled configuration. Places in an exchange are places in this plan and no other: whoever keeps the exchange
    /// keeps the plan.
    pub plan: &'c Arc<Plan>,
    /// Fingerprints keys.
    pub hasher: &'c KeyHasher,
    /// Where a key is built; empty between requests, and its room is kept.
    pub key: &'c mut Vec<u8>,
}

/// A row of the table.
pub struct Stage {
    /// Its verb.
    pub name: &'static str,
    /// Its decision.
    pub advance: fn(&mut Exchange<'_>, &mut Context<'_>) -> Flow,
}

const fn stage(name: &'static str, advance: fn(&mut Exchange<'_>, &mut Context<'_>) -> Flow) -> Stage {
    Stage { name, advance }
}

/// The path of a request.
pub const STAGES: [Stage; 16] = [
    stage("accept", decided_before),
    stage("frame", decided_before),
    stage("locate", locate::advance),
    stage("screen", screen::advance),
    stage("throttle", throttle::advance),
    stage("identify", identify::advance),
    stage("authorize", authorize::advance),
    stage("plan", plan::advance),
    stage("validate", validate::advance),
    stage("recall", recall::advance),
    stage("prepare", prepare::advance),
    stage("dispatch", dispatch::advance),
    stage("shape", shape::advance),
    stage("store", store::advance),
    stage("deliver", deliver::advance),
    stage("account", account::advance),
];

/// Place of `locate`, the first stage that the table decides.
const FIRST: usize = 2;
/// Place of `recall`, from where a background fetch sets out.
pub const RECALL: usize = 9;
/// Place of `deliver`, where every answer goes.
const DELIVER: usize = 14;

/// Where a walk has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The answer stands in the exchange.
    Answered,
    /// The driver has to fetch this and walk on.
    Waiting(Need),
}

/// Takes the request on from where it stands until it is answered or has to wait.
#[inline]
pub fn walk(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Stop {
    if exchange.at == 0 {
        return walk_from_the_start(exchange, context);
    }
    walk_on(exchange, context)
}

/// The stages up to `recall` one by one, which the compiler puts together: most requests end with a hit there.
#[inline]
fn walk_from_the_start(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Stop {
    macro_rules! in_turn {
        ($($at:literal)*) => { $(
            match (const { STAGES[$at].advance })(exchange, context) {
                Flow::Next => exchange.at = $at + 1,
                Flow::Answer(reply) => {
                    exchange.reply = reply;
                    exchange.at = DELIVER;
                    return walk_on(exchange, context);
                }
                Flow::Await(need) => {
                    exchange.at = $at;
                    return Stop::Waiting(need);
                }
            }
        )* };
    }
    in_turn!(2 3 4 5 6 7 8 9 10);
    walk_on(exchange, context)
}

fn walk_on(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Stop {
    let mut at = exchange.at.max(FIRST);
    while let Some(stage) = STAGES.get(at) {
        match (stage.advance)(exchange, context) {
            Flow::Next => at += 1,
            Flow::Answer(reply) => {
                exchange.reply = reply;
                at = (at + 1).max(DELIVER);
            }
            Flow::Await(need) => {
                exchange.at = at;
                return Stop::Waiting(need);
            }
        }
    }
    exchange.at = at;
    Stop::Answered
}

/// Ends a request early: a fault of the driver's, such as a deadline.
pub fn fail(exchange: &mut Exchange<'_>, context: &mut Context<'_>, fault: Fault) {
    exchange.reply = Reply::Fault(fault);
    exchange.at = DELIVER;
    walk(exchange, context);
}

/// `accept` and `frame` have decided before there is a request to walk with.
fn decided_before(_: &mut Exchange<'_>, _: &mut Context<'_>) -> Flow {
    Flow::Next
}
