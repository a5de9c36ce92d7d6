//! What is worth seeing of each thing: plain structs in, a section out.
//!
//! Every function takes one struct and returns one [`Section`](crate::content::Section). Who has new things to show fills such a
//! struct; nobody but this folder decides about tables and charts.

mod classification;
mod data;
mod importances;
mod objective;
mod overview;
mod regression;
mod run;
mod search;
mod stages;
mod tuning;
mod weights;

pub use classification::{ClassNames, classification};
pub use data::{Loss, RowFlow, data};
pub use importances::{Importances, importances};
pub use objective::objective;
pub use overview::{Overview, overview};
pub use regression::regression;
pub use run::{Run, run};
pub use search::{Search, TriedSet, search};
pub use stages::stages;
pub use tuning::{Candidate, Tuning, tuning};
pub use weights::{WeightSet, Weights, weights};
