//! How the optimiser got on.

use crate::content::{Axis, Chart, Form, Section, Series, XyChart, thinned};
use crate::number::short;

/// The section: the objective at the start and after each iteration.
pub fn objective(history: &[f64]) -> Section {
    let mut section = Section::new("objective", "Objective by iteration");
    let (Some(first), Some(last)) = (history.first(), history.last()) else { return section };
    let points: Vec<(f64, f64)> = history.iter().enumerate().map(|(i, &value)| (i as f64, value)).collect();
    let form = if history.len() <= 40 { Form::LineWithDots } else { Form::Line };
    let series = vec![Series::new("", form, thinned(&points))];
    let chart = XyChart { x: Axis::whole("iteration"), y: Axis::new("loss and penalty"), series };
    let caption = match history.len() {
        1 => format!("{}: nothing was minimised", short(*first)),
        n => format!("From {} to {} in {} iterations.", short(*first), short(*last), n - 1),
    };
    section.figure("history", "What was minimised", caption, Chart::Xy(chart));
    section
}
