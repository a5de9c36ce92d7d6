mod faults;
mod laws;
mod refusals;
pub(crate) mod stream;
mod types;
