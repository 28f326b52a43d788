//! Stage 12, `dispatch`: calls the integration. Needs the permit; the driver makes the call and puts the head of the
//! answer into the exchange.

use std::io;

use serde::Serialize;

use super::authorize::Permit;
use super::frame::Refusal;
use super::rescue::Fault;
use super::{Context, Exchange, Flow, Need, Reply};
use crate::integration::http::{CallError, ConnectError};
use crate::plan::IntegrationPlan;

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// A fixed answer.
    Mock,
    /// The endpoint's head has come.
    Endpoint {
        /// Its status.
        status: u16,
        /// Calls that were made for it, at least 1.
        tries: u8,
        /// Over a connection that was open already.
        reused: bool,
    },
    /// The call failed.
    Failed(Fault),
}

/// Answers, or asks for the call.
pub fn advance(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Flow {
    let Some((_, _, method)) = exchange.route.and_then(|r| context.plan.method(r)) else {
        return Flow::Answer(Reply::Fault(Fault::Internal));
    };
    match (&exchange.permit, &method.integration) {
        (Some(permit), IntegrationPlan::Mock(_)) => mock(permit, &mut exchange.ledger.dispatch),
        (Some(_), IntegrationPlan::Http(_)) if exchange.origin.status != 0 => Flow::Next,
        (Some(_), IntegrationPlan::Http(_)) => Flow::Await(Need::Endpoint),
        (_, IntegrationPlan::Unbuildable) => {
            exchange.ledger.dispatch = Verdict::Failed(Fault::Configuration);
            Flow::Answer(Reply::Fault(Fault::Configuration))
        }
        (None, _) => Flow::Answer(Reply::Fault(Fault::Internal)),
    }
}

fn mock(_: &Permit, verdict: &mut Verdict) -> Flow {
    *verdict = Verdict::Mock;
    Flow::Answer(Reply::Mock)
}

impl From<&CallError> for Fault {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Connect(ConnectError::Timeout(_)) | CallError::Timeout => Fault::EndpointTimeout,
            CallError::Broken(e) if e.kind() == io::ErrorKind::TimedOut => Fault::EndpointTimeout,
            CallError::Connect(ConnectError::NotHttp2(..)) | CallError::Malformed(_) => Fault::EndpointMalformed,
            CallError::Connect(_) | CallError::Broken(_) | CallError::Refused => Fault::EndpointUnreachable,
            CallError::Unsendable => Fault::Configuration,
            CallError::Left => Fault::ClientLeft,
            CallError::Client(e) => of_upload(e.kind()),
        }
    }
}

/// Who broke off in the middle of his body has left; what breaks otherwise is no body.
const fn of_upload(error: io::ErrorKind) -> Fault {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, FileTooLarge, TimedOut, UnexpectedEof};
    match error {
        TimedOut => Fault::Refused(Refusal::Timeout),
        FileTooLarge => Fault::Refused(Refusal::BodyTooLarge),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Fault::ClientLeft,
        _ => Fault::Refused(Refusal::Malformed),
    }
}
