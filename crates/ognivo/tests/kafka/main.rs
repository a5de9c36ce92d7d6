//! Whole jobs from topic to topic on a real broker.
//!
//! `cargo xtask kafka` starts the broker and runs these; they are no part of `cargo test`, which has no servers.
//!
//! - `stream`: what a stream leaves, killed at any point or not, is what the `score` verb says of its rows;
//! - `instances`: zombies, and instances that are killed at random;
//! - `tables`: streams into tables; these are run by `cargo xtask cassandra`, which has servers of both kinds.

mod instances;
mod stream;
mod tables;
mod topics;

#[allow(dead_code, reason = "shared with the tests on local disks")]
#[path = "../it/binary.rs"]
mod binary;
#[allow(dead_code, reason = "shared with the tests of the crate that reads and writes topics")]
#[path = "../../../kafka/tests/it/broker.rs"]
mod broker;
#[allow(dead_code, reason = "shared with the tests on local disks")]
#[path = "../it/loans.rs"]
mod loans;
#[allow(dead_code, reason = "shared with the tests of the crate that writes tables")]
#[path = "../../../cassandra/tests/it/place.rs"]
mod place;
#[allow(dead_code, reason = "shared with the tests of the crate that writes tables")]
#[path = "../../../cassandra/tests/it/server.rs"]
mod server;
#[allow(dead_code, reason = "shared with the tests on local disks")]
#[path = "../it/stream_oracle.rs"]
mod stream_oracle;
