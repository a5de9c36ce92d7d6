//! Charts: numbers, names of axes and forms of marks.

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub enum Chart {
    /// Points, lines, or both, over two axes of numbers.
    Xy(XyChart),
    /// One bar or point per named row, over one axis of numbers.
    Rows(RowChart),
    /// Counts in bins, one outline per group.
    Histogram(Histogram),
    /// A number per pair of names.
    Heat(HeatMap),
}

/// An axis of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What the numbers are, with their unit.
    pub label: String,
    /// The first and last number that are shown; those of the data when absent.
    pub range: Option<(f64, f64)>,
    /// Whether equal distances are equal ratios.
    pub is_log: bool,
    /// Whether only whole numbers make sense.
    pub is_whole: bool,
}

impl Axis {
    /// An axis that shows all numbers of the data.
    pub fn new(label: impl Into<String>) -> Axis {
        Axis { label: label.into(), range: None, is_log: false, is_whole: false }
    }

    /// An axis of shares and rates, 0 to 1.
    pub fn share(label: impl Into<String>) -> Axis {
        Axis { range: Some((0.0, 1.0)), ..Axis::new(label) }
    }

    /// An axis on which only whole numbers make sense.
    pub fn whole(label: impl Into<String>) -> Axis {
        Axis { is_whole: true, ..Axis::new(label) }
    }

    /// The same axis with equal distances for equal ratios.
    pub fn log(mut self, is_log: bool) -> Axis {
        self.is_log = is_log;
        self
    }
}

/// Points and lines over two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct XyChart {
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// What is drawn, later series above earlier ones.
    pub series: Vec<Series>,
}

/// Points that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// How it is drawn.
    pub form: Form,
    /// Its points, in the order in which a line goes through them.
    pub points: Vec<Mark>,
}

impl Series {
    /// A series of points without spread.
    pub fn new(name: impl Into<String>, form: Form, points: impl IntoIterator<Item = (f64, f64)>) -> Series {
        let points = points.into_iter().map(|(x, y)| Mark { x, y, spread: None });
        Series { name: name.into(), form, points: points.collect() }
    }
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line.
    Line,
    /// A line with a dot at each point.
    LineWithDots,
    /// Dots.
    Dots,
    /// A thin broken line to compare with: chance, perfection, nothing.
    Reference,
}

impl Form {
    /// Its name in the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Form::Line => "line",
            Form::LineWithDots => "lineWithDots",
            Form::Dots => "dots",
            Form::Reference => "reference",
        }
    }
}

/// One point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// To the right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
    /// From where to where `y` may be.
    pub spread: Option<(f64, f64)>,
}

/// Named rows over one axis.
#[derive(Debug, Clone, PartialEq)]
pub struct RowChart {
    /// To the right.
    pub axis: Axis,
    /// What each row is called together: `feature`, `parameters`.
    pub row_label: String,
    /// Whether each row is a bar from 0, or else a dot.
    pub is_bars: bool,
    /// The rows, from the top.
    pub rows: Vec<RowMark>,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowMark {
    /// Its name.
    pub name: String,
    /// Its number.
    pub value: f64,
    /// From where to where the number may be.
    pub spread: Option<(f64, f64)>,
    /// Whether it stands out.
    pub is_marked: bool,
}

/// Counts in bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// What is counted.
    pub x: Axis,
    /// How often, or which share.
    pub y: Axis,
    /// The borders of the bins, one more than there are bins.
    pub edges: Vec<f64>,
    /// Name of each group, and a number per bin.
    pub groups: Vec<(String, Vec<f64>)>,
}

/// A number per pair of names.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// What the rows are together.
    pub row_label: String,
    /// What the columns are together.
    pub column_label: String,
    /// The names of the rows, from the top.
    pub rows: Vec<String>,
    /// The names of the columns, from the left.
    pub columns: Vec<String>,
    /// A number per row and column; its share of its row is its colour.
    pub counts: Vec<Vec<u64>>,
}

/// The most points that are drawn of one curve.
const MAX_POINTS: usize = 300;

/// A curve of at most about 300 points that looks like `curve`: the first, the last, and between them one whenever the curve has
/// gone a 300th of its way, measured in shares of its width and height.
pub fn thinned(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if curve.len() <= MAX_POINTS {
        return curve.to_vec();
    }
    let (width, height) = (extent(curve.iter().map(|point| point.0)), extent(curve.iter().map(|point| point.1)));
    let way = |a: (f64, f64), b: (f64, f64)| (b.0 - a.0).abs() / width + (b.1 - a.1).abs() / height;
    let total: f64 = curve.windows(2).map(|pair| way(pair[0], pair[1])).filter(|way| way.is_finite()).sum();
    let (mut kept, mut gone) = (vec![curve[0]], 0.0);
    for pair in curve.windows(2) {
        let step = way(pair[0], pair[1]);
        gone += if step.is_finite() { step } else { 0.0 };
        if gone > 0.0 && gone * (MAX_POINTS as f64 - 2.0) >= total {
            kept.push(pair[1]);
            gone = 0.0;
        }
    }
    let last = curve[curve.len() - 1];
    if kept.last() != Some(&last) {
        kept.push(last);
    }
    kept
}

fn extent(values: impl Iterator<Item = f64>) -> f64 {
    let finite = values.filter(|value| value.is_finite());
    let (least, most) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), value| (a.min(value), b.max(value)));
    if most > least { most - least } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_curve_keeps_its_ends_and_its_corners() {
        // up, then right: two straight walks of 5000 points each
        let up = (0..5000).map(|i| (0.0, f64::from(i) / 4999.0));
        let right = (1..5000).map(|i| (f64::from(i) / 4999.0, 1.0));
        let curve: Vec<(f64, f64)> = up.chain(right).collect();
        let thin = thinned(&curve);
        assert!((100..=MAX_POINTS).contains(&thin.len()), "{}", thin.len());
        assert_eq!((thin[0], thin[thin.len() - 1]), ((0.0, 0.0), (1.0, 1.0)));
        let corner = thin.iter().map(|&(x, y)| x + 1.0 - y).fold(f64::INFINITY, f64::min);
        assert!(corner < 0.02, "{corner}");
    }

    #[test]
    fn a_curve_that_does_not_move_is_thinned_too() {
        let thin = thinned(&vec![(0.5, 0.5); 1000]);
        assert!(thin.len() <= MAX_POINTS && !thin.is_empty(), "{}", thin.len());
        assert!(thinned(&[]).is_empty());
    }
}
