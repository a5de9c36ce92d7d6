//! `Bucketizer`: numbers to the indices of the buckets that they lie in.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::codec::number::double_to_spark_string;
use ognivo_data::column::{Attribute, AttributeKind};
use ognivo_data::outcome::{Fate, Outcome, RejectCode, Rejection};
use ognivo_data::version::SparkVersion;

use super::scalar::is_number;
use super::{HANDLE_INVALID, HandleInvalid};
use crate::columns::{
    INPUT_COL, INPUT_COL_SPEC, INPUT_COLS, INPUT_COLS_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC, OUTPUT_COLS, OUTPUT_COLS_SPEC,
    append_columns, column_pairs, input_column, keep_rows, with_columns, wrong_type,
};
use crate::numeric::to_doubles;
use crate::param::{Key, ParamError, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Stage, StageError, Transformer};

const SPLITS: Key<Vec<f64>> = Key::new("splits");
const SPLITS_ARRAY: Key<Vec<Vec<f64>>> = Key::new("splitsArray");

static PARAMS: &[ParamSpec] = &[
    HandleInvalid::SPEC,
    INPUT_COL_SPEC,
    INPUT_COLS_SPEC,
    OUTPUT_COL_SPEC,
    OUTPUT_COLS_SPEC,
    ParamSpec::new("splits", ParamKind::DoubleArray, "borders of the buckets, one more than there are buckets")
        .range(Range::Ascending(3)),
    ParamSpec::new("splitsArray", ParamKind::DoubleArrayArray, "borders of the buckets of each of inputCols")
        .range(Range::Ascending(3)),
];

/// Adds the index of the bucket that each number lies in: of n + 1 `splits`, bucket i is from split i on to below split
/// i + 1, and the last bucket has its upper border too.
///
/// A row with a number outside the splits is rejected, whatever `handleInvalid` says: splits that begin with −∞ and end
/// with ∞ take every number. With `handleInvalid` = `error` a row with NaN is rejected and null gives null; with `skip` rows
/// with NaN or null in any of the columns are dropped; with `keep` NaN has the index n, which the column's attribute does
/// not name, and null gives null.
///
/// Same as Spark: -0.0 lies below a split at 0.0, unless that is the last one.
#[derive(Debug, Clone)]
pub struct Bucketizer {
    params: Params,
}

impl Default for Bucketizer {
    fn default() -> Bucketizer {
        Bucketizer::new()
    }
}

impl Bucketizer {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.Bucketizer";

    /// A bucketizer with Spark's defaults; a column and its splits must be given.
    pub fn new() -> Bucketizer {
        Bucketizer { params: Params::new("Bucketizer", PARAMS) }
    }

