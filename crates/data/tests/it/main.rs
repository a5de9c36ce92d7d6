//! The crate's tests against what real Sparks wrote down.

mod csv_like_spark;
mod split;
