//! Reshaping messages. Pure.
