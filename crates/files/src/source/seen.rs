//! Which files were taken already, and which are so old that nobody need remember them.

use std::collections::HashMap;

/// The files that were taken, by path or by name, with their times.
///
/// Age is counted from the newest file taken, not from the clock. What is older than `max_age_ms` is forgotten and never
/// counts as new again; before the first file is taken nothing is too old.
///
/// Same as Spark: `FileStreamSource.SeenFilesMap`, 2.4 to 4.3.
#[derive(Debug, Clone)]
pub(super) struct SeenFiles {
    max_age_ms: i64,
    file_name_only: bool,
    times: HashMap<String, i64>,
    newest_ms: i64,
    /// No file that is remembered is older; it may be that none is so old.
    oldest_ms: i64,
    forgotten_below_ms: i64,
}

impl SeenFiles {
    pub(super) fn new(max_age_ms: i64, file_name_only: bool) -> SeenFiles {
        SeenFiles {
            max_age_ms,
            file_name_only,
            times: HashMap::new(),
            newest_ms: 0,
            oldest_ms: i64::MAX,
            forgotten_below_ms: 0,
        }
    }

    pub(super) fn add(&mut self, path: &str, modified_ms: i64) {
        self.newest_ms = self.newest_ms.max(modified_ms);
        self.oldest_ms = self.oldest_ms.min(modified_ms);
        self.times.insert(self.key(path).to_owned(), modified_ms);
    }

    pub(super) fn is_new(&self, path: &str, modified_ms: i64) -> bool {
        modified_ms >= self.forgotten_below_ms && !self.times.contains_key(self.key(path))
    }

    /// Forgets files that are too old; called after each batch.
    pub(super) fn forget_old(&mut self) {
        self.forgotten_below_ms = self.newest_ms.saturating_sub(self.max_age_ms);
        let forgotten_below_ms = self.forgotten_below_ms;
        // Nothing to forget, which is so after most batches: a look at every file each time would add up.
        if self.oldest_ms >= forgotten_below_ms {
            return;
        }
        self.times.retain(|_, &mut modified_ms| modified_ms >= forgotten_below_ms);
        self.oldest_ms = self.times.values().copied().min().unwrap_or(i64::MAX);
    }

    fn key<'a>(&self, path: &'a str) -> &'a str {
        match self.file_name_only {
            true => path.rsplit('/').next().unwrap_or(path),
            false => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_counted_from_the_newest_file_taken() {
        let mut seen = SeenFiles::new(10, false);
        assert!(seen.is_new("in/a", 0), "nothing is too old in the first listing");
        seen.add("in/a", 5);
        seen.forget_old();
        assert!(!seen.is_new("in/a", 5));
        assert!(!seen.is_new("in/a", 7), "a changed file is the same file");
        seen.add("in/b", 20);
        seen.forget_old();
        assert!(!seen.is_new("in/a", 5), "it is forgotten, and too old to be new");
        assert!(seen.is_new("in/a", 10), "it is forgotten, and has a new time");
        assert!(seen.is_new("in/c", 10));
        assert!(!seen.is_new("in/c", 9));
    }

    #[test]
    fn with_names_only_the_folder_does_not_count() {
        let mut seen = SeenFiles::new(i64::MAX, true);
        seen.add("in/1/a.csv", 5);
        seen.forget_old();
        assert!(!seen.is_new("in/2/a.csv", 6));
        assert!(seen.is_new("in/2/b.csv", 6));
    }
}
