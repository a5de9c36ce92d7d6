//! Which field of an object belongs to which column: by its name, or by the way to it.

use rustc_hash::FxHashMap;

use super::reader::{Kind, NoJson, Reader};
use crate::codec::field::Span;

/// The fields of an object that somebody wants.
#[derive(Debug, Default)]
pub(super) struct Names(FxHashMap<Vec<u8>, Wanted>);

/// What is wanted of a field.
#[derive(Debug, Default)]
struct Wanted {
    /// The column that takes it as a whole.
    column: Option<usize>,
    /// The columns that take fields of it.
    inner: Option<Box<Names>>,
}

/// What was found for a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// Its value.
    Value(Span),
    /// Something that is neither null nor an object, where the way to the column goes through one.
    NoObject(Span),
}

impl Names {
    /// Columns by name and place.
    pub(super) fn new<'a>(columns: impl Iterator<Item = (&'a str, usize)>) -> Names {
        let mut names = Names::default();
        for (name, column) in columns {
            names.0.entry(name.as_bytes().to_vec()).or_default().column = Some(column);
            let way: Vec<&str> = name.split('.').collect();
            if way.len() > 1 && way.iter().all(|part| !part.is_empty()) {
                names.add(&way, column);
            }
        }
        names
    }

    fn add(&mut self, way: &[&str], column: usize) {
        let wanted = self.0.entry(way[0].as_bytes().to_vec()).or_default();
        match &way[1..] {
            [] => wanted.column = Some(column),
            rest => wanted.inner.get_or_insert_default().add(rest, column),
        }
    }

    /// Reads an object, and tells of each column that it has something for.
    pub(super) fn locate<F: FnMut(usize, Found)>(&self, reader: &mut Reader<'_>, tell: &mut F) -> Result<(), NoJson> {
        reader.object(|name, reader| {
            let wanted = self.0.get(name);
            let (kind, value) = reader.value()?;
            let Some(wanted) = wanted else { return Ok(()) };
            let span = Span::of_input(reader.at - value.len(), value.len());
            if let Some(column) = wanted.column {
                tell(column, Found::Value(span));
            }
            match (&wanted.inner, kind) {
                (None, _) | (_, Kind::Null) => Ok(()),
                (Some(inner), Kind::Object) => inner.locate(&mut reader.back_at(value.len()), tell),
                (Some(inner), _) => {
                    inner.each_column(&mut |column| tell(column, Found::NoObject(span)));
                    Ok(())
                }
            }
        })
    }

    fn each_column(&self, tell: &mut dyn FnMut(usize)) {
        for wanted in self.0.values() {
            wanted.column.into_iter().for_each(&mut *tell);
            if let Some(inner) = &wanted.inner {
                inner.each_column(tell);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;

    use arrow_array::cast::AsArray as _;
    use arrow_array::{ArrayRef, RecordBatch};
    use arrow_select::nullif::nullif;

    use crate::codec::json::{JsonDecoder, JsonOptions};
    use crate::codec::{Decoded, RecordDecoder as _, RowMode};
    use crate::schema::parse_ddl;

    /// Each record is one message.
    fn decode(ddl: &str, mode: RowMode, records: &[&str]) -> Decoded {
        let options = JsonOptions { mode, ..JsonOptions::default() };
        let mut decoder = JsonDecoder::new(Arc::new(parse_ddl(ddl).unwrap()), &options, None, 1024).unwrap();
        let mut ranges: Vec<Option<Range<usize>>> = Vec::new();
        let mut bytes = String::new();
        for record in records {
            ranges.push(Some(bytes.len()..bytes.len() + record.len()));
            bytes.push_str(record);
        }
        decoder.decode_records(bytes.as_bytes(), &ranges).unwrap()
    }

    const RECORDS: &[&str] = &[
        r#"{"id":1,"a":{"b":1,"c":"x","d":{"e":2.5}}}"#,
        r#"{"a":{"d":{"e":-0.0,"f":1},"c":null},"id":2}"#,
        r#"{"id":3,"a":{}}"#,
        r#"{"id":4,"a":null}"#,
        r#"{"id":5}"#,
        r#"{"id":6,"a":5}"#,
        r#"{"id":7,"a":[{"b":1}]}"#,
        r#"{"id":8,"a":{"b":"x","c":"y"}}"#,
        r#"{"id":9,"a":{"b":1.5,"d":7}}"#,
        r#"{"id":10,"a":{"b":1,"b":2}}"#,
        r#"{"id":11,"a":{"b":1}"#,
        r#"{"id":12,"\u0061":{"\u0062":3,"c":{"x":1}}}"#,
    ];

    /// What a struct of the same fields has, which real Sparks were asked about.
    fn field_of(rows: &RecordBatch, way: &[&str]) -> ArrayRef {
        let mut column = Arc::clone(rows.column_by_name(way[0]).unwrap());
        for name in &way[1..] {
            let parent = column.as_struct();
            let inner = Arc::clone(parent.column_by_name(name).unwrap());
            let is_null = arrow_array::BooleanArray::from(
                (0..rows.num_rows()).map(|row| arrow_array::Array::is_null(parent, row)).collect::<Vec<_>>(),
            );
            column = nullif(&inner, &is_null).unwrap();
        }
        column
    }

    #[test]
    fn a_dotted_name_reads_what_a_struct_reads() {
        for mode in [RowMode::Permissive, RowMode::DropMalformed, RowMode::Reject] {
            let dotted = decode("id INT, `a.b` INT, `a.c` STRING, `a.d.e` DOUBLE", mode, RECORDS);
            let nested = decode("id INT, a STRUCT<b: INT, c: STRING, d: STRUCT<e: DOUBLE>>", mode, RECORDS);
            assert_eq!((dotted.n_malformed, dotted.n_dropped), (nested.n_malformed, nested.n_dropped), "{mode:?}");
            assert_eq!(dotted.n_malformed, 5, "{mode:?}");
            for name in ["id", "a.b", "a.c", "a.d.e"] {
                let way: Vec<&str> = name.split('.').collect();
                assert_eq!(
                    dotted.rows.column_by_name(name).unwrap(),
                    &field_of(&nested.rows, &way),
                    "{name}, {mode:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_object_on_the_way_is_told() {
        let decoded = decode("id INT, `a.d.e` DOUBLE", RowMode::Reject, RECORDS);
        let told: Vec<String> =
            decoded.malformed.iter().map(|bad| format!("{:?} {}", bad.column, bad.message)).collect();
        let no_object = |text: &str| format!("Some(\"a.d.e\") not an object: {text}");
        let expect = [no_object("5"), no_object(r#"[{"b":1}]"#), no_object("7"), "None no JSON object".to_owned()];
        assert_eq!(told, expect);
    }

    #[test]
    fn a_name_with_a_dot_is_taken_as_it_stands_too() {
        let decoded = decode(
            "`a.b` INT, a STRING",
            RowMode::Reject,
            &[r#"{"a.b":1}"#, r#"{"a":{"b":2}}"#, r#"{"a.b":1,"a":{"b":3}}"#],
        );
        let numbers = decoded.rows.column(0).as_primitive::<arrow_array::types::Int32Type>();
        assert_eq!(numbers.values(), &[1, 2, 3]);
        assert_eq!(
            decoded.rows.column(1).as_string::<i32>().iter().collect::<Vec<_>>(),
            [None, Some(r#"{"b":2}"#), Some(r#"{"b":3}"#)]
        );
    }
}
