//! The binary: parse the command line, hand it to the verb, turn what comes back into an exit code.

mod allocator;
mod checkpoint;
mod cli;
mod demo;
mod dlq;
mod doctor;
mod exit;
mod failure;
mod fs;
mod inspect;
mod job;
mod observed;
mod operate;
mod output_file;
mod print;
mod progress_line;
mod remote_file;
mod report;
mod row_losses;
mod score;
mod search;
mod stop_signals;
mod stopwatch;
mod stream;
mod tap;
mod top;
mod train;
mod tuned;
mod validate;
mod wire;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use cli::{Cli, Verb};
use failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse_from(cli::as_clap_takes_them(std::env::args_os()));
    run(&cli).unwrap_or_else(|failure| exit::report(failure.cause(), exit::code_of(failure.cause())))
}

fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    match &cli.verb {
        Verb::Demo { dir } => demo::run(dir)?,
        Verb::Init { dir } => demo::init(dir)?,
        Verb::Train { job, seed_uids } => train::run(job, *seed_uids, cli)?,
        Verb::Search { job, seed_uids } => return search::run(job, *seed_uids, cli),
        Verb::Score(args) => return score::run(args, cli),
        Verb::Stream { job, create_table: Some(form), .. } => stream::make_tables(job, *form)?,
        Verb::Stream { job, progress, .. } => return stream::run(job, *progress, cli),
        Verb::Top { job, once, interval } => return top::run(job, *once, *interval, cli),
        Verb::Tap { job, limit } => return tap::run(job, *limit),
        Verb::Inspect { model } => return inspect::run(model, cli.output),
        Verb::Validate { job, print } => return validate::run(job, *print, cli.output),
        Verb::Doctor { job } => return doctor::run(job, cli.output),
        Verb::Checkpoint { action } => checkpoint::run(action, cli.output)?,
        Verb::Dlq { action } => return dlq::run(action, cli),
        Verb::Fs { action } => return fs::run(action, cli.quiet),
        Verb::Schema => print::line(&format!("{:#}", job::json_schema::json_schema()))?,
        Verb::Completion { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "ognivo", &mut print::Stdout)
        }
        Verb::Version => print::line(&version())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn version() -> String {
    let known = ognivo_data::version::SparkVersion::ALL.map(|version| version.as_str()).join(", ");
    format!("ognivo {} (Spark {known})", env!("CARGO_PKG_VERSION"))
}