    /// The column of numbers.
    pub fn input_col(mut self, name: impl Into<String>) -> Bucketizer {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of buckets; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> Bucketizer {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// The columns of numbers, instead of [`input_col`](Bucketizer::input_col).
    pub fn input_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Bucketizer {
        self.params.put(INPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// The columns of buckets, one for each of [`input_cols`](Bucketizer::input_cols).
    pub fn output_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Bucketizer {
        self.params.put(OUTPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// The borders of the buckets of [`input_col`](Bucketizer::input_col): three numbers at least, each above the one before.
    pub fn splits(mut self, splits: impl Into<Vec<f64>>) -> Bucketizer {
        self.params.put(SPLITS, splits.into());
        self
    }

    /// The borders of the buckets of each of [`input_cols`](Bucketizer::input_cols).
    pub fn splits_array<S: Into<Vec<f64>>>(mut self, splits: impl IntoIterator<Item = S>) -> Bucketizer {
        self.params.put(SPLITS_ARRAY, splits.into_iter().map(Into::into).collect());
        self
    }

    /// What happens to rows with NaN or null.
    pub fn handle_invalid(mut self, handle_invalid: HandleInvalid) -> Bucketizer {
        self.params.put(HANDLE_INVALID, handle_invalid.as_str().to_owned());
        self
    }

    /// A bucketizer from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have, and for splits that do not ascend.
    pub fn from_saved(saved: &SavedStage) -> Result<Bucketizer, SavedError> {
        let mut stage = Bucketizer::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }

    /// The splits of each input column.
    fn splits_of_columns(&self, n_columns: usize) -> Result<Vec<Vec<f64>>, ParamError> {
        let conflict = |reason: String| Err(ParamError::Conflict { uid: self.uid().clone(), reason });
        if self.params.is_set(INPUT_COLS) {
            if self.params.is_set(SPLITS) {
                return conflict("splits is set, and goes with inputCol, not with inputCols".to_owned());
            }
            let splits = self.params.require(SPLITS_ARRAY)?;
            if splits.len() != n_columns {
                return conflict(format!("{n_columns} inputCols and {} lists in splitsArray", splits.len()));
            }
            return Ok(splits);
        }
        if self.params.is_set(SPLITS_ARRAY) {
            return conflict("splitsArray is set, and goes with inputCols, not with inputCol".to_owned());
        }
        Ok(vec![self.params.require(SPLITS)?])
    }

    /// The input columns with their buckets, and the schema with the output columns.
    fn resolve(&self, input: &Schema) -> Result<(Vec<BucketedColumn>, SchemaRef), StageError> {
        self.params.check()?;
        let pairs = column_pairs(&self.params)?;
        let splits = self.splits_of_columns(pairs.len())?;
        let mut columns = Vec::with_capacity(pairs.len());
        let mut outputs = Vec::with_capacity(pairs.len());
        for ((name, output), splits) in pairs.into_iter().zip(splits) {
            let (position, field) = input_column(self.uid(), input, &name)?;
            if !is_number(field.data_type()) {
                return Err(wrong_type(self.uid(), &name, "a number column", field.data_type()));
            }
            let bucket = Field::new(output, DataType::Float64, field.is_nullable());
            outputs.push(bucket_attribute(&splits).attach_as_it_is(bucket));
            columns.push(BucketedColumn { position, name, buckets: Buckets::new(&splits) });
        }
        Ok((columns, with_columns(self.uid(), input, outputs)?))
    }
}

/// Buckets in their order, each called `<lower split>, <upper split>`; Spark writes no name.
fn bucket_attribute(splits: &[f64]) -> Attribute {
    let text = |split: &f64| double_to_spark_string(*split);
    let labels = splits.windows(2).map(|pair| format!("{}, {}", text(&pair[0]), text(&pair[1]))).collect();
    let kind = AttributeKind::Nominal { values: Some(labels), n_values: None, is_ordinal: Some(true) };
    Attribute { name: None, kind }
}

impl Configured for Bucketizer {
    fn class(&self) -> &'static str {
        Bucketizer::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(Bucketizer::CLASS, &self.params, version)
    }
}

impl Transformer for Bucketizer {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let (columns, schema) = self.resolve(input)?;
        let handle_invalid = HandleInvalid::of(&self.params);
        Ok(Box::new(BoundBucketizer { uid: self.uid().to_string(), handle_invalid, columns, schema }))
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl From<Bucketizer> for Stage {
    fn from(stage: Bucketizer) -> Stage {
        Stage::Transformer(Box::new(stage))
    }
}

/// One input column, resolved against a schema.
struct BucketedColumn {
    position: usize,
    name: String,
    buckets: Buckets,
}

/// The splits of one column, made ready for the search.
///
/// Numbers are compared by `Double.compare` of Java, which Spark's binary search uses: as integers that are in the order
/// of the doubles, with -0.0 below 0.0.
struct Buckets {
    splits: Vec<f64>,
    /// The order of all splits but the first and the last.
    inner: Vec<i64>,
    /// The order of the first split.
    least: i64,
}

impl Buckets {
    /// # Panics
    /// When there are fewer than two splits; the range of the parameter says three.
    fn new(splits: &[f64]) -> Buckets {
        let [first, inner @ .., _] = splits else { panic!("splits were checked to be three or more") };
        let inner = inner.iter().copied().map(place_in_order).collect();
        Buckets { splits: splits.to_vec(), inner, least: place_in_order(*first) }
    }

    /// The index of NaN where that is kept: the number of buckets.
    fn extra(&self) -> f64 {
        (self.splits.len() - 1) as f64
    }

    fn last(&self) -> f64 {
        self.splits[self.splits.len() - 1]
    }

    /// Whether the number lies in one of the buckets; NaN does not. Zeros of either sign equal a last split of 0.
    fn holds(&self, value: f64) -> bool {
        place_in_order(value) >= self.least && value <= self.last()
    }

    /// The bucket of a number that lies in one.
    fn bucket(&self, value: f64) -> f64 {
        let place = place_in_order(value);
        self.inner.partition_point(|&split| split <= place) as f64
    }

    /// The bucket of each row, with whether every row lies in one; what stands for a row that does not means nothing.
    fn place_all(&self, values: &[f64]) -> (Vec<f64>, bool) {
        let mut all_held = true;
        let place = |&value: &f64| {
            all_held &= self.holds(value);
            self.bucket(value)
        };
        let placed = values.iter().map(place).collect();
        (placed, all_held)
    }
}

/// An integer for each double, in the order of `f64::total_cmp`.
fn place_in_order(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    // All bits of a negative number but its sign are turned, so that a larger magnitude is a smaller integer.
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

struct BoundBucketizer {
    uid: String,
    handle_invalid: HandleInvalid,
    columns: Vec<BucketedColumn>,
    schema: SchemaRef,
}

impl BoundBucketizer {
    fn fate(&self, values: &[Float64Array], row_idx: usize) -> Fate {
        let is_missing = |values: &Float64Array| values.is_null(row_idx) || values.value(row_idx).is_nan();
        if self.handle_invalid == HandleInvalid::Skip && values.iter().any(is_missing) {
            return Fate::Skipped;
        }
        for (column, values) in self.columns.iter().zip(values).filter(|(_, values)| values.is_valid(row_idx)) {
            let value = values.value(row_idx);
            if value.is_nan() && self.handle_invalid != HandleInvalid::Keep {
                return self.reject(column, RejectCode::NotFinite, "in no bucket, since handleInvalid is error: NaN");
            }
            if !value.is_nan() && !column.buckets.holds(value) {
                let text = double_to_spark_string;
                let (first, last) = (text(column.buckets.splits[0]), text(column.buckets.last()));
                let message = format!(
                    "outside the splits, which are from {first} to {last} (-Infinity and Infinity as first and last split \
                     take every number): {}",
                    text(value)
                );
                return self.reject(column, RejectCode::OutOfRange, &message);
            }
        }
        Fate::Kept
    }

    fn reject(&self, column: &BucketedColumn, code: RejectCode, message: &str) -> Fate {
        let (stage, column, message) = (self.uid.clone(), column.name.clone(), message.to_owned());
        Fate::Rejected(Box::new(Rejection { stage, column, code, message }))
    }
}

impl BoundStage for BoundBucketizer {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError> {
        let doubles = |column: &BucketedColumn| {
            to_doubles(rows.column(column.position).as_ref()).expect("a bucketizer is bound to number columns")
        };
        let values: Vec<Float64Array> = self.columns.iter().map(doubles).collect();
        let mut all_kept = true;
        let mut added: Vec<ArrayRef> = Vec::with_capacity(values.len());
        for (column, values) in self.columns.iter().zip(&values) {
            let (mut placed, all_held) = column.buckets.place_all(values.values());
            if !all_held && self.handle_invalid == HandleInvalid::Keep {
                let of_nan = placed.iter_mut().zip(values.values()).filter(|(_, value)| value.is_nan());
                of_nan.for_each(|(bucket, _)| *bucket = column.buckets.extra());
            }
            let drops_nulls = self.handle_invalid == HandleInvalid::Skip && values.null_count() > 0;
            all_kept &= all_held && !drops_nulls;
            added.push(Arc::new(Float64Array::new(placed.into(), values.nulls().cloned())));
        }
        let n_rows = rows.num_rows();
        let rows = append_columns(&self.schema, &rows, added);
        if all_kept {
            return Ok(Outcome::all_kept(rows));
        }
        let fates: Vec<Fate> = (0..n_rows).map(|row_idx| self.fate(&values, row_idx)).collect();
        Ok(match fates.iter().all(|fate| *fate == Fate::Kept) {
            true => Outcome::all_kept(rows),
            false => keep_rows(&rows, fates),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float64Type;
    use arrow_array::{Decimal128Array, Int64Array};

    const ALL: [f64; 4] = [f64::NEG_INFINITY, 0.0, 1.5, f64::INFINITY];

    fn numbers(values: &[Option<f64>]) -> RecordBatch {
        let column: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap()
    }

    fn apply(stage: &Bucketizer, rows: RecordBatch) -> Outcome {
        stage.bind(&rows.schema()).unwrap().apply(rows).unwrap()
    }

    fn buckets(outcome: &Outcome) -> Vec<Option<f64>> {
        outcome.rows.columns().last().unwrap().as_primitive::<Float64Type>().iter().collect()
    }

    /// The buckets of numbers that lie in one.
    #[track_caller]
    fn check(splits: &[f64], values: &[f64], expected: &[f64]) {
        let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
        let outcome = apply(&Bucketizer::new().input_col("x").splits(splits), numbers(&values));
        assert_eq!(buckets(&outcome), expected.iter().copied().map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn a_bucket_has_its_lower_border_and_the_last_one_both() {
        // Spark 3.5.9 and 4.3.0.
        check(&[-1.0, 0.0, 1.5, 2.0], &[-1.0, -0.5, 0.0, 1.4999, 1.5, 2.0], &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
        check(&ALL, &[f64::NEG_INFINITY, -1e300, 1e300, f64::INFINITY], &[0.0, 0.0, 2.0, 2.0]);
    }

    #[test]
    fn a_negative_zero_lies_below_a_split_at_zero_unless_that_is_the_last() {
        // Spark 3.5.9 and 4.3.0.
        check(&ALL, &[-0.0, 0.0], &[0.0, 1.0]);
        check(&[-2.0, -1.0, 0.0], &[-0.0, 0.0], &[1.0, 1.0]);
        check(&[-2.0, -1.0, -0.0], &[-0.0, 0.0], &[1.0, 1.0]);
        check(&[-0.0, 1.0, 2.0], &[-0.0, 0.0], &[0.0, 0.0]);
        let outcome = apply(&Bucketizer::new().input_col("x").splits([0.0, 1.0, 2.0]), numbers(&[Some(-0.0)]));
        assert_eq!(outcome.fates.n_rejected(), 1);
    }

    #[test]
    fn every_bucket_is_found_among_many() {
        let splits: Vec<f64> = (0..100).map(f64::from).collect();
        let values: Vec<f64> = (0..99).flat_map(|i| [f64::from(i), f64::from(i) + 0.5]).collect();
        check(&splits, &values, &values.iter().map(|value| value.floor()).collect::<Vec<_>>());
    }

    #[test]
    fn nan_and_null_are_handled_as_asked_and_a_number_outside_is_always_rejected() {
        let check = |handle_invalid, expected: &[Option<f64>], rejected: &[(usize, RejectCode)]| {
            let stage = Bucketizer::new().input_col("x").splits([0.0, 1.0, 2.0]).handle_invalid(handle_invalid);
            let outcome = apply(&stage, numbers(&[Some(0.5), Some(f64::NAN), None, Some(2.5), Some(2.0), Some(-1.0)]));
            assert_eq!(buckets(&outcome), expected);
            let found: Vec<_> = outcome.fates.rejections().map(|(row_idx, why)| (row_idx, why.code)).collect();
            assert_eq!(found, rejected);
        };
        let outside = [(3, RejectCode::OutOfRange), (5, RejectCode::OutOfRange)];
        let error = [(1, RejectCode::NotFinite), outside[0], outside[1]];
        check(HandleInvalid::Error, &[Some(0.0), None, Some(1.0)], &error);
        check(HandleInvalid::Skip, &[Some(0.0), Some(1.0)], &outside);
        check(HandleInvalid::Keep, &[Some(0.0), Some(2.0), None, Some(1.0)], &outside);
    }

    #[test]
    fn a_number_outside_is_told_with_the_splits_and_the_way_out() {
        let stage = Bucketizer::new().input_col("x").splits([0.0, 1.0, 2.0]);
        let outcome = apply(&stage, numbers(&[Some(1e7)]));
        let (_, rejection) = outcome.fates.rejections().next().unwrap();
        let expected = "outside the splits, which are from 0.0 to 2.0 (-Infinity and Infinity as first and last split take \
                        every number): 1.0E7";
        assert_eq!((rejection.column.as_str(), rejection.message.as_str()), ("x", expected));
    }

    #[test]
    fn whole_numbers_and_decimals_are_taken_and_columns_without_null_stay_so() {
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![-3, 0, 7]));
        let decimal = Decimal128Array::from(vec![14, 15, -1]).with_precision_and_scale(5, 1).unwrap();
        let rows = RecordBatch::try_from_iter([("n", whole), ("d", Arc::new(decimal) as ArrayRef)]).unwrap();
        let stage = Bucketizer::new().input_cols(["n", "d"]).output_cols(["a", "b"]).splits_array([ALL, ALL]);
        let outcome = apply(&stage, rows);
        let column = |name| outcome.rows[name].as_primitive::<Float64Type>().values().to_vec();
        assert_eq!((column("a"), column("b")), (vec![0.0, 1.0, 2.0], vec![1.0, 2.0, 0.0]));
        assert!(!outcome.rows.schema().field_with_name("a").unwrap().is_nullable());
    }

    #[test]
    fn the_attribute_names_the_buckets_in_order() {
        let stage = Bucketizer::new().input_col("x").splits([f64::NEG_INFINITY, -0.5, 1e7, f64::INFINITY]);
        let schema = Transformer::output_schema(&stage, &numbers(&[]).schema()).unwrap();
        let attribute = Attribute::of(schema.field(1)).unwrap();
        assert_eq!(attribute.labels().unwrap(), ["-Infinity, -0.5", "-0.5, 1.0E7", "1.0E7, Infinity"]);
    }

    #[track_caller]
    fn check_refused(stage: Bucketizer, expected: &str) {
        let error = stage.bind(&numbers(&[]).schema()).err().unwrap();
        assert_eq!(error.to_string(), format!("stage `{}`: {expected}", stage.uid()));
    }

    #[test]
    fn splits_that_make_no_buckets_are_refused() {
        let of = |splits: &[f64]| Bucketizer::new().input_col("x").splits(splits);
        let ascending = |name: &str, found: &str| {
            format!("`{name}` must be of 3 or more numbers, each above the one before: {found}")
        };
        check_refused(of(&[0.0, 1.0]), &ascending("splits", "[0.0,1.0]"));
        check_refused(of(&[0.0, 1.0, 1.0]), &ascending("splits", "[0.0,1.0,1.0]"));
        check_refused(of(&[-0.0, 0.0, 1.0]), &ascending("splits", "[-0.0,0.0,1.0]"));
        check_refused(of(&[0.0, 1.0, f64::NAN]), &ascending("splits", r#"[0.0,1.0,"NaN"]"#));
        let many = Bucketizer::new().input_cols(["x"]).output_cols(["y"]);
        check_refused(many.clone().splits_array([[2.0, 1.0, 3.0]]), &ascending("splitsArray", "[[2.0,1.0,3.0]]"));
        check_refused(many.clone().splits_array([ALL, ALL]), "1 inputCols and 2 lists in splitsArray");
        check_refused(many.clone(), "`splitsArray` is not set");
        let conflict = "splits is set, and goes with inputCol, not with inputCols";
        check_refused(many.splits_array([ALL]).splits(ALL), conflict);
        check_refused(Bucketizer::new().input_col("x"), "`splits` is not set");
        let conflict = "splitsArray is set, and goes with inputCols, not with inputCol";
        check_refused(of(&ALL).splits_array([ALL]), conflict);
    }
}
