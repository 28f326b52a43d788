//! Messages as bytes: one form of a request head and one encoder of answers for every way in.

pub mod body;
pub mod chunks;
pub mod date;
pub mod encode;
pub mod field;
pub mod fields;
pub mod gather;
pub mod head;
pub mod out;
pub mod places;
pub mod request_id;
pub mod spare;
pub mod target;
