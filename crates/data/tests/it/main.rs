//! ognivo-data against real Spark, one file a subject.

/// Avro is read and written as Spark reads and writes it.
mod avro_like_spark;
/// What the readers are held against.
mod cases;
/// CSV is read as Spark reads it, however its bytes are pushed.
mod csv_like_spark;
/// CSV that is none is taken apart as Spark takes it apart.
mod csv_scrambled;
/// CSV is written as Spark writes it.
mod csv_written_like_spark;
/// Spans, rejects and errors of the decoders.
mod decoders;
/// Random numbers, those of the tests within the crate.
#[path = "../../src/codec/dice.rs"]
mod dice;
/// JSON lines are read as Spark reads them, however their bytes are pushed.
mod json_like_spark;
/// JSON lines are written as Spark writes them.
mod json_written_like_spark;
/// `random_split` and `sample` draw the rows that Spark draws.
mod split;
