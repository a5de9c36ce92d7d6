//! Steps that mostly wait for servers, in lanes that run side by side; each line that a step prints is told with the step's name.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::program::at_root;

/// A command of ours, by its words.
pub(crate) type Step = &'static [&'static str];

/// Runs each lane's steps one after the other. After a failure no lane begins another step; those that run come to their end, and so
/// stop their servers.
///
/// # Errors
/// The steps that failed.
pub(crate) fn run(lanes: &[&[Step]]) -> Result<(), String> {
    let ourselves = std::env::current_exe().map_err(|e| format!("this program cannot be found: {e}"))?;
    let has_failed = AtomicBool::new(false);
    let one_after_the_other = |lane: &[Step]| {
        let mut steps = lane.iter().take_while(|_| !has_failed.load(Ordering::Relaxed));
        let done = steps.try_for_each(|step| run_step(&ourselves, step));
        has_failed.fetch_or(done.is_err(), Ordering::Relaxed);
        done
    };
    let errors: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = lanes.iter().map(|lane| scope.spawn(|| one_after_the_other(lane))).collect();
        let ended = running.into_iter().map(|lane| lane.join().unwrap_or_else(|_| Err("a lane panicked".to_owned())));
        ended.filter_map(Result::err).collect()
    });
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}

/// How long what a step has printed is still read after its end: a program that it left behind may hold the pipe for ever.
const READ_ON: Duration = Duration::from_secs(5);

fn run_step(ourselves: &Path, step: Step) -> Result<(), String> {
    let (name, begin) = (step.join(" "), Instant::now());
    println!("[{name}] begins");
    let failed = |e: std::io::Error| format!("cargo xtask {name}: {e}");
    let mut command = at_root(ourselves);
    let mut child = command.args(step).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let (is_read, all_are_read) = mpsc::channel();
    tell(&name, child.stdout.take(), is_read.clone());
    tell(&name, child.stderr.take(), is_read);
    let status = child.wait().map_err(failed)?;
    // The channel ends with the last reader.
    let _ = all_are_read.recv_timeout(READ_ON);
    let seconds = begin.elapsed().as_secs();
    match status.success() {
        true => {
            println!("[{name}] ok, {seconds} s");
            Ok(())
        }
        false => {
            // The other lane may go on for long.
            println!("[{name}] FAILED, {seconds} s");
            Err(format!("cargo xtask {name} ended with {status} after {seconds} s"))
        }
    }
}

/// Tells each line, from now on; `is_read` is let go of at the end.
fn tell(name: &str, output: Option<impl Read + Send + 'static>, is_read: mpsc::Sender<()>) {
    let Some(output) = output else { return };
    let name = name.to_owned();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(output);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|n_bytes| n_bytes > 0) {
            println!("[{name}] {}", String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
        drop(is_read);
    });
}
