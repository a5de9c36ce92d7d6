//! The rules of the house that a compiler does not see, as tests: `cargo test -p xtask`.
//!
//! Each rule says what is wrong where, and what to do about it. To change a rule, change its table here and say why in
//! the commit.

mod layering;
mod sources;
mod stages;

use crate::program::{at_root, output, root};

/// Every file of the repository, as a path from its root: what git tracks, and what is new and not ignored.
fn files() -> Vec<String> {
    let mut git = at_root("git");
    git.args(["-c", "core.quotePath=false", "ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed = output(&mut git).expect("git lists the files of the repository");
    let there = |path: &&str| root().join(path).is_file();
    listed.lines().filter(there).map(str::to_owned).collect()
}

/// The text of a file, or nothing when it is not text.
fn text(path: &str) -> Option<String> {
    std::fs::read_to_string(root().join(path)).ok()
}

/// The lines of Rust code that are not comments and not in the test module at the end of a file, with their numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line));
    lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]").filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Fails with all complaints at once.
fn report(complaints: Vec<String>, advice: &str) {
    assert!(complaints.is_empty(), "\n{}\n{advice}\n", complaints.join("\n"));
}
