//! Points and lines over two axes.

use super::N_COLOURS;
use super::canvas::Canvas;
use super::frame::Frame;
use super::legend::{Entry, Sample};
use super::scale::Scale;
use crate::content::{Form, Mark, Series, XyChart};
use crate::number::rounded;

/// The chart; `None` when there is no point that can be drawn.
pub(super) fn draw(chart: &XyChart) -> Option<Canvas> {
    let marks = || chart.series.iter().flat_map(|series| &series.points);
    let x = Scale::new(&chart.x, marks().map(|mark| mark.x), &[], (0.0, 1.0))?;
    let y_values = marks().flat_map(|mark| {
        let (low, high) = mark.spread.unwrap_or((mark.y, mark.y));
        [mark.y, low, high]
    });
    let y = Scale::new(&chart.y, y_values, &[], (0.0, 1.0))?;
    let x = if chart.x.range.is_none() && is_dots_only(chart) { x.with_room(0.04) } else { x };
    let y = if chart.y.range.is_none() { y.rounded_out() } else { y };
    let mut frame = Frame::new((&chart.x, x), (&chart.y, y), &entries(chart));
    for (series, colour) in chart.series.iter().zip(colours(chart)) {
        draw_series(&mut frame, series, colour % N_COLOURS);
    }
    Some(frame.canvas)
}

fn is_dots_only(chart: &XyChart) -> bool {
    chart.series.iter().all(|series| matches!(series.form, Form::Dots | Form::Reference))
}

/// The number of each series among those with a colour; a reference has none.
fn colours(chart: &XyChart) -> Vec<usize> {
    let mut next = 0;
    let number = |series: &Series| {
        let number = next;
        next += usize::from(series.form != Form::Reference);
        number
    };
    chart.series.iter().map(number).collect()
}

fn entries(chart: &XyChart) -> Vec<Entry<'_>> {
    let sample = |form: Form| match form {
        Form::Line | Form::LineWithDots => Sample::Line,
        Form::Dots => Sample::Dot,
        Form::Reference => Sample::Reference,
    };
    let named = chart.series.iter().zip(colours(chart)).filter(|(series, _)| !series.name.is_empty());
    named.map(|(series, colour)| Entry { name: &series.name, sample: sample(series.form), colour }).collect()
}

fn draw_series(frame: &mut Frame, series: &Series, colour: usize) {
    for mark in &series.points {
        draw_spread(frame, mark, colour);
    }
    match series.form {
        Form::Reference => draw_line(frame, series, "reference"),
        Form::Line => draw_line(frame, series, &format!("mark line s{colour}")),
        Form::Dots => draw_dots(frame, series, colour),
        Form::LineWithDots => {
            draw_line(frame, series, &format!("mark line s{colour}"));
            draw_dots(frame, series, colour);
        }
    }
}

/// A line through the points; it is broken where a point has no place.
fn draw_line(frame: &mut Frame, series: &Series, class: &str) {
    let places: Vec<Option<(f64, f64)>> = series.points.iter().map(|mark| frame.at(mark.x, mark.y)).collect();
    for piece in places.split(Option::is_none).filter(|piece| !piece.is_empty()) {
        let piece: Vec<(f64, f64)> = piece.iter().flatten().copied().collect();
        frame.canvas.path(class, &piece);
    }
}

/// Above so many dots each is small and faint, so that one sees where they are many.
const MANY_DOTS: usize = 80;

fn draw_dots(frame: &mut Frame, series: &Series, colour: usize) {
    let are_many = series.points.len() > MANY_DOTS;
    let (class, radius) =
        if are_many { (format!("mark cloud s{colour}"), 2.4) } else { (format!("mark dot s{colour}"), 4.0) };
    for mark in &series.points {
        let Some(place) = frame.at(mark.x, mark.y) else { continue };
        let title = if are_many { String::new() } else { format!("{}; {}", rounded(mark.x, 4), rounded(mark.y, 4)) };
        frame.canvas.circle(&class, place, radius, &title);
    }
}

fn draw_spread(frame: &mut Frame, mark: &Mark, colour: usize) {
    let Some((low, high)) = mark.spread else { return };
    let (Some(from), Some(to)) = (frame.at(mark.x, low), frame.at(mark.x, high)) else { return };
    frame.canvas.line(&format!("whisker s{colour}"), from, to);
    for end in [from, to] {
        frame.canvas.line(&format!("whisker s{colour}"), (end.0 - 4.0, end.1), (end.0 + 4.0, end.1));
    }
}
