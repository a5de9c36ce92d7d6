//! The columns that a record has whatever its value holds: key, where it stands, and when it was made.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{Array as _, ArrayRef, Int32Array, StringArray};

use crate::offsets::TopicPartition;
use crate::records::{Header, Piece};
use crate::schema::{header_fields, header_item};

/// Makes them for one piece after the other. Nothing is copied but headers.
#[derive(Default)]
pub(crate) struct OwnColumns {
    /// Of the partition that was asked for last.
    same: Option<SameForAll>,
}

/// What all records of a partition share, as often as it was needed.
struct SameForAll {
    at: TopicPartition,
    topic: StringArray,
    partition: Int32Array,
}

impl OwnColumns {
    /// The column of this name, for all records of the piece.
    pub(crate) fn column(&mut self, name: &str, at: &TopicPartition, piece: &Piece) -> ArrayRef {
        let (block, start, n) = (&piece.block, piece.idx.start, piece.idx.len());
        match name {
            "key" => Arc::new(block.keys.slice(start, n)),
            "topic" => Arc::new(self.same_for_all(at, n).topic.slice(0, n)),
            "partition" => Arc::new(self.same_for_all(at, n).partition.slice(0, n)),
            "offset" => Arc::new(block.offsets.slice(start, n)),
            "timestamp" => Arc::new(block.timestamps.slice(start, n)),
            "timestampType" => Arc::new(block.time_types.slice(start, n)),
            "headers" => headers(&block.headers[piece.idx.clone()]),
            other => unreachable!("{other} is no column of records"),
        }
    }

    /// For at least so many records.
    fn same_for_all(&mut self, at: &TopicPartition, n: usize) -> &SameForAll {
        let fitting = self.same.take().filter(|same| same.at == *at && same.topic.len() >= n);
        self.same.insert(fitting.unwrap_or_else(|| SameForAll {
            at: at.clone(),
            topic: StringArray::from_iter_values(std::iter::repeat_n(at.topic.as_str(), n)),
            partition: Int32Array::from_value(at.partition, n),
        }))
    }
}

/// A record without headers has null, as in Spark.
fn headers(of_records: &[Vec<Header>]) -> ArrayRef {
    let item =
        StructBuilder::new(header_fields(), vec![Box::new(StringBuilder::new()), Box::new(BinaryBuilder::new())]);
    let mut column = ListBuilder::new(item).with_field(header_item());
    for headers in of_records {
        for (key, value) in headers {
            let item = column.values();
            item.field_builder::<StringBuilder>(0).expect("the first field is a string").append_value(key);
            let values = item.field_builder::<BinaryBuilder>(1).expect("the second field is binary");
            values.append_option(value.as_deref());
            item.append(true);
        }
        column.append(!headers.is_empty());
    }
    Arc::new(column.finish())
}
