//! One bar or dot per named row.

use super::WIDTH;
use super::canvas::{Anchor, Canvas, fitted, text_px};
use super::frame::draw_below;
use super::scale::Scale;
use crate::content::{RowChart, RowMark};
use crate::number::rounded;

const ROW_PX: f64 = 22.0;
/// Space for what the rows are together.
const TOP_PX: f64 = 22.0;
/// Names may take so much of the width, and are cut in their middle beyond.
const MAX_NAME_PX: f64 = 138.0;
/// Space for the number at the right of each row.
const VALUE_PX: f64 = 62.0;

/// The chart; `None` when there is no row that can be drawn.
pub(super) fn draw(chart: &RowChart) -> Option<Canvas> {
    let values = chart.rows.iter().flat_map(|row| {
        let (low, high) = row.spread.unwrap_or((row.value, row.value));
        [row.value, low, high]
    });
    let widest = chart.rows.iter().map(|row| text_px(&row.name)).fold(0.0, f64::max);
    let left = widest.min(MAX_NAME_PX) + 12.0;
    let must_show: &[f64] = if chart.is_bars { &[0.0] } else { &[] };
    let scale = Scale::new(&chart.axis, values, must_show, (left, WIDTH - VALUE_PX))?;
    let scale = if chart.is_bars { scale } else { scale.with_room(0.04) };
    let bottom = TOP_PX + chart.rows.len() as f64 * ROW_PX + 4.0;
    let mut canvas = Canvas::new(WIDTH, bottom + 42.0);
    canvas.text("label", 2.0, 13.0, Anchor::Start, &fitted(&chart.row_label, WIDTH - 4.0));
    draw_grid(&mut canvas, &scale, bottom);
    for (row_idx, row) in chart.rows.iter().enumerate() {
        let middle = TOP_PX + (row_idx as f64 + 0.5) * ROW_PX;
        let class = if row.is_marked { "tick strong" } else { "tick" };
        canvas.name(class, left - 8.0, middle + 4.0, Anchor::End, &row.name, left - 12.0);
        canvas.text(class, WIDTH - 2.0, middle + 4.0, Anchor::End, &rounded(row.value, 4));
        match chart.is_bars {
            true => draw_bar(&mut canvas, &scale, row, middle),
            false => draw_dot(&mut canvas, &scale, row, middle),
        }
    }
    draw_below(&mut canvas, &scale, &chart.axis, bottom);
    if let Some(zero) = scale.at(0.0).filter(|_| chart.is_bars) {
        canvas.line("axis", (zero, TOP_PX), (zero, bottom));
    }
    Some(canvas)
}

fn draw_grid(canvas: &mut Canvas, scale: &Scale, bottom: f64) {
    for (value, _) in scale.ticks() {
        if let Some(at) = scale.at(value) {
            canvas.line("grid", (at, TOP_PX), (at, bottom));
        }
    }
}

/// A bar from 0; to the left it has the colour of the second group.
fn draw_bar(canvas: &mut Canvas, scale: &Scale, row: &RowMark, middle: f64) {
    let (Some(zero), Some(end)) = (scale.at(0.0), scale.at(row.value)) else { return };
    let class = if row.value < 0.0 { "mark bar s1" } else { "mark bar s0" };
    // A bar of no width could not be seen, nor be told from one that is missing.
    let width = (end - zero).abs().max(0.6);
    canvas.rect(class, (zero.min(end), middle - 7.0), (width, 14.0), &title(row));
    draw_whisker(canvas, scale, row, middle, "whisker ink");
}

fn draw_dot(canvas: &mut Canvas, scale: &Scale, row: &RowMark, middle: f64) {
    let colour = if row.is_marked { "s1" } else { "s0" };
    draw_whisker(canvas, scale, row, middle, &format!("whisker {colour}"));
    if let Some(at) = scale.at(row.value) {
        canvas.circle(&format!("mark dot {colour}"), (at, middle), if row.is_marked { 5.0 } else { 4.0 }, &title(row));
    }
}

fn draw_whisker(canvas: &mut Canvas, scale: &Scale, row: &RowMark, middle: f64, class: &str) {
    let Some((low, high)) = row.spread else { return };
    let (Some(from), Some(to)) = (scale.at(low), scale.at(high)) else { return };
    canvas.line(class, (from, middle), (to, middle));
    for end in [from, to] {
        canvas.line(class, (end, middle - 4.0), (end, middle + 4.0));
    }
}

fn title(row: &RowMark) -> String {
    match row.spread {
        Some((low, high)) => {
            format!("{}: {} ({} to {})", row.name, rounded(row.value, 6), rounded(low, 4), rounded(high, 4))
        }
        None => format!("{}: {}", row.name, rounded(row.value, 6)),
    }
}
