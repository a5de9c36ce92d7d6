//! The metadata line of a stage: one JSON object on one line, in a file of its own.
//!
//! ```text
//! {"class":"org.apache.spark.ml.feature.VectorAssembler","timestamp":1795436585625,"sparkVersion":"3.5.9",
//!  "uid":"VectorAssembler_d92a8000d1e1","paramMap":{"inputCols":["a","b"],"outputCol":"features"},
//!  "defaultParamMap":{"handleInvalid":"error","outputCol":"VectorAssembler_d92a8000d1e1__output"}}
//! ```
//!
//! Shown here on three lines; Spark takes the first line of the file and nothing else. Keys that only one class has
//! (`numFeatures` of a tree) follow `defaultParamMap`. Doubles carry a fraction or an exponent: Spark refuses `0` where it
//! wants `0.0`.

use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};
use ognivo_ml::java_json::java_json;
use ognivo_ml::saved::SavedStage;
use ognivo_ml::uid::Uid;
use serde_json::{Map, Value, json};

use crate::versions::{Change, Release};

/// Something in the metadata that no stage can be read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadMetadata {
    /// The key, where the line is JSON at all.
    pub(crate) field: Option<&'static str>,
    pub(crate) reason: String,
}

fn bad(field: &'static str, reason: impl Into<String>) -> BadMetadata {
    BadMetadata { field: Some(field), reason: reason.into() }
}

/// Reads the file `name` of at most `max_bytes` bytes (decompressed) as a stage without tables and children.
pub(crate) fn parse(name: &str, content: &[u8], max_bytes: u64) -> Result<SavedStage, BadMetadata> {
    let text = decompress(name, content, max_bytes).map_err(|reason| BadMetadata { field: None, reason })?;
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let value = serde_json::from_slice(line)
        .map_err(|error| BadMetadata { field: None, reason: format!("the first line is not JSON: {error}") })?;
    let Value::Object(mut keys) = value else {
        return Err(BadMetadata { field: None, reason: "the first line is not a JSON object".to_owned() });
    };
    let class = take_text(&mut keys, "class")?;
    let timestamp = take(&mut keys, "timestamp")?;
    if !timestamp.is_i64() {
        return Err(bad("timestamp", format!("not a number of milliseconds: {}", shorten(&timestamp))));
    }
    let spark_version = take_text(&mut keys, "sparkVersion")?;
    let release: Release = spark_version.parse().map_err(|error| bad("sparkVersion", format!("{error}")))?;
    let uid = Uid::new(take_text(&mut keys, "uid")?);
    let param_map = take_object(&mut keys, "paramMap")?;
    let default_param_map = match release.has(Change::DefaultParamMap) {
        true => take_object(&mut keys, "defaultParamMap")?,
        false => Map::new(),
    };
    Ok(SavedStage {
        class,
        uid,
        spark_version,
        param_map,
        default_param_map,
        extra: keys,
        tables: Default::default(),
        children: Vec::new(),
    })
}

/// The content of a metadata file: Hadoop writes `.gz` and `.deflate` (zlib) when output compression is on.
fn decompress(name: &str, content: &[u8], max_bytes: u64) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let read = match name.rsplit('.').next() {
        Some("gz") => GzDecoder::new(content).take(max_bytes + 1).read_to_end(&mut text),
        Some("deflate") => ZlibDecoder::new(content).take(max_bytes + 1).read_to_end(&mut text),
        _ => return Ok(content.to_vec()),
    };
    match read {
        Ok(_) if text.len() as u64 > max_bytes => Err(format!("more than {max_bytes} bytes when decompressed")),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("cannot be decompressed: {error}")),
    }
}

// `shift_remove` keeps the order of what is left: the extra keys stay as Spark wrote them.
fn take(keys: &mut Map<String, Value>, name: &'static str) -> Result<Value, BadMetadata> {
    keys.shift_remove(name).ok_or_else(|| bad(name, "missing"))
}

fn take_text(keys: &mut Map<String, Value>, name: &'static str) -> Result<String, BadMetadata> {
    match take(keys, name)? {
        Value::String(text) => Ok(text),
        other => Err(bad(name, format!("not a text: {}", shorten(&other)))),
    }
}

fn take_object(keys: &mut Map<String, Value>, name: &'static str) -> Result<Map<String, Value>, BadMetadata> {
    match take(keys, name)? {
        Value::Object(object) => Ok(object),
        other => Err(bad(name, format!("not an object: {}", shorten(&other)))),
    }
}

