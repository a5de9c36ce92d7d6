//! What a report adds to a training run.

use std::process::Command;

use super::loans::N_ROWS_LARGE;
use super::peers::number;
use super::rounds::{rotate, row_of_share};
use super::{Part, Row, loans};
use crate::cache;
use crate::json;
use crate::program::{self, output};

/// The most that a report may add.
const MAX_SHARE: f64 = 0.05;

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "report",
    title: "Report",
    how: "\
One job reads, splits, fits, measures and saves with a report; its own seconds over those of all other steps of the
same process.",
    measure,
};

/// Trains with a report, and takes its seconds and those of all other steps from the same run.
///
/// # Errors
/// When the program fails.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::build_ognivo()?;
    let input = loans::file(N_ROWS_LARGE)?;
    let job = cache::folder("bench")?.join("report.yaml");
    std::fs::write(&job, job_text(&input.display().to_string())).map_err(|e| format!("{}: {e}", job.display()))?;
    let run = |_| -> Result<f64, String> {
        let mut command = Command::new(program::built("release", "ognivo"));
        let told = json::parse(&output(command.arg("train").arg(&job).args(["--output", "json", "--quiet"]))?)?;
        let (report, total) = (number(told.get("seconds"), "report")?, number(told.get("seconds"), "total")?);
        Ok(report / (total - report))
    };
    let shares = rotate(n_rounds, 1, run)?;
    let what =
        format!("report of {N_ROWS_LARGE} rows and 14 columns; 2 threads, wall, of the time of the training before it");
    Ok(vec![row_of_share(&what, &shares[0], MAX_SHARE)])
}

fn job_text(input: &str) -> String {
    format!(
        "version: 1
name: report
parallelism: 2
threads: 2
train:
  read: {{format: csv, path: '{input}', schema: '{schema}', options: {{header: true}}}}
  randomSplit: {{weights: [0.8, 0.2], seed: 12345}}
  pipeline:
    - StringIndexer: {{inputCol: purpose, outputCol: purpose_index, handleInvalid: keep}}
    - VectorAssembler:
        inputCols: [credit_policy, int_rate, installment, log_annual_inc, dti, purpose_index]
        outputCol: features
    - LogisticRegression: {{labelCol: not_fully_paid, maxIter: 10, regParam: 0.01}}
  evaluate:
    - BinaryClassificationEvaluator: {{labelCol: not_fully_paid}}
  save: {{path: report-model, mode: overwrite}}
  report: report.html
",
        schema = loans::DDL
    )
}
