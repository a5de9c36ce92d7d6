//! The job file: as written ([`node`], [`shape`], [`file`]) and as meant ([`resolve`]).
//!
//! Code outside this folder sees only the resolved [`Job`](resolve::Job).

pub(crate) mod complaint;
pub(crate) mod file;
pub(crate) mod json_schema;
pub(crate) mod node;
pub(crate) mod prepare;
pub(crate) mod resolve;
pub(crate) mod route;
pub(crate) mod shape;
pub(crate) mod stages;
pub(crate) mod substitute;
