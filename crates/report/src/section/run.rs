//! Where the run came from and where it went.

use crate::content::{Cell, Section, Table};

/// What one needs to repeat a run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Name and value, in the order in which they are told.
    pub facts: Vec<(String, String)>,
    /// Seconds of each step.
    pub seconds: Vec<(String, f64)>,
}

/// The section.
pub fn run(run: &Run) -> Section {
    let mut section = Section::new("run", "Run");
    section.table(Table::of_facts(run.facts.iter().map(|(name, value)| (name.clone(), Cell::Code(value.clone())))));
    let mut table = Table::of_facts(run.seconds.iter().map(|(step, seconds)| (step.clone(), Cell::Number(*seconds))));
    table.caption = "Seconds of each step".to_owned();
    section.table(table);
    section
}
