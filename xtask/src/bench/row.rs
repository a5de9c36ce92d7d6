//! What one row costs from its parsed columns to its probability, in process and without a peer.

use std::process::Command;

use super::peers::{self, number};
use super::rounds::nanoseconds;
use super::{Part, Row, loans};
use crate::json;
use crate::program::output;

/// Rows scored, in blocks of 8,192 and one by one.
const N_ROWS: usize = 100_000;

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "row",
    title: "One row",
    how: "\
Index, assemble and score rows that are parsed already, on one thread, wall.",
    measure,
};

/// Scores with a model that Spark trained: index, assemble, regression.
///
/// # Errors
/// When the program cannot be built or fails.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    let program = peers::build()?.join("row_ognivo");
    let (model, file) = (peers::spark_model()?, loans::file(N_ROWS)?);
    let (mut in_blocks, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..n_rounds {
        let told = json::parse(&output(Command::new(&program).arg(&model).arg(&file))?)?;
        in_blocks.push(number(&told, "seconds_per_row")?);
        alone.push(number(&told, "seconds_per_row_alone")?);
    }
    Ok(vec![
        Row::of_ours("one parsed row to its probability, in blocks of 8192, 1 thread", nanoseconds(&in_blocks)),
        Row::of_ours("the same, each row a block of its own", nanoseconds(&alone)),
    ])
}
