//! Who may call, how often, with what proof. Pure: no sockets, no clock, no async.
