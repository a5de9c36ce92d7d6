//! The binary as a user runs it.
//!
//! - `job_files`: what is said about job files that are wrong;
//! - `kill_points`: a stream that is killed at every named place loses and repeats no row;
//! - `live`: a stream while it runs: signals, a second one, too many bad rows;
//! - `loan_job`: the original project's job gives real Spark's numbers, for each version;
//! - `random_kills`: a stream that is killed at random moments loses and repeats no row;
//! - `verbs`: what each verb prints and how it ends.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "seeds, counts and missing data are told to whoever runs the tests"
)]

mod binary;
mod job_files;
mod kill_points;
mod live;
mod loan_job;
mod loans;
mod random_kills;
mod stream_oracle;
mod verbs;
