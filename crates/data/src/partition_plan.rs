//! How files become partitions: Spark's rule, which its samplers see.
//!
//! Which rows `random_split` draws for a part depends on which rows share a partition, so the rows of a dataset must be spread
//! as Spark spreads them. The rule is a function of lengths and settings alone, and empty files do not count:
//!
//! 1. the **split size** is `min(max_partition_bytes, max(open_cost_bytes, Σ(length + open_cost_bytes) / parallelism))`;
//! 2. files that can be read from the middle are cut into pieces of that size, others stay whole;
//! 3. pieces are sorted by length, longest first, equal ones in the order of the files;
//! 4. they fill partitions one after the other: a piece that does not fit any more opens the next partition, and each piece
//!    that is taken costs its length and `open_cost_bytes`.
//!
//! A piece of a text file owns the lines that begin **after** its start, up to and including the one that begins exactly at
//! its end; the first piece owns the line at 0 too. So whoever reads a piece with `start > 0` begins at `start`, throws away
//! what there is up to the first line end, and reads on until a line begins behind `end`. A header is in the first piece only.
//! A piece of a Parquet file owns the row groups whose middle byte lies in it.

use std::cmp::Reverse;
use std::ops::Range;

/// What the rule knows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLength {
    /// Its length on disk.
    pub bytes: u64,
    /// Whether reading can begin in the middle: true for Parquet and for text that is neither compressed nor multi-line.
    pub splittable: bool,
}

/// The settings behind the rule, with Spark's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionSettings {
    /// `spark.sql.files.maxPartitionBytes`: the largest piece of a file.
    pub max_partition_bytes: u64,
    /// `spark.sql.files.openCostInBytes`: what opening a file costs, in bytes that could be read meanwhile.
    pub open_cost_bytes: u64,
    /// `spark.sql.files.minPartitionNum` or the default parallelism (`local[n]`: n): how many partitions there should at least be.
    pub parallelism: u64,
}

impl Default for PartitionSettings {
    fn default() -> PartitionSettings {
        const MIB: u64 = 1 << 20;
        PartitionSettings { max_partition_bytes: 128 * MIB, open_cost_bytes: 4 * MIB, parallelism: 1 }
    }
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Which file, counted in the order in which they were given.
    pub file_idx: usize,
    /// Which of its bytes.
    pub bytes: Range<u64>,
}

/// The pieces of each partition, in the order in which they are read.
///
/// `files` stand in the order in which they are listed, which matters where lengths are equal. HDFS lists by name; on a local
/// disk Spark takes the order in which the disk lists them, which is no order that a second disk would repeat. An empty file
/// has no piece.
///
/// Same as Spark: `FilePartition`, 2.4 to 4.3, as long as `spark.sql.files.maxPartitionNum` is not set.
pub fn plan_partitions(files: &[FileLength], settings: &PartitionSettings) -> Vec<Vec<Piece>> {
    let split_bytes = split_bytes(files, settings);
    let mut pieces: Vec<Piece> =
        files.iter().enumerate().flat_map(|(file_idx, file)| pieces_of(file_idx, file, split_bytes)).collect();
    pieces.sort_by_key(|piece| Reverse(length(piece)));

    let mut partitions: Vec<Vec<Piece>> = Vec::new();
    let mut used_bytes = 0_u64;
    for piece in pieces {
        if partitions.is_empty() || used_bytes.saturating_add(length(&piece)) > split_bytes {
            partitions.push(Vec::new());
            used_bytes = 0;
        }
        used_bytes = used_bytes.saturating_add(length(&piece)).saturating_add(settings.open_cost_bytes);
        partitions.last_mut().expect("a partition was opened above").push(piece);
    }
    partitions
}

fn split_bytes(files: &[FileLength], settings: &PartitionSettings) -> u64 {
    let cost = |file: &FileLength| file.bytes.saturating_add(settings.open_cost_bytes);
    let total = files.iter().filter(|file| file.bytes > 0).map(cost).fold(0, u64::saturating_add);
    let share = total / settings.parallelism.max(1);
    // At least one byte, so that cutting comes to an end whatever the settings say.
    settings.max_partition_bytes.min(share.max(settings.open_cost_bytes)).max(1)
}

fn pieces_of(file_idx: usize, file: &FileLength, split_bytes: u64) -> Vec<Piece> {
    if !file.splittable && file.bytes > 0 {
        return vec![Piece { file_idx, bytes: 0..file.bytes }];
    }
    let piece = |n: u64| n * split_bytes..n.saturating_add(1).saturating_mul(split_bytes).min(file.bytes);
    (0..file.bytes.div_ceil(split_bytes)).map(|n| Piece { file_idx, bytes: piece(n) }).collect()
}

