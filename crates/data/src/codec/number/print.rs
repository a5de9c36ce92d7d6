//! Numbers as Java prints them.

use super::double::exponent_digits;
use super::java17::{Digits, digits_of_double, digits_of_float};

/// Appends the shortest text that reads back to the same double, in Java's form.
///
/// `1.0`, `0.001`, `1.0E7`, `1.0E-4`, `NaN`, `Infinity`, `-Infinity`, `-0.0`. Same as `Double.toString` since JDK 19.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        let mut buffer = ryu::Buffer::new();
        let shortest = buffer.format_finite(value);
        // Java prints two digits at least, and of the last subnormals the nearest two: 4.9E-324, not 5.0E-324.
        match value.is_subnormal() && !shortest.contains('.') {
            true => write_java_form(out, &format!("{value:.1e}")),
            false => write_java_form(out, shortest),
        }
    }
}

/// Appends the shortest text that reads back to the same float, in Java's form; see [`write_double`].
pub fn write_float(out: &mut Vec<u8>, value: f32) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        let mut buffer = ryu::Buffer::new();
        let shortest = buffer.format_finite(value);
        match value.is_subnormal() && !shortest.contains('.') {
            true => write_java_form(out, &format!("{value:.1e}")),
            false => write_java_form(out, shortest),
        }
    }
}

/// The double as Spark's `CAST(x AS STRING)` prints it; StringIndexer's label of a number.
///
/// Spark prints with the `Double.toString` of its JVM. Same as JVMs before 19, on which Spark 2.4 to 4.3 run (8, 11 and
/// 17); Java 21, which Spark 4 also runs on, prints the shortest digits, as [`write_double`] does. They differ for few
/// doubles: `1.9999999999999998E23` here is `2.0E23` there.
pub fn double_to_spark_string(value: f64) -> String {
    let mut out = Vec::with_capacity(24);
    if value.is_finite() && value != 0.0 {
        let Digits { digits, exponent } = digits_of_double(value.abs());
        write_digits(&mut out, value < 0.0, &digits, exponent);
    } else {
        write_double(&mut out, value);
    }
    String::from_utf8(out).expect("digits, signs and letters are ASCII")
}

/// The float as Spark's `CAST(x AS STRING)` prints it; see [`double_to_spark_string`].
pub fn float_to_spark_string(value: f32) -> String {
    let mut out = Vec::with_capacity(16);
    if value.is_finite() && value != 0.0 {
        let Digits { digits, exponent } = digits_of_float(value.abs());
        write_digits(&mut out, value < 0.0, &digits, exponent);
    } else {
        write_float(&mut out, value);
    }
    String::from_utf8(out).expect("digits, signs and letters are ASCII")
}

/// Rewrites a plain or scientific shortest text in Java's form.
fn write_java_form(out: &mut Vec<u8>, shortest: &str) {
    let shortest = shortest.as_bytes();
    let (negative, unsigned) = match shortest {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, shortest),
    };
    let (plain, exponent) = match unsigned.iter().position(|b| *b == b'e') {
        Some(split) => (&unsigned[..split], exponent_digits(&unsigned[split + 1..]).unwrap_or(0)),
        None => (unsigned, 0),
    };
    // Seventeen digits at most, and up to a few zeros around them.
    let mut digits = [0u8; 40];
    let mut n_digits = 0;
    let mut point = None;
    for byte in plain {
        if *byte == b'.' {
            point = Some(n_digits as i64);
        } else {
            digits[n_digits] = byte - b'0';
            n_digits += 1;
        }
    }
    let leading_zeros = digits[..n_digits].iter().take_while(|digit| **digit == 0).count();
    let magnitude = point.unwrap_or(n_digits as i64) + exponent - leading_zeros as i64;
    let mut digits = &digits[leading_zeros..n_digits];
    while let [rest @ .., 0] = digits {
        digits = rest;
    }
    write_digits(out, negative, digits, magnitude);
}

/// Appends `0.d1d2d3… × 10^magnitude` in Java's form: plain from 10^-3 up to below 10^7, `d.dddE±x` else.
fn write_digits(out: &mut Vec<u8>, negative: bool, digits: &[u8], magnitude: i64) {
    let ascii = |digits: &[u8], out: &mut Vec<u8>| out.extend(digits.iter().map(|digit| b'0' + digit));
    if negative {
        out.push(b'-');
    }
    if digits.is_empty() {
        out.extend_from_slice(b"0.0");
        return;
    }
    match magnitude {
        1..=7 => {
            let whole = magnitude as usize;
            if digits.len() <= whole {
                ascii(digits, out);
                out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
                out.extend_from_slice(b".0");
            } else {
                ascii(&digits[..whole], out);
                out.push(b'.');
                ascii(&digits[whole..], out);
            }
        }
        -2..=0 => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', -magnitude as usize));
            ascii(digits, out);
        }
        _ => {
            ascii(&digits[..1], out);
            out.push(b'.');
            ascii(if digits.len() > 1 { &digits[1..] } else { &[0] }, out);
            out.push(b'E');
            write_long(out, magnitude - 1);
        }
    }
}

/// Appends a decimal integer.
pub fn write_long(out: &mut Vec<u8>, value: i64) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&buffer[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_printed_in_javas_form() {
        let cases: &[(f64, &str)] = &[
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1e-6, "1.0E-6"),
            (123.456, "123.456"),
            (9999999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1e10, "1.0E10"),
            (12345678.9, "1.23456789E7"),
            (-1.5e300, "-1.5E300"),
            (5e-324, "4.9E-324"),
            (1.7976931348623157e308, "1.7976931348623157E308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, expected) in cases {
            assert_eq!(double_to_spark_string(*value), *expected);
            let mut shortest = Vec::new();
            write_double(&mut shortest, *value);
            assert_eq!(String::from_utf8(shortest).unwrap(), *expected);
        }
    }
}
