//! Trains Spark-ML-style pipelines and scores live streams with them, with no JVM.

pub mod input;
pub mod models;
pub mod session;
