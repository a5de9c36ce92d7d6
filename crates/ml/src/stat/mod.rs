//! Statistics of columns, as fits need them.

mod summarizer;

pub use summarizer::{Summarizer, WrongSize};
