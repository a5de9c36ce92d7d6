//! What is gathered from rows: one pass over the columns, one over the scored rows, each in bounded memory.
//!
//! Counts, ranges and means are of all rows. What would need all values at once, or more than a few instructions for each, is of a
//! sample: one row of each `n` in a row, drawn at random from a fixed seed, so that the sample is spread evenly over the data and the
//! same every time.

mod classes;
mod distinct;
mod extent;
mod features;
mod moments;
mod profile;
mod residuals;
mod sample;
mod scores;
mod whole_numbers;

pub use classes::{ClassCounts, ScoreBin};
pub use extent::Extent;
pub use moments::Moments;
pub(crate) use profile::Unit;
pub use profile::{Category, ColumnProfile, Content, Numbers, Profile, Texts};
pub use residuals::Residuals;
pub use scores::{ScoredColumns, Scores};
