//! What two processes say to each other at an upgrade.

use serde::{Deserialize, Serialize};

use crate::server::tls::TicketKeys;

/// The form of the messages. A process says the newest that it speaks; the older of both is spoken.
pub const VERSION: u32 = 1;

/// One message; JSON, so that a later version may add fields that this one does not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The next process asks to take over.
    TakeOver {
        /// The newest version that it speaks.
        version: u32,
    },
    /// An operator asks for an upgrade.
    Upgrade,
    /// The upgrade that was asked for took place.
    Upgraded {
        /// The process that serves now.
        pid: u32,
    },
    /// What was asked for is not done.
    Refused {
        /// For people.
        why: String,
    },
    /// Listening sockets; the descriptors travel beside the message.
    Sockets {
        /// The version that is spoken from here on.
        version: u32,
        /// One name for each descriptor.
        names: Vec<String>,
        /// Another batch follows.
        more: bool,
    },
    /// All that can fail has been done.
    Ready,
    /// What the buckets hold for the next process, and what else it goes on with.
    Levels {
        /// In an order to which `Settle` and `Granted` refer.
        buckets: Vec<Held>,
        /// What TLS sessions are resumed with. A process that does not know of it sends none, and reads over it.
        #[serde(default)]
        tickets: Option<TicketKeys>,
    },
    /// The next process serves.
    Serving {
        /// Names of the sockets with which it goes on.
        sockets: Vec<String>,
    },
    /// What the process that drains gives back (negative) or needs, in tokens, by the bucket's place.
    Settle {
        /// Place and tokens.
        changes: Vec<(u32, i64)>,
    },
    /// What it gets of that.
    Granted {
        /// Place and tokens.
        tokens: Vec<(u32, u32)>,
    },
    /// It has nothing more to say.
    Gone,
}

/// What one bucket holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What the bucket limits: the same in every process.
    pub id: String,
    /// In units of 2^-27 token.
    pub level: u64,
}
