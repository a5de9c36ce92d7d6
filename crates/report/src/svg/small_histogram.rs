//! A histogram of the size of a word, for cells of tables.

use super::canvas::Canvas;
use crate::content::Bins;
use crate::number::rounded;

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 24.0;

/// The bins as bars without axes; the range stands in its name.
pub(crate) fn small_histogram(bins: &Bins) -> String {
    let most = bins.counts.iter().copied().max().unwrap_or(0);
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    canvas.line("axis", (0.0, HEIGHT - 0.5), (WIDTH, HEIGHT - 0.5));
    let width = WIDTH / bins.counts.len().max(1) as f64;
    let bar = |(bin, &n): (usize, &u64)| {
        // A bar that holds few is seen all the same.
        let height = if n == 0 { 0.0 } else { (n as f64 / most as f64 * (HEIGHT - 2.0)).max(1.0) };
        let (left, right, top) = (bin as f64 * width, (bin as f64 + 1.0) * width - 0.5, HEIGHT - 1.0 - height);
        [(left, HEIGHT - 1.0), (left, top), (right, top), (right, HEIGHT - 1.0)]
    };
    let outline: Vec<(f64, f64)> = bins.counts.iter().enumerate().flat_map(bar).collect();
    canvas.path("mark bar s0", &outline);
    canvas.finish(&format!("from {} to {}", rounded(bins.from, 4), rounded(bins.to, 4)))
}
