//! The job file: as written ([`node`], [`shape`], [`file`]) and as meant ([`job`], made by [`resolve`]).
//!
//! Code outside this folder sees only the resolved [`Job`](job::Job).

pub(crate) mod complaint;
mod delivery;
pub(crate) mod file;
#[allow(clippy::module_inception, reason = "the job as meant is what this folder makes")]
pub(crate) mod job;
pub(crate) mod json_schema;
pub(crate) mod node;
pub(crate) mod prepare;
pub(crate) mod resolve;
pub(crate) mod route;
pub(crate) mod shape;
pub(crate) mod stages;
pub(crate) mod substitute;
pub(crate) mod tune;
