//! The binary as a user runs it.
//!
//! - `loan_job`: the original project's job gives real Spark's numbers, for each version.

mod binary;
mod loan_job;
