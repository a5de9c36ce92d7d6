//! `QuantileDiscretizer`: columns of numbers into buckets of about equally many rows.
//!
//! It has no model of its own: what it learns are the splits of a [`Bucketizer`].

use arrow_schema::{Schema, SchemaRef};
use ognivo_data::dataset::Dataset;
use ognivo_data::version::SparkVersion;

use super::bucketizer::Bucketizer;
use super::scalar::is_number;
use super::{HANDLE_INVALID, HandleInvalid, RELATIVE_ERROR, RELATIVE_ERROR_SPEC};
use crate::columns::{
    INPUT_COL, INPUT_COL_SPEC, INPUT_COLS, INPUT_COLS_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC, OUTPUT_COLS, OUTPUT_COLS_SPEC,
    column_pairs, input_column, wrong_type,
};
use crate::param::{Key, ParamError, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::stat::ApproxQuantile;

const NUM_BUCKETS: Key<i32> = Key::new("numBuckets");
const NUM_BUCKETS_ARRAY: Key<Vec<i32>> = Key::new("numBucketsArray");

static PARAMS: &[ParamSpec] = &[
    HandleInvalid::SPEC,
    INPUT_COL_SPEC,
    INPUT_COLS_SPEC,
    ParamSpec::new("numBuckets", ParamKind::Int, "number of buckets of each column")
        .int(2)
        .range(Range::Between(2.0, MAX_BUCKETS as f64)),
    ParamSpec::new(
        "numBucketsArray",
        ParamKind::IntArray,
        "number of buckets of each of inputCols, instead of numBuckets",
    ),
    OUTPUT_COL_SPEC,
    OUTPUT_COLS_SPEC,
    RELATIVE_ERROR_SPEC,
];

/// More buckets than anybody has use for, and few enough that the shares at their borders fit into memory.
const MAX_BUCKETS: i32 = 1 << 24;

/// Learns splits of one or many columns from approximate quantiles, so that about as many rows fall into each bucket.
///
/// The first bucket begins at -∞ and the last ends at ∞. Null and NaN are passed over. Quantiles that are equal give one
/// split, so there can be fewer buckets than asked.
///
/// Same as Spark: from 3.0 on a split at 0 is never the negative zero; of 11 buckets, and of some other
/// numbers of them, 2.4 leaves out one (`0.0 to 1.0 by 1.0 / 11` has no 1).
#[derive(Debug, Clone)]
pub struct QuantileDiscretizer {
    params: Params,
}

impl Default for QuantileDiscretizer {
    fn default() -> QuantileDiscretizer {
        QuantileDiscretizer::new()
    }
}

impl QuantileDiscretizer {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.QuantileDiscretizer";

    /// A discretizer with Spark's defaults: two buckets; a column must be named.
    pub fn new() -> QuantileDiscretizer {
        QuantileDiscretizer { params: Params::new("QuantileDiscretizer", PARAMS) }
    }

    /// The column to put into buckets.
    pub fn input_col(mut self, name: impl Into<String>) -> QuantileDiscretizer {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of buckets; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> QuantileDiscretizer {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// The columns to put into buckets, instead of [`input_col`](QuantileDiscretizer::input_col).
    pub fn input_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> QuantileDiscretizer {
        self.params.put(INPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// The columns of buckets, one for each of [`input_cols`](QuantileDiscretizer::input_cols).
    pub fn output_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> QuantileDiscretizer {
        self.params.put(OUTPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// The number of buckets of each column.
    pub fn num_buckets(mut self, num_buckets: i32) -> QuantileDiscretizer {
        self.params.put(NUM_BUCKETS, num_buckets);
        self
    }

    /// The number of buckets of each of [`input_cols`](QuantileDiscretizer::input_cols).
    pub fn num_buckets_array(mut self, num_buckets: impl Into<Vec<i32>>) -> QuantileDiscretizer {
        self.params.put(NUM_BUCKETS_ARRAY, num_buckets.into());
        self
    }

    /// How far from the rank that is asked for a split's rank may be, as a share of the values.
    pub fn relative_error(mut self, relative_error: f64) -> QuantileDiscretizer {
        self.params.put(RELATIVE_ERROR, relative_error);
        self
    }

    /// What the model does with NaN, and with null.
    pub fn handle_invalid(mut self, handle_invalid: HandleInvalid) -> QuantileDiscretizer {
        self.params.put(HANDLE_INVALID, handle_invalid.as_str().to_owned());
        self
    }

    /// Learns the splits in one pass.
    ///
    /// # Errors
    /// [`FitError`] for wrong columns or parameters, when the pass fails, and for a column without numbers, or with nothing
    /// but infinities where splits should be.
    pub fn fit(&self, data: &Dataset) -> Result<Bucketizer, FitError> {
        Estimator::output_schema(self, data.schema())?;
        let columns = discretized_columns(&self.params, data.schema())?;
        let shares: Vec<Vec<f64>> = columns.iter().map(|column| self.shares(column.n_buckets)).collect();
        let mut all_shares = shares.concat();
        all_shares.sort_by(f64::total_cmp);
        all_shares.dedup();
        let asked = ApproxQuantile {
            columns: columns.iter().map(|column| column.position).collect(),
            relative_error: self.params.get(RELATIVE_ERROR),
            ignored_value: None,
            version: self.params.version(),
        };
        let answers = asked.answers(data, &all_shares)?;
        let mut splits = Vec::with_capacity(columns.len());
        for ((column, shares), answers) in columns.iter().zip(&shares).zip(answers) {
            let answers = answers.ok_or_else(|| self.unlearnable(&column.input, "holds no numbers"))?;
            let quantiles = shares.iter().map(|share| answers[all_shares.partition_point(|other| other < share)]);
            let distinct = distinct_splits(quantiles.collect(), self.params.version());
            if distinct.len() < 3 {
                return Err(self.unlearnable(&column.input, "is infinite where it should be split"));
            }
            splits.push(distinct);
        }
        Ok(self.bucketizer(splits))
    }

    /// The shares of the rows at the borders of buckets, from 0 on.
    fn shares(&self, n_buckets: i32) -> Vec<f64> {
        match self.params.version() {
            SparkVersion::V2_4 => counted_up_shares(n_buckets),
            _ => (0..=n_buckets).map(|border| f64::from(border) / f64::from(n_buckets)).collect(),
        }
    }

    /// The model with the splits of each column.
    fn bucketizer(&self, mut splits: Vec<Vec<f64>>) -> Bucketizer {
        let mut model = match self.params.is_set(INPUT_COLS) {
            true => Bucketizer::new().splits_array(splits),
            false => Bucketizer::new().splits(splits.pop().unwrap_or_default()),
        };
        model.params_mut().inherit(&self.params);
        model.handle_invalid(HandleInvalid::of(&self.params))
    }

    fn unlearnable(&self, column: &str, why: &str) -> FitError {
        FitError::Unlearnable { uid: self.uid().clone(), reason: format!("column `{column}` {why}"), hint: None }
    }

    /// A discretizer from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have.
    pub fn from_saved(saved: &SavedStage) -> Result<QuantileDiscretizer, SavedError> {
        let mut stage = QuantileDiscretizer::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }
}

/// Quantiles as splits: ascending, each once, with infinities at the ends.
fn distinct_splits(mut splits: Vec<f64>, version: SparkVersion) -> Vec<f64> {
    if let Some(first) = splits.first_mut() {
        *first = f64::NEG_INFINITY;
    }
    if let Some(last) = splits.last_mut() {
        *last = f64::INFINITY;
    }
    if version > SparkVersion::V2_4 {
        // A sum with 0 makes both zeros the positive one.
        splits.iter_mut().for_each(|split| *split += 0.0);
    }
    splits.sort_by(f64::total_cmp);
    // Zeros of both signs are one split, the first of them.
    splits.dedup();
    splits
}

/// The shares at the borders of buckets as Scala 2.11 counts them up: `0.0 to 1.0 by 1.0 / n_buckets`.
///
/// How many steps fit is found from the decimal number that the step is printed as, and each share is a product of doubles. So of
/// 11 buckets, whose step is printed above its value, one is missing.
fn counted_up_shares(n_buckets: i32) -> Vec<f64> {
    let step = 1.0 / f64::from(n_buckets);
    let printed = format!("{step:e}");
    let (digits, exponent) = printed.split_once('e').expect("a number in scientific notation has an exponent");
    let n_decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len() as u32);
    let exponent: i32 = exponent.parse().expect("an exponent is a whole number");
    let digits: u128 = digits.replace('.', "").parse().expect("digits are a whole number");
    let n_steps = 10_u128.pow(n_decimals + exponent.unsigned_abs()) / digits;
    (0..=n_steps).map(|idx| idx as f64 * step).collect()
}

/// One column, resolved against a schema.
struct DiscretizedColumn {
    position: usize,
    input: String,
    n_buckets: i32,
}

fn discretized_columns(params: &Params, input: &Schema) -> Result<Vec<DiscretizedColumn>, StageError> {
    params.check()?;
    let pairs = column_pairs(params)?;
    let n_buckets = numbers_of_buckets(params, pairs.len())?;
    let resolve = |((name, _), n_buckets): ((String, String), i32)| {
        let (position, field) = input_column(params.uid(), input, &name)?;
        if !is_number(field.data_type()) {
            return Err(wrong_type(params.uid(), &name, "a number column", field.data_type()));
        }
        Ok(DiscretizedColumn { position, input: name, n_buckets })
    };
    pairs.into_iter().zip(n_buckets).map(resolve).collect()
}

/// How many buckets each of so many columns gets.
fn numbers_of_buckets(params: &Params, n_columns: usize) -> Result<Vec<i32>, ParamError> {
    let conflict = |reason: String| Err(ParamError::Conflict { uid: params.uid().clone(), reason });
    let Some(numbers) = params.find(NUM_BUCKETS_ARRAY) else { return Ok(vec![params.get(NUM_BUCKETS); n_columns]) };
    if params.is_set(INPUT_COL) {
        return conflict("numBucketsArray is set, and goes with inputCols, not with inputCol".to_owned());
    }
    if params.is_set(NUM_BUCKETS) {
        return conflict("numBuckets and numBucketsArray are both set; one is needed".to_owned());
    }
    if numbers.len() != n_columns {
        return conflict(format!("{n_columns} inputCols and {} numbers in numBucketsArray", numbers.len()));
    }
    match numbers.iter().find(|number| !(2..=MAX_BUCKETS).contains(*number)) {
        Some(number) => conflict(format!("each of numBucketsArray must be between 2 and {MAX_BUCKETS}: {number}")),
        None => Ok(numbers),
    }
}

impl Configured for QuantileDiscretizer {
    fn class(&self) -> &'static str {
        QuantileDiscretizer::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(QuantileDiscretizer::CLASS, &self.params, version)
    }
}

impl Estimator for QuantileDiscretizer {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        let columns = discretized_columns(&self.params, input)?;
        // Which splits there will be changes nothing in what is known of the columns now.
        let two_buckets = vec![f64::NEG_INFINITY, 0.0, f64::INFINITY];
        self.bucketizer(vec![two_buckets; columns.len()]).output_schema(input)
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(QuantileDiscretizer::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<QuantileDiscretizer> for Stage {
    fn from(stage: QuantileDiscretizer) -> Stage {
        Stage::Estimator(Box::new(stage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use ognivo_data::dataset::LocalExecutor;
    use serde_json::{Value, json};

    fn data(values: &[f64]) -> Dataset {
        let numbers: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"; values.len()]));
        let rows = RecordBatch::try_from_iter_with_nullable([("x", numbers, true), ("text", texts, true)]).unwrap();
        Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::single_threaded()))
    }

    #[test]
    fn spark_2_4_counts_shares_up_as_scala_2_11() {
        // What real Scala 2.11.12 gives: fixtures/spark/QuantilesOf24.java.
        let expected: Value =
            serde_json::from_str(include_str!("../../../../fixtures/spark/2.4/quantiles.json")).unwrap();
        for (n_buckets, shares) in expected["shares"].as_object().unwrap() {
            assert_eq!(json!(counted_up_shares(n_buckets.parse().unwrap())), *shares);
        }
        let has_one_less = |n_buckets: &i32| counted_up_shares(*n_buckets).len() < *n_buckets as usize + 1;
        assert_eq!(json!((2..=2000).filter(has_one_less).collect::<Vec<_>>()), expected["oneShareLess"]);
        assert!(counted_up_shares(MAX_BUCKETS).len() as i32 >= MAX_BUCKETS);
    }

    #[test]
    fn equal_quantiles_are_one_split_and_zeros_lose_their_sign_after_2_4() {
        let quantiles = vec![-3.0, -0.0, 0.0, 0.0, 2.0, 2.0];
        let bits =
            |version| distinct_splits(quantiles.clone(), version).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let expected = |zero: f64| [f64::NEG_INFINITY, zero, 2.0, f64::INFINITY].map(f64::to_bits);
        assert_eq!(bits(SparkVersion::V2_4), expected(-0.0));
        assert_eq!(bits(SparkVersion::V3_5), expected(0.0));
    }

    #[track_caller]
    fn check_refused(discretizer: QuantileDiscretizer, values: &[f64], expected: &str) {
        let error = discretizer.fit(&data(values)).unwrap_err();
        assert_eq!(error.to_string(), format!("stage `{}`: {expected}", discretizer.uid()));
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        let one = || QuantileDiscretizer::new().input_col("x");
        let many = || QuantileDiscretizer::new().input_cols(["x"]).output_cols(["y"]);
        check_refused(one(), &[f64::NAN], "column `x` holds no numbers");
        check_refused(one(), &[f64::INFINITY; 3], "column `x` is infinite where it should be split");
        check_refused(
            QuantileDiscretizer::new().input_col("text"),
            &[1.0],
            "column `text` must be a number column: string",
        );
        check_refused(one().num_buckets(1), &[1.0], "`numBuckets` must be between 2 and 16777216: 1");
        let with_one = "numBucketsArray is set, and goes with inputCols, not with inputCol";
        check_refused(one().num_buckets_array([2]), &[1.0], with_one);
        let both = "numBuckets and numBucketsArray are both set; one is needed";
        check_refused(many().num_buckets(2).num_buckets_array([2]), &[1.0], both);
        check_refused(many().num_buckets_array([2, 3]), &[1.0], "1 inputCols and 2 numbers in numBucketsArray");
        let small = "each of numBucketsArray must be between 2 and 16777216: 1";
        check_refused(many().num_buckets_array([1]), &[1.0], small);
    }
}
