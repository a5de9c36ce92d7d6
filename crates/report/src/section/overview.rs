//! What one wants to know first: the metrics, and of how many rows.

use crate::content::{Block, Cell, Highlight, Section};
use crate::number::{count, seconds};

/// The run in a few numbers.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// Name and value of each metric, all digits of which are shown.
    pub metrics: Vec<(String, f64)>,
    /// Of which rows: `1,564 test rows`.
    pub measured_on: String,
    /// Whether the metrics are of the rows that were learned from.
    pub is_on_training_rows: bool,
    /// Rows that were learned from.
    pub n_train: u64,
    /// Rows that were kept apart.
    pub n_test: u64,
    /// Features of the model, where they are known.
    pub n_features: Option<u64>,
    /// Iterations of the optimiser, where there was one.
    pub iterations: Option<u64>,
    /// Seconds of the whole run.
    pub seconds: f64,
}

/// The section.
pub fn overview(overview: &Overview) -> Section {
    let mut section = Section::new("overview", "Overview");
    let highlight = |name: &str, value: Cell, note: String| Highlight { name: name.to_owned(), value, note };
    let mut values = Vec::new();
    for (name, value) in &overview.metrics {
        values.push(highlight(name, Cell::Exact(*value), format!("on {}", overview.measured_on)));
    }
    let note = match overview.n_test {
        0 => "none kept apart".to_owned(),
        n_test => format!("{} more kept apart", count(n_test)),
    };
    values.push(highlight("rows learned from", Cell::Count(overview.n_train), note));
    if let Some(n_features) = overview.n_features {
        values.push(highlight("features", Cell::Count(n_features), String::new()));
    }
    if let Some(iterations) = overview.iterations {
        values.push(highlight("iterations", Cell::Count(iterations), "of the optimiser".to_owned()));
    }
    values.push(highlight("time", Cell::Text(seconds(overview.seconds)), "from reading to the model".to_owned()));
    section.blocks.push(Block::Highlights(values));
    if overview.is_on_training_rows {
        section.text(
            "No rows were kept apart: the metrics, and the charts of performance, are of the rows that were learned from. New \
             rows will be predicted worse.",
        );
    }
    section
}
