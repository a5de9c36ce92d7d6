//! Scores parsed rows with a model, in blocks and one by one: `row_ognivo MODEL FILE`.

use std::time::Instant;

use arrow_array::RecordBatch;
use ognivo::ml::stage::BoundStage;
use ognivo_peers::{decode, schema};

/// How often all rows are scored.
const N_PASSES: usize = 20;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let model = ognivo::load(arguments.next().expect("the first argument is a model")).expect("the model loads");
    let file = arguments.next().expect("the second argument is a CSV file");
    let rows = decode(&std::fs::read(file).expect("the CSV file can be read"));
    let bound = model.bind(&schema()).expect("the columns are there");
    let alone: Vec<RecordBatch> = (0..rows[0].num_rows()).map(|row| rows[0].slice(row, 1)).collect();
    println!(
        r#"{{"seconds_per_row": {}, "seconds_per_row_alone": {}}}"#,
        seconds_per_row(bound.as_ref(), &rows),
        seconds_per_row(bound.as_ref(), &alone)
    );
}

fn seconds_per_row(bound: &dyn BoundStage, batches: &[RecordBatch]) -> f64 {
    let n_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let begin = Instant::now();
    for _ in 0..N_PASSES {
        for rows in batches {
            let outcome = bound.apply(rows.clone()).expect("the rows suit the model");
            assert_eq!(outcome.rows.num_rows(), rows.num_rows(), "every row is scored");
        }
    }
    begin.elapsed().as_secs_f64() / (N_PASSES * n_rows) as f64
}
