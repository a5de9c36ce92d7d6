//! What each kind of model has learned, as sections of a report.
//!
//! A model that has coefficients gives [`Weights`], one that has importances
//! [`Importances`](ognivo_report::section::Importances); a new kind of model gets an arm in [`sections`].

use ognivo_ml::classification::LogisticRegressionModel;
use ognivo_ml::stage::{Configured, Transformer};
use ognivo_report::content::Section;
use ognivo_report::section::{WeightSet, Weights, weights};

use super::evidence::FeatureNames;

/// The sections of one stage; none for a stage that has nothing to show.
pub(super) fn sections(stage: &dyn Transformer, features: &FeatureNames) -> Vec<Section> {
    let any: &dyn std::any::Any = stage;
    if let Some(model) = any.downcast_ref::<LogisticRegressionModel>() {
        return vec![weights(&of_logistic_regression(model, features))];
    }
    Vec::new()
}

fn of_logistic_regression(model: &LogisticRegressionModel, features: &FeatureNames) -> Weights {
    let matrix = model.coefficient_matrix();
    let intercepts = model.intercept_vector().to_dense();
    let label = |class: usize| features.labels.get(class).cloned().unwrap_or_else(|| format!("label {class}"));
    let set = |set: usize| WeightSet {
        name: if model.is_multinomial() { label(set) } else { String::new() },
        intercept: intercepts.get(set).copied().unwrap_or_default(),
        coefficients: (0..matrix.n_cols()).map(|slot| matrix.get(set, slot)).collect(),
        ..WeightSet::default()
    };
    let deviations = features.deviations.clone();
    Weights {
        stage: model.uid().to_string(),
        features: features.of(model.n_features()),
        deviations: if deviations.len() == model.n_features() { deviations } else { Vec::new() },
        sets: (0..matrix.n_rows()).map(set).collect(),
        adds_to: if model.is_multinomial() { "raw prediction".to_owned() } else { format!("log-odds of {}", label(1)) },
    }
}
