//! From numbers to places on an axis, and the round numbers that stand on it.

use crate::content::Axis;
use crate::number;

/// An axis with its ends in numbers and in pixels.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    is_log: bool,
    is_whole: bool,
    from_px: f64,
    to_px: f64,
}

impl Scale {
    /// The axis for `values`, laid from `from_px` to `to_px`; `None` without a number that it can show.
    ///
    /// `must_show` are numbers that belong on it whatever the values are, such as the 0 of bars.
    pub(super) fn new(
        axis: &Axis,
        values: impl Iterator<Item = f64>,
        must_show: &[f64],
        (from_px, to_px): (f64, f64),
    ) -> Option<Scale> {
        let is_shown = |value: &f64| value.is_finite() && (!axis.is_log || *value > 0.0);
        let bounds = |values: &mut dyn Iterator<Item = f64>| {
            let shown = values.filter(is_shown);
            let none = (f64::INFINITY, f64::NEG_INFINITY);
            Some(shown.fold(none, |(a, b), value| (a.min(value), b.max(value)))).filter(|(a, b)| a <= b)
        };
        let (least, most) = bounds(&mut values.into_iter())?;
        let (from, to) = match axis.range {
            Some(range) => range,
            None => bounds(&mut [least, most].iter().chain(must_show).copied())?,
        };
        let (from, to) = widened(from, to, axis.is_log);
        Some(Scale { from, to, is_log: axis.is_log, is_whole: axis.is_whole, from_px, to_px })
    }

    /// The same axis reaching to the round numbers around its ends.
    pub(super) fn rounded_out(mut self) -> Scale {
        if self.is_log {
            return self;
        }
        let step = self.step();
        let (from, to) = ((self.from / step).floor() * step, (self.to / step).ceil() * step);
        if from.is_finite() && to.is_finite() && from < to {
            (self.from, self.to) = (from, to);
        }
        self
    }

    /// The same axis with a little room at its ends.
    pub(super) fn with_room(mut self, share: f64) -> Scale {
        let room = (self.to - self.from) * share;
        if self.is_log || !room.is_finite() {
            return self;
        }
        self.from -= room;
        self.to += room;
        self
    }

    /// The place of `value`, inside the axis; `None` for what cannot be shown.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        if !value.is_finite() || (self.is_log && value <= 0.0) {
            return None;
        }
        let share = match self.is_log {
            true => (value / self.from).ln() / (self.to / self.from).ln(),
            // Halves, so that the ends may be as far apart as doubles are.
            false => (value / 2.0 - self.from / 2.0) / (self.to / 2.0 - self.from / 2.0),
        };
        // Ends that are next to 0 leave nothing to divide by.
        let share = if share.is_nan() { 0.5 } else { share.clamp(0.0, 1.0) };
        Some(self.from_px + share * (self.to_px - self.from_px))
    }

    /// The ends in pixels.
    pub(super) fn ends_px(&self) -> (f64, f64) {
        (self.from_px, self.to_px)
    }

    /// The same axis at another place.
    pub(super) fn moved(mut self, from_px: f64, to_px: f64) -> Scale {
        (self.from_px, self.to_px) = (from_px, to_px);
        self
    }

    /// Round numbers on the axis with their texts, in ascending order, two to seven of them.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        if self.is_log {
            return self.log_ticks();
        }
        let step = self.step();
        let first = (self.from / step - 1e-9).ceil();
        let n = ((self.to / step + 1e-9).floor() - first).clamp(0.0, 20.0) as usize;
        let values = (0..=n).map(|i| (first + i as f64) * step);
        values.map(|value| (value, tick_text(value, step))).collect()
    }

    /// Powers of ten; where there are too many, not all of them; where there are too few, their twofold and fivefold too.
    fn log_ticks(&self) -> Vec<(f64, String)> {
        let (low, high) = (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
        let n_decades = (high - low).max(1);
        let every = (n_decades / 6 + 1) as usize;
        let factors: &[f64] = if n_decades <= 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        for exponent in (low..=high).step_by(every) {
            for factor in factors {
                let value = factor * 10f64.powi(exponent);
                if value >= self.from * (1.0 - 1e-9) && value <= self.to * (1.0 + 1e-9) {
                    ticks.push((value, number::rounded(value, 3)));
                }
            }
        }
        ticks
    }

    /// 1, 2 or 5 times a power of ten, so that there are about five of them.
    fn step(&self) -> f64 {
        let raw = self.to / 5.0 - self.from / 5.0;
        let power = 10f64.powf(raw.log10().floor());
        let step = match raw / power {
            ratio if ratio <= 1.000_1 => power,
            ratio if ratio <= 2.000_1 => 2.0 * power,
            ratio if ratio <= 5.000_1 => 5.0 * power,
            _ => 10.0 * power,
        };
        if self.is_whole { step.max(1.0) } else { step }
    }
}

