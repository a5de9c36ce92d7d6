//! ognivo's decoder: bytes in memory to typed columns.

use ognivo_data::codec::RowDecoder;
use ognivo_data::codec::csv::{CsvDecoder, CsvOptions};
use ognivo_peers::{BATCH_ROWS, measure, schema};

fn main() {
    let options = CsvOptions::parse([("header", "true")]).expect("header is an option");
    measure(|mut bytes| {
        let mut decoder = CsvDecoder::new(schema(), &options, None, BATCH_ROWS).expect("all columns can be text");
        let mut batches = Vec::new();
        while !bytes.is_empty() {
            let consumed = decoder.push(bytes).expect("the data are well-formed");
            bytes = &bytes[consumed..];
            if decoder.is_full() {
                batches.extend(decoder.take().expect("the data are well-formed").map(|decoded| decoded.rows));
            }
        }
        decoder.finish().expect("the data are well-formed");
        batches.extend(decoder.take().expect("the data are well-formed").map(|decoded| decoded.rows));
        batches
    });
}
