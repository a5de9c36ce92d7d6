//! Every set of nine columns, one logistic regression each, beside scikit-learn doing the same set by set.

use std::collections::BTreeMap;
use std::process::Command;

use super::loans::{DDL, N_ROWS};
use super::peers::{self, measured, number};
use super::rounds::{Figures, rotate, seconds};
use super::{Part, Row, loans};
use crate::json::{self, Json};
use crate::{cache, program};

/// Another optimiser after ten iterations, and Spark's area of at most 1,000 points of the curve beside the exact one.
const TOLERANCE: f64 = 5e-3;

const COLUMNS: [&str; 9] = [
    "credit_policy",
    "int_rate",
    "installment",
    "log_annual_inc",
    "dti",
    "fico",
    "revol_util",
    "inq_last_6mths",
    "purpose_index",
];
const MAX_ITER: &str = "10";
const REG_PARAM: &str = "0.01";
const TRAIN_RATIO: &str = "0.8";
const SEED: &str = "12345";

/// What one program told.
struct Search {
    seconds: f64,
    /// The metric of each set, by the names of its columns.
    metrics: BTreeMap<String, f64>,
}

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "search",
    title: "Column search",
    how: "\
Every set of columns is judged by areaUnderROC on the same held-out rows, logistic regression of ten iterations. Ours is `ognivo search`
as a whole process with two threads; scikit-learn: LogisticRegression (lbfgs) set by set in two processes of one thread each.",
    measure,
};

/// Searches in both, checks that each set does equally well, and measures.
///
/// # Errors
/// When a program fails, or a set does not do equally well.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::build_ognivo()?;
    let python = peers::python()?;
    let input = loans::file(N_ROWS)?;
    let job = cache::folder("bench")?.join("search.yaml");
    std::fs::write(&job, job_text(&input.display().to_string())).map_err(|e| format!("{}: {e}", job.display()))?;
    let run = |program: usize| -> Result<Search, String> {
        if program == 0 {
            let mut command = Command::new(program::built("release", "ognivo"));
            command.arg("search").arg(&job).args(["--output", "json", "--quiet"]);
            let taken = measured(&python, &command)?;
            let told = json::parse(&taken.stdout)?;
            return Ok(Search { seconds: taken.wall_seconds, metrics: metrics(&told)? });
        }
        let mut command = peers::script(&python, "search_sklearn.py");
        peers::without_processor_settings(&mut command);
        command.arg(&input).args([MAX_ITER, REG_PARAM, TRAIN_RATIO, SEED]);
        let told = json::parse(&program::output(&mut command)?)?;
        Ok(Search { seconds: number(&told, "seconds")?, metrics: metrics(&told)? })
    };
    let searches = rotate(n_rounds, 2, run)?;
    let worst = check_equal(&searches[0][0].metrics, &searches[1][0].metrics)?;
    println!("== search: areas within {worst:.1e}");
    let values = |program: usize| searches[program].iter().map(|search| search.seconds).collect::<Vec<f64>>();
    let (ours, theirs) = (values(0), values(1));
    let what = format!(
        "search: {} sets of columns, logistic regression, {MAX_ITER} iterations, {N_ROWS} rows; 2 threads, wall; \
         ours the whole process, theirs the sets alone",
        searches[0][0].metrics.len()
    );
    let figures = Figures { ours: &ours, theirs: &theirs, shown: seconds };
    Ok(vec![figures.row(&what, "scikit-learn, 2 processes,", Some(10.0))])
}

fn job_text(input: &str) -> String {
    format!(
        "version: 1
name: search
threads: 2
train:
  read: {{format: csv, path: '{input}', schema: '{DDL}', options: {{header: true}}}}
  pipeline:
    - StringIndexer: {{inputCol: purpose, outputCol: purpose_index, handleInvalid: keep}}
    - VectorAssembler: {{inputCols: [int_rate], outputCol: features}}
    - LogisticRegression: {{labelCol: not_fully_paid, maxIter: {MAX_ITER}, regParam: {REG_PARAM}}}
search:
  columns: [{columns}]
  into: VectorAssembler.inputCols
  validate: {{TrainValidationSplit: {{trainRatio: {TRAIN_RATIO}, seed: {SEED}}}}}
  evaluator: {{BinaryClassificationEvaluator: {{labelCol: not_fully_paid}}}}
",
        columns = COLUMNS.join(", ")
    )
}

fn metrics(told: &Json) -> Result<BTreeMap<String, f64>, String> {
    let metric = |set: &Json| {
        let columns: Option<Vec<&str>> = set.get("columns").items().iter().map(Json::text).collect();
        Some((columns?.join(", "), set.get("metric").number()?))
    };
    let metrics = told.get("sets").items().iter().map(metric).collect::<Option<_>>();
    metrics.ok_or_else(|| "a set has no metric".to_owned())
}

/// The largest difference of a set's metrics.
fn check_equal(ours: &BTreeMap<String, f64>, theirs: &BTreeMap<String, f64>) -> Result<f64, String> {
    if ours.len() != theirs.len() || ours.len() != (1 << COLUMNS.len()) - 1 {
        return Err(format!("{} sets here and {} there", ours.len(), theirs.len()));
    }
    let mut worst = 0.0;
    for (set, metric) in ours {
        let difference = (metric - theirs.get(set).ok_or_else(|| format!("no set {set} there"))?).abs();
        if difference.is_nan() || difference > TOLERANCE {
            return Err(format!("set {set}: {metric} here and {} there", theirs[set]));
        }
        worst = f64::max(worst, difference);
    }
    Ok(worst)
}
