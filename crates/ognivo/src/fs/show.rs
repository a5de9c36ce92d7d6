//! The lines of `ls` and `du`, column for column as `hdfs dfs` writes them.
//!
//! ```text
//! drwxr-xr-x   - alice supergroup          0 2026-11-25 14:34 /loans/data
//! -rw-r--r--   1 alice supergroup     852062 2026-11-25 14:34 /loans/loan_data.csv
//! ```

use chrono::{DateTime, Local};

use super::operand::Found;

/// How `ls` shows what it found.
pub(crate) struct Listing {
    pub(crate) is_recursive: bool,
    pub(crate) is_human: bool,
}

/// The widest cell of each column, of the entries of one folder.
pub(crate) struct Widths {
    replicas: usize,
    owner: usize,
    group: usize,
    size: usize,
}

impl Listing {
    /// A line for each.
    pub(crate) fn lines(&self, entries: &[Found]) -> String {
        let widths = self.widths(entries);
        entries.iter().map(|entry| format!("{}\n", self.line(entry, &widths))).collect()
    }

    pub(crate) fn widths(&self, entries: &[Found]) -> Widths {
        let widest = |least: usize, width: &dyn Fn(&Found) -> usize| entries.iter().map(width).fold(least, usize::max);
        Widths {
            replicas: widest(3, &|found| replicas(found).len()),
            owner: widest(0, &|found| found.entry.owner.len()),
            group: widest(0, &|found| found.entry.group.len()),
            size: widest(10, &|found| size(found.entry.size_bytes, self.is_human).len()),
        }
    }

    pub(crate) fn line(&self, found: &Found, widths: &Widths) -> String {
        let entry = &found.entry;
        format!(
            "{} {:>replicas$} {:owner$} {:group$} {:>size$} {} {}",
            permissions(entry.mode, entry.is_folder),
            replicas(found),
            entry.owner,
            entry.group,
            size(entry.size_bytes, self.is_human),
            time(entry.modified_ms),
            found.shown,
            replicas = widths.replicas,
            owner = widths.owner,
            group = widths.group,
            size = widths.size,
        )
    }
}

fn replicas(found: &Found) -> String {
    found.entry.n_replicas.map_or_else(|| "-".to_owned(), |n| n.to_string())
}

fn permissions(mode: u16, is_folder: bool) -> String {
    const STICKY: u16 = 0o1000;
    let mut text = String::from(if is_folder { "d" } else { "-" });
    for (position, letter) in "rwxrwxrwx".chars().enumerate() {
        text.push(if mode & (0o400 >> position) != 0 { letter } else { '-' });
    }
    if mode & STICKY != 0 {
        let last = if text.ends_with('x') { 't' } else { 'T' };
        text.pop();
        text.push(last);
    }
    text
}

fn time(ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(ms).unwrap_or_default().with_timezone(&Local);
    time.format("%Y-%m-%d %H:%M").to_string()
}

/// `852062`, or `832.1 K`.
fn size(n_bytes: u64, is_human: bool) -> String {
    const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];
    let Some(exponent) = (n_bytes.checked_ilog2().unwrap_or(0) / 10).checked_sub(1).filter(|_| is_human) else {
        return n_bytes.to_string();
    };
    let unit = 1_u64 << (10 * (exponent + 1));
    format!("{:.1} {}", n_bytes as f64 / unit as f64, UNITS[exponent as usize])
}

/// What something takes.
pub(crate) struct Usage {
    pub(crate) n_bytes: u64,
    pub(crate) n_bytes_on_disks: u64,
    pub(crate) shown: String,
}

/// A line for each: bytes, bytes on all disks, path.
pub(crate) fn usage(rows: &[Usage], is_human: bool) -> String {
    let cells: Vec<[String; 2]> =
        rows.iter().map(|row| [row.n_bytes, row.n_bytes_on_disks].map(|n| size(n, is_human))).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let line =
        |(row, [n, on_disks]): (&Usage, &[String; 2])| format!("{n:first$}  {on_disks:second$}  {}\n", row.shown);
    rows.iter().zip(&cells).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_as_hadoop_shows_them() {
        let human = [0, 6, 1023, 1024, 72_716, 72_896, 218_005, 5 << 30].map(|n| size(n, true));
        assert_eq!(human, ["0", "6", "1023", "1.0 K", "71.0 K", "71.2 K", "212.9 K", "5.0 G"]);
        assert_eq!(size(72_716, false), "72716");
    }

    #[test]
    fn permissions_are_ten_letters() {
        let shown =
            [(0o755, true), (0o644, false), (0o1777, true), (0o1776, true)].map(|(mode, is)| permissions(mode, is));
        assert_eq!(shown, ["drwxr-xr-x", "-rw-r--r--", "drwxrwxrwt", "drwxrwxrwT"]);
    }

    #[test]
    fn usage_is_padded_to_the_right() {
        let row = |n_bytes, shown: &str| Usage { n_bytes, n_bytes_on_disks: n_bytes * 3, shown: shown.to_owned() };
        let shown = usage(&[row(6, "/ref/a.txt"), row(218_005, "/ref/tree")], false);
        assert_eq!(shown, "6       18      /ref/a.txt\n218005  654015  /ref/tree\n");
    }
}
