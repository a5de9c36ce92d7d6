//! The columns of a dataset: what is in them, in one pass.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, TimeUnit};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::schema::type_name;
use ognivo_ml::numeric::to_doubles;
use serde::{Deserialize, Serialize};
use std::hash::Hasher;

use super::distinct::{Distinct, mixed};
use super::extent::Extent;
use super::moments::Moments;
use super::sample::Sampler;
use super::whole_numbers::DistinctNumbers;

/// Rows that distinct values and deviations are of.
const MAX_LOOKED_ROWS: usize = 1 << 15;
/// Rows that quantiles and histograms are of; fewer when there are many columns.
const MAX_SAMPLE_ROWS: usize = 10_000;
const MAX_SAMPLE_CELLS: usize = 1_000_000;
const MIN_SAMPLE_ROWS: usize = 1_000;
/// The longest text of a category that is kept.
const MAX_TEXT_CHARS: usize = 200;

/// What is in the columns of a dataset.
///
/// Nulls, ranges and means are of all rows. Distinct values and deviations are of 32,768 rows, quantiles and histograms of 10,000 (fewer
/// when there are many columns), spread evenly over all rows; of all where there are no more. So a profile costs little more than
/// reading the columns once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Profile {
    columns: Vec<ColumnProfile>,
    n_rows: u64,
    n_looked: u64,
    n_sampled: u64,
    looked: Sampler,
    sampled: Sampler,
}

/// What is in one column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// Its type, as Spark calls it.
    pub type_name: String,
    /// How many values are null.
    pub n_nulls: u64,
    /// What is known of the others.
    pub content: Content,
}

/// What is known of the values of a column that are not null.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Content {
    /// Numbers, and what has an order like them: booleans are 0 and 1, dates days, timestamps microseconds.
    Numbers(Numbers),
    /// Texts.
    Texts(Texts),
    /// Something without an order: vectors, lists, structs, bytes.
    Other,
}

impl Profile {
    /// Looks at all columns of `data`, which has `n_rows` rows: one pass.
    ///
    /// # Errors
    /// When the pass fails.
    pub fn of(data: &Dataset, n_rows: usize) -> Result<Profile, DatasetError> {
        let columns: Vec<ColumnProfile> =
            data.schema().fields().iter().map(|field| ColumnProfile::new(field)).collect();
        let n_wanted = (MAX_SAMPLE_CELLS / columns.len().max(1)).clamp(MIN_SAMPLE_ROWS, MAX_SAMPLE_ROWS);
        let (looked, sampled) = (Sampler::new(n_rows, MAX_LOOKED_ROWS), Sampler::new(n_rows, n_wanted));
        data.aggregate(Profile { columns, n_rows: 0, n_looked: 0, n_sampled: 0, looked, sampled })
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[ColumnProfile] {
        &self.columns
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// How many rows distinct values and deviations are of.
    pub fn n_looked(&self) -> u64 {
        self.n_looked
    }

    /// How many rows quantiles and histograms are of.
    pub fn n_sampled(&self) -> u64 {
        self.n_sampled
    }
}

impl Aggregate for Profile {
    const NAME: &'static str = "profile of the columns";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let taken = Taken { looked: self.looked.next(rows.num_rows()), sampled: self.sampled.next(rows.num_rows()) };
        self.n_rows += rows.num_rows() as u64;
        self.n_looked += taken.looked.len() as u64;
        self.n_sampled += taken.sampled.len() as u64;
        for (column, values) in self.columns.iter_mut().zip(rows.columns()) {
            column.update(values, &taken);
        }
        Ok(())
    }

    fn merge(&mut self, later: Profile) {
        self.n_rows += later.n_rows;
        self.n_looked += later.n_looked;
        self.n_sampled += later.n_sampled;
        for (column, later) in self.columns.iter_mut().zip(later.columns) {
            column.merge(later);
        }
    }
}

/// Rows of a batch that are looked at closer, in ascending order.
struct Taken {
    looked: Vec<usize>,
    sampled: Vec<usize>,
}

impl ColumnProfile {
    fn new(field: &Field) -> ColumnProfile {
        let content = match field.data_type() {
            DataType::Utf8 => Content::Texts(Texts::default()),
            DataType::Boolean | DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Content::Numbers(Numbers::new(field.data_type()))
            }
            other if ognivo_ml::numeric::is_numeric(other) => Content::Numbers(Numbers::new(other)),
            _ => Content::Other,
        };
        ColumnProfile { name: field.name().clone(), type_name: type_name(field.data_type()), n_nulls: 0, content }
    }

