//! The binary as a user runs it.
//!
//! - `campaign`: what the fault campaign repeats and counts;
//! - `certainty`: how sure the coefficients of a linear regression are;
//! - `doctor`: what is found of the places of a job before it runs;
//! - `house_prices`: the example of that name, as it stands in the repository;
//! - `live`: a stream while it runs: signals, a second one, too many bad rows;
//! - `report`: what the page of a training run holds, and what it refuses;
//! - `loan_job`: the original project's job gives real Spark's numbers, for each version;
//! - `search`: every set's metric is Spark's, a stopped search goes on;
//! - `tune`: settings that are tried, what is told of them and what is saved;
//! - `survival`: the example of that name, trained and searched as it stands;
//! - `watch`: what a running stream tells over HTTP, and to `top` and `tap`;
//! - `verbs`: what each verb prints and how it ends.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "seeds, counts and missing data are told to whoever runs the tests"
)]

mod binary;
/// What the fault campaign repeats and counts.
mod campaign {
    #[path = "../../../../stream/tests/it/campaign/counts.rs"]
    mod counts; // how a test tells what it tried

    #[cfg(debug_assertions)]
    mod damaged_progress; // the newest record of a log is gone, cut or there twice

    mod connector_jobs; // the same about jobs from topics, into topics and tables
    mod damaged_models; // a model directory is damaged in every single file
    mod full_disk; // a disk that is full while a stream writes
    mod job_files; // what is said about job files that are wrong
    #[cfg(debug_assertions)]
    mod kill_points; // a stream that is killed at every named place loses and repeats no row
    mod other_query; // a checkpoint and an output of two queries
    mod polling; // readers that look all the time
    #[path = "../../../../stream/tests/it/campaign/random.rs"]
    mod random; // random numbers from a seed
    mod random_kills; // a stream that is killed at random moments loses and repeats no row
    mod read_only; // an output folder that may not be written
    pub(crate) mod small_disk; // disks that a test fills or closes
    mod two_drivers; // two processes that start one stream at the same instant
    #[cfg(debug_assertions)]
    mod vanished_input; // an input file that is planned and gone when it is to be read
}
mod certainty;
mod doctor;
mod house_prices;
mod live;
mod loan_job;
mod loans;
mod open_metrics;
mod report;
mod search;
mod stream_oracle;
mod survival;
mod tune;
mod verbs;
mod watch;
mod watched;
