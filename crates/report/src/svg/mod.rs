//! Charts as inline SVG: every size in CSS pixels at the width that a telephone shows, colours from the page's style.
//!
//! A mark that shows data has the class `mark`; the check in the browser looks for them.

mod canvas;
mod frame;
mod heat;
mod histogram;
mod legend;
mod rows;
mod scale;
mod small_histogram;
mod xy;

pub(crate) use small_histogram::small_histogram;

use crate::content::{Chart, Figure};

/// Width of every chart. Pages show it at this size or a little larger.
const WIDTH: f64 = 360.0;

/// Height of charts that do not grow with their rows.
const HEIGHT: f64 = 260.0;

/// Colours that a chart has for its groups; the next one takes the first again.
const N_COLOURS: usize = 6;

/// The chart of a figure.
pub(crate) fn chart(figure: &Figure) -> String {
    let canvas = match &figure.chart {
        Chart::Xy(chart) => xy::draw(chart),
        Chart::Rows(chart) => rows::draw(chart),
        Chart::Histogram(chart) => histogram::draw(chart),
        Chart::Heat(chart) => heat::draw(chart),
    };
    canvas.unwrap_or_else(nothing_to_draw).finish(&figure.title)
}

/// What stands where a chart has no number that can be drawn.
fn nothing_to_draw() -> canvas::Canvas {
    let mut canvas = canvas::Canvas::new(WIDTH, 80.0);
    canvas.text("empty", WIDTH / 2.0, 44.0, canvas::Anchor::Middle, "there is nothing to draw");
    canvas
}

#[cfg(test)]
mod tests;
