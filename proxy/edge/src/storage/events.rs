//! A store's lines, in the process log.

use sluice_cache::tier::disk::{Event, Events};

/// Writes them under the store's name.
#[derive(Debug)]
pub(super) struct Logged {
    pub(super) store: String,
}

impl Events for Logged {
    fn event(&self, event: &Event<'_>) {
        let store = &self.store;
        match event {
            Event::Recovered { .. } | Event::WritesResume | Event::ReadsResume => tracing::info!(store, "{event}"),
            _ => tracing::warn!(store, "{event}"),
        }
    }
}