/// A value as messages show it.
fn shorten(value: &Value) -> String {
    const MAX_CHARS: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The metadata line of `stage` with its line end; parameters in the order of their names.
///
/// `defaultParamMap` is left out where the stage's release did not have it.
pub(crate) fn line(stage: &SavedStage, release: Release, timestamp_ms: i64) -> Vec<u8> {
    let mut keys = Map::new();
    keys.insert("class".to_owned(), json!(stage.class));
    keys.insert("timestamp".to_owned(), json!(timestamp_ms));
    keys.insert("sparkVersion".to_owned(), json!(stage.spark_version));
    keys.insert("uid".to_owned(), json!(stage.uid.as_str()));
    keys.insert("paramMap".to_owned(), sorted(&stage.param_map));
    if release.has(Change::DefaultParamMap) {
        keys.insert("defaultParamMap".to_owned(), sorted(&stage.default_param_map));
    }
    keys.extend(stage.extra.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut line = java_json(&Value::Object(keys));
    line.push(b'\n');
    line
}

/// The key that stays behind all others: tuning classes have it at the end.
const LAST_PARAM: &str = "estimatorParamMaps";

fn sorted(params: &Map<String, Value>) -> Value {
    let mut entries: Vec<(&String, &Value)> = params.iter().collect();
    entries.sort_by_key(|(name, _)| (*name == LAST_PARAM, *name));
    Value::Object(entries.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    const LINE: &str = r#"{"class":"a.B","timestamp":5,"sparkVersion":"3.5.9","uid":"B_1","paramMap":{"z":1.0E-6,"a":2},"defaultParamMap":{},"numFeatures":7}"#;
    const MAX: u64 = 1 << 20;

    #[track_caller]
    fn check_fault(line: &str, field: Option<&str>, reason: &str) {
        let error = parse("part-00000", line.as_bytes(), MAX).unwrap_err();
        assert_eq!(error.field, field);
        assert!(error.reason.starts_with(reason), "{}", error.reason);
    }

    #[test]
    fn a_line_is_read_and_written_again_with_sorted_parameters() {
        let stage = parse("part-00000", format!("{LINE}\nnot read").as_bytes(), MAX).unwrap();
        assert_eq!((stage.class.as_str(), stage.uid.as_str()), ("a.B", "B_1"));
        assert_eq!(stage.extra.get("numFeatures"), Some(&json!(7)));
        let again = String::from_utf8(line(&stage, Release::new(3, 5), 5)).unwrap();
        assert_eq!(again, LINE.replace(r#"{"z":1.0E-6,"a":2}"#, r#"{"a":2,"z":1.0E-6}"#) + "\n");
    }

    #[test]
    fn releases_before_2_4_have_no_default_parameters() {
        let old = LINE.replace("3.5.9", "2.3.1").replace(r#","defaultParamMap":{}"#, "");
        let stage = parse("part-00000", old.as_bytes(), MAX).unwrap();
        let again = String::from_utf8(line(&stage, Release::new(2, 3), 5)).unwrap();
        assert!(!again.contains("defaultParamMap"));
        check_fault(&old.replace("2.3.1", "2.4.0"), Some("defaultParamMap"), "missing");
    }

    #[test]
    fn a_wrong_line_is_refused_with_the_field_in_question() {
        check_fault("", None, "the first line is not JSON");
        check_fault("[1]", None, "the first line is not a JSON object");
        check_fault(&"[".repeat(100_000), None, "the first line is not JSON: recursion limit exceeded");
        check_fault(&LINE.replace("\"timestamp\":5,", ""), Some("timestamp"), "missing");
        check_fault(&LINE.replace(":5,", ":5.5,"), Some("timestamp"), "not a number of milliseconds: 5.5");
        check_fault(&LINE.replace("3.5.9", "ours-1"), Some("sparkVersion"), "not a Spark release: ours-1");
        check_fault(&LINE.replace("\"a.B\"", "3"), Some("class"), "not a text: 3");
        check_fault(&LINE.replace("{\"z\":1.0E-6,\"a\":2}", "[]"), Some("paramMap"), "not an object: []");
    }

    #[test]
    fn compressed_lines_are_read_within_the_limit() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(LINE.as_bytes()).unwrap();
        assert!(parse("part-00000.gz", &gzip.finish().unwrap(), MAX).is_ok());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&vec![b' '; 2 << 20]).unwrap();
        let error = parse("part-00000.deflate", &zlib.finish().unwrap(), MAX).unwrap_err();
        assert_eq!(error.reason, "more than 1048576 bytes when decompressed");
    }

    #[test]
    fn doubles_are_printed_as_java_prints_them() {
        // jshell of JDK 21: Double.toString
        for (value, expect) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (100.0, "100.0"),
            (0.001, "0.001"),
            (1e-6, "1.0E-6"),
            (1.5e-4, "1.5E-4"),
            (1e7, "1.0E7"),
            (9_999_999.5, "9999999.5"),
            (i64::MAX as f64, "9.223372036854776E18"),
        ] {
            assert_eq!(java_json(&json!(value)), expect.as_bytes());
        }
    }
}
