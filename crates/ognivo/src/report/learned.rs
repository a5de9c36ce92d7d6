//! What each kind of model has learned, as sections of a report.
//!
//! A model that has coefficients gives [`Weights`], one that has importances [`Importances`]; a new kind of model gets an arm in [`sections`].

use ognivo_data::vector::Vector;
use ognivo_ml::classification::{DecisionTreeClassificationModel, LogisticRegressionModel};
use ognivo_ml::columns::LABEL_COL;
use ognivo_ml::regression::{DecisionTreeRegressionModel, LinearRegressionModel};
use ognivo_ml::stage::{Configured, Transformer};
use ognivo_report::content::Section;
use ognivo_report::section::{Importances, WeightSet, Weights, importances, weights};

use super::evidence::FeatureNames;

/// The sections of one stage; none for a stage that has nothing to show.
pub(crate) fn sections(stage: &dyn Transformer, features: &FeatureNames) -> Vec<Section> {
    let any: &dyn std::any::Any = stage;
    if let Some(model) = any.downcast_ref::<LogisticRegressionModel>() {
        return vec![weights(&of_logistic_regression(model, features))];
    }
    if let Some(model) = any.downcast_ref::<LinearRegressionModel>() {
        return vec![weights(&of_linear_regression(model, features))];
    }
    if let Some(model) = any.downcast_ref::<DecisionTreeClassificationModel>() {
        return vec![importances(&of_tree(stage, &model.feature_importances(), features))];
    }
    if let Some(model) = any.downcast_ref::<DecisionTreeRegressionModel>() {
        return vec![importances(&of_tree(stage, &model.feature_importances(), features))];
    }
    Vec::new()
}

fn of_linear_regression(model: &LinearRegressionModel, features: &FeatureNames) -> Weights {
    // Only the normal equation has standard errors; what fails to be summarised is not worth the page.
    let seen = model.summary().and_then(|summary| summary.performance().ok());
    let set = WeightSet {
        name: String::new(),
        intercept: model.intercept(),
        coefficients: model.coefficients().to_dense(),
        errors: seen.and_then(|seen| seen.coefficient_standard_errors()).map(<[f64]>::to_vec).unwrap_or_default(),
        p_values: seen.and_then(|seen| seen.p_values()).unwrap_or_default(),
    };
    Weights {
        stage: model.uid().to_string(),
        features: features.of(model.n_features()),
        deviations: deviations_of(features, model.n_features()),
        sets: vec![set],
        adds_to: model.params().find(LABEL_COL).unwrap_or_default(),
    }
}

fn of_tree(stage: &dyn Transformer, shares: &Vector, features: &FeatureNames) -> Importances {
    let shares = shares.to_dense();
    let names = features.of(shares.len());
    Importances { stage: stage.uid().to_string(), features: names.into_iter().zip(shares).collect() }
}

/// The standard deviations, where there is one for each feature.
fn deviations_of(features: &FeatureNames, n_features: usize) -> Vec<f64> {
    let deviations = features.deviations.clone();
    if deviations.len() == n_features { deviations } else { Vec::new() }
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
    Weights {
        stage: model.uid().to_string(),
        features: features.of(model.n_features()),
        deviations: deviations_of(features, model.n_features()),
        sets: (0..matrix.n_rows()).map(set).collect(),
        adds_to: if model.is_multinomial() { "raw prediction".to_owned() } else { format!("log-odds of {}", label(1)) },
    }
}
