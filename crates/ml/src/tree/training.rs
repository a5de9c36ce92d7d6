//! From rows to a tree.

use ognivo_data::column::Attribute;
use ognivo_data::dataset::Dataset;

use super::best_split::Limits;
use super::binned::{Binning, Code};
use super::checks::checks;
use super::feature::{Feature, arities};
use super::grow::{Growth, grow};
use super::histogram::{Bag, Count, Moments, Weight};
use super::impurity::Impurity;
use super::node::Tree;
use super::params::{
    FEATURES_COL, LABEL_COL, MAX_BINS, MAX_DEPTH, MIN_INFO_GAIN, MIN_INSTANCES_PER_NODE, MIN_WEIGHT_FRACTION_PER_NODE,
    SEED, impurity_of,
};
use super::splits::Sampling;
use super::survey::Survey;
use crate::columns::input_column;
use crate::instances::{Labels, instances};
use crate::param::Params;
use crate::stage::FitError;

/// A tree, and what its rows had.
pub(crate) struct Grown {
    pub(crate) tree: Tree,
    pub(crate) n_features: usize,
    /// 0 of regression.
    pub(crate) n_classes: usize,
}

/// Classes that are believed without an attribute that tells their number, as in Spark.
const MOST_INFERRED_CLASSES: usize = 100;

/// Grows one tree on all rows of `data`. Sibling leaves that say the same become one when `prunes`.
///
/// # Errors
/// [`FitError`]: wrong columns, a row that cannot be used, no rows, no features, a category of too many values.
pub(crate) fn grow_tree(params: &Params, labels: Labels, prunes: bool, data: &Dataset) -> Result<Grown, FitError> {
    let instances = instances(params, checks(labels, params.version()), data)?;
    let survey = instances.aggregate(Survey::default())?;
    let fit = Fit { params, data, survey };
    let n_features = fit.n_features()?;
    let n_classes = match labels {
        Labels::Classes => fit.n_classes()?,
        Labels::Numbers => 0,
    };
    let features = fit.features(&instances, n_features, n_classes)?;
    let growth = Growth {
        limits: Limits {
            impurity: impurity_of(params),
            n_classes,
            min_rows: f64::from(params.get(MIN_INSTANCES_PER_NODE)),
            min_weight: params.get(MIN_WEIGHT_FRACTION_PER_NODE) * fit.survey.weight,
            min_gain: params.get(MIN_INFO_GAIN),
        },
        max_depth: params.get(MAX_DEPTH) as usize,
        prunes,
        features,
    };
    let n_bins = growth.features.iter().map(Feature::n_bins).max().unwrap_or(1);
    let tree = match n_bins {
        few if few <= u8::N_BINS => grow_on::<u8>(&growth, params, &instances)?,
        more if more <= u16::N_BINS => grow_on::<u16>(&growth, params, &instances)?,
        _ => grow_on::<u32>(&growth, params, &instances)?,
    };
    Ok(Grown { tree, n_features, n_classes })
}

fn grow_on<C: Code>(growth: &Growth, params: &Params, instances: &Dataset) -> Result<Tree, FitError> {
    let binned = instances.aggregate(Binning::<C>::new(&growth.features, params))?.into_rows();
    let (bags, executor) = ([Bag::of_all()], instances.executor().as_ref());
    let mut trees = match (growth.limits.impurity, &binned.weights) {
        (Impurity::Variance, _) => grow::<Moments, C>(growth, &binned, &bags, executor),
        (_, Some(_)) => grow::<Weight, C>(growth, &binned, &bags, executor),
        (_, None) => grow::<Count, C>(growth, &binned, &bags, executor),
    };
    Ok(trees.pop().expect("there is a tree for each bag"))
}

/// What is checked before anything grows.
struct Fit<'a> {
    params: &'a Params,
    data: &'a Dataset,
    survey: Survey,
}

