//! `sluice cache` as a user runs it.