fn length(piece: &Piece) -> u64 {
    piece.bytes.end - piece.bytes.start
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn text(bytes: u64) -> FileLength {
        FileLength { bytes, splittable: true }
    }

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;

    #[track_caller]
    fn check(files: &[FileLength], parallelism: u64, n_pieces: &[usize]) {
        let settings = PartitionSettings { parallelism, ..PartitionSettings::default() };
        let partitions = plan_partitions(files, &settings);
        assert_eq!(partitions.iter().map(Vec::len).collect::<Vec<_>>(), n_pieces);
    }

    #[test]
    fn a_small_file_is_one_partition_whatever_the_cores() {
        check(&[text(751 * KIB)], 1, &[1]);
        check(&[text(751 * KIB)], 2, &[1]);
        check(&[text(751 * KIB)], 64, &[1]);
    }

    #[test]
    fn twenty_small_files_are_packed_by_their_open_cost() {
        // One core: (20 × (0.73 + 4) MiB) stays below 128 MiB, which is the split size then.
        check(&[text(751 * KIB); 20], 1, &[20]);
        check(&[text(751 * KIB); 20], 2, &[10, 10]);
        check(&[text(751 * KIB); 20], 20, &[1; 20]);
    }

    #[test]
    fn a_large_file_is_cut_and_a_compressed_one_is_not() {
        check(&[text(300 * MIB)], 1, &[1, 1, 1]);
        check(&[FileLength { bytes: 300 * MIB, splittable: false }], 1, &[1]);
    }

    #[test]
    fn no_file_and_no_byte_give_no_partition() {
        check(&[], 1, &[]);
        check(&[text(0), text(0)], 2, &[]);
        check(&[FileLength { bytes: 0, splittable: false }], 2, &[]);
    }

    #[test]
    fn settings_of_zero_and_without_end_are_survived() {
        let zero = PartitionSettings { max_partition_bytes: 0, open_cost_bytes: 0, parallelism: 0 };
        assert_eq!(plan_partitions(&[text(3)], &zero).len(), 3);
        let endless = PartitionSettings { max_partition_bytes: u64::MAX, open_cost_bytes: u64::MAX, parallelism: 1 };
        assert_eq!(plan_partitions(&[text(u64::MAX), text(1)], &endless).len(), 1);
    }

    /// The lines `[first, end)` of a piece, by the rule in the module's comment, when every line has `line_bytes` bytes.
    fn lines_of(piece: &Piece, line_bytes: u64, file_bytes: u64) -> Range<u64> {
        let first = if piece.bytes.start == 0 { 0 } else { piece.bytes.start / line_bytes + 1 };
        let end = if piece.bytes.end == 0 { 0 } else { piece.bytes.end / line_bytes + 1 };
        first..end.min(file_bytes / line_bytes)
    }

    /// Written by `fixtures/spark/partitions.py`; compressed files are left to the lengths of their pieces.
    #[test]
    fn lines_lie_in_the_partitions_in_which_spark_has_them() {
        for version in ["3.5", "4.3"] {
            let path = format!("{}/../../fixtures/spark/{version}/partitions.json", env!("CARGO_MANIFEST_DIR"));
            let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            for case in fixture["cases"].as_array().unwrap() {
                let number = |key: &str| case[key].as_u64().unwrap();
                let splittable = case["splittable"].as_bool().unwrap();
                let lengths = case["files"].as_array().unwrap().iter().map(|bytes| bytes.as_u64().unwrap());
                let files: Vec<FileLength> = lengths.map(|bytes| FileLength { bytes, splittable }).collect();
                let settings = PartitionSettings {
                    max_partition_bytes: number("maxPartitionBytes"),
                    open_cost_bytes: number("openCostInBytes"),
                    parallelism: number("minPartitionNum"),
                };
                let planned: Vec<Vec<u64>> = plan_partitions(&files, &settings)
                    .iter()
                    .map(|pieces| runs(pieces, &files, number("lineBytes"), case["folder"] == "compressed"))
                    .collect();
                let spark: Vec<Vec<u64>> = case["partitions"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|partition| {
                        let runs = partition.as_array().unwrap().iter().map(|run| run.as_array().unwrap());
                        runs.flat_map(|run| run.iter().map(|number| number.as_u64().unwrap())).collect()
                    })
                    .collect();
                if case["folder"] == "compressed" {
                    let files_only = |runs: &Vec<u64>| runs.iter().step_by(3).copied().collect::<Vec<_>>();
                    let (planned, spark) = (planned.iter().map(files_only), spark.iter().map(files_only));
                    assert!(planned.eq(spark), "{case}");
                } else {
                    assert_eq!(planned, spark, "{case}");
                }
            }
        }
    }

    /// File, first line and number of lines of each run of neighbouring lines, one after the other.
    fn runs(pieces: &[Piece], files: &[FileLength], line_bytes: u64, is_compressed: bool) -> Vec<u64> {
        let mut runs: Vec<u64> = Vec::new();
        for piece in pieces {
            let lines = lines_of(piece, line_bytes, files[piece.file_idx].bytes);
            if lines.is_empty() && !is_compressed {
                continue;
            }
            let n_lines = lines.end - lines.start;
            match runs[..] {
                [.., file, first, ref n] if file == piece.file_idx as u64 && first + n == lines.start => {
                    *runs.last_mut().expect("there is a run") += n_lines;
                }
                _ => runs.extend([piece.file_idx as u64, lines.start, n_lines]),
            }
        }
        runs
    }
}
