//! Counts in bins, one filled outline per group.

use super::N_COLOURS;
use super::canvas::Canvas;
use super::frame::Frame;
use super::legend::{Entry, Sample};
use super::scale::Scale;
use crate::content::Histogram;

/// The chart; `None` when there is no bin that can be drawn.
pub(super) fn draw(chart: &Histogram) -> Option<Canvas> {
    let x = Scale::new(&chart.x, chart.edges.iter().copied(), &[], (0.0, 1.0))?;
    let counts = chart.groups.iter().flat_map(|(_, values)| values.iter().copied());
    let y = Scale::new(&chart.y, counts, &[0.0], (0.0, 1.0))?.rounded_out();
    let entries: Vec<Entry<'_>> = (chart.groups.iter().enumerate())
        .map(|(colour, (name, _))| Entry { name, sample: Sample::Area, colour })
        .collect();
    let mut frame = Frame::new((&chart.x, x), (&chart.y, y), &entries);
    for (group, (_, values)) in chart.groups.iter().enumerate() {
        draw_group(&mut frame, &chart.edges, values, group % N_COLOURS);
    }
    Some(frame.canvas)
}

/// Steps from bin to bin, closed at the axis.
fn draw_group(frame: &mut Frame, edges: &[f64], values: &[f64], colour: usize) {
    let mut outline = Vec::new();
    for (borders, &value) in edges.windows(2).zip(values) {
        let value = if value.is_finite() { value } else { 0.0 };
        outline.extend([frame.at(borders[0], value), frame.at(borders[1], value)].into_iter().flatten());
    }
    let (bottom, _) = frame.y.ends_px();
    let (Some(first), Some(last)) = (outline.first().copied(), outline.last().copied()) else { return };
    outline.insert(0, (first.0, bottom));
    outline.push((last.0, bottom));
    frame.canvas.path(&format!("mark area s{colour}"), &outline);
}
