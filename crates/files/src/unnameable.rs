//! Names in a file system that no path of a store can have; listings pass over them, and each is told once.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The names that were met so far.
#[derive(Debug, Default)]
pub(crate) struct Unnameable {
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    known: HashSet<String>,
    untold: Vec<String>,
}

/// After so many unnameable files nobody reads on.
const MAX_UNNAMEABLE: usize = 1_000;

impl Unnameable {
    /// Takes note of a name, given as a person can read it.
    pub(crate) fn note(&self, shown: String) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.known.len() < MAX_UNNAMEABLE && names.known.insert(shown.clone()) {
            let warning = format!("passed over, since its name is not UTF-8 or has a control character: {shown}");
            names.untold.push(warning);
        }
    }

    /// What was not told before.
    pub(crate) fn take_untold(&self) -> Vec<String> {
        std::mem::take(&mut self.names.lock().unwrap_or_else(PoisonError::into_inner).untold)
    }
}
