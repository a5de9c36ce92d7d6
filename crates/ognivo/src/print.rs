//! All that the program prints: results to stdout, words about them to stderr.
//!
//! A reader of results that went away (`| head`) is no error. Words to stderr are lost when nobody can read them.

use std::io::{self, Write};
use std::path::Path;

use crate::failure::{Failure, FileFailure};

/// Prints a line to stdout.
///
/// # Errors
/// When stdout cannot be written for another reason than a closed pipe, which ends the program in peace.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints a line to stdout, if anybody can read it: for what goes on whether somebody reads or not.
pub(crate) fn line_if_read(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Prints a line to stderr, if anybody can read it.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes bytes to stdout, see [`line`].
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => end_in_peace(),
        Err(error) => Err(FileFailure::of("write", Path::new("stdout"))(error).into()),
    }
}

#[allow(clippy::exit, reason = "nobody reads our results any more; there is nothing left to do and nothing went wrong")]
fn end_in_peace() -> ! {
    std::process::exit(0)
}

/// Aligned columns: each row's cells padded to the widest of their column, two blanks between.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width_of = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..n_columns).map(|column| width_of(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// 1234567 as `1,234,567`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Standard output as a writer, for code that wants one.
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match io::stdout().lock().write(buffer) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => end_in_peace(),
            written => written,
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        io::stdout().lock().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 12, 1234, 1_234_567].map(thousands), ["0", "12", "1,234", "1,234,567"]);
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), "22".to_owned()]];
        assert_eq!(table(&rows), "a     1\nlong  22\n");
    }
}
