//! JSON as Spark writes it: without spaces, with doubles as Java prints them.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;

/// The bytes of `value`.
///
/// ```
/// use ognivo_ml::java_json::java_json;
/// assert_eq!(java_json(&serde_json::json!([1e-7, 0.5, 3])), b"[1.0E-7,0.5,3]");
/// ```
pub fn java_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, JavaNumbers);
    value.serialize(&mut serializer).expect("a JSON value can always be written to memory");
    out
}

/// Doubles as `Double.toString` of Java prints them: `0.5`, `1.0E-6`, `1.0E7`.
struct JavaNumbers;

impl Formatter for JavaNumbers {
    fn write_f64<W: Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
            return write!(writer, "{value:?}");
        }
        let text = format!("{value:e}");
        match text.split_once('e') {
            Some((digits, exponent)) if digits.contains('.') => write!(writer, "{digits}E{exponent}"),
            Some((digits, exponent)) => write!(writer, "{digits}.0E{exponent}"),
            None => write!(writer, "{text}"),
        }
    }
}
