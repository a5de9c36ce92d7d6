//! Runs micro-batches so that a restart neither loses nor repeats a row, as far as the sink can promise.

mod batch;
pub mod checkpoint;
pub mod clock;
mod connector_error;
pub mod dead_letter;
pub mod invariants;
pub mod kill_point;
pub mod laws;
pub mod memory;
pub mod offset;
pub mod output_shape;
pub mod plan;
pub mod progress;
pub mod query;
pub mod query_error;
pub mod retry;
pub mod score;
pub mod script;
pub mod sink;
pub mod source;
pub mod stop;
pub mod tally;
pub mod trigger;
