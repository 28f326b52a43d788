//! A fetch's body on its way into the cache: collected for all who read it while it grows, and what becomes of it where
//! it outgrows memory.

use bytes::Bytes;
use sluice_cache::NotStored;
use sluice_cache::flight::{Excess, Filling, Head};

use super::accounts;
use super::drive::{Trip, now};
use super::keeping::{LargeFill, Terms};
use crate::integration::http::BodyReader;

/// What becomes of a body that outgrows memory.
pub(super) struct Beyond {
    /// It may go to disk.
    pub(super) large: Option<Terms>,
    /// There is no client that it is sent to.
    pub(super) aside: bool,
}

/// Fetches what is too large for memory and for nobody but the cache: no faster than the disk takes it.
pub(super) async fn fill_aside(trip: &Trip, mut body: BodyReader) {
    let begun = Terms::of(trip).ok_or(NotStored::TooLarge).and_then(|terms| LargeFill::after(terms, &[]));
    match begun {
        Ok(large) => large_to_its_end(&mut body, large).await,
        Err(reason) => accounts::note_not_stored(reason),
    }
}

async fn large_to_its_end(body: &mut BodyReader, mut large: LargeFill) {
    let reason = loop {
        large.room().await;
        match body.next().await {
            Ok(Some(piece)) => match large.push(piece) {
                Ok(()) => {}
                Err(reason) => break reason,
            },
            Ok(None) => return large.finish().await,
            Err(_) => break NotStored::Incomplete,
        }
    };
    accounts::note_not_stored(reason);
}

/// Reads the body to its end and keeps it. A body that breaks off leaves its readers with a broken one.
pub(super) async fn fill(
    mut body: BodyReader,
    mut filling: Filling,
    keep: impl FnOnce(&Head, &[Bytes]) -> Option<Bytes>,
    beyond: Beyond,
) {
    let (unfinished, broke_off) = loop {
        match body.next().await {
            Ok(Some(piece)) => match filling.push(piece) {
                Ok(()) => {}
                Err(Excess::TooLarge) => {
                    let piece = Bytes::copy_from_slice(piece);
                    return overflow(body, filling, piece, beyond).await;
                }
                Err(error) => break (Some(filling), error.to_string()),
            },
            Ok(None) => match filling.finish(keep) {
                Ok(()) => return,
                Err(error) => break (None, error.to_string()),
            },
            Err(error) => break (Some(filling), error.to_string()),
        }
    };
    tracing::debug!(error = broke_off, "a fetch broke off");
    unfinished.into_iter().for_each(Filling::fail);
    accounts::note_not_stored(NotStored::Incomplete);
}

/// Too large for memory: the first client gets the rest at its own pace, and whoever is gone ends it. Meanwhile the disk
/// gets it too, if it may.
async fn overflow(mut body: BodyReader, filling: Filling, first: Bytes, beyond: Beyond) {
    let Beyond { large, aside } = beyond;
    let large = large.ok_or(NotStored::TooLarge);
    let mut large = large.and_then(|terms| {
        let pieces = filling.pieces();
        let pieces: Vec<&[u8]> = pieces.iter().chain([&first]).map(AsRef::as_ref).collect();
        LargeFill::after(terms, &pieces)
    });
    let mut window = filling.overflow(now());
    if aside {
        return match large {
            Ok(large) => large_to_its_end(&mut body, large).await,
            Err(reason) => accounts::note_not_stored(reason),
        };
    }
    let mut gone = window.push(&first).await.is_err();
    let ended = loop {
        match body.next().await {
            Ok(Some(_)) if gone => break false,
            Ok(Some(piece)) => {
                large = large.and_then(|mut large| large.push(piece).map(|()| large));
                gone = window.push(piece).await.is_err();
                if let Ok(large) = &mut large {
                    large.catch_up().await;
                }
            }
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    if ended {
        window.finish();
    }
    match large {
        Ok(large) if ended => large.finish().await,
        Ok(_) => accounts::note_not_stored(NotStored::Incomplete),
        Err(reason) => accounts::note_not_stored(reason),
    }
}
