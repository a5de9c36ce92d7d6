//! One binary for the integration tests of the crate.

#![allow(clippy::print_stdout, reason = "the campaign reads what was tried")]

/// What the fault campaign repeats and counts.
mod campaign {
    #[path = "../../../../stream/tests/it/campaign/counts.rs"]
    mod counts; // how a test tells what it tried
    mod damage; // every file of a directory cut, missing, and with flipped bits
}
mod golden; // directories that real Spark wrote
mod rows; // the fixtures' tables
mod stores; // stores that count calls and fail
mod whole; // a directory appears whole or not at all
