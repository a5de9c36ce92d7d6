//! Statistics of columns, as fits need them.

mod approx_quantile;
mod extremes;
mod partition_sketches;
mod quantile_summaries;
mod students_t;
mod summarizer;

pub use approx_quantile::ApproxQuantile;
pub use extremes::Extremes;
pub use partition_sketches::PartitionSketches;
pub use quantile_summaries::QuantileSummaries;
pub use students_t::two_sided_p_value;
pub use summarizer::{Summarizer, WrongSize};
