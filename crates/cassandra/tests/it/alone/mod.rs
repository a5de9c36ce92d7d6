mod faults;
pub(crate) mod jobs;
mod laws;
mod probe;
mod refusals;
pub(crate) mod stream;
mod types;