    fn update(&mut self, values: &ArrayRef, taken: &Taken) {
        self.n_nulls += values.null_count() as u64;
        match &mut self.content {
            Content::Numbers(numbers) => numbers.update(values, taken),
            Content::Texts(texts) => texts.update(values, &taken.looked),
            Content::Other => {}
        }
    }

    fn merge(&mut self, later: ColumnProfile) {
        self.n_nulls += later.n_nulls;
        match (&mut self.content, later.content) {
            (Content::Numbers(numbers), Content::Numbers(later)) => numbers.merge(later),
            (Content::Texts(texts), Content::Texts(later)) => texts.merge(later),
            _ => {}
        }
    }
}

// ---- numbers --------------------------------------------------------------------------------------------------------

/// What a number of a column stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Unit {
    #[default]
    Number,
    /// Days since 1970.
    Days,
    /// Microseconds since 1970.
    Micros,
}

/// Numbers of a column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Numbers {
    pub(crate) unit: Unit,
    extent: Extent,
    /// Of the rows that are looked at.
    moments: Moments,
    distinct: DistinctNumbers,
    sample: Vec<f64>,
}

impl Numbers {
    fn new(data_type: &DataType) -> Numbers {
        let unit = match data_type {
            DataType::Date32 => Unit::Days,
            DataType::Timestamp(..) => Unit::Micros,
            _ => Unit::Number,
        };
        let is_whole = data_type.is_integer() || matches!(data_type, DataType::Boolean | DataType::Date32);
        let distinct = DistinctNumbers::new(is_whole);
        Numbers { unit, extent: Extent::default(), moments: Moments::default(), distinct, sample: Vec::new() }
    }

    /// The types that most columns have are read where they lie; others are made doubles first.
    fn update(&mut self, values: &ArrayRef, taken: &Taken) {
        match values.data_type() {
            _ if values.null_count() > 0 => self.update_with_nulls(&as_doubles(values), taken),
            DataType::Float64 => self.update_plain(values.as_primitive::<Float64Type>().values(), |value| value, taken),
            DataType::Int32 => self.update_plain(values.as_primitive::<Int32Type>().values(), f64::from, taken),
            DataType::Int64 => {
                self.update_plain(values.as_primitive::<Int64Type>().values(), |value| value as f64, taken)
            }
            _ => self.update_plain(as_doubles(values).values(), |value| value, taken),
        }
    }

    fn update_plain<T: Copy>(&mut self, values: &[T], to_double: impl Fn(T) -> f64, taken: &Taken) {
        // First, since it brings the values into the processor's caches.
        self.extent.add(values, &to_double);
        let at = |rows: &[usize]| rows.iter().map(|&row| to_double(values[row])).collect::<Vec<f64>>();
        self.look(&at(&taken.looked));
        self.sample.extend(at(&taken.sampled).into_iter().filter(|value| value.is_finite()));
    }

    fn update_with_nulls(&mut self, values: &Float64Array, taken: &Taken) {
        let at = |rows: &[usize]| {
            let valid = rows.iter().filter(|row| values.is_valid(**row));
            valid.map(|&row| values.value(row)).collect::<Vec<f64>>()
        };
        self.look(&at(&taken.looked));
        self.sample.extend(at(&taken.sampled).into_iter().filter(|value| value.is_finite()));
        self.extent.add(&values.iter().flatten().collect::<Vec<f64>>(), |value| value);
    }

