//! Whole jobs on a real HDFS: every path of them lies there.
//!
//! `cargo xtask hdfs` starts the servers and runs these; they are no part of `cargo test`, which has no servers.
//!
//! - `stream`: what a stream leaves, killed or not, is what the oracle of local streams expects;
//! - `doctor`: what is found of a cluster before a job runs;
//! - `faults`: servers that are frozen, killed and started again under a stream;
//! - `kerberos`: a cluster that wants proof of who one is, and tickets that run out.

mod cluster;
mod doctor;
mod faults;
mod kerberos;
mod stream;

#[path = "../it/binary.rs"]
mod binary;
#[allow(dead_code, reason = "shared with the tests on local disks")]
#[path = "../it/loans.rs"]
mod loans;
#[allow(dead_code, reason = "shared with the tests on local disks")]
#[path = "../it/stream_oracle.rs"]
mod stream_oracle;
