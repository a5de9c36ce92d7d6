//! From values to indices: one hash look-up a row, or one array look-up where the column is dictionary-encoded.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use ognivo_data::outcome::{RejectCode, Rejection};
use ognivo_data::version::SparkVersion;
use rustc_hash::FxHashMap;

use super::label::{LabelType, for_each_key, for_each_text, is_nan_key};
use crate::uid::Uid;

/// The indices of the labels of one column.
#[derive(Debug)]
pub(super) struct LabelIndex {
    label_type: LabelType,
    version: SparkVersion,
    texts: FxHashMap<Box<str>, u32>,
    numbers: FxHashMap<i128, u32>,
    /// Index of every value that is no label: the number of labels.
    extra: u32,
}

impl LabelIndex {
    /// Indices of `labels` for a column of this type; of a label that occurs twice the last index holds, as in Spark.
    ///
    /// # Panics
    /// When there are 2³² labels or more.
    pub(super) fn new(labels: &[String], label_type: LabelType, version: SparkVersion) -> LabelIndex {
        let extra = u32::try_from(labels.len()).expect("fewer than 2³² labels fit into memory");
        let numbered = || labels.iter().zip(0..extra);
        let (texts, numbers) = match label_type {
            LabelType::Text => {
                (numbered().map(|(label, index)| (label.as_str().into(), index)).collect(), FxHashMap::default())
            }
            number => {
                let keys = numbered().filter_map(|(label, index)| Some((number.key_of(label, version)?, index)));
                (FxHashMap::default(), keys.collect())
            }
        };
        LabelIndex { label_type, version, texts, numbers, extra }
    }

    /// Makes NaN no label, even where a label is called `NaN`.
    pub(super) fn without_nan(mut self) -> LabelIndex {
        self.numbers.retain(|&key, _| !is_nan_key(self.label_type, key));
        self
    }

    /// The index that stands for null and for whatever is no label.
    pub(super) fn extra(&self) -> f64 {
        f64::from(self.extra)
    }

    /// The index of each row, [`extra`](LabelIndex::extra) for null and for whatever is no label.
    pub(super) fn look_up(&self, column: &dyn Array) -> Vec<f64> {
        match column.data_type() {
            DataType::Dictionary(..) => self.look_up_codes(column),
            _ => self.look_up_values(column),
        }
    }

    fn look_up_values(&self, column: &dyn Array) -> Vec<f64> {
        let mut indices = Vec::with_capacity(column.len());
        match self.label_type {
            LabelType::Text => {
                for_each_text(column, |text| indices.push(self.index_of(text.and_then(|text| self.texts.get(text)))))
            }
            _ => for_each_key(column, |key| indices.push(self.index_of(key.and_then(|key| self.numbers.get(&key))))),
        }
        indices
    }

    /// Looks each value of the dictionary up once.
    fn look_up_codes(&self, column: &dyn Array) -> Vec<f64> {
        let dictionary = column.as_any_dictionary();
        let of_code = self.look_up_values(dictionary.values());
        if of_code.is_empty() {
            return vec![self.extra(); column.len()];
        }
        let mut indices: Vec<f64> = dictionary.normalized_keys().into_iter().map(|code| of_code[code]).collect();
        if let Some(nulls) = column.nulls() {
            (0..column.len())
                .filter(|&row_idx| nulls.is_null(row_idx))
                .for_each(|row_idx| indices[row_idx] = self.extra());
        }
        indices
    }

    fn index_of(&self, found: Option<&u32>) -> f64 {
        f64::from(found.copied().unwrap_or(self.extra))
    }

    /// Why the value of this row, which is no label, is rejected.
    pub(super) fn rejection(&self, stage: &Uid, name: &str, column: &dyn Array, row_idx: usize) -> Rejection {
        let value = self.text_at(column, row_idx);
        let (code, message) = match value {
            Some(value) => (RejectCode::UnseenLabel, format!("unseen label: {value}")),
            None => (RejectCode::NullValue, "no label: null".to_owned()),
        };
        Rejection { stage: stage.to_string(), column: name.to_owned(), code, message }
    }

    fn text_at(&self, column: &dyn Array, row_idx: usize) -> Option<String> {
        let value = column.slice(row_idx, 1);
        if let DataType::Dictionary(..) = column.data_type() {
            let dictionary = value.as_any_dictionary();
            let code = dictionary.is_valid(0).then(|| dictionary.normalized_keys()[0])?;
            return self.text_at(dictionary.values(), code);
        }
        let mut text = None;
        match self.label_type {
            LabelType::Text => for_each_text(&value, |value| text = value.map(str::to_owned)),
            number => for_each_key(&value, |key| text = key.map(|key| number.text_of(key, self.version))),
        }
        text
    }
}
