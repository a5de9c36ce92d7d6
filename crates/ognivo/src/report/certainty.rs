//! How sure the coefficients of a linear regression are: standard errors, t-values and p-values, where they are known.
//!
//! ```text
//! coefficients of LinearRegression_1f2e
//!   feature      coefficient  standard error  t-value  p-value
//!   (intercept)  -1.5         0.3             -5       6.1e-7
//!   area         7.02         0.5             14.04    0
//! ```

use ognivo_ml::regression::LinearRegressionModel;
use ognivo_ml::stage::Configured as _;
use ognivo_report::json::number;
use ognivo_report::number::short;
use serde_json::Value;

use super::evidence::FeatureNames;
use crate::print::table;

/// As many features stand on a screen; `--output json` has them all.
const MAX_ON_SCREEN: usize = 40;

/// What is known of each coefficient, and of the intercept last where one was fitted.
pub(crate) struct Certainty {
    errors: Vec<f64>,
    t_values: Vec<f64>,
    p_values: Vec<f64>,
}

impl Certainty {
    /// One pass over the training rows, where there is something to know: only the normal equation has standard errors.
    pub(crate) fn of(model: &LinearRegressionModel) -> Option<Certainty> {
        let summary = model.summary().filter(|summary| summary.has_standard_errors())?;
        // What fails to be summarised is not worth the run.
        let seen = summary.performance().ok()?;
        let errors = seen.coefficient_standard_errors()?.to_vec();
        Some(Certainty { errors, t_values: seen.t_values()?, p_values: seen.p_values()? })
    }

    /// Adds Spark's names for them to what is said of the stage.
    pub(crate) fn add_to(&self, stage: &mut Value) {
        let lists =
            [("coefficientStandardErrors", &self.errors), ("tValues", &self.t_values), ("pValues", &self.p_values)];
        for (name, values) in lists {
            stage[name] = values.iter().map(|&value| number(value)).collect();
        }
    }

    /// The table for a screen.
    pub(crate) fn to_text(&self, model: &LinearRegressionModel, features: &FeatureNames) -> String {
        let coefficients = model.coefficients().to_dense();
        let n_features = coefficients.len();
        let row = |name: &str, estimate: f64, at: usize| {
            let cells = [estimate, self.errors[at], self.t_values[at], self.p_values[at]].map(plain);
            [format!("  {name}")].into_iter().chain(cells).collect::<Vec<String>>()
        };
        let header = ["  feature", "coefficient", "standard error", "t-value", "p-value"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        if self.errors.len() > n_features {
            rows.push(row("(intercept)", model.intercept(), n_features));
        }
        let names = features.of(n_features);
        let shown = names.iter().zip(&coefficients).take(MAX_ON_SCREEN).enumerate();
        rows.extend(shown.map(|(slot, (name, &coefficient))| row(name, coefficient, slot)));
        let more = match n_features.saturating_sub(MAX_ON_SCREEN) {
            0 => String::new(),
            n => format!("  and {n} more, see --output json\n"),
        };
        format!("coefficients of {}\n{}{more}", model.uid(), table(&rows))
    }
}

/// Of about five digits; with the minus that a terminal searches and copies.
fn plain(value: f64) -> String {
    short(value).replace('\u{2212}', "-")
}
