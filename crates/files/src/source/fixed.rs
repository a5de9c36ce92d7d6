//! The files that there were when the end was fixed, taken batch by batch without looking at all of them each time.

use super::choose::{BatchLimit, within};
use super::seen::SeenFiles;
use crate::listing::InputFile;

/// A listing that does not grow, in the order in which its files are taken.
#[derive(Debug, Default)]
pub(super) struct FixedFiles {
    files: Vec<InputFile>,
    /// The files before this one are in the log, or too old.
    n_passed: usize,
}

impl FixedFiles {
    pub(super) fn new(files: Vec<InputFile>) -> FixedFiles {
        FixedFiles { files, n_passed: 0 }
    }

    /// The log is read anew: what was taken for passed must be looked at again.
    pub(super) fn rewind(&mut self) {
        self.n_passed = 0;
    }

    /// The next batch's files. A file that is not new must stay so until [`rewind`](FixedFiles::rewind).
    ///
    /// With `file_name_only`, two files of one name are the same file.
    pub(super) fn next(
        &mut self,
        limit: BatchLimit,
        file_name_only: bool,
        is_new: impl Fn(&InputFile) -> bool,
    ) -> Vec<InputFile> {
        let n_old = self.files[self.n_passed..].iter().take_while(|file| !is_new(file)).count();
        self.n_passed += n_old;
        let mut names = SeenFiles::new(i64::MAX, true);
        let new = self.files[self.n_passed..].iter().filter(|file| is_new(file)).filter(|file| {
            let is_first = !file_name_only || names.is_new(file.path.as_ref(), file.modified_ms);
            if file_name_only {
                names.add(file.path.as_ref(), file.modified_ms);
            }
            is_first
        });
        within(new, limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::path::Path;
    use std::cell::{Cell, RefCell};
    use std::collections::HashSet;

    const N_FILES: usize = 1_000;

    fn listing() -> Vec<InputFile> {
        let file = |i: usize| InputFile {
            path: Path::parse(format!("in/{i:04}")).unwrap(),
            size_bytes: 2,
            modified_ms: i as i64,
            folders: Vec::new(),
        };
        (0..N_FILES).map(file).collect()
    }

    /// Takes everything batch by batch; the number of batches, and how often a file was looked at.
    #[track_caller]
    fn check(limit: BatchLimit, n_batches: usize) {
        let mut fixed = FixedFiles::new(listing());
        let (taken, n_looks) = (RefCell::new(HashSet::new()), Cell::new(0));
        let is_new = |file: &InputFile| {
            n_looks.set(n_looks.get() + 1);
            !taken.borrow().contains(&file.path)
        };
        let mut found = Vec::new();
        for _ in 0..n_batches {
            let batch = fixed.next(limit, false, is_new);
            assert!(!batch.is_empty());
            taken.borrow_mut().extend(batch.iter().map(|file| file.path.clone()));
            found.extend(batch);
        }
        assert_eq!(fixed.next(limit, false, is_new), []);
        assert_eq!(found, listing());
        assert!(n_looks.get() <= 5 * N_FILES, "{}", n_looks.get());
    }

    #[test]
    fn many_batches_look_at_each_file_a_few_times_only() {
        check(BatchLimit::None, 1);
        check(BatchLimit::Files(1), N_FILES);
        check(BatchLimit::Bytes(4), N_FILES / 2);
    }

    #[test]
    fn after_a_rewind_a_file_that_was_not_logged_comes_again() {
        let mut fixed = FixedFiles::new(listing());
        let [first, second] = [0, 1].map(|i| listing().swap_remove(i));
        assert_eq!(fixed.next(BatchLimit::Files(1), false, |file| *file != first), [second]);
        fixed.rewind();
        assert_eq!(fixed.next(BatchLimit::Files(1), false, |_| true), [first]);
    }
}
