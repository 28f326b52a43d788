//! Sends an answer that grows while it is read: its fetch fills it, and as many clients as want it follow.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use sluice_cache::NotStored;
use sluice_cache::flight::{Broken, Reader};

use super::breaking::BrokenOff;
use super::collapse::refuse;
use super::downstream::Downstream;
use super::drive::{Arrival, Trip, date};
use crate::message::encode::Framing;
use crate::stage::{Fault, deliver};

/// Sends what grows. While nothing has left, the client can still be told that it broke off.
pub(super) async fn read<D: Downstream>(mut trip: Trip, mut reader: Reader, down: &mut D) -> Arrival {
    trip.close_if_draining();
    let first = at_hand(pin!(reader.next())).await;
    if let Poll::Ready(Some(Err(_))) = first {
        refuse(&mut trip, NotStored::Incomplete);
        trip.fail(Fault::EndpointMalformed);
        return trip.deliver(None, down).await;
    }
    let (sent, arrival) = match send(&trip, first, &mut reader, down).await {
        Ok((sent, false)) => (sent, Arrival::Open),
        Ok((sent, true)) => (sent, Arrival::Close),
        Err(broken) => Box::pin(trip.break_off(broken, down)).await,
    };
    trip.settle(sent);
    arrival
}

/// A piece that grows, or the end.
type Piece = Option<Result<Bytes, Broken>>;

/// Bytes that were sent, and whether the connection ends with them.
async fn send<D: Downstream>(
    trip: &Trip,
    first: Poll<Piece>,
    reader: &mut Reader,
    down: &mut D,
) -> Result<(u64, bool), BrokenOff> {
    let mut none = Vec::new();
    let answer = deliver::outgoing(&trip.exchange, &trip.plan, &mut none);
    down.begin(&answer.head, &date(), answer.close).await.map_err(BrokenOff::client(0))?;
    let mut sent = 0;
    // A client that has it already waits for none of it.
    if answer.head.framing != Framing::Bodiless {
        body(first, reader, down, &mut sent).await?;
    }
    down.finish().await.map_err(BrokenOff::client(sent))?;
    Ok((sent, answer.close))
}

async fn body<D: Downstream>(
    first: Poll<Piece>,
    reader: &mut Reader,
    down: &mut D,
    sent: &mut u64,
) -> Result<(), BrokenOff> {
    let mut first = Some(first);
    loop {
        let piece = match first.take() {
            Some(Poll::Ready(piece)) => piece,
            _ => flushed_while(reader.next(), down).await.map_err(BrokenOff::client(*sent))?,
        };
        let Some(piece) = piece else { return Ok(()) };
        let piece = piece.map_err(io::Error::other).map_err(BrokenOff::endpoint(*sent))?;
        down.send_shared(&piece).await.map_err(BrokenOff::client(*sent))?;
        *sent += piece.len() as u64;
    }
}

/// What comes next. If it has to be waited for, all that came so far leaves first.
async fn flushed_while<T, D: Downstream>(next: impl Future<Output = T>, down: &mut D) -> io::Result<T> {
    let mut next = pin!(next);
    if let Poll::Ready(piece) = at_hand(next.as_mut()).await {
        return Ok(piece);
    }
    down.flush().await?;
    Ok(next.await)
}

/// What there is without waiting.
async fn at_hand<T>(mut next: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::server::lane_downstream::LaneDownstream;

    #[tokio::test]
    async fn what_came_leaves_while_the_rest_is_waited_for() {
        let (mut here, mut client) = tokio::io::duplex(1024);
        let mut down = LaneDownstream::new(&mut here, false, Duration::from_secs(60));
        down.send(b"a first piece").await.unwrap();
        let mut seen = [0; 13];
        tokio::select! {
            _ = flushed_while(pending::<()>(), &mut down) => unreachable!("nothing follows"),
            read = client.read_exact(&mut seen) => assert_eq!(read.unwrap(), 13),
        }
        assert_eq!(&seen, b"a first piece");
    }

    #[tokio::test]
    async fn what_is_at_hand_waits_for_more() {
        let (mut here, mut client) = tokio::io::duplex(1024);
        let mut down = LaneDownstream::new(&mut here, false, Duration::from_secs(60));
        down.send(b"a first piece").await.unwrap();
        assert_eq!(flushed_while(std::future::ready(7), &mut down).await.unwrap(), 7);
        drop(here);
        assert_eq!(client.read(&mut [0; 13]).await.unwrap(), 0);
    }
}
