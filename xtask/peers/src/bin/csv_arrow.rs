//! arrow-csv: bytes in memory to typed columns.

use arrow_csv::ReaderBuilder;
use ognivo_peers::{BATCH_ROWS, measure, schema};

fn main() {
    measure(|mut bytes| {
        let mut decoder = ReaderBuilder::new(schema()).with_header(true).with_batch_size(BATCH_ROWS).build_decoder();
        let mut batches = Vec::new();
        loop {
            let consumed = decoder.decode(bytes).expect("the data are well-formed");
            bytes = &bytes[consumed..];
            if consumed == 0 || decoder.capacity() == 0 {
                match decoder.flush().expect("the data are well-formed") {
                    Some(rows) => batches.push(rows),
                    None => return batches,
                }
            }
        }
    });
}
