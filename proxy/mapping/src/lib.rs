//! Reshaping messages. Pure.
//!
//! - [`Expression`]: where a mapped value comes from; [`Source`] is what it reads, [`Value`] what it gives.
//! - [`Target`]: where in the request to the integration it goes.
//! - [`JsonPath`]: a field of a JSON body.

mod expression;
mod json_path;
mod target;

pub use expression::{EvaluateError, Expression, ExpressionError, Source, Value};
pub use json_path::{JsonPath, JsonPathError};
pub use target::{Location, Target, TargetError};
