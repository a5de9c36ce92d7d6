//! What the columns of a CSV file are called and what types their values have.

use std::collections::HashSet;

use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::column::Rules;
use super::options::CsvOptions;
use super::scan::Records;
use super::tokenizer::{Ended, Oddity, Tokenizer};
use crate::codec::datetime::{Pattern, TextTime};
use crate::codec::field::{Block, Span};
use crate::codec::lines::{BYTE_ORDER_MARK, detect_line_end, find_line};
use crate::codec::number::{decimal_digits, parse_double, parse_int, parse_long};

/// The names and types of the columns of CSV files, whose beginnings, or wholes, are `files`.
///
/// The first record of the first file says how many columns there are, and with `header` how they are called: an empty
/// name becomes `_c` and the position, names that differ at most in case get their positions appended. Without
/// `header` the names are `_c0`, `_c1`, …. Without `inferSchema` all columns are strings; else the narrowest of int,
/// bigint, decimal without decimals, double, date, timestamp, boolean and string that every value fits. The schema of
/// no file, or of files without a record, has no columns.
///
/// Same as Spark 3.5 and 4.3 for `samplingRatio` 1. Differs from Spark: with a smaller ratio every record given counts
/// (whoever calls decides how much that is); types that do not mix give a string wherever they meet, while Spark loses
/// sight of a type that meets another only in another partition.
pub fn infer_schema(files: &[&[u8]], options: &CsvOptions) -> Schema {
    let mut inference = Inference::new(options);
    for file in files {
        inference.file(file);
    }
    inference.schema()
}

struct Inference<'o> {
    options: &'o CsvOptions,
    rules: Rules,
    time: TextTime,
    date_format: Pattern,
    /// Names of the columns, once the first record has been seen.
    names: Option<Vec<String>>,
    first_line: Option<Vec<u8>>,
    types: Vec<Kind>,
    block: Block<Oddity>,
}

impl<'o> Inference<'o> {
    fn new(options: &'o CsvOptions) -> Self {
        let iso_date = || Pattern::parse("yyyy-MM-dd").expect("letters that are known");
        Inference {
            options,
            rules: Rules::new(options),
            time: TextTime::of_csv(options),
            date_format: options.date_format.clone().unwrap_or_else(iso_date),
            names: None,
            first_line: None,
            types: Vec::new(),
            block: Block::new(0),
        }
    }

    fn file(&mut self, file: &[u8]) {
        let file = file.strip_prefix(&BYTE_ORDER_MARK).unwrap_or(file);
        match self.options.multi_line {
            true => self.records(file),
            false => self.lines(file),
        }
    }

    /// One line, one record; a line that equals the header is a header wherever it stands, as in Spark.
    fn lines(&mut self, file: &[u8]) {
        let records = Records::new(self.options);
        let tokenizer = Tokenizer::new(self.options);
        let line_sep = self.options.line_sep.clone().map(String::into_bytes);
        let mut fields = Vec::new();
        let mut at = 0;
        while at < file.len() {
            let (end, next) = find_line(file, at, line_sep.as_deref()).unwrap_or((file.len(), file.len()));
            let line = &file[at..end];
            let from = at;
            at = next;
            if !records.is_one(line) {
                continue;
            }
            let first = self.first_line.get_or_insert_with(|| line.to_vec());
            let is_header = self.options.header && first == line;
            if is_header && self.names.is_some() {
                continue;
            }
            self.block.clear();
            if tokenizer.line(line, from, &mut fields, &mut self.block.scratch).is_ok() {
                self.record(file, &fields, is_header);
            }
        }
    }

    /// Records over several lines; the first of each file is its header.
    fn records(&mut self, file: &[u8]) {
        let tokenizer = Tokenizer::new(self.options);
        let line_end = match &self.options.line_sep {
            Some(sep) => [sep.as_bytes()[0], sep.as_bytes().get(1).copied().unwrap_or(0)],
            None => detect_line_end(file, true).expect("at the end of the file a line end is decided"),
        };
        let mut fields = Vec::new();
        let mut at = 0;
        let mut is_first = true;
        loop {
            self.block.clear();
            let (_, ended) = tokenizer.record(file, at, line_end, true, &mut fields, &mut self.block.scratch);
            match ended {
                Ended::Nothing | Ended::NeedMore => return,
                Ended::Odd { next, .. } => at = next,
                Ended::Record { next, .. } => {
                    at = next;
                    let is_header = self.options.header && is_first;
                    if !is_header || self.names.is_none() {
                        self.record(file, &fields, is_header);
                    }
                    is_first = false;
                }
            }
        }
    }

    fn record(&mut self, file: &[u8], fields: &[Span], is_header: bool) {
        let tokens: Vec<Option<&[u8]>> = fields.iter().map(|span| self.rules.token(*span, &self.block, file)).collect();
        if self.names.is_none() {
            let names: Vec<Option<String>> =
                tokens.iter().map(|token| token.map(|text| self.rules.decode(text))).collect();
            self.types = vec![Kind::Null; names.len()];
            self.names = Some(column_names(&names, self.options.header));
        }
        if is_header || !self.options.infer_schema {
            return;
        }
        for (index, token) in tokens.iter().enumerate().take(self.types.len()) {
            if let Some(text) = token.filter(|text| !text.is_empty()) {
                let kind = self.types[index];
                self.types[index] = self.merged(kind, self.kind_of(kind, text));
            }
        }
    }