    fn look(&mut self, values: &[f64]) {
        if !values.is_empty() {
            let range = self.moments.add(values);
            self.distinct.add(values, range);
        }
    }

    fn merge(&mut self, later: Numbers) {
        self.extent.merge(&later.extent);
        self.moments.merge(&later.moments);
        self.distinct.merge(later.distinct);
        self.sample.extend(later.sample);
    }

    /// Count, range and mean of all numbers.
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// The standard deviation of the numbers that were looked at.
    pub fn deviation(&self) -> Option<f64> {
        self.moments.deviation()
    }

    /// How many different numbers were looked at, and whether that is counted and not estimated.
    pub fn distinct(&self) -> (u64, bool) {
        self.distinct.count()
    }

    /// The finite numbers of the sample, in ascending order.
    pub fn sorted_sample(&self) -> Vec<f64> {
        let mut sorted = self.sample.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }
}

/// The values of a column that has an order, as doubles with their nulls.
fn as_doubles(values: &ArrayRef) -> Float64Array {
    match values.data_type() {
        DataType::Boolean => {
            values.as_boolean().iter().map(|value| value.map(|value| f64::from(u8::from(value)))).collect()
        }
        DataType::Date32 => values.as_primitive::<Date32Type>().unary(f64::from),
        DataType::Timestamp(..) => values.as_primitive::<TimestampMicrosecondType>().unary(|micros| micros as f64),
        _ => to_doubles(values).expect("only columns with an order get here"),
    }
}

// ---- texts ----------------------------------------------------------------------------------------------------------

/// Texts of a column.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Texts {
    distinct: Distinct,
    /// By their number in `distinct`; empty once there are too many.
    categories: Vec<Category>,
}

/// A text that occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// The text, or the beginning of a long one.
    pub text: String,
    /// How often.
    pub n: u64,
}

impl Texts {
    fn update(&mut self, values: &ArrayRef, looked: &[usize]) {
        let texts = values.as_string::<i32>();
        for row in looked.iter().copied().filter(|row| texts.is_valid(*row)) {
            let text = texts.value(row);
            self.add(hash_of(text), text, 1);
        }
    }

    fn add(&mut self, hash: u64, text: &str, n: u64) {
        match self.distinct.add(hash) {
            Some(number) if number < self.categories.len() => self.categories[number].n += n,
            Some(_) => self.categories.push(Category { text: text.chars().take(MAX_TEXT_CHARS).collect(), n }),
            None => self.categories = Vec::new(),
        }
    }

    fn merge(&mut self, later: Texts) {
        if !later.distinct.is_exact() {
            self.distinct.merge(&later.distinct);
            self.categories = Vec::new();
            return;
        }
        for (hash, category) in later.distinct.in_order().into_iter().zip(later.categories) {
            self.add(hash, &category.text, category.n);
        }
    }

    /// How many different texts were looked at, and whether that is counted and not estimated.
    pub fn distinct(&self) -> (u64, bool) {
        (self.distinct.count(), self.distinct.is_exact())
    }

