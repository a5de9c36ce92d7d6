//! The binary as a user runs it.
//!
//! - `kill_points`: a stream that is killed at every named place loses and repeats no row;
//! - `loan_job`: the original project's job gives real Spark's numbers, for each version;
//! - `random_kills`: a stream that is killed at random moments loses and repeats no row.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "seeds, counts and missing data are told to whoever runs the tests"
)]

mod binary;
mod kill_points;
mod loan_job;
mod loans;
mod random_kills;
mod stream_oracle;