/// Ends that differ.
fn widened(from: f64, to: f64, is_log: bool) -> (f64, f64) {
    if to > from {
        return (from, to);
    }
    match (is_log, from) {
        (true, from) => (from / 2.0, from * 2.0),
        (false, 0.0) => (-1.0, 1.0),
        (false, from) => (from - from.abs() * 0.1, from + from.abs() * 0.1),
    }
}

/// `value` with the digits that tell it from its neighbours, `step` away.
fn tick_text(value: f64, step: f64) -> String {
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    for (size, suffix) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if step >= size || (size > 1e3 && value.abs() >= size && step >= size / 100.0) {
            let decimals = (-(step / size).log10() - 1e-9).ceil().max(0.0) as usize;
            if step >= size * 1e6 {
                break;
            }
            return match value == 0.0 {
                true => "0".to_owned(),
                false => format!("{}{suffix}", number::fixed(value / size, decimals, true)),
            };
        }
    }
    if !(1e-4..1e15).contains(&step) {
        return number::rounded(value, 3);
    }
    let decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
    number::fixed(value, decimals, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis, values: &[f64]) -> Vec<String> {
        let scale = Scale::new(axis, values.iter().copied(), &[], (0.0, 100.0)).unwrap();
        scale.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_have_as_many_digits_as_they_need() {
        let cases: [(&[f64], &str); 8] = [
            (&[0.0, 1.0], "0.0 0.2 0.4 0.6 0.8 1.0"),
            (&[0.17, 0.21], "0.17 0.18 0.19 0.20 0.21"),
            (&[-3.0, 12.0], "0 5 10"),
            (&[0.0, 9578.0], "0 2k 4k 6k 8k"),
            (&[500_000.0, 2_500_000.0], "500k 1M 1.5M 2M 2.5M"),
            (&[1_200.0, 1_250.0], "1,200 1,210 1,220 1,230 1,240 1,250"),
            (&[0.0, 3e-7], "0 1e-7 2e-7 3e-7"),
            (&[5.0, 5.0], "4.6 4.8 5.0 5.2 5.4"),
        ];
        for (values, expect) in cases {
            assert_eq!(texts(&Axis::new(""), values).join(" "), expect, "{values:?}");
        }
    }

    #[test]
    fn whole_numbers_get_no_halves() {
        assert_eq!(texts(&Axis::whole(""), &[0.0, 2.0]), ["0", "1", "2"]);
    }

    #[test]
    fn equal_ratios_are_equal_distances() {
        let axis = Axis::new("").log(true);
        assert_eq!(texts(&axis, &[0.001, 10.0]), ["0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(texts(&axis, &[0.1, 1.0]), ["0.1", "0.2", "0.5", "1"]);
        let scale = Scale::new(&axis, [0.01, 1.0].into_iter(), &[], (0.0, 100.0)).unwrap();
        assert!((scale.at(0.1).unwrap() - 50.0).abs() < 1e-9);
        assert_eq!(scale.at(0.0), None);
    }

    #[test]
    fn no_number_has_a_place_outside_of_the_axis() {
        let scale = Scale::new(&Axis::share(""), [0.3].into_iter(), &[], (10.0, 20.0)).unwrap();
        assert_eq!((scale.at(-1.0), scale.at(7.0)), (Some(10.0), Some(20.0)));
        assert_eq!([f64::NAN, f64::INFINITY].map(|value| scale.at(value)), [None, None]);
        assert!(Scale::new(&Axis::new(""), [f64::NAN].into_iter(), &[], (0.0, 1.0)).is_none());
    }

    #[test]
    fn the_widest_and_the_narrowest_ranges_have_a_few_ticks() {
        for values in [[-f64::MAX, f64::MAX], [5e-324, 1e-323], [1.0, 1.0 + 1e-15], [-1e15, 1e15], [1e300, 1e301]] {
            let scale = Scale::new(&Axis::new(""), values.into_iter(), &[], (0.0, 100.0)).unwrap().rounded_out();
            assert!(scale.ticks().len() <= 21, "{values:?}");
            for value in values {
                assert!(scale.at(value).is_some_and(|at| (0.0..=100.0).contains(&at)), "{values:?}");
            }
        }
    }
}
