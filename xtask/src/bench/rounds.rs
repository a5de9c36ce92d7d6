//! Rounds of several programs, each beginning with another one.

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
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// The spread of at least one value.
pub(super) fn spread(values: impl IntoIterator<Item = f64>) -> Spread {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
    Spread { median, min: sorted[0], max: sorted[sorted.len() - 1] }
}

/// Theirs ÷ ours, round by round.
pub(super) fn ratios(theirs: &[f64], ours: &[f64]) -> Spread {
    spread(theirs.iter().zip(ours).map(|(t, o)| t / o))
}

/// Seconds as a table shows them.
pub(super) fn seconds(values: &[f64]) -> String {
    let Spread { median, min, max } = spread(values.iter().copied());
    let digits = if median < 1.0 {
        3
    } else if median < 10.0 {
        2
    } else {
        1
    };
    format!("{median:.digits$} s ({min:.digits$}–{max:.digits$})")
}

/// A ratio as a table shows it.
pub(super) fn times(ratio: &Spread) -> String {
    let digits = if ratio.median < 10.0 { 2 } else { 0 };
    format!("{:.digits$} ({:.digits$}–{:.digits$})", ratio.median, ratio.min, ratio.max)
}

#[cfg(test)]
mod tests {
    use super::{ratios, rotate, spread};

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
    fn ratios_are_taken_within_a_round() {
        let s = ratios(&[2.0, 30.0, 4.0], &[1.0, 10.0, 1.0]);
        assert!((s.median - 3.0).abs() < 1e-12);
    }
}
