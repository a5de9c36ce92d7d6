//! Durations and sizes as Spark and people write them: `10 seconds`, `500 ms`, `10s`, `64MiB`, `1g`.

use std::time::Duration;

/// Reads a duration: a number and a unit, `1 minute 30 seconds` being the sum of both. `None` for anything else.
///
/// Units: microseconds to weeks, by Spark's words, singular or plural, and by the short forms us, ms, s, m, min, h, d.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let unit_end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let seconds = number * seconds_of(&after[..unit_end].to_lowercase())?;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = after[unit_end..].trim_start();
    }
    Some(total)
}

/// Reads a size in bytes: a number and a unit in powers of 1024 (`64MiB`, `64mb`, `64m`); no unit means bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text.trim())?;
    let factor: u64 = match unit.trim().to_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    let bytes = number * factor as f64;
    (bytes.fract() == 0.0 && bytes < 9.0e15).then_some(bytes as u64)
}

/// The number at the start of `text`, and what follows it without leading blanks.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number = text[..end].parse().ok()?;
    Some((number, text[end..].trim_start()))
}

fn seconds_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "us" | "microsecond" | "microseconds" => 1e-6,
        "ms" | "millisecond" | "milliseconds" => 1e-3,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "week" | "weeks" => 604_800.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_words_and_in_short() {
        for (text, expect_ms) in [
            ("10 seconds", Some(10_000)),
            ("10s", Some(10_000)),
            ("500 ms", Some(500)),
            ("1 minute", Some(60_000)),
            ("1 minute 30 seconds", Some(90_000)),
            ("0.5 s", Some(500)),
            ("10", None),
            ("ten seconds", None),
            ("10 parsecs", None),
            ("", None),
            ("99999999999999999999 weeks", None),
        ] {
            assert_eq!(parse_duration(text), expect_ms.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, expect) in [
            ("64MiB", Some(64 << 20)),
            ("1g", Some(1 << 30)),
            ("100", Some(100)),
            ("1.5k", Some(1536)),
            ("1 tb", Some(1 << 40)),
            ("x", None),
            ("1 apple", None),
            ("-1k", None),
        ] {
            assert_eq!(parse_size(text), expect, "{text}");
        }
    }
}
