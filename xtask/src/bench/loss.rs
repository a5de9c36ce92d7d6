//! One pass of an L-BFGS iteration, loss and gradient of binomial logistic regression, beside scikit-learn.

use std::process::Command;

use super::peers::{self, number, without_processor_settings};
use super::rounds::{Figures, milliseconds, rotate};
use super::{Part, Row};
use crate::cache;
use crate::json::{self, Json};
use crate::program::{self, output};

const N_ROWS: usize = 1_000_000;
const N_FEATURES: usize = 20;
/// Passes of which a program tells the mean.
const N_PASSES: usize = 20;
/// How far loss and gradient may be off, relative to their size: sums of a million terms in another order.
const TOLERANCE: f64 = 1e-12;

/// What a program told.
struct Pass {
    cpu_seconds: f64,
    /// The loss, then the gradient.
    values: Vec<f64>,
}

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "loss",
    title: "Logistic loss and gradient",
    how: "\
Both compute on the same numbers in memory, binomial loss with intercept, no penalty, one thread, CPU; equal to 1e-12.
scikit-learn: `LinearModelLoss.loss_gradient`, with the kernels that OpenBLAS chooses for this processor.",
    measure,
};

/// Lets both compute on the same numbers, checks that they agree, and measures.
///
/// # Errors
/// When a program fails, or the values differ.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    let (folder, python) = (peers::build()?, peers::python()?);
    let file = cache::folder("bench")?.join(format!("loss-{N_ROWS}x{N_FEATURES}.f64"));
    let sizes = [N_ROWS.to_string(), N_FEATURES.to_string()];
    if !file.exists() {
        program::run(peers::script(&python, "loss_sklearn.py").arg("make").arg(&file).args(&sizes))?;
    }
    let run = |program: usize| {
        let mut command = match program {
            0 => Command::new(folder.join("loss_ognivo")),
            _ => peers::script(&python, "loss_sklearn.py"),
        };
        command.arg(&file).args(&sizes).arg(N_PASSES.to_string());
        command.env("OMP_NUM_THREADS", "1").env("OPENBLAS_NUM_THREADS", "1");
        let told = json::parse(&output(without_processor_settings(&mut command))?)?;
        let gradient = told.get("gradient").items().iter().filter_map(Json::number);
        let values = std::iter::once(number(&told, "loss")?).chain(gradient).collect();
        Ok::<_, String>(Pass { cpu_seconds: number(&told, "cpu_seconds")?, values })
    };
    let passes = rotate(n_rounds, 2, run)?;
    let worst = check_equal(&passes[0][0].values, &passes[1][0].values)?;
    println!("== loss: loss and gradient within {worst:.1e}");
    let values = |program: usize| passes[program].iter().map(|pass| pass.cpu_seconds).collect::<Vec<f64>>();
    let (ours, theirs) = (values(0), values(1));
    let what = format!("logistic loss and gradient, one pass over {N_ROWS} x {N_FEATURES}, 1 thread, CPU");
    let figures = Figures { ours: &ours, theirs: &theirs, shown: milliseconds };
    Ok(vec![figures.row(&what, "scikit-learn", Some(2.0))])
}

/// The largest difference, relative to the largest of the gradient.
fn check_equal(ours: &[f64], theirs: &[f64]) -> Result<f64, String> {
    if ours.len() != theirs.len() || ours.len() != N_FEATURES + 2 {
        return Err(format!("{} numbers here and {} there", ours.len(), theirs.len()));
    }
    let size = theirs.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
    let worst = ours.iter().zip(theirs).map(|(o, t)| (o - t).abs() / size).fold(0.0, f64::max);
    if worst <= TOLERANCE { Ok(worst) } else { Err(format!("loss and gradient differ: {ours:?} {theirs:?}")) }
}
