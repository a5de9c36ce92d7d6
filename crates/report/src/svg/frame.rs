//! Two axes with their round numbers, names and grid: the place in which a chart draws.

use super::canvas::{Anchor, Canvas, fitted, text_px};
use super::legend::{self, Entry};
use super::scale::Scale;
use super::{HEIGHT, WIDTH};
use crate::content::Axis;

/// Space for the numbers and the name below.
const BELOW_PX: f64 = 42.0;
/// Space at the right, for half of the last number.
const RIGHT_PX: f64 = 14.0;

/// A plot's area and scales.
pub(super) struct Frame {
    pub(super) canvas: Canvas,
    pub(super) x: Scale,
    pub(super) y: Scale,
}

impl Frame {
    /// A picture with legend and axes; the scales are moved to where there is room for them.
    pub(super) fn new(x: (&Axis, Scale), y: (&Axis, Scale), entries: &[Entry<'_>]) -> Frame {
        let (x_axis, x) = x;
        let (y_axis, y) = y;
        let mut canvas = Canvas::new(WIDTH, HEIGHT);
        let widest = y.ticks().iter().map(|(_, text)| text_px(text)).fold(0.0, f64::max);
        let left = 20.0 + widest + 6.0;
        let top = legend::draw(&mut canvas, entries, 4.0) + 10.0;
        let bottom = HEIGHT - BELOW_PX;
        let mut frame = Frame { canvas, x: x.moved(left, WIDTH - RIGHT_PX), y: y.moved(bottom, top) };
        frame.draw_y_axis(y_axis);
        frame.draw_x_axis(x_axis);
        frame
    }

    /// The place of a point; `None` when it has none.
    pub(super) fn at(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.x.at(x)?, self.y.at(y)?))
    }

    fn draw_y_axis(&mut self, axis: &Axis) {
        let (left, right) = self.x.ends_px();
        for (value, text) in self.y.ticks() {
            let Some(at) = self.y.at(value) else { continue };
            self.canvas.line("grid", (left, at), (right, at));
            self.canvas.text("tick", left - 6.0, at + 4.0, Anchor::End, &text);
        }
        let (bottom, top) = self.y.ends_px();
        let label = fitted_label(&axis.label, bottom - top + 16.0);
        self.canvas.upright_text("label", 12.0, (bottom + top) / 2.0, &label);
    }

    fn draw_x_axis(&mut self, axis: &Axis) {
        let (left, right) = self.x.ends_px();
        let (bottom, _) = self.y.ends_px();
        draw_below(&mut self.canvas, &self.x, axis, bottom);
        self.canvas.line("axis", (left, bottom), (right, bottom));
    }
}

/// The numbers and the name of an axis below a plot; numbers that would touch are left out.
pub(super) fn draw_below(canvas: &mut Canvas, scale: &Scale, axis: &Axis, bottom: f64) {
    let mut free_from = f64::NEG_INFINITY;
    for (value, text) in scale.ticks() {
        let Some(at) = scale.at(value) else { continue };
        let half = text_px(&text) / 2.0;
        canvas.line("axis", (at, bottom), (at, bottom + 4.0));
        // The last number may not leave the picture either.
        if at - half < free_from || at + half > WIDTH + 4.0 {
            continue;
        }
        canvas.text("tick", at, bottom + 17.0, Anchor::Middle, &text);
        free_from = at + half + 6.0;
    }
    let (left, right) = scale.ends_px();
    let middle = (left + right) / 2.0;
    let room = 2.0 * (WIDTH - middle).min(middle) - 4.0;
    canvas.text("label", middle, bottom + 36.0, Anchor::Middle, &fitted_label(&axis.label, room));
}

/// The name of an axis cut to `width`; its letters are broader than others.
fn fitted_label(label: &str, width: f64) -> String {
    fitted(label, width / 1.15)
}
