//! Whole jobs from topic to topic on a real broker.
//!
//! `cargo xtask kafka` starts the broker and runs these; they are no part of `cargo test`, which has no servers.
//!
//! - `avro`: values by schemas of a registry and by a schema of the job, both ways;
//! - `registry`: a schema registry that is not there, and one that dies; these need it for themselves;
//! - `doctor`: it asks about what the stream will use;
//! - `lag`: progress and pages tell how far a stream is behind;
//! - `letters`: dead letters are listed, and sent back once through kills;
//! - `stream`: what a stream leaves, killed at any point or not, is what the `score` verb says of its rows;
//! - `files`: the same from a topic into a folder, and from a folder into a topic;
//! - `instances`: zombies, and instances that are killed at random;
//! - `campaign`: deaths at places and moments from a seed, as many as are asked for;
//! - `tables`: streams into tables; these are run by `cargo xtask cassandra`, which has servers of both kinds.

#![allow(clippy::print_stdout, reason = "seeds and counts are told to whoever runs the tests")]

mod avro;
mod avro_records;
mod campaign;
mod files;
mod instances;
mod registry;
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
#[allow(dead_code, reason = "shared with the tests on local disks")]
#[path = "../it/watched.rs"]
mod watched;

mod doctor;
mod lag;
mod letters;
