//! What every chart keeps, whatever the numbers are.

use super::chart;
use crate::content::{Axis, Chart, Figure, Form, HeatMap, Histogram, Mark, RowChart, RowMark, Series, XyChart};

fn draw(content: Chart) -> String {
    chart(&Figure { id: "x", title: "a chart".to_owned(), caption: String::new(), chart: content })
}

/// Lists of numbers that charts meet, wild ones among them.
const VALUES: [&[f64]; 8] = [
    &[],
    &[f64::NAN],
    &[0.0],
    &[1.0, 1.0, 1.0],
    &[f64::INFINITY, 1.0, f64::NEG_INFINITY, f64::NAN, -3.0],
    &[1e308, -1e308],
    &[5e-324, 0.0],
    &[0.1, 0.2, 0.4, 0.8],
];

fn xy(form: Form, values: &[f64], is_log: bool) -> Chart {
    let points = values.iter().enumerate().map(|(i, &value)| Mark {
        x: value,
        y: value * i as f64,
        spread: Some((value - 1.0, f64::NAN)),
    });
    let series = Series { name: "a".to_owned(), form, points: points.collect() };
    let reference = Series::new("b", Form::Reference, [(0.0, 0.0), (1.0, 1.0)]);
    XyChart { x: Axis::new("x").log(is_log), y: Axis::new("y"), series: vec![series, reference] }.into()
}

impl From<XyChart> for Chart {
    fn from(chart: XyChart) -> Chart {
        Chart::Xy(chart)
    }
}

fn rows(values: &[f64], is_bars: bool) -> Chart {
    let row = |(i, &value): (usize, &f64)| RowMark {
        name: format!("row {i}"),
        value,
        spread: Some((value - 1.0, value + 1.0)),
        is_marked: i == 0,
    };
    let rows = values.iter().enumerate().map(row).collect();
    Chart::Rows(RowChart { axis: Axis::new("x"), row_label: "row".to_owned(), is_bars, rows })
}

fn histogram(values: &[f64]) -> Chart {
    let groups = vec![("a".to_owned(), values.to_vec()), ("b".to_owned(), Vec::new())];
    let edges = (0..=values.len()).map(|edge| edge as f64).collect();
    Chart::Histogram(Histogram { x: Axis::new("x"), y: Axis::new("y"), edges, groups })
}

fn every_chart() -> Vec<Chart> {
    let mut charts = Vec::new();
    for values in VALUES {
        for form in [Form::Line, Form::LineWithDots, Form::Dots, Form::Reference] {
            charts.extend([xy(form, values, false), xy(form, values, true)]);
        }
        charts.extend([rows(values, true), rows(values, false), histogram(values)]);
    }
    for n in [0, 1, 2, 40] {
        let names: Vec<String> = (0..n).map(|i| format!("class {i}")).collect();
        let (row_label, column_label) = ("label".to_owned(), "prediction".to_owned());
        let counts = vec![vec![0; n]; n];
        charts.push(Chart::Heat(HeatMap { row_label, column_label, rows: names.clone(), columns: names, counts }));
    }
    charts
}

#[test]
fn no_coordinate_is_a_number_that_is_none() {
    for content in every_chart() {
        let svg = draw(content.clone());
        let coordinates: String = svg.split('"').skip(1).step_by(2).collect();
        for word in ["NaN", "inf"] {
            assert!(!coordinates.contains(word), "{word}: {content:?}\n{svg}");
        }
    }
}

#[test]
fn every_shape_lies_inside_of_the_picture() {
    for content in every_chart() {
        let svg = draw(content.clone());
        let bounds: Vec<f64> = attribute(&svg, "viewBox")[0].split(' ').map(|n| n.parse().unwrap()).collect();
        for (names, most) in [(["x", "x1", "x2", "cx"], bounds[2]), (["y", "y1", "y2", "cy"], bounds[3])] {
            for value in names.iter().flat_map(|name| attribute(&svg, name)) {
                let value: f64 = value.parse().unwrap();
                assert!((-8.0..=most + 8.0).contains(&value), "{names:?} {value}: {content:?}\n{svg}");
            }
        }
    }
}

fn attribute<'a>(svg: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    svg.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn a_chart_without_numbers_says_so() {
    for content in [xy(Form::Line, &[f64::NAN], true), rows(&[], true), rows(&[f64::NAN], false)] {
        let Chart::Xy(XyChart { mut series, x, y }) = content else { continue };
        series.truncate(1);
        assert!(draw(XyChart { x, y, series }.into()).contains("there is nothing to draw"));
    }
    assert!(draw(rows(&[], true)).contains("there is nothing to draw"));
    assert!(!draw(rows(&[1.0], true)).contains("there is nothing to draw"));
}

#[test]
fn one_point_alone_is_seen() {
    let series = Series::new("objective", Form::Line, [(0.0, 0.4)]);
    let svg = draw(XyChart { x: Axis::whole("iteration"), y: Axis::new("objective"), series: vec![series] }.into());
    assert!(svg.contains(r#"<circle class="mark dot s0""#), "{svg}");
}

#[test]
fn a_line_is_broken_where_a_number_is_missing() {
    let points = [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0), (4.0, 2.0)];
    let series = vec![Series::new("", Form::Line, points)];
    let svg = draw(XyChart { x: Axis::new("x"), y: Axis::new("y"), series }.into());
    assert_eq!(svg.matches("<path class=\"mark line s0\"").count(), 2, "{svg}");
}

#[test]
fn a_long_name_is_cut_and_told_in_whole() {
    let name = "a_column_with_a_name_that_nobody_would_want_to_type_twice".to_owned();
    let row = RowMark { name: name.clone(), value: -1.0, spread: None, is_marked: false };
    let chart = RowChart { axis: Axis::new("x"), row_label: "row".to_owned(), is_bars: true, rows: vec![row] };
    let svg = draw(Chart::Rows(chart));
    assert!(svg.contains('…') && svg.contains(&format!("<title>{name}</title>")), "{svg}");
}
