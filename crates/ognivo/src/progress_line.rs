//! One line on the terminal that says what is going on; nothing where stderr is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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
        self.bar.set_style(ProgressStyle::default_spinner());
        self.bar.set_position(0);
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message(name.to_owned());
    }

    /// A pass over the rows begins.
    pub(crate) fn pass(&self, name: &str) {
        self.bar.inc(1);
        self.bar.set_message(format!("{}: pass {} ({name})", self.bar.prefix(), self.bar.position()));
    }

    /// A step of which the end is known begins: `n_all` things called `things`, of which `n_done` are done.
    pub(crate) fn expect(&self, things: &str, n_all: u64, n_done: u64) {
        let style = format!("{{prefix}} {{bar:30}} {{pos}} of {{len}} {things}, {{eta}} left");
        self.bar.set_style(ProgressStyle::with_template(&style).expect("the template names what a bar has"));
        self.bar.set_length(n_all);
        self.bar.set_position(n_done);
        self.bar.reset_eta();
    }

    /// One more of the expected things is done.
    pub(crate) fn advance(&self) {
        self.bar.inc(1);
    }

    /// The line goes away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
