//! Whole jobs on a real HDFS: every path of them lies there.
//!
//! `cargo xtask hdfs` starts the servers and runs these; they are no part of `cargo test`, which has no servers.
//!
//! - `stream`: what a stream leaves, killed or not, is what the oracle of local streams expects;
//! - `damaged`: the newest records of a stream's progress are emptied or cut, and put back;
//! - `doctor`: what is found of a cluster before a job runs;
//! - `faults`: servers that are frozen, killed and started again under a stream;
//! - `replicas`: the same where another DataNode has every block too;
//! - `failover`: one NameNode of a name service takes over from the other under a stream;
//! - `lost_calls`: each call of a job to the NameNode is lost once, its question or its answer;
//! - `nemesis`: all of that and kills of the stream at random moments, while files arrive and a reader looks;
//! - `kerberos`: a cluster that wants proof of who one is, and tickets that run out.

#![allow(clippy::print_stdout, reason = "seeds and counts are told to whoever runs the tests")]

mod cluster;
mod damaged;
mod doctor;
mod failover;
mod faults;
mod kerberos;
mod lost_calls;
mod nemesis;
mod polling;
mod relay;
mod replicas;
mod stream;
mod web;

#[path = "../it/binary.rs"]
mod binary;
#[path = "../../../stream/tests/it/campaign/counts.rs"]
mod counts;
#[allow(dead_code, reason = "shared with the tests on local disks")]
#[path = "../it/loans.rs"]
mod loans;
#[path = "../../../stream/tests/it/campaign/random.rs"]
mod random;
#[allow(dead_code, reason = "shared with the tests on local disks")]
#[path = "../it/stream_oracle.rs"]
mod stream_oracle;
