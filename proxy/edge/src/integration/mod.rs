//! Where requests go: the endpoints behind the integrations.

pub mod http;
