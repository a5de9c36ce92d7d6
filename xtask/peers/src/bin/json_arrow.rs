//! JSON records into Arrow columns by arrow-json, as lines.

use arrow_json::ReaderBuilder;
use ognivo_peers::{BATCH_ROWS, measure_json, schema};

fn main() {
    measure_json(
        |bytes, _| {
            let reader = ReaderBuilder::new(schema()).with_batch_size(BATCH_ROWS).build(bytes).expect("known types");
            reader.map(|batch| batch.expect("the records are well-formed")).collect::<Vec<_>>()
        },
        |batches, _, _| batches,
    );
}
