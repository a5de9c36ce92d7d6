//! Statistics of columns, as fits need them.

mod extremes;
mod summarizer;

pub use extremes::Extremes;
pub use summarizer::{Summarizer, WrongSize};
