//! A number per pair of names, darker where it is a larger share of its row.

use super::WIDTH;
use super::canvas::{Anchor, Canvas, fitted, text_px};
use crate::content::HeatMap;
use crate::number::{count, percent};

/// Names of rows may take so much of the width.
const MAX_NAME_PX: f64 = 110.0;
/// Space for what the columns are, and for their names; upright names need more.
const TOP_PX: f64 = 42.0;
const TOP_OF_UPRIGHT_PX: f64 = 78.0;
const MIN_CELL_PX: f64 = 26.0;
/// Cells of fewer pixels have no room for a number.
const MIN_TEXT_PX: f64 = 34.0;
/// The darkest cell still leaves its number readable.
const MAX_SHADE: f64 = 0.6;

/// The chart; `None` without a cell.
pub(super) fn draw(chart: &HeatMap) -> Option<Canvas> {
    if chart.rows.is_empty() || chart.columns.is_empty() {
        return None;
    }
    let widest = chart.rows.iter().map(|name| text_px(name)).fold(0.0, f64::max);
    let left = 22.0 + widest.min(MAX_NAME_PX) + 8.0;
    let width = (WIDTH - left) / chart.columns.len() as f64;
    let height = (200.0 / chart.rows.len() as f64).clamp(MIN_CELL_PX, 56.0);
    let top = if width >= MIN_TEXT_PX { TOP_PX } else { TOP_OF_UPRIGHT_PX };
    let bottom = top + height * chart.rows.len() as f64;
    let mut canvas = Canvas::new(WIDTH, bottom + 6.0);
    canvas.text("label", (left + WIDTH) / 2.0, 14.0, Anchor::Middle, &chart.column_label);
    canvas.upright_text("label", 12.0, (top + bottom) / 2.0, &chart.row_label);
    for (column, name) in chart.columns.iter().enumerate() {
        let middle = left + (column as f64 + 0.5) * width - 1.0;
        match width >= MIN_TEXT_PX {
            true => canvas.name("tick", middle, top - 8.0, Anchor::Middle, name, width - 4.0),
            false => canvas.upright_text("tick", middle + 4.0, top - 28.0, &fitted(name, 48.0)),
        }
    }
    for (row_idx, (name, counts)) in chart.rows.iter().zip(&chart.counts).enumerate() {
        let row_top = top + row_idx as f64 * height;
        canvas.name("tick", left - 8.0, row_top + height / 2.0 + 4.0, Anchor::End, name, left - 30.0);
        let total: u64 = counts.iter().sum();
        for (column, &n) in counts.iter().enumerate() {
            let share = if total == 0 { 0.0 } else { n as f64 / total as f64 };
            let corner = (left + column as f64 * width, row_top);
            let title = format!("{name} → {}: {} ({})", chart.columns[column], count(n), percent(share));
            canvas.shade("mark cell s0", corner, (width - 2.0, height - 2.0), share * MAX_SHADE, &title);
            draw_numbers(&mut canvas, corner, (width, height), n, share);
        }
    }
    Some(canvas)
}

fn draw_numbers(canvas: &mut Canvas, corner: (f64, f64), size: (f64, f64), n: u64, share: f64) {
    let (text, middle) = (count(n), corner.0 + size.0 / 2.0 - 1.0);
    if size.0 < MIN_TEXT_PX.max(text_px(&text)) {
        return;
    }
    if size.1 >= 44.0 && size.0 >= 60.0 {
        canvas.text("value strong", middle, corner.1 + size.1 / 2.0 - 3.0, Anchor::Middle, &text);
        canvas.text("value", middle, corner.1 + size.1 / 2.0 + 14.0, Anchor::Middle, &percent(share));
    } else {
        canvas.text("value", middle, corner.1 + size.1 / 2.0 + 3.0, Anchor::Middle, &text);
    }
}
