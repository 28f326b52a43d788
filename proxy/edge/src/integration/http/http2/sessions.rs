//! The sessions of one worker, by origin: which one a call takes, and when another one is opened.
//!
//! One is opened at a time, by a task of its own: the calls of a burst wait for it together, and it comes about even if
//! the first of them leaves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::super::call::{Age, Call, CallError, Dial, Link, Way};
use super::super::connection::Connection;
use super::super::origin::{ConnectError, Origin, OriginId};
use super::super::pool;
use super::session::{Session, SessionId, Slot};

/// Sessions that a worker keeps to one origin. Beyond, calls wait for a stream on the session with the fewest.
const PER_ORIGIN: usize = 32;

/// How opening a session has ended, once it has.
type Opening = watch::Receiver<Option<Result<(), ConnectError>>>;

#[derive(Default)]
struct Peer {
    /// The oldest first: the younger ones become idle when there is less to do.
    sessions: Vec<Session>,
    opening: Option<Opening>,
}

thread_local! {
    static PEERS: RefCell<HashMap<OriginId, Peer>> = RefCell::default();
}

/// What a call to an origin that may speak HTTP/2 goes over.
pub(in super::super) async fn link(
    call: &Call<'_>,
    deadline: Instant,
    age: Age,
    dial: Dial,
) -> Result<Link, CallError> {
    let id = call.to.origin.id();
    let mut reused = true;
    loop {
        if let Some(slot) = slot(id, age) {
            return Ok(Link { way: Way::Http2(Box::new(slot)), reused });
        }
        if let Some(connection) = (age == Age::Any).then(|| pool::take(id)).flatten() {
            return Ok(Link { way: Way::Http1(connection), reused });
        }
        reused = false;
        // HTTP/1.1 needs a connection per call: there is nothing to wait for together.
        if call.to.origin.chose_http1() {
            let opened = timeout_at(deadline, open(&call.to.origin, dial)).await;
            if let Some(connection) = opened.map_err(|_| CallError::Timeout)?? {
                return Ok(Link { way: Way::Http1(connection), reused });
            }
            continue;
        }
        let opened = timeout_at(deadline, opened(opening(&call.to.origin, dial))).await;
        opened.map_err(|_| CallError::Timeout)??;
    }
}

/// A place on the first session with room.
fn slot(origin: OriginId, age: Age) -> Option<Slot> {
    let will_do = |s: &Session| match age {
        Age::Any => true,
        Age::NewerThan(id) => s.id > id,
    };
    PEERS.with_borrow_mut(|peers| {
        let sessions = &mut peers.get_mut(&origin)?.sessions;
        sessions.retain_mut(|s| !s.is_idle() && s.is_open());
        let full = sessions.len() >= PER_ORIGIN;
        let found = match sessions.iter_mut().position(|s| will_do(s) && s.has_room()) {
            Some(at) => sessions.get_mut(at),
            None if full => sessions.iter_mut().min_by_key(|s| s.streams()),
            None => None,
        };
        found.map(Session::slot)
    })
}

/// The session that is being opened, by us if by nobody else.
fn opening(origin: &Arc<Origin>, dial: Dial) -> Opening {
    PEERS.with_borrow_mut(|peers| {
        let peer = peers.entry(origin.id()).or_default();
        // A closed channel belongs to a task that is gone.
        if let Some(opening) = peer.opening.as_ref().filter(|o| o.has_changed().is_ok()) {
            return opening.clone();
        }
        let (done, opening) = watch::channel(None);
        peer.opening = Some(opening.clone());
        let origin = origin.clone();
        tokio::spawn(async move {
            let opened = open(&origin, dial).await;
            done.send_replace(Some(opened.map(|http1| {
                if let Some(connection) = http1 {
                    pool::put(origin.id(), connection);
                }
            })));
        });
        opening
    })
}

async fn opened(mut opening: Opening) -> Result<(), ConnectError> {
    match opening.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(result)) => result.clone(),
        // The task is gone with its worker: whoever asks again begins anew.
        _ => Ok(()),
    }
}

/// Opens a session and keeps it; or a connection for HTTP/1.1, if that is what the origin chooses.
async fn open(origin: &Origin, dial: Dial) -> Result<Option<Box<Connection>>, ConnectError> {
    let begun = Instant::now();
    let connection = origin.connect(dial.now, dial.failed).await?;
    if !origin.begins_http2(&connection) {
        return Ok(Some(connection));
    }
    let address = connection.address;
    let session = Session::open(*connection, origin.connect_timeout()).await;
    let now = || dial.now + begun.elapsed().as_nanos() as u64;
    let session = session.inspect_err(|_| origin.note_failure(address, now()))?;
    PEERS.with_borrow_mut(|peers| peers.entry(origin.id()).or_default().sessions.push(session));
    Ok(None)
}

/// No new call takes this session; those under way go on.
pub(super) fn retire(origin: OriginId, session: SessionId) {
    PEERS.with_borrow_mut(|peers| {
        if let Some(peer) = peers.get_mut(&origin) {
            peer.sessions.retain(|s| s.id != session);
        }
    });
}

/// Closes what has been idle for too long.
pub(in super::super) fn sweep() {
    PEERS.with_borrow_mut(|peers| {
        peers.retain(|_, peer| {
            peer.sessions.retain_mut(|s| !s.is_idle() && s.is_open());
            peer.opening = peer.opening.take().filter(|o| o.has_changed().is_ok());
            !peer.sessions.is_empty() || peer.opening.is_some()
        });
    });
}
