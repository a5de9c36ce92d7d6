//! One line on the terminal that says what is going on; nothing where stderr is no terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ognivo_files::hdfs::wait_for_servers;
use ognivo_ml::tuning::Progress;

use crate::print;

/// The line; clones write to the same one.
#[derive(Debug, Clone)]
pub(crate) struct ProgressLine {
    bar: ProgressBar,
    is_quiet: bool,
    /// Whether the end of the step is known, and things are counted instead of passes.
    is_counting: Arc<AtomicBool>,
}

impl ProgressLine {
    /// A line on stderr, unless `quiet` or stderr is no terminal.
    pub(crate) fn new(quiet: bool) -> ProgressLine {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::new_spinner();
        bar.set_draw_target(target);
        ProgressLine { bar, is_quiet: quiet, is_counting: Arc::default() }
    }

    /// From now on a cluster that does not serve is waited for, and said above the line to be.
    pub(crate) fn wait_for_servers(&self, deadline: Duration) {
        let bar = self.bar.clone();
        let is_quiet = self.is_quiet;
        wait_for_servers(deadline, move |words| {
            if !is_quiet {
                bar.suspend(|| print::say(words));
            }
        });
    }

    /// A new step begins.
    pub(crate) fn step(&self, name: &str) {
        if self.is_counting.swap(false, Ordering::Relaxed) {
            self.bar.set_style(ProgressStyle::default_spinner());
            self.bar.unset_length();
        }
        self.bar.set_position(0);
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message(name.to_owned());
    }

    /// A pass over the rows begins.
    pub(crate) fn pass(&self, name: &str) {
        if self.is_counting.load(Ordering::Relaxed) {
            return;
        }
        self.bar.inc(1);
        self.bar.set_message(format!("{}: pass {} ({name})", self.bar.prefix(), self.bar.position()));
    }

    /// From now on this step counts: of `n_all` things called `things` `n_done` are done.
    pub(crate) fn count(&self, things: &str, n_all: u64, n_done: u64) {
        let style = format!("{{msg}} [{{bar:30}}] {{pos}} of {{len}} {things}, {{eta}} left");
        self.is_counting.store(true, Ordering::Relaxed);
        self.bar.set_style(ProgressStyle::with_template(&style).expect("the template is well-formed"));
        self.bar.set_length(n_all);
        self.bar.set_position(n_done);
        self.bar.reset_eta();
    }

    /// One more of the things that are counted is done.
    pub(crate) fn advance(&self) {
        self.bar.inc(1);
    }

    /// A tuner has fitted or measured another setting.
    pub(crate) fn tuning(&self, progress: Progress) {
        let Progress { n_folds_done, n_folds, n_measured, n_to_measure } = progress;
        if !self.is_counting.load(Ordering::Relaxed) {
            self.count("settings", n_to_measure as u64, 0);
        }
        self.bar.set_position(n_measured as u64);
        self.bar.set_message(match (n_folds_done < n_folds, n_folds) {
            (false, _) => "fitting the best on all rows".to_owned(),
            (true, 1) => "measuring".to_owned(),
            (true, _) => format!("fold {} of {n_folds}", n_folds_done + 1),
        });
    }

    /// The line goes away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
