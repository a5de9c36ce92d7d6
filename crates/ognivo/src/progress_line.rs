//! One line on the terminal that says what is going on; nothing where stderr is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget};

/// The line; clones write to the same one.
#[derive(Debug, Clone)]
pub(crate) struct ProgressLine {
    bar: ProgressBar,
}

impl ProgressLine {
    /// A line on stderr, unless `quiet` or stderr is no terminal.
    pub(crate) fn new(quiet: bool) -> ProgressLine {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::new_spinner();
        bar.set_draw_target(target);
        ProgressLine { bar }
    }

    /// A new step begins.
    pub(crate) fn step(&self, name: &str) {
        self.bar.set_position(0);
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message(name.to_owned());
    }

    /// A pass over the rows begins.
    pub(crate) fn pass(&self, name: &str) {
        self.bar.inc(1);
        self.bar.set_message(format!("{}: pass {} ({name})", self.bar.prefix(), self.bar.position()));
    }

    /// The line goes away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
