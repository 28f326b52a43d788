//! Readers of what a request left behind: metrics, access log, explain; and the admin listener that shows them.
//!
//! Nothing here decides anything about a request. What runs on a worker (`metrics`, `access_log`, `explain`) allocates
//! nothing, takes no lock that another worker holds, and never waits; what shows it runs on threads of its own.

pub mod access_log;
pub mod admin;
pub mod explain;
pub mod metrics;
pub mod process_log;
