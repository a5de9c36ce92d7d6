//! JSON records into Arrow columns by ognivo's decoder, as the source of topics uses it.

use ognivo_data::codec::RecordDecoder;
use ognivo_data::codec::json::{JsonDecoder, JsonOptions};
use ognivo_peers::{BATCH_ROWS, measure_json, schema};

fn main() {
    measure_json(
        |bytes, records| {
            let records: Vec<_> = records.iter().cloned().map(Some).collect();
            let mut decoder =
                JsonDecoder::new(schema(), &JsonOptions::default(), None, BATCH_ROWS).expect("known types");
            let batches = records.chunks(BATCH_ROWS).map(|some| {
                let decoded = decoder.decode_records(bytes, some).expect("the records are well-formed");
                assert!(decoded.malformed.is_empty(), "the records are well-formed");
                decoded.rows
            });
            batches.collect::<Vec<_>>()
        },
        |batches, _, _| batches,
    );
}
