//! Which field of an object belongs to which column: by its name, or by the way to it.
//!
//! Records of one stream have their fields in one order. What came behind a field last time is looked for first, by its
//! bytes; where something else comes, the name is read and looked up. Both ways find the same field.

use rustc_hash::FxHashMap;

use super::plain::plain_value;
use super::reader::{Kind, NoJson, Reader};
use crate::codec::field::Span;

/// How many names that nobody wants are known, so that they are passed over as fast.
const MAX_UNWANTED: usize = 256;

/// No longer name that nobody wants is known.
const MAX_UNWANTED_LEN: usize = 64;

/// The fields of an object that somebody wants.
#[derive(Debug)]
pub(super) struct Names {
    /// Where each stands among the fields.
    places: FxHashMap<Vec<u8>, usize>,
    fields: Vec<Field>,
    /// The place of the field that came last time, first at the beginning of an object, then behind each field.
    next: Vec<usize>,
    n_unwanted: usize,
}

/// A field of a name.
#[derive(Debug)]
struct Field {
    lead: Lead,
    wanted: Wanted,
}

/// What is wanted of a field.
#[derive(Debug, Default)]
struct Wanted {
    /// The column that takes it as a whole.
    column: Option<usize>,
    /// The columns that take fields of it.
    inner: Option<Box<Names>>,
}

/// A name as it stands before its value in most texts: between quotes, with a colon behind.
#[derive(Debug)]
struct Lead {
    /// Empty for a name that would be written with escapes.
    text: Vec<u8>,
    /// The text and which bits of it count, when it is short.
    words: Option<[(u64, u64); Lead::N_WORDS]>,
}

impl Lead {
    const N_WORDS: usize = 3;

    fn new(name: &[u8]) -> Lead {
        if name.iter().any(|byte| matches!(byte, 0..=0x1F | b'"' | b'\\')) {
            return Lead { text: Vec::new(), words: None };
        }
        let text = [b"\"", name, b"\":"].concat();
        let word = |at: usize| {
            let byte = |at: usize| text.get(at).map_or([0, 0], |byte| [*byte, 0xFF]);
            let bytes: [[u8; 2]; 8] = std::array::from_fn(|i| byte(8 * at + i));
            (u64::from_le_bytes(bytes.map(|[byte, _]| byte)), u64::from_le_bytes(bytes.map(|[_, mask]| mask)))
        };
        let words = (text.len() <= 8 * Lead::N_WORDS).then(|| std::array::from_fn(word));
        Lead { text, words }
    }

    /// Whether `text` begins with it.
    #[inline(always)]
    fn is_first_of(&self, text: &[u8]) -> bool {
        let (Some(words), Some(first)) = (&self.words, text.first_chunk::<{ 8 * Lead::N_WORDS }>()) else {
            return !self.text.is_empty() && text.starts_with(&self.text);
        };
        let (chunks, _) = first.as_chunks::<8>();
        let differ = |(chunk, (word, mask)): (&[u8; 8], &(u64, u64))| (u64::from_le_bytes(*chunk) ^ word) & mask;
        chunks.iter().zip(words).map(differ).fold(0, |all, one| all | one) == 0
    }

    /// Where it ends when it begins here.
    #[inline(always)]
    fn end_at(&self, window: &[u8], at: usize) -> Option<usize> {
        self.is_first_of(window.get(at..)?).then_some(at + self.text.len())
    }

    /// The same behind the blank that many write after a comma; apart, so that who writes none does not wait for a look at it.
    #[cold]
    #[inline(never)]
    fn end_behind_blank(&self, window: &[u8], at: usize) -> Option<usize> {
        if window.get(at) != Some(&b' ') {
            return None;
        }
        self.end_at(window, at + 1)
    }
}

/// The same for the blank after a colon.
#[cold]
#[inline(never)]
fn plain_value_behind_blank(window: &[u8], at: usize) -> Option<(usize, usize)> {
    if window.get(at) != Some(&b' ') {
        return None;
    }
    plain_value(window, at + 1)
}

