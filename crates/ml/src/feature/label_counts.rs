//! How often each label occurs: the one pass of `StringIndexer::fit`.

use std::cmp::{Ordering, Reverse};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use ognivo_data::dataset::{Aggregate, DatasetError};
use ognivo_data::version::SparkVersion;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::label::{LabelType, for_each_key, for_each_text, is_nan_key};
use super::scala_map::sort_as_map;

/// The order in which labels get their indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StringOrder {
    /// The most frequent label first.
    FrequencyDesc,
    /// The least frequent label first.
    FrequencyAsc,
    /// Reverse alphabetical order.
    AlphabetDesc,
    /// Alphabetical order.
    AlphabetAsc,
}

impl StringOrder {
    /// Spark's word.
    pub fn as_str(self) -> &'static str {
        match self {
            StringOrder::FrequencyDesc => "frequencyDesc",
            StringOrder::FrequencyAsc => "frequencyAsc",
            StringOrder::AlphabetDesc => "alphabetDesc",
            StringOrder::AlphabetAsc => "alphabetAsc",
        }
    }
}

/// Counts of the labels of some columns. Nulls and NaNs are no labels, the empty text is one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LabelCounts {
    columns: Vec<ColumnCounts>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct ColumnCounts {
    position: usize,
    texts: FxHashMap<Box<str>, u64>,
    /// By the keys of [`LabelType`].
    numbers: FxHashMap<i128, u64>,
}

impl LabelCounts {
    /// Nothing counted yet of the columns at these positions.
    pub(super) fn new(positions: impl IntoIterator<Item = usize>) -> LabelCounts {
        let column = |position| ColumnCounts { position, ..ColumnCounts::default() };
        LabelCounts { columns: positions.into_iter().map(column).collect() }
    }

    /// The labels of each column, in order of their indices; the dataset had `n_partitions` partitions.
    pub(super) fn into_labels(
        self,
        label_types: &[LabelType],
        order: StringOrder,
        version: SparkVersion,
        n_partitions: usize,
    ) -> Vec<Vec<String>> {
        let columns = self.columns.into_iter().zip(label_types);
        let counts = columns.map(|(counts, &label_type)| counts.labels(label_type, version));
        counts.map(|counts| sorted(counts, order, version, n_partitions)).collect()
    }
}

impl Aggregate for LabelCounts {
    const NAME: &'static str = "count labels";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        for counts in &mut self.columns {
            counts.count(rows.column(counts.position).as_ref());
        }
        Ok(())
    }

    fn merge(&mut self, later: LabelCounts) {
        for (counts, later) in self.columns.iter_mut().zip(later.columns) {
            later.texts.into_iter().for_each(|(label, n)| *counts.texts.entry(label).or_insert(0) += n);
            later.numbers.into_iter().for_each(|(key, n)| *counts.numbers.entry(key).or_insert(0) += n);
        }
    }
}

impl ColumnCounts {
    fn count(&mut self, column: &dyn Array) {
        match column.data_type() {
            DataType::Dictionary(..) => self.count_codes(column),
            data_type => match LabelType::of(data_type) {
                Some(LabelType::Text) => for_each_text(column, |text| self.add_text(text, 1)),
                _ => for_each_key(column, |key| self.add_number(key, 1)),
            },
        }
    }

    /// Counts codes first, so that each label is looked up once.
    fn count_codes(&mut self, column: &dyn Array) {
        let dictionary = column.as_any_dictionary();
        if dictionary.values().is_empty() {
            return;
        }
        let mut n_rows_of_code = vec![0; dictionary.values().len()];
        for (row_idx, code) in dictionary.normalized_keys().into_iter().enumerate() {
            n_rows_of_code[code] += u64::from(dictionary.is_valid(row_idx));
        }
        let mut n_rows = n_rows_of_code.into_iter();
        let mut next_count = || n_rows.next().unwrap_or(0);
        match LabelType::of(dictionary.values().data_type()) {
            Some(LabelType::Text) => for_each_text(dictionary.values(), |text| self.add_text(text, next_count())),
            _ => for_each_key(dictionary.values(), |key| self.add_number(key, next_count())),
        }
    }

    fn add_text(&mut self, text: Option<&str>, n_rows: u64) {
        let Some(text) = text.filter(|_| n_rows > 0) else { return };
        match self.texts.get_mut(text) {
            Some(count) => *count += n_rows,
            None => _ = self.texts.insert(text.into(), n_rows),
        }
    }

    fn add_number(&mut self, key: Option<i128>, n_rows: u64) {
        if let Some(key) = key.filter(|_| n_rows > 0) {
            *self.numbers.entry(key).or_insert(0) += n_rows;
        }
    }

    fn labels(self, label_type: LabelType, version: SparkVersion) -> Vec<(String, u64)> {
        let numbers = self.numbers.into_iter().filter(|&(key, _)| !is_nan_key(label_type, key));
        let numbers = numbers.map(|(key, n)| (label_type.text_of(key, version), n));
        self.texts.into_iter().map(|(text, n)| (String::from(text), n)).chain(numbers).collect()
    }
}

/// Labels in order of their indices.
///
/// Labels of one count are in ascending alphabetical order, also in `frequencyAsc`; in Spark 2.4 in the order of the map
/// that it counts in.
fn sorted(
    mut labels: Vec<(String, u64)>,
    order: StringOrder,
    version: SparkVersion,
    n_partitions: usize,
) -> Vec<String> {
    let by_frequency = matches!(order, StringOrder::FrequencyDesc | StringOrder::FrequencyAsc);
    if by_frequency && version == SparkVersion::V2_4 {
        sort_as_map(&mut labels, n_partitions);
    } else {
        labels.sort_by(|(a, _), (b, _)| alphabetical(a, b, version));
    }
    match order {
        StringOrder::FrequencyDesc => labels.sort_by_key(|&(_, n)| Reverse(n)),
        StringOrder::FrequencyAsc => labels.sort_by_key(|&(_, n)| n),
        StringOrder::AlphabetDesc => labels.reverse(),
        StringOrder::AlphabetAsc => {}
    }
    labels.into_iter().map(|(label, _)| label).collect()
}

/// Spark 4.0 and later compare UTF-8 bytes, earlier ones UTF-16 units; they differ above U+FFFF.
fn alphabetical(a: &str, b: &str, version: SparkVersion) -> Ordering {
    if version >= SparkVersion::V4_3 { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}
