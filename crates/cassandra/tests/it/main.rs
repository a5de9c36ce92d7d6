//! Rows into tables of real servers.
//!
//! `cargo xtask cassandra` starts the servers and runs these; they are no part of `cargo test`, which has no servers. Each
//! module wants its own kind of cluster:
//!
//! - `alone`: one server with roles and rights: laws, types, what is refused, faults;
//! - `encrypted`: one server that speaks TLS only and wants to see certificates;
//! - `three`: three servers that hold every row, of which one or two are killed or frozen.

#![allow(clippy::print_stdout, reason = "seeds and counts are told to whoever runs the tests")]

mod alone;
mod encrypted;
mod place;
mod server;
mod three;

/// Runs a test's future on a runtime of its own; all of it in this thread, where its kill points are.
fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// Whether every run of a campaign is wanted: `cargo xtask cassandra --full`.
fn is_full() -> bool {
    std::env::var("OGNIVO_CASSANDRA_FULL").is_ok_and(|told| !told.is_empty())
}
