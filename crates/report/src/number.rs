//! Numbers as people read them.

/// About five digits, thousands set apart: `1,234.5`, `0.012346`, `1.2346e-7`.
pub fn short(value: f64) -> String {
    rounded(value, 5)
}

/// `value` with about `n_digits` digits that count.
pub fn rounded(value: f64, n_digits: usize) -> String {
    if let Some(word) = word_of(value) {
        return word;
    }
    let scientific = format!("{value:.*e}", n_digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..9).contains(&exponent) {
        return format!("{}e{exponent}", with_minus(trimmed(mantissa)));
    }
    let n_decimals = (n_digits as i32 - 1 - exponent).max(0) as usize;
    fixed(value, n_decimals, true)
}

/// `value` with `n_decimals` digits after the point, thousands set apart; zeros at the end go away when `is_trimmed`.
pub fn fixed(value: f64, n_decimals: usize, is_trimmed: bool) -> String {
    if let Some(word) = word_of(value) {
        return word;
    }
    let text = format!("{value:.n_decimals$}");
    let text = if is_trimmed { trimmed(&text) } else { &text };
    let (whole, rest) = text.find('.').map_or((text, ""), |point| text.split_at(point));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("−", digits));
    let is_zero = !text.contains(|c: char| ('1'..='9').contains(&c));
    format!("{}{}{rest}", if is_zero { "" } else { sign }, grouped(digits))
}

/// A count, thousands set apart.
pub fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// A share of a whole in per cent: `12.3 %`, with a blank that does not break; what is there and rounds to nothing is
/// `< 0.1 %`.
pub fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.0005 {
        return "< 0.1\u{a0}%".to_owned();
    }
    if (0.9995..1.0).contains(&share) {
        return "> 99.9\u{a0}%".to_owned();
    }
    format!("{}\u{a0}%", fixed(share * 100.0, 1, true))
}

/// Seconds as a person says them: `0.12 s`, `3 min 20 s`.
pub fn seconds(seconds: f64) -> String {
    if seconds < 100.0 {
        return format!("{} s", rounded(seconds, 2));
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours} h {minutes} min") } else { format!("{minutes} min {rest} s") }
}

fn word_of(value: f64) -> Option<String> {
    match value {
        value if value.is_nan() => Some("NaN".to_owned()),
        f64::INFINITY => Some("∞".to_owned()),
        f64::NEG_INFINITY => Some("−∞".to_owned()),
        _ => None,
    }
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn with_minus(text: &str) -> String {
    text.replace('-', "−")
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_digits_count() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (1234.56, "1,234.6"),
            (-1_234_567.0, "−1,234,567"),
            (0.012_345_678, "0.012346"),
            (0.181_035_098, "0.18104"),
            (1.234_567e-7, "1.2346e-7"),
            (-2e12, "−2e12"),
            (99_999.96, "100,000"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "−∞"),
        ];
        for (value, expect) in cases {
            assert_eq!(short(value), expect, "{value}");
        }
    }

    #[test]
    fn decimals_are_kept_where_numbers_stand_below_each_other() {
        assert_eq!(fixed(0.5, 2, false), "0.50");
        assert_eq!(fixed(-0.001, 2, false), "0.00");
        assert_eq!(fixed(12_345.678, 1, true), "12,345.7");
    }

    #[test]
    fn a_share_that_is_there_is_not_shown_as_none() {
        let cases = [(0.0, "0 %"), (0.000_1, "< 0.1 %"), (0.123_45, "12.3 %"), (0.999_9, "> 99.9 %"), (1.0, "100 %")];
        for (share, expect) in cases {
            assert_eq!(percent(share).replace('\u{a0}', " "), expect, "{share}");
        }
    }

    #[test]
    fn times_are_said_as_a_person_says_them() {
        let cases = [(0.012_34, "0.012 s"), (9.94, "9.9 s"), (200.4, "3 min 20 s"), (7300.0, "2 h 1 min")];
        for (value, expect) in cases {
            assert_eq!(seconds(value), expect, "{value}");
        }
    }
}
