//! Rounds of several programs, each beginning with another one.

use super::Row;

/// Runs every program once a round; `measured[p][r]` is what program `p` gave in round `r`.
///
/// # Errors
/// The first error of a program.
pub(super) fn rotate<T>(
    n_rounds: usize,
    n_programs: usize,
    mut run: impl FnMut(usize) -> Result<T, String>,
) -> Result<Vec<Vec<T>>, String> {
    let mut measured: Vec<Vec<T>> = (0..n_programs).map(|_| Vec::new()).collect();
    for round in 0..n_rounds {
        for turn in 0..n_programs {
            let program = (round + turn) % n_programs;
            measured[program].push(run(program)?);
        }
    }
    Ok(measured)
}

/// Median, smallest and largest.
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

/// The spread of at least one value.
fn spread(values: impl IntoIterator<Item = f64>) -> Spread {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
    Spread { median, min: sorted[0], max: sorted[sorted.len() - 1] }
}

/// Theirs ÷ ours, round by round.
fn ratios(theirs: &[f64], ours: &[f64]) -> Spread {
    spread(theirs.iter().zip(ours).map(|(t, o)| t / o))
}

/// What two programs gave in the same rounds.
pub(super) struct Figures<'a> {
    pub(super) ours: &'a [f64],
    pub(super) theirs: &'a [f64],
    /// How the table shows one side.
    pub(super) shown: fn(&[f64]) -> String,
}

impl Figures<'_> {
    /// A row of the table; `goal` is what the ratio should be at least.
    pub(super) fn row(&self, what: &str, peer: &str, goal: Option<f64>) -> Row {
        let ratio = ratios(self.theirs, self.ours);
        Row {
            what: what.to_owned(),
            ours: (self.shown)(self.ours),
            theirs: format!("{peer} {}", (self.shown)(self.theirs)),
            ratio: times(&ratio),
            goal: goal.map_or_else(String::new, |goal| {
                format!("{goal}{}", if ratio.median >= goal { "" } else { " **missed**" })
            }),
        }
    }
}

/// A row of shares, of which the median should be at most `goal`.
pub(super) fn row_of_share(what: &str, shares: &[f64], goal: f64) -> Row {
    let percents: Vec<f64> = shares.iter().map(|share| share * 100.0).collect();
    let is_missed = spread(shares.iter().copied()).median > goal;
    let goal = format!("at most {} %{}", goal * 100.0, if is_missed { " **missed**" } else { "" });
    Row { goal, ..Row::of_ours(what, shown(&percents, "%")) }
}

/// Seconds as a table shows them.
pub(super) fn seconds(values: &[f64]) -> String {
    shown(values, "s")
}

/// Milliseconds, given in seconds.
pub(super) fn milliseconds(values: &[f64]) -> String {
    shown(&values.iter().map(|value| value * 1e3).collect::<Vec<_>>(), "ms")
}

/// Nanoseconds, given in seconds.
pub(super) fn nanoseconds(values: &[f64]) -> String {
    shown(&values.iter().map(|value| value * 1e9).collect::<Vec<_>>(), "ns")
}

/// Megabytes, given in bytes.
pub(super) fn megabytes(values: &[f64]) -> String {
    shown(&values.iter().map(|value| value / 1e6).collect::<Vec<_>>(), "MB")
}

fn shown(values: &[f64], unit: &str) -> String {
    let Spread { median, min, max } = spread(values.iter().copied());
    let digits = if median < 1.0 {
        3
    } else if median < 10.0 {
        2
    } else {
        1
    };
    format!("{median:.digits$} {unit} ({min:.digits$}–{max:.digits$})")
}

/// A ratio as a table shows it.
fn times(ratio: &Spread) -> String {
    let digits = if ratio.median < 10.0 { 2 } else { 0 };
    format!("{:.digits$} ({:.digits$}–{:.digits$})", ratio.median, ratio.min, ratio.max)
}

#[cfg(test)]
mod tests {
    use super::{ratios, rotate, row_of_share, spread};

    #[test]
    fn every_round_begins_with_another_program() {
        let mut order = Vec::new();
        let measured = rotate(3, 2, |program| {
            order.push(program);
            Ok(order.len())
        });
        assert_eq!(order, [0, 1, 1, 0, 0, 1]);
        assert_eq!(measured.unwrap(), [vec![1, 4, 5], vec![2, 3, 6]]);
    }

    #[test]
    fn the_median_of_an_even_count_lies_between_the_two_in_the_middle() {
        let s = spread([4.0, 1.0, 3.0, 10.0]);
        assert!((s.median - 3.5).abs() < 1e-12 && (s.min - 1.0).abs() < 1e-12 && (s.max - 10.0).abs() < 1e-12);
    }

    #[test]
    fn a_share_above_its_goal_is_missed() {
        let row = row_of_share("x", &[0.02, 0.03, 0.09], 0.05);
        assert_eq!((row.ours.as_str(), row.goal.as_str()), ("3.00 % (2.00–9.00)", "at most 5 %"));
        assert_eq!(row_of_share("x", &[0.06], 0.05).goal, "at most 5 % **missed**");
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let s = ratios(&[2.0, 30.0, 4.0], &[1.0, 10.0, 1.0]);
        assert!((s.median - 3.0).abs() < 1e-12);
    }
}
