//! The names of groups above a plot, so that they hide no data.

use super::canvas::{Anchor, Canvas, fitted, text_px};
use super::{N_COLOURS, WIDTH};

/// How a group's sample looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    Line,
    Dot,
    Area,
    Reference,
}

/// A group in the legend.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) sample: Sample,
    /// Its number among the groups with colours.
    pub(super) colour: usize,
}

const ROW_PX: f64 = 18.0;
const SAMPLE_PX: f64 = 20.0;
const MAX_NAME_PX: f64 = 200.0;

/// Draws the entries in as many rows as they need, from the top; how high they are.
pub(super) fn draw(canvas: &mut Canvas, entries: &[Entry<'_>], left: f64) -> f64 {
    if entries.len() < 2 {
        return 0.0;
    }
    let (mut x, mut y) = (left, 12.0);
    for entry in entries {
        let name = fitted(entry.name, MAX_NAME_PX);
        let width = SAMPLE_PX + 6.0 + text_px(&name) + 12.0;
        if x > left && x + width > WIDTH {
            x = left;
            y += ROW_PX;
        }
        sample(canvas, entry, x, y - 4.0);
        canvas.name("tick", x + SAMPLE_PX + 6.0, y, Anchor::Start, entry.name, MAX_NAME_PX);
        x += width;
    }
    y + 8.0
}

fn sample(canvas: &mut Canvas, entry: &Entry<'_>, x: f64, y: f64) {
    let colour = entry.colour % N_COLOURS;
    match entry.sample {
        Sample::Line => canvas.line(&format!("line s{colour}"), (x, y), (x + SAMPLE_PX, y)),
        Sample::Reference => canvas.line("reference", (x, y), (x + SAMPLE_PX, y)),
        Sample::Dot => canvas.circle(&format!("dot s{colour}"), (x + SAMPLE_PX / 2.0, y), 4.0, ""),
        Sample::Area => canvas.rect(&format!("area s{colour}"), (x + 2.0, y - 5.0), (16.0, 10.0), ""),
    }
}
