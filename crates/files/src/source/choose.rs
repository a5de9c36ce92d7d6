//! Which of the new files a batch takes, and which wait for the next one.

use crate::listing::InputFile;

/// How much one batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchLimit {
    /// Everything that is new.
    #[default]
    None,
    /// `maxFilesPerTrigger`: so many files.
    Files(usize),
    /// `maxBytesPerTrigger`: files of so many bytes together, at least one file.
    Bytes(u64),
}

/// The files of a batch and those that stay in memory for the next, without a new listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Choice {
    pub(super) taken: Vec<InputFile>,
    pub(super) cached: Vec<InputFile>,
}

/// When the rest of a listing is kept for the next batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CachePolicy {
    /// `maxCachedFiles`; 0 keeps nothing.
    pub(super) max_files: usize,
    /// `discardCachedInputRatio`: a rest below this part of the limit is dropped, so that the next batch lists anew.
    pub(super) discard_ratio: f64,
}

/// Splits new files, in the order in which they are taken.
///
/// Same as Spark: `FileStreamSource.fetchMaxOffset`, 3.x and 4.x.
pub(super) fn choose(mut new: Vec<InputFile>, limit: BatchLimit, cache: Option<CachePolicy>) -> Choice {
    let n_taken = within(new.iter(), limit).count();
    let rest = new.split_off(n_taken);
    let cached = cache.map_or_else(Vec::new, |cache| worth_keeping(rest, limit, cache));
    Choice { taken: new, cached }
}

/// The part of a listing's rest that waits for the next batch.
fn worth_keeping(mut rest: Vec<InputFile>, limit: BatchLimit, cache: CachePolicy) -> Vec<InputFile> {
    let is_enough = match limit {
        BatchLimit::None => false,
        BatchLimit::Files(max) => rest.len() as f64 >= max as f64 * cache.discard_ratio,
        BatchLimit::Bytes(max) => {
            let total: u64 = rest.iter().map(|file| file.size_bytes).sum();
            total as f64 >= max as f64 * cache.discard_ratio
        }
    };
    rest.truncate(if is_enough { cache.max_files } else { 0 });
    rest
}

/// The files from the first on that one batch takes: with a limit of bytes at least one. The rest is not looked at, but one.
pub(super) fn within<'a>(
    files: impl Iterator<Item = &'a InputFile>,
    limit: BatchLimit,
) -> impl Iterator<Item = &'a InputFile> {
    let (max_files, max_bytes) = match limit {
        BatchLimit::None => (usize::MAX, u64::MAX),
        BatchLimit::Files(max) => (max, u64::MAX),
        BatchLimit::Bytes(max) => (usize::MAX, max),
    };
    let mut used: u64 = 0;
    let mut is_first = true;
    files.take(max_files).take_while(move |file| {
        used = used.saturating_add(file.size_bytes);
        std::mem::take(&mut is_first) || used <= max_bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::path::Path;

    fn files(sizes: &[u64]) -> Vec<InputFile> {
        let file = |(i, &size_bytes): (usize, &u64)| InputFile {
            path: Path::parse(format!("in/{i}")).unwrap(),
            size_bytes,
            modified_ms: i as i64,
            folders: Vec::new(),
        };
        sizes.iter().enumerate().map(file).collect()
    }

    #[track_caller]
    fn check(sizes: &[u64], limit: BatchLimit, n_taken: usize, n_cached: usize) {
        let cache = CachePolicy { max_files: 6, discard_ratio: 0.2 };
        let choice = choose(files(sizes), limit, Some(cache));
        assert_eq!((choice.taken.len(), choice.cached.len()), (n_taken, n_cached));
        assert_eq!(choose(files(sizes), limit, None).cached, []);
    }

    #[test]
    fn a_limit_of_files_leaves_the_rest_for_later() {
        check(&[1; 5], BatchLimit::None, 5, 0);
        check(&[1; 5], BatchLimit::Files(2), 2, 3);
        check(&[1; 5], BatchLimit::Files(9), 5, 0);
        check(&[1; 20], BatchLimit::Files(2), 2, 6);
    }

    #[test]
    fn a_small_rest_is_dropped_so_that_the_next_batch_lists_anew() {
        check(&[1; 11], BatchLimit::Files(10), 10, 0);
        check(&[1; 12], BatchLimit::Files(10), 10, 2);
    }

    #[test]
    fn a_limit_of_bytes_takes_at_least_one_file() {
        check(&[50, 1, 1], BatchLimit::Bytes(10), 1, 2);
        check(&[5, 5, 1, 1], BatchLimit::Bytes(10), 2, 2);
        check(&[], BatchLimit::Bytes(10), 0, 0);
    }
}
