//! Statistics of columns, as fits need them.

mod extremes;
mod students_t;
mod summarizer;

pub use extremes::Extremes;
pub use students_t::two_sided_p_value;
pub use summarizer::{Summarizer, WrongSize};