impl Names {
    fn none() -> Names {
        Names { places: FxHashMap::default(), fields: Vec::new(), next: vec![0], n_unwanted: 0 }
    }

    /// Columns by name and place.
    pub(super) fn new<'a>(columns: impl Iterator<Item = (&'a str, usize)>) -> Names {
        let mut names = Names::none();
        for (name, column) in columns {
            names.wanted(name).column = Some(column);
            let way: Vec<&str> = name.split('.').collect();
            if way.len() > 1 && way.iter().all(|part| !part.is_empty()) {
                names.add(&way, column);
            }
        }
        names
    }

    fn add(&mut self, way: &[&str], column: usize) {
        let wanted = self.wanted(way[0]);
        match &way[1..] {
            [] => wanted.column = Some(column),
            rest => wanted.inner.get_or_insert_with(|| Box::new(Names::none())).add(rest, column),
        }
    }

    fn wanted(&mut self, name: &str) -> &mut Wanted {
        let place = self.places.get(name.as_bytes()).copied();
        let place = place.unwrap_or_else(|| self.add_field(name.as_bytes()));
        &mut self.fields[place].wanted
    }

    fn add_field(&mut self, name: &[u8]) -> usize {
        let place = self.fields.len();
        self.places.insert(name.to_vec(), place);
        self.fields.push(Field { lead: Lead::new(name), wanted: Wanted::default() });
        // Most likely the fields come in the order of the columns.
        self.next.push(place + 1);
        place
    }

    /// Reads an object: notes where the value of each column lies in `row`, and tells of those that cannot be reached.
    pub(super) fn locate<F: FnMut(usize, Span)>(
        &mut self,
        reader: &mut Reader<'_>,
        row: &mut [Span],
        no_object: &mut F,
    ) -> Result<(), NoJson> {
        reader.expect(b'{')?;
        if reader.eat(b'}') {
            return Ok(());
        }
        // Behind which field we are, for `next`.
        let mut behind = 0;
        loop {
            if self.locate_run(reader, &mut behind, row) {
                return Ok(());
            }
            self.locate_field(reader, &mut behind, row, no_object)?;
            if !reader.eat(b',') {
                return reader.expect(b'}');
            }
        }
    }

    /// Reads fields as long as each is the one that came last time and has a plain value. It ends before the first other
    /// field, or, and then it is true, behind the object.
    fn locate_run(&self, reader: &mut Reader<'_>, behind: &mut usize, row: &mut [Span]) -> bool {
        let (window, end) = (reader.window, reader.text.len());
        let mut at = reader.at;
        let is_done = loop {
            let Some(field) = self.fields.get(self.next[*behind]) else { break false };
            if field.wanted.inner.is_some() {
                break false;
            }
            let lead = &field.lead;
            let Some(colon) = lead.end_at(window, at).or_else(|| lead.end_behind_blank(window, at)) else {
                break false;
            };
            let value = plain_value(window, colon).or_else(|| plain_value_behind_blank(window, colon));
            let Some((start, len)) = value else { break false };
            let mark = match window[..end].get(start + len) {
                Some(mark @ (b',' | b'}')) => *mark,
                _ => break false,
            };
            if let Some(column) = field.wanted.column {
                row[column] = Span::of_input(start, len);
            }
            *behind = self.next[*behind] + 1;
            at = start + len + 1;
            if mark == b'}' {
                break true;
            }
        };
        reader.at = at;
        is_done
    }

    /// Reads a field, whatever it is.
    fn locate_field<F: FnMut(usize, Span)>(
        &mut self,
        reader: &mut Reader<'_>,
        behind: &mut usize,
        row: &mut [Span],
        no_object: &mut F,
    ) -> Result<(), NoJson> {
        let place = self.field(reader, *behind)?;
        let (kind, value) = reader.value()?;
        let Some(place) = place else {
            *behind = 0;
            return Ok(());
        };
        *behind = place + 1;
        let wanted = &mut self.fields[place].wanted;
        let span = Span::of_input(reader.at - value.len(), value.len());
        if let Some(column) = wanted.column {
            row[column] = span;
        }
        match (&mut wanted.inner, kind) {
            (None, _) | (_, Kind::Null) => {}
            (Some(inner), Kind::Object) => inner.locate(&mut reader.back_at(value.len()), row, no_object)?,
            (Some(inner), _) => inner.each_column(&mut |column| {
                row[column] = Span::NULL;
                no_object(column, span);
            }),
        }
        Ok(())
    }

    /// Reads a name with its colon, and gives the place of the field; None for a name that is not known.
    #[inline(always)]
    fn field(&mut self, reader: &mut Reader<'_>, behind: usize) -> Result<Option<usize>, NoJson> {
        let place = self.next[behind];
        reader.peek();
        if let Some(field) = self.fields.get(place)
            && field.lead.is_first_of(reader.rest())
        {
            reader.at += field.lead.text.len();
            return Ok(Some(place));
        }
        self.field_by_name(reader, behind)
    }

    fn field_by_name(&mut self, reader: &mut Reader<'_>, behind: usize) -> Result<Option<usize>, NoJson> {
        let name = reader.name()?;
        let place = match self.places.get(&*name) {
            Some(place) => *place,
            None if self.n_unwanted < MAX_UNWANTED && name.len() <= MAX_UNWANTED_LEN => {
                self.n_unwanted += 1;
                self.add_field(&name)
            }
            None => return Ok(None),
        };
        self.next[behind] = place;
        Ok(Some(place))
    }

    fn each_column(&self, tell: &mut dyn FnMut(usize)) {
        for Field { wanted, .. } in &self.fields {
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

    use super::{Names, NoJson, Reader};
    use crate::codec::dice::dice;
    use crate::codec::field::Span;
    use crate::codec::json::reader::Syntax;
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

    #[test]
    fn what_is_found_does_not_depend_on_the_order_of_the_records_before() {
        let ddl =
            "a INT, bb STRING, `ccc.d` DOUBLE, a_name_longer_than_twenty_four_bytes BIGINT, `odd\"name` INT, é INT";
        let fields = [
            r#""a":1"#,
            r#""a" : 2"#,
            r#""bb":"x""#,
            r#""ccc":{"d":1.5,"e":0}"#,
            r#""ccc":{"e":{},"d":2}"#,
            r#""ccc.d":-3e1"#,
            r#""ccc":4"#,
            r#""a_name_longer_than_twenty_four_bytes":5"#,
            r#""odd\"name":6"#,
            r#"'a':7"#,
            r#""\u0061":8"#,
            r#""é":9"#,
            r#""nobody":[1,{"a":2}]"#,
            r#""aa":10"#,
            r#""":11"#,
            r#"odd"#,
        ];
        let mut next = dice(1);
        let records: Vec<String> = (0..5000)
            .map(|_| {
                let n = next(8);
                // Some in the same order as the one before, most not.
                let first = next(fields.len());
                let step = [1, 1, 1 + next(5)][next(3)];
                let some: Vec<&str> = (0..n).map(|i| fields[(first + i * step) % (fields.len() - next(2))]).collect();
                format!("{{{}}}", some.join([",", ", "][next(2)]))
            })
            .collect();
        let texts: Vec<&str> = records.iter().map(String::as_str).collect();
        let together = decode(ddl, RowMode::Permissive, &texts);
        let mut n_malformed = 0;
        for (row, text) in texts.iter().enumerate() {
            let alone = decode(ddl, RowMode::Permissive, &[text]);
            assert_eq!(together.rows.slice(row, 1), alone.rows, "{text}");
            n_malformed += alone.n_malformed;
        }
        assert_eq!(together.n_malformed, n_malformed);
    }

    /// What each column has of a record by the plain reader of objects, field by field.
    fn located_slowly(window: &[u8], end: usize, columns: &[&str]) -> Result<Vec<Span>, NoJson> {
        let syntax = Syntax::new(&JsonOptions::default());
        let mut row = vec![Span::NULL; columns.len()];
        Reader::within(window, 0..end, &syntax).object(|name, reader| {
            let (_, value) = reader.value()?;
            if let Some(column) = columns.iter().position(|column| column.as_bytes() == name) {
                row[column] = Span::of_input(reader.at - value.len(), value.len());
            }
            Ok(())
        })?;
        Ok(row)
    }

    #[test]
    fn a_run_of_plain_fields_finds_what_is_found_field_by_field_wherever_the_record_ends() {
        let columns = ["a", "bb", "a_name_longer_than_twenty_four_bytes", "d", "é"];
        let names = ["a", "bb", "a_name_longer_than_twenty_four_bytes", "d", "é", "nobody", "aa"];
        let values = [
            "0",
            "7",
            "-7",
            "12",
            "00",
            "01",
            "1234567",
            "12345678",
            "123456789012345",
            "1234567890123456",
            "0.5",
            "00.5",
            "-0.5",
            "13.79007186",
            "262.36",
            "1.",
            ".5",
            "1.2.3",
            "1-2",
            "1/2",
            "-",
            "--1",
            "1e5",
            "-1.5E+3",
            "1x",
            "NaN",
            "true",
            "truex",
            "false",
            "null",
            "nul",
            "\"\"",
            "\"x\"",
            "\"a plain text of many bytes\"",
            "\"é\"",
            "\"a\\n\"",
            "\"a\\q\"",
            "\"\u{1}\"",
            "'x'",
            "[1,2]",
            "{\"a\":1}",
            "",
        ];
        let blanks = ["", "", "", "", "", " ", "  ", "\n", "/**/"];
        let syntax = Syntax::new(&JsonOptions::default());
        let mut fast = Names::new(columns.iter().enumerate().map(|(at, name)| (*name, at)));
        let mut next = dice(3);
        let (mut n_right, mut n_wrong) = (0, 0);
        for _ in 0..20_000 {
            // How odd a record is, so that many are right as a whole.
            let n_values = [3, 3, 8, values.len()][next(4)];
            let blank = |next: &mut dyn FnMut(usize) -> usize, n: usize| blanks[next(n)];
            let n_blanks = [1, 1, blanks.len()][next(3)];
            let (first, step) = (next(2) * next(names.len()), 1 + next(2) * next(2));
            let fields: Vec<String> = (0..next(9))
                .map(|n| {
                    let name = names[(first + n * step) % names.len()];
                    let value = values[(next(n_values) + n) % n_values.max(1)];
                    let [one, two, three] = [0; 3].map(|_| blank(&mut next, n_blanks));
                    format!("{one}\"{name}\"{two}:{three}{value}{}", blank(&mut next, n_blanks))
                })
                .collect();
            let end_mark = ["}", "}", "}", "]", ",}", "}}", ""][next(7)];
            let record = format!("{{{}{end_mark}", fields.join(","));
            let behind =
                ["", "\"a\":1}", ",\"d\":12345678901234567890}", "0}", "}}}}}}}}}}}}}}}}}}}}}}}}}}}}"][next(5)];
            let window = [record.as_bytes(), behind.as_bytes()].concat();
            // Cut off everywhere, then whole; what lies behind in memory is no part of it.
            for end in [next(record.len() + 1), next(record.len() + 1), record.len()] {
                let mut row = vec![Span::NULL; columns.len()];
                let mut reader = Reader::within(&window, 0..end, &syntax);
                let told = fast.locate(&mut reader, &mut row, &mut |_, _| panic!("no column is within an object"));
                let slow = located_slowly(&window, end, &columns);
                assert_eq!(told.map(|()| row), slow, "{} of {record:?}, behind it {behind:?}", end);
                n_right += usize::from(slow.is_ok());
                n_wrong += usize::from(slow.is_err());
            }
        }
        assert!(n_right > 5000 && n_wrong > 5000, "{n_right} {n_wrong}");
    }
}
