//! How much of a directory is read at most, so that a hostile or wrong one cannot fill memory, the stack or the day.

/// Bounds on what loading reads and holds. The defaults are far above any model that we have seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Files below the directory; a data lake given by mistake has more.
    pub files: usize,
    /// Bytes of one metadata line, after decompression.
    pub metadata_bytes: u64,
    /// Bytes of all Parquet files together, as they lie on disk.
    pub table_bytes: u64,
    /// Bytes of all tables together, decoded.
    pub decoded_bytes: u64,
    /// Stages in the whole tree.
    pub stages: usize,
    /// Stages inside stages inside stages.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            files: 200_000,
            metadata_bytes: 16 << 20,
            table_bytes: 2 << 30,
            decoded_bytes: 4 << 30,
            stages: 10_000,
            depth: 16,
        }
    }
}

/// What is left of the limits while a directory is read.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) metadata_bytes: u64,
    table_bytes: u64,
    decoded_bytes: u64,
    stages: usize,
}

/// A limit was reached; says which, and how much it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) what: &'static str,
    pub(crate) limit: u64,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Budget {
        Budget {
            metadata_bytes: limits.metadata_bytes,
            table_bytes: limits.table_bytes,
            decoded_bytes: limits.decoded_bytes,
            stages: limits.stages,
        }
    }

    pub(crate) fn take_table_bytes(&mut self, n_bytes: u64) -> Result<(), Exceeded> {
        take(&mut self.table_bytes, n_bytes, "bytes left to the directory's tables")
    }

    pub(crate) fn take_decoded_bytes(&mut self, n_bytes: u64) -> Result<(), Exceeded> {
        take(&mut self.decoded_bytes, n_bytes, "decoded bytes left to the directory's tables")
    }

    pub(crate) fn take_stages(&mut self, n_stages: usize) -> Result<(), Exceeded> {
        let mut left = self.stages as u64;
        take(&mut left, n_stages as u64, "stages left to the directory")?;
        self.stages -= n_stages;
        Ok(())
    }
}

fn take(left: &mut u64, amount: u64, what: &'static str) -> Result<(), Exceeded> {
    match left.checked_sub(amount) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(Exceeded { what, limit: *left }),
    }
}