    /// The texts with their counts, the most frequent first; nothing when there are more than 256.
    pub fn categories(&self) -> Vec<Category> {
        let mut sorted = self.categories.clone();
        sorted.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.text.cmp(&b.text)));
        sorted
    }
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(text.as_bytes());
    mixed(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Date32Array, StringArray};
    use ognivo_data::dataset::LocalExecutor;

    fn profile(columns: Vec<(&str, ArrayRef)>, batch_rows: usize) -> Profile {
        let rows =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
        let rows = rows.unwrap();
        let n_rows = rows.num_rows();
        let cut = |start: usize| rows.slice(start, batch_rows.min(n_rows - start));
        let batches = (0..n_rows).step_by(batch_rows).map(cut).collect();
        let data = Dataset::in_memory(rows.schema(), vec![batches], Arc::new(LocalExecutor::default()));
        Profile::of(&data, n_rows).unwrap()
    }

    fn numbers(column: &ColumnProfile) -> &Numbers {
        let Content::Numbers(numbers) = &column.content else { panic!("{column:?}") };
        numbers
    }

    #[test]
    fn every_kind_of_column_is_told() {
        let profile = profile(
            vec![
                ("x", Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(-0.0), Some(0.0)]))),
                ("t", Arc::new(StringArray::from(vec![Some("a"), Some("b"), Some("a"), None, Some("")]))),
                ("b", Arc::new(BooleanArray::from(vec![true, true, false, true, true]))),
                ("d", Arc::new(Date32Array::from(vec![0, 1, 2, 3, 19_000]))),
            ],
            2,
        );
        assert_eq!((profile.n_rows(), profile.n_sampled()), (5, 5));
        let [x, t, b, d] = profile.columns() else { panic!() };
        assert_eq!((x.n_nulls, numbers(x).extent().n_nan, numbers(x).distinct()), (1, 1, (3, true)));
        assert_eq!(numbers(x).sorted_sample().len(), 3);
        assert!((numbers(b).extent().mean().unwrap() - 0.8).abs() < 1e-15);
        assert_eq!((numbers(d).unit, d.type_name.as_str()), (Unit::Days, "date"));
        let Content::Texts(texts) = &t.content else { panic!() };
        let named: Vec<_> = texts.categories().into_iter().map(|category| (category.text, category.n)).collect();
        assert_eq!(named, [("a".to_owned(), 2), (String::new(), 1), ("b".to_owned(), 1)]);
        assert_eq!((t.n_nulls, texts.distinct()), (1, (3, true)));
    }

    #[test]
    fn many_texts_are_counted_and_not_kept() {
        let texts: StringArray = (0..60_000).map(|i| Some(format!("id {i}"))).collect();
        let profile = profile(vec![("id", Arc::new(texts))], 1000);
        let Content::Texts(texts) = &profile.columns()[0].content else { panic!() };
        let (n, is_exact) = texts.distinct();
        let n_looked = profile.n_looked() as f64;
        assert!(n_looked >= 20_000.0 && !is_exact && (n as f64 / n_looked - 1.0).abs() < 0.06, "{n} of {n_looked}");
        assert!(texts.categories().is_empty() && texts.categories.capacity() == 0);
    }

    #[test]
    fn the_sample_of_many_rows_has_their_quantiles() {
        let values: Float64Array = (0..200_000).map(|i| Some(f64::from(i))).collect();
        let profile = profile(vec![("x", Arc::new(values))], 16_384);
        let sample = numbers(&profile.columns()[0]).sorted_sample();
        assert!((8_000..=10_100).contains(&sample.len()), "{}", sample.len());
        let found = numbers(&profile.columns()[0]);
        assert!((20_000..=32_768).contains(&profile.n_looked()), "{}", profile.n_looked());
        let (n, _) = found.distinct();
        assert!((n as f64 / profile.n_looked() as f64 - 1.0).abs() < 0.06, "{n}");
        assert!(
            (found.extent().mean().unwrap() - 99_999.5).abs() < 1e-6 && (found.extent().max - 199_999.0).abs() < 1e-6
        );
        assert!((found.deviation().unwrap() / 57_735.0 - 1.0).abs() < 0.02);
        let median = sample[sample.len() / 2];
        assert!((median / 100_000.0 - 1.0).abs() < 0.02, "{median}");
    }

    #[test]
    fn no_row_and_no_value_are_no_failure() {
        let empty = profile(vec![("x", Arc::new(Float64Array::from(Vec::<f64>::new())))], 10);
        assert_eq!((empty.n_rows(), numbers(&empty.columns()[0]).distinct()), (0, (0, true)));
        let nulls = profile(vec![("x", Arc::new(Float64Array::from(vec![None; 9])))], 4);
        assert_eq!((nulls.columns()[0].n_nulls, numbers(&nulls.columns()[0]).extent().mean()), (9, None));
    }
}
