//! Three folds and eight settings of logistic regression, beside PySpark and scikit-learn.

use std::process::Command;

use super::peers::{self, number, without_processor_settings};
use super::rounds::{Figures, rotate, seconds};
use super::{Part, Row};
use crate::cache;
use crate::json::{self, Json};
use crate::program::{self, output};
use crate::spark;

const N_ROWS: usize = 200_000;
const N_FEATURES: usize = 20;
/// How far a metric of Spark's may be off: the same folds, steps and metric.
const TOLERANCE_OF_SPARK: f64 = 1e-9;
/// How far one of scikit-learn's may be off: the same folds, another deviation (of the population), another end of the minimiser.
const TOLERANCE_OF_SKLEARN: f64 = 1e-4;

/// What one program told.
struct Search {
    seconds: f64,
    /// The average metric of each setting.
    metrics: Vec<f64>,
}

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "grid",
    title: "Cross validation of a grid",
    how: "\
Rows of vectors are in memory, of two partitions; each fits twice and the second time is taken. The folds are the same rows for
all three. scikit-learn: StandardScaler and LogisticRegression in a pipeline, scored by `roc_auc`, as Spark standardises inside.
Metrics equal to 1e-9 (scikit-learn's: 1e-4).",
    measure,
};

/// Lets all three try the same settings on the same folds, checks the metrics, and measures.
///
/// # Errors
/// When a program fails, or the metrics differ.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    let (folder, python) = (peers::build()?, peers::python()?);
    let spark_python = spark::environment(spark::NEWEST)?;
    let at = cache::folder("bench")?;
    let (doubles, csv, folds) = (
        at.join(format!("loss-{N_ROWS}x{N_FEATURES}.f64")),
        at.join(format!("grid-{N_ROWS}x{N_FEATURES}.csv")),
        at.join(format!("grid-{N_ROWS}.folds")),
    );
    let (n_rows, n_features) = (N_ROWS.to_string(), N_FEATURES.to_string());
    if !doubles.exists() {
        let mut make = peers::script(&python, "loss_sklearn.py");
        program::run(make.arg("make").arg(&doubles).args([&n_rows, &n_features]))?;
    }
    if !csv.exists() {
        let mut make = peers::script(&python, "grid_sklearn.py");
        program::run(make.arg("make").arg(&doubles).args([&n_rows, &n_features]).arg(&csv))?;
    }
    let run_ours = || {
        let mut command = Command::new(folder.join("grid_ognivo"));
        told(command.arg(&csv).arg(&n_features).arg(&folds))
    };
    // The folds of every row are written before the first peer asks for them.
    run_ours()?;
    let searches = rotate(n_rounds, 3, |program| match program {
        0 => run_ours(),
        1 => told(peers::script(&spark_python, "grid_spark.py").arg(&csv).args([&n_rows, &n_features])),
        _ => {
            let mut command = peers::script(&python, "grid_sklearn.py");
            // Two processes of one thread each: the cores that all have.
            command.arg(&doubles).args([&n_rows, &n_features]).arg(&folds).env("OMP_NUM_THREADS", "1");
            told(without_processor_settings(command.env("OPENBLAS_NUM_THREADS", "1")))
        }
    })?;
    let of = |program: usize| &searches[program][0].metrics;
    let (spark, sklearn) = (worst(of(0), of(1), TOLERANCE_OF_SPARK)?, worst(of(0), of(2), TOLERANCE_OF_SKLEARN)?);
    println!("== grid: average metrics within {spark:.1e} of Spark's, {sklearn:.1e} of scikit-learn's");
    let values = |program: usize| searches[program].iter().map(|search| search.seconds).collect::<Vec<f64>>();
    let ours = values(0);
    let row = |peer: &str, theirs: Vec<f64>, goal: f64| {
        let what = format!("CrossValidator, 3 folds x 8 regParams, {N_ROWS} x {N_FEATURES} in memory, 2 threads, wall");
        Figures { ours: &ours, theirs: &theirs, shown: seconds }.row(&what, peer, Some(goal))
    };
    Ok(vec![
        row(&format!("PySpark {} local[2], warm", spark::NEWEST), values(1), 20.0),
        row("scikit-learn GridSearchCV, n_jobs=2", values(2), 4.0),
    ])
}

fn told(command: &mut Command) -> Result<Search, String> {
    let told = json::parse(&output(command)?)?;
    let metrics = told.get("metrics").items().iter().filter_map(Json::number).collect();
    Ok(Search { seconds: number(&told, "seconds")?, metrics })
}

/// The largest difference.
fn worst(ours: &[f64], theirs: &[f64], tolerance: f64) -> Result<f64, String> {
    if ours.len() != theirs.len() || ours.is_empty() {
        return Err(format!("{} metrics here and {} there", ours.len(), theirs.len()));
    }
    let worst = ours.iter().zip(theirs).map(|(o, t)| (o - t).abs()).fold(0.0, f64::max);
    if worst <= tolerance { Ok(worst) } else { Err(format!("average metrics differ: {ours:?} {theirs:?}")) }
}