impl Fit<'_> {
    fn unlearnable(&self, reason: String, hint: Option<&str>) -> FitError {
        FitError::Unlearnable { uid: self.params.uid().clone(), reason, hint: hint.map(str::to_owned) }
    }

    fn n_features(&self) -> Result<usize, FitError> {
        let column = self.params.get(FEATURES_COL);
        let Some(n_features) = self.survey.n_features else {
            return Err(self.unlearnable("there are no rows to learn from".to_owned(), None));
        };
        if n_features == 0 {
            return Err(self.unlearnable(format!("the vectors of `{column}` are empty"), None));
        }
        if let Some(other) = self.survey.other_size {
            let reason = format!(
                "the vectors of `{column}` have different sizes: a vector of size {other} among vectors of size {n_features}"
            );
            return Err(self.unlearnable(reason, None));
        }
        if self.survey.n_rows > u64::from(u32::MAX) {
            return Err(self.unlearnable(format!("more rows than a tree can hold: {}", self.survey.n_rows), None));
        }
        Ok(n_features)
    }

    /// How many classes there are: what the label's attribute tells, else the largest label plus one.
    fn n_classes(&self) -> Result<usize, FitError> {
        let name = self.params.get(LABEL_COL);
        let (_, label) = input_column(self.params.uid(), self.data.schema(), &name)?;
        let max_label = self.survey.max_label.unwrap_or_default();
        let n_seen = max_label as usize + 1;
        match Attribute::of(label).and_then(|label| label.n_values()) {
            Some(n_declared) if n_seen > n_declared => {
                let reason = format!(
                    "column `{name}`: the attribute tells {n_declared} classes, and there is a label {max_label}"
                );
                Err(self.unlearnable(reason, None))
            }
            Some(n_declared) => Ok(n_declared),
            None if n_seen > MOST_INFERRED_CLASSES => {
                let reason = format!(
                    "column `{name}`: {n_seen} classes, where at most {MOST_INFERRED_CLASSES} are taken from the labels alone"
                );
                Err(self
                    .unlearnable(reason, Some("index the labels with a StringIndexer, which tells how many there are")))
            }
            None => Ok(n_seen),
        }
    }

    /// What is known of each feature, thresholds of numbers included.
    fn features(&self, instances: &Dataset, n_features: usize, n_classes: usize) -> Result<Vec<Feature>, FitError> {
        let max_bins = (self.params.get(MAX_BINS) as u64).min(self.survey.n_rows) as usize;
        let arities = self.arities(n_features, max_bins)?;
        let slots: Vec<usize> = (0..n_features).filter(|&slot| arities[slot].is_none()).collect();
        let sampling = Sampling { max_bins, seed: self.params.get(SEED), version: self.params.version() };
        let mut thresholds = sampling.thresholds(instances, &self.survey, slots)?.into_iter();
        let most_unordered = if n_classes > 2 { most_unordered_categories(max_bins) } else { 1 };
        let feature = |arity: Option<usize>| match arity {
            None => Feature::Continuous { thresholds: thresholds.next().expect("every number has its thresholds") },
            Some(n_categories) if n_categories > 1 && n_categories <= most_unordered => {
                Feature::Unordered { n_categories }
            }
            Some(n_categories) => Feature::Ordered { n_categories },
        };
        Ok(arities.into_iter().map(feature).collect())
    }

    /// How many categories each feature has; `None` for a number.
    fn arities(&self, n_features: usize, max_bins: usize) -> Result<Vec<Option<usize>>, FitError> {
        let name = self.params.get(FEATURES_COL);
        let (_, field) = input_column(self.params.uid(), self.data.schema(), &name)?;
        let called = |slot: usize| match slot_name(field, slot) {
            Some(of_slot) => format!("feature {slot} (`{of_slot}`) of column `{name}`"),
            None => format!("feature {slot} of column `{name}`"),
        };
        let arities = arities(field, n_features).map_err(|unknown| {
            let reason = format!("{} is a category, and nothing tells how many values it has", called(unknown.slot));
            self.unlearnable(reason, None)
        })?;
        let most = arities.iter().enumerate().filter_map(|(slot, arity)| Some((slot, (*arity)?)));
        // The first of those with the most categories.
        let most = most.fold(None, |most, next| if most.is_none_or(|(_, n)| next.1 > n) { Some(next) } else { most });
        match most.filter(|&(_, n_categories)| n_categories > max_bins) {
            None => Ok(arities),
            Some((slot, n_categories)) => {
                let reason = format!(
                    "{} has {n_categories} categories, and `maxBins`, which is {max_bins}, must be at least as large",
                    called(slot)
                );
                let hint = "raise maxBins (it is at most the number of rows), or leave the feature out";
                Err(self.unlearnable(reason, Some(hint)))
            }
        }
    }
}

fn slot_name(field: &arrow_schema::Field, slot: usize) -> Option<String> {
    ognivo_data::column::AttributeGroup::of(field).attributes?.into_iter().nth(slot)?.name
}

/// The most categories that are split into any two sets, so that there are at most half as many sets as bins.
fn most_unordered_categories(max_bins: usize) -> usize {
    (((max_bins / 2 + 1) as f64).ln() / 2.0_f64.ln() + 1.0).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_categories_are_split_into_sets_when_the_bins_suffice() {
        let of = |max_bins| most_unordered_categories(max_bins);
        assert_eq!([of(2), of(4), of(6), of(14), of(32), of(64), of(100)], [2, 2, 3, 4, 5, 6, 6]);
    }
}