    fn schema(self) -> Schema {
        let names = self.names.unwrap_or_default();
        let fields = names.into_iter().zip(&self.types).map(|(name, kind)| Field::new(name, kind.data_type(), true));
        Schema::new(fields.collect::<Vec<_>>())
    }

    /// The narrowest type of `text` among those that may follow `so_far`.
    fn kind_of(&self, so_far: Kind, text: &[u8]) -> Kind {
        let from = match so_far {
            Kind::Null => Kind::Int,
            other => other,
        };
        let from_rank = from.rank();
        let may_be = |kind: Kind| kind.rank() >= from_rank;
        if may_be(Kind::Int) && parse_int(text).is_some() {
            return Kind::Int;
        }
        if may_be(Kind::Long) && parse_long(text).is_some() {
            return Kind::Long;
        }
        if may_be(Kind::Decimal(1))
            && let Some(digits) = decimal_digits(text).filter(|digits| *digits <= 38)
        {
            return Kind::Decimal(digits);
        }
        if may_be(Kind::Double) && (parse_double(text).is_some() || self.rules.is_special(text)) {
            return Kind::Double;
        }
        if may_be(Kind::Date) && self.options.prefer_date && self.date_format.read_days(text).is_some() {
            return Kind::Date;
        }
        if may_be(Kind::Timestamp) && self.is_timestamp(text) {
            return Kind::Timestamp;
        }
        if may_be(Kind::Boolean) && (text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false")) {
            return Kind::Boolean;
        }
        Kind::String
    }

    fn is_timestamp(&self, text: &[u8]) -> bool {
        let time = TextTime { fallback: None, ..self.time.clone() };
        time.micros(text).is_some()
    }

    /// The type of a column that holds values of both.
    fn merged(&self, a: Kind, b: Kind) -> Kind {
        match (a, b) {
            (Kind::Null, other) | (other, Kind::Null) => other,
            (a, b) if a == b => a,
            (Kind::Int, Kind::Long) | (Kind::Long, Kind::Int) => Kind::Long,
            (Kind::Int | Kind::Long | Kind::Decimal(_), Kind::Double)
            | (Kind::Double, Kind::Int | Kind::Long | Kind::Decimal(_)) => Kind::Double,
            (Kind::Int | Kind::Long | Kind::Decimal(_), Kind::Int | Kind::Long | Kind::Decimal(_)) => {
                Kind::Decimal(a.digits().max(b.digits()))
            }
            (Kind::Date, Kind::Timestamp) | (Kind::Timestamp, Kind::Date) if self.dates_are_timestamps() => {
                Kind::Timestamp
            }
            _ => Kind::String,
        }
    }

    /// Whether what reads timestamps also reads the column's dates.
    fn dates_are_timestamps(&self) -> bool {
        let lenient = ["yyyy-MM-dd", "yyyy-M-d", "yyyy-M-dd", "yyyy-MM-d", "yyyy-MM", "yyyy-M", "yyyy"];
        self.options.timestamp_format.is_none()
            && lenient.iter().any(|text| Pattern::parse(text).as_ref() == Some(&self.date_format))
    }
}

/// The type of a column so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Int,
    Long,
    /// Whole numbers of this many digits.
    Decimal(u8),
    Double,
    Date,
    Timestamp,
    Boolean,
    String,
}

impl Kind {
    /// The order in which types are tried.
    fn rank(self) -> u8 {
        match self {
            Kind::Null => 0,
            Kind::Int => 1,
            Kind::Long => 2,
            Kind::Decimal(_) => 3,
            Kind::Double => 4,
            Kind::Date => 5,
            Kind::Timestamp => 6,
            Kind::Boolean => 7,
            Kind::String => 8,
        }
    }

    /// Digits that a whole number of the type may have.
    fn digits(self) -> u8 {
        match self {
            Kind::Int => 10,
            Kind::Long => 20,
            Kind::Decimal(digits) => digits,
            _ => 0,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Kind::Int => DataType::Int32,
            Kind::Long => DataType::Int64,
            Kind::Decimal(digits) => DataType::Decimal128(digits, 0),
            Kind::Double => DataType::Float64,
            Kind::Date => DataType::Date32,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Boolean => DataType::Boolean,
            Kind::Null | Kind::String => DataType::Utf8,
        }
    }
}

/// The names of columns from the tokens of the first record.
fn column_names(first: &[Option<String>], header: bool) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut repeated = HashSet::new();
    for name in first.iter().flatten() {
        let name = name.to_lowercase();
        if !seen.insert(name.clone()) {
            repeated.insert(name);
        }
    }
    let names = first.iter().enumerate().map(|(index, name)| match name {
        Some(name) if header && !name.is_empty() => match repeated.contains(&name.to_lowercase()) {
            true => format!("{name}{index}"),
            false => name.clone(),
        },
        _ => format!("_c{index}"),
    });
    names.collect()
}
