//! Source and sink on a real broker.
//!
//! `cargo xtask kafka` starts one and runs these; they are no part of `cargo test`, which has no servers.
//!
//! - `lag`: how far a source says that it is behind;
//! - `laws`: what every source and every sink keeps;
//! - `exactly_once`: from topic to topic, killed at every point of a batch;
//! - `instances`: several instances in one group, come and gone, and zombies;
//! - `routes`: the other ways through: a plan written ahead, a batch number in the transaction, at least once;
//! - `beginnings`: where partitions begin that nobody has read, and what happens when topics go;
//! - `options`: each option of the source;
//! - `records`: keys, headers, tombstones, malformed records, partitions;
//! - `rights`: logins, rights, and what `ognivo doctor` is told;
//! - `faults`: a broker that is killed and started again;
//! - `three`: one of three brokers at a time.

#![allow(clippy::print_stdout, reason = "seeds and counts are told to whoever runs the tests")]

mod beginnings;
#[allow(dead_code, reason = "shared with the tests of whole jobs")]
mod broker;
mod exactly_once;
mod faults;
mod instances;
mod lag;
mod laws;
mod options;
mod records;
mod rights;
mod routes;
mod stream;
mod three;
mod tokens;
