//! What must not stand in the sources.

use super::{code_lines, files, report, text};

/// What the pure rooms (data, ml, report) must not know, and what to do instead.
const IMPURE: [(&str, &str); 14] = [
    ("println!", "return it"),
    ("print!(", "return it"),
    ("std::fs", "files are read by files and model"),
    ("std::net", "sockets belong to the doors"),
    ("std::env", "pass it in"),
    ("std::process", "return an error"),
    ("std::thread", "a pool is passed in"),
    ("thread::spawn", "a pool is passed in"),
    ("SystemTime", "time is passed in"),
    ("Instant::", "time is passed in"),
    ("Utc::now", "time is passed in"),
    ("Local::now", "time is passed in"),
    ("async fn", "the driver is in stream"),
    (".await", "the driver is in stream"),
];

/// Names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

/// Marks of unfinished work. Written in halves, so that this file does not hold them.
const UNFINISHED: [&str; 5] = [
    concat!("#[ign", "ore"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("db", "g!("),
    concat!("TO", "DO"),
];

/// Folders of one machine. Written in halves, so that this file does not hold them.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/tm", "p/h/"),
    concat!("/Us", "ers/"),
];

fn rust_files() -> Vec<String> {
    files().into_iter().filter(|path| path.ends_with(".rs")).collect()
}

const PURE_ROOMS: [&str; 3] = ["crates/data/src/", "crates/ml/src/", "crates/report/src/"];

#[test]
fn the_pure_rooms_know_no_clock_no_file_no_thread_and_no_terminal() {
    let is_pure = |path: &&String| PURE_ROOMS.iter().any(|room| path.starts_with(room));
    let is_test = |path: &&String| path.ends_with("/tests.rs") || path.contains("/tests/");
    let mut complaints = Vec::new();
    for path in rust_files().iter().filter(is_pure).filter(|path| !is_test(path)) {
        let text = text(path).unwrap_or_default();
        for (number, line) in code_lines(&text) {
            let found = IMPURE.iter().filter(|(word, _)| line.contains(word));
            complaints.extend(found.map(|(word, instead)| format!("{path}:{number}: {word} ({instead})")));
        }
    }
    report(complaints, "the pure rooms give the same bits everywhere because they know none of these");
}

#[test]
fn time_enters_through_the_clock_only() {
    let has_clock = ["crates/model/src/", "crates/stream/src/", "crates/files/src/", "crates/cassandra/src/"];
    let is_held = |path: &&String| has_clock.iter().any(|room| path.starts_with(room)) && !path.ends_with("/clock.rs");
    let now = ["SystemTime::now", "Instant::now", "Utc::now", "Local::now"];
    let mut complaints = Vec::new();
    for path in rust_files().iter().filter(is_held) {
        let text = text(path).unwrap_or_default();
        let lines = code_lines(&text).filter(|(_, line)| now.iter().any(|word| line.contains(word)));
        complaints.extend(lines.map(|(number, line)| format!("{path}:{number}: {}", line.trim())));
    }
    report(complaints, "take a Clock (stream/src/clock.rs) or a time as an argument, so that tests can set it");
}

#[test]
fn files_are_named_after_a_concept() {
    let is_empty =
        |path: &&String| path.split('/').any(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part)));
    let complaints = files().iter().filter(is_empty).map(|path| format!("{path}: the name says nothing")).collect();
    report(complaints, "if it cannot be named, the concept is not found yet");
}

#[test]
fn nothing_is_left_unfinished_or_switched_off() {
    let mut complaints = Vec::new();
    for path in rust_files() {
        let text = text(&path).unwrap_or_default();
        for (i, line) in text.lines().enumerate() {
            let found = UNFINISHED.iter().filter(|mark| line.contains(**mark));
            complaints.extend(found.map(|mark| format!("{path}:{}: {mark}", i + 1)));
        }
    }
    report(complaints, "finish it, or assert today's wrong behaviour with a FIXME sentence");
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let mut complaints = Vec::new();
    for path in files() {
        let Some(text) = text(&path) else { continue };
        for (i, line) in text.lines().enumerate() {
            let found = MACHINE_PATHS.iter().filter(|folder| line.contains(**folder));
            complaints.extend(found.map(|folder| format!("{path}:{}: {folder}", i + 1)));
        }
    }
    report(complaints, "paths are relative to the repository, or come from the environment");
}
