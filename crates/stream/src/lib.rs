//! Runs micro-batches so that a restart neither loses nor repeats a row, as far as the sink can promise.

pub mod checkpoint;
pub mod clock;
mod connector_error;
pub mod dead_letter;
pub mod kill_point;
pub mod laws;
pub mod offset;
pub mod plan;
pub mod score;
pub mod sink;
pub mod source;
pub mod trigger;
