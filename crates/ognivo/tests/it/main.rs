//! The binary as a user runs it.
//!
//! - `loan_job`: the original project's job gives real Spark's numbers, for each version;
//! - `random_kills`: a stream that is killed at random moments loses and repeats no row.

mod binary;
mod loan_job;
mod loans;
mod random_kills;
mod stream_oracle;
