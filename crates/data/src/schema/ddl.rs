//! Schemas as users write them: `id BIGINT NOT NULL, note STRING COMMENT 'as typed', tags ARRAY<STRING>`.

use std::collections::HashSet;

use arrow_schema::{DataType, Field, Schema};

use super::{Atomic, array_type, atomic_word, decimal_type, map_fields, map_type, timestamp_ntz_type, timestamp_type};
use super::{UnknownToSpark, json};
use crate::fault::{Explain, Fault, nearest};

/// Names of types as DDL knows them, aliases included.
const TYPE_NAMES: [&str; 31] = [
    "BOOLEAN",
    "TINYINT",
    "BYTE",
    "SMALLINT",
    "SHORT",
    "INT",
    "INTEGER",
    "BIGINT",
    "LONG",
    "FLOAT",
    "REAL",
    "DOUBLE",
    "DECIMAL",
    "DEC",
    "NUMERIC",
    "STRING",
    "CHAR",
    "CHARACTER",
    "VARCHAR",
    "BINARY",
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "TIMESTAMP_NTZ",
    "ARRAY",
    "MAP",
    "STRUCT",
    "VOID",
    "INTERVAL",
    "VARIANT",
    "TIME",
];

/// Types that Spark has and we do not.
const NOT_SUPPORTED: [&str; 3] = ["INTERVAL", "VARIANT", "TIME"];

/// How deep types may nest; deeper text is not a schema that somebody wrote.
const MAX_DEPTH: usize = 64;

/// The text is not a schema in Spark's DDL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema, character {position}: {problem}")]
pub struct DdlError {
    /// Where, in characters counted from 1.
    pub position: usize,
    /// What is wrong there.
    pub problem: DdlProblem,
}

/// What can be wrong with a schema in DDL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DdlProblem {
    /// Something else should stand here.
    #[error("expected {expected}, found: {found}")]
    Expected {
        /// What should stand here.
        expected: &'static str,
        /// What stands here.
        found: String,
    },
    /// No type has this name.
    #[error("unknown type: {0}")]
    UnknownType(String),
    /// A type or clause of Spark's that we do not have.
    #[error("not supported: {0}")]
    NotSupported(String),
    /// Precision or scale out of Spark's range.
    #[error("a decimal has 1 to 38 digits, and a scale between 0 and that: {0}")]
    BadDecimal(String),
    /// Two columns of one name.
    #[error("the column is there twice: {0}")]
    Duplicate(String),
    /// Types inside types without end.
    #[error("types nest deeper than 64")]
    TooDeep,
}

impl Explain for DdlError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match &self.problem {
            DdlProblem::UnknownType(name) => Some(match nearest(name, TYPE_NAMES) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "write Spark's names: INT, BIGINT, DOUBLE, STRING, BOOLEAN, DATE, TIMESTAMP, DECIMAL(10,2), …"
                    .to_owned(),
            }),
            DdlProblem::Expected { expected: "a column name", .. } => {
                Some("put a name with dots, blanks or other signs between backquotes: `loan.amount` DOUBLE".to_owned())
            }
            DdlProblem::Expected { .. } => Some("a schema reads like: id BIGINT, purpose STRING NOT NULL".to_owned()),
            _ => None,
        }
    }
}

/// Reads a schema in Spark's DDL: `a INT, b STRING NOT NULL, c DECIMAL(10,2) COMMENT 'x'`.
///
/// Same as Spark: names of types and their aliases in any case, names of columns between backquotes with `` `` `` for one,
/// `:` before a type inside STRUCT. A comment is kept in the field's metadata under `comment`.
/// Differs from Spark: `:` is taken at the top level too; INTERVAL, VARIANT and TIME, DEFAULT and GENERATED are refused;
/// CHAR and VARCHAR are strings of any length.
///
/// # Errors
/// [`DdlError`] with the position of what is wrong.
pub fn parse_ddl(text: &str) -> Result<Schema, DdlError> {
    let mut parser = Parser::new(text)?;
    let fields = parser.fields(0)?;
    parser.end()?;
    Ok(Schema::new(fields))
}

/// Reads one type in Spark's DDL: `INT`, `ARRAY<DOUBLE>`.
///
/// # Errors
/// [`DdlError`] with the position of what is wrong.
pub fn parse_type(text: &str) -> Result<DataType, DdlError> {
    let mut parser = Parser::new(text)?;
    let data_type = parser.data_type(0)?;
    parser.end()?;
    Ok(data_type)
}

/// The schema in Spark's DDL; [`parse_ddl`] reads it back, up to `containsNull`, which DDL has no words for.
///
/// Same as Spark: `StructType.toDDL`. A vector column is written as the struct it is made of, which is how we know it again.
///
/// # Errors
/// [`UnknownToSpark`] for a type that has no name in Spark.
pub fn to_ddl(schema: &Schema) -> Result<String, UnknownToSpark> {
    let columns = schema.fields().iter().map(|field| column_ddl(field, " ", field.name()));
    Ok(columns.collect::<Result<Vec<_>, _>>()?.join(","))
}

fn column_ddl(field: &Field, between: &str, path: &str) -> Result<String, UnknownToSpark> {
    let mut text = format!("{}{between}{}", quote_if_needed(field.name()), type_ddl(field.data_type(), path)?);
    if !field.is_nullable() {
        text.push_str(" NOT NULL");
    }
    if let Some(comment) =
        field.metadata().get("comment").and_then(|comment| serde_json::from_str::<String>(comment).ok())
    {
        text.push_str(&format!(" COMMENT '{}'", comment.replace('\\', "\\\\").replace('\'', "\\'")));
    }
    Ok(text)
}

fn type_ddl(data_type: &DataType, path: &str) -> Result<String, UnknownToSpark> {
    let unknown = || UnknownToSpark { column: path.to_owned(), data_type: data_type.clone() };
    Ok(match data_type {
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            format!("ARRAY<{}>", type_ddl(element.data_type(), &format!("{path}.element"))?)
        }
        DataType::Map(entries, _) => {
            let (key, value) = map_fields(entries).ok_or_else(unknown)?;
            let key = type_ddl(key.data_type(), &format!("{path}.key"))?;
            format!("MAP<{key}, {}>", type_ddl(value.data_type(), &format!("{path}.value"))?)
        }
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| column_ddl(field, ": ", &format!("{path}.{}", field.name())));
            format!("STRUCT<{}>", fields.collect::<Result<Vec<_>, _>>()?.join(", "))
        }
        DataType::Dictionary(_, values) => type_ddl(values, path)?,
        atomic => atomic_word(atomic).map(Atomic::name).ok_or_else(unknown)?.to_uppercase(),
    })
}

/// A name as it stands in DDL: bare when it is made of letters, digits and `_` and is not a number.
fn quote_if_needed(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !is_number(name);
    if is_bare { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit())
}

/// A piece of DDL.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A bare word: a name, a type, a key word, a number.
    Word(String),
    /// A name between backquotes.
    Quoted(String),
    /// Text between single or double quotes.
    Text(String),
    /// One sign: `, : < > ( )` and whatever else stands there.
    Sign(char),
    End,
}

struct Parser {
    /// Each token with the position of its first character, counted from 1; the last one is [`Token::End`].
    tokens: Vec<(usize, Token)>,
    next: usize,
}

impl Parser {
    fn new(text: &str) -> Result<Parser, DdlError> {
        Ok(Parser { tokens: tokens(text)?, next: 0 })
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.next].1
    }

    fn fail<T>(&self, problem: DdlProblem) -> Result<T, DdlError> {
        Err(DdlError { position: self.tokens[self.next].0, problem })
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, DdlError> {
        let found = match self.peek() {
            Token::Word(word) => word.clone(),
            Token::Quoted(name) => format!("`{name}`"),
            Token::Text(text) => format!("'{text}'"),
            Token::Sign(sign) => sign.to_string(),
            Token::End => "the end".to_owned(),
        };
        self.fail(DdlProblem::Expected { expected, found })
    }

    fn take_sign(&mut self, sign: char) -> bool {
        let found = *self.peek() == Token::Sign(sign);
        self.next += usize::from(found);
        found
    }

    fn sign(&mut self, sign: char, expected: &'static str) -> Result<(), DdlError> {
        if self.take_sign(sign) { Ok(()) } else { self.expected(expected) }
    }

    fn take_word(&mut self, key_word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(key_word));
        self.next += usize::from(found);
        found
    }

    fn end(&self) -> Result<(), DdlError> {
        if *self.peek() == Token::End { Ok(()) } else { self.expected("`,` or the end") }
    }

    /// One or more columns, with commas between.
    fn fields(&mut self, depth: usize) -> Result<Vec<Field>, DdlError> {
        let mut names = HashSet::new();
        let mut fields = Vec::new();
        loop {
            let start = self.next;
            let field = self.field(depth)?;
            if !names.insert(field.name().clone()) {
                self.next = start;
                return self.fail(DdlProblem::Duplicate(field.name().clone()));
            }
            fields.push(field);
            if !self.take_sign(',') {
                return Ok(fields);
            }
        }
    }

    /// `name [:] TYPE [NOT NULL] [COMMENT 'text']`
    fn field(&mut self, depth: usize) -> Result<Field, DdlError> {
        let name = match self.peek() {
            Token::Word(word) if !is_number(word) => word.clone(),
            Token::Quoted(name) if !name.is_empty() => name.clone(),
            _ => return self.expected("a column name"),
        };
        self.next += 1;
        self.take_sign(':');
        let data_type = self.data_type(depth)?;
        let (mut nullable, mut comment) = (true, None);
        loop {
            if self.take_word("NOT") {
                if !self.take_word("NULL") {
                    return self.expected("NULL");
                }
                nullable = false;
            } else if self.take_word("COMMENT") {
                let Token::Text(text) = self.peek().clone() else { return self.expected("a comment in quotes") };
                self.next += 1;
                comment = Some(text);
            } else {
                break;
            }
        }
        if let Token::Word(word) = self.peek()
            && ["DEFAULT", "GENERATED", "COLLATE"].contains(&word.to_uppercase().as_str())
        {
            let clause = word.to_uppercase();
            return self.fail(DdlProblem::NotSupported(clause));
        }
        let field = Field::new(name, data_type, nullable);
        Ok(match comment {
            Some(comment) => json::with_metadata(field, "comment", &comment.into()),
            None => field,
        })
    }

    fn data_type(&mut self, depth: usize) -> Result<DataType, DdlError> {
        if depth > MAX_DEPTH {
            return self.fail(DdlProblem::TooDeep);
        }
        let Token::Word(word) = self.peek().clone() else { return self.expected("a type") };
        let name = word.to_uppercase();
        if NOT_SUPPORTED.contains(&name.as_str()) {
            return self.fail(DdlProblem::NotSupported(name));
        }
        if !TYPE_NAMES.contains(&name.as_str()) {
            return self.fail(DdlProblem::UnknownType(word));
        }
        self.next += 1;
        Ok(match name.as_str() {
            "BOOLEAN" => DataType::Boolean,
            "TINYINT" | "BYTE" => DataType::Int8,
            "SMALLINT" | "SHORT" => DataType::Int16,
            "INT" | "INTEGER" => DataType::Int32,
            "BIGINT" | "LONG" => DataType::Int64,
            "FLOAT" | "REAL" => DataType::Float32,
            "DOUBLE" => DataType::Float64,
            "DECIMAL" | "DEC" | "NUMERIC" => self.decimal()?,
            "CHAR" | "CHARACTER" | "VARCHAR" => {
                self.sign('(', "`(` and a length")?;
                self.number()?;
                self.sign(')', "`)`")?;
                DataType::Utf8
            }
            "BINARY" => DataType::Binary,
            "DATE" => DataType::Date32,
            "TIMESTAMP" | "TIMESTAMP_LTZ" => timestamp_type(),
            "TIMESTAMP_NTZ" => timestamp_ntz_type(),
            "VOID" => DataType::Null,
            "ARRAY" => {
                self.sign('<', "`<`")?;
                let element = self.data_type(depth + 1)?;
                self.sign('>', "`>`")?;
                array_type(element, true)
            }
            "MAP" => {
                self.sign('<', "`<`")?;
                let key = self.data_type(depth + 1)?;
                self.sign(',', "`,`")?;
                let value = self.data_type(depth + 1)?;
                self.sign('>', "`>`")?;
                map_type(key, value, true)
            }
            "STRUCT" => {
                self.sign('<', "`<`")?;
                let fields = if *self.peek() == Token::Sign('>') { Vec::new() } else { self.fields(depth + 1)? };
                self.sign('>', "`,` or `>`")?;
                DataType::Struct(fields.into())
            }
            _ => DataType::Utf8,
        })
    }

    /// `[(precision [, scale])]`; without, Spark's (10, 0).
    fn decimal(&mut self) -> Result<DataType, DdlError> {
        let start = self.next;
        let (mut precision, mut scale) = (10, 0);
        if self.take_sign('(') {
            precision = self.number()?;
            if self.take_sign(',') {
                scale = self.number()?;
            }
            self.sign(')', "`)`")?;
        }
        decimal_type(precision, scale).ok_or_else(|| DdlError {
            position: self.tokens[start].0,
            problem: DdlProblem::BadDecimal(format!("decimal({precision},{scale})")),
        })
    }

    fn number(&mut self) -> Result<u64, DdlError> {
        let number = match self.peek() {
            Token::Word(word) if is_number(word) => word.parse().ok(),
            _ => None,
        };
        let Some(number) = number else { return self.expected("a number") };
        self.next += 1;
        Ok(number)
    }
}

/// Cuts the text into tokens.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, DdlError> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        let token = match chars[at] {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '`' => Token::Quoted(quoted(&chars, &mut at, '`')?),
            quote @ ('\'' | '"') => Token::Text(quoted(&chars, &mut at, quote)?),
            c if is_word_char(c) => {
                while at < chars.len() && is_word_char(chars[at]) {
                    at += 1;
                }
                Token::Word(chars[start..at].iter().collect())
            }
            sign => {
                at += 1;
                Token::Sign(sign)
            }
        };
        tokens.push((start + 1, token));
    }
    tokens.push((chars.len() + 1, Token::End));
    Ok(tokens)
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What stands between the quote at `at` and its end; `at` then is behind it.
///
/// A backquote is doubled to stand for itself; in text a backslash takes the next character as it is (`\n`, `\t`, `\r` as usual).
fn quoted(chars: &[char], at: &mut usize, quote: char) -> Result<String, DdlError> {
    let start = *at;
    let mut text = String::new();
    *at += 1;
    while let Some(&c) = chars.get(*at) {
        *at += 1;
        let following = chars.get(*at).copied();
        if c == quote && quote == '`' && following == Some('`') {
            text.push('`');
            *at += 1;
        } else if c == quote {
            return Ok(text);
        } else if let ('\\', true, Some(escaped)) = (c, quote != '`', following) {
            text.push(match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            });
            *at += 1;
        } else {
            text.push(c);
        }
    }
    let problem = DdlProblem::Expected { expected: "a closing quote", found: "the end".to_owned() };
    Err(DdlError { position: start + 1, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ddl: &str, expect: &str) {
        assert_eq!(to_ddl(&parse_ddl(ddl).unwrap()).unwrap(), expect);
        assert_eq!(to_ddl(&parse_ddl(expect).unwrap()).unwrap(), expect, "read back");
    }

    /// The right-hand sides are pyspark 3.5.9's `StructType.fromDDL(left).toDDL()`, called through py4j.
    #[test]
    fn a_schema_is_read_and_written_as_spark_does() {
        check("a INT, b string NOT NULL, c DECIMAL(10,2)", "a INT,b STRING NOT NULL,c DECIMAL(10,2)");
        check(
            "d timestamp COMMENT 'it\\'s', s STRING COMMENT \"dq\"",
            "d TIMESTAMP COMMENT 'it\\'s',s STRING COMMENT 'dq'",
        );
        check(
            "c DEC, d NUMERIC(4), e REAL, f BYTE, g SHORT, h LONG",
            "c DECIMAL(10,0),d DECIMAL(4,0),e FLOAT,f TINYINT,g SMALLINT,h BIGINT",
        );
        check(
            "i BINARY, j TIMESTAMP_NTZ, k TIMESTAMP_LTZ, l DATE, m VOID",
            "i BINARY,j TIMESTAMP_NTZ,k TIMESTAMP,l DATE,m VOID",
        );
        check("n BOOLEAN, o INTEGER", "n BOOLEAN,o INT");
        check("a STRUCT<>, b ARRAY<ARRAY<INT>>", "a STRUCT<>,b ARRAY<ARRAY<INT>>");
        check(
            "b STRUCT<x: INT NOT NULL COMMENT 'q', y ARRAY<MAP<STRING, DECIMAL>>>",
            "b STRUCT<x: INT NOT NULL COMMENT 'q', y: ARRAY<MAP<STRING, DECIMAL(10,0)>>>",
        );
        check(
            "`a.b` INT, `c``d` DOUBLE, `ö` int, 1a int, order int, `x y` int, _z int, `7` int, `a-b` int",
            "`a.b` INT,`c``d` DOUBLE,`ö` INT,1a INT,order INT,`x y` INT,_z INT,`7` INT,`a-b` INT",
        );
    }

    #[test]
    fn text_of_bounded_length_is_text() {
        assert_eq!(parse_type("VARCHAR(5)"), Ok(DataType::Utf8));
        assert_eq!(parse_type("char(3)"), Ok(DataType::Utf8));
    }

    #[test]
    fn times_are_microseconds_in_utc_or_without_zone() {
        assert_eq!(parse_type("timestamp"), Ok(timestamp_type()));
        assert_eq!(parse_type("timestamp_ntz"), Ok(timestamp_ntz_type()));
    }

    #[track_caller]
    fn check_error(ddl: &str, message: &str, hint: Option<&str>) {
        let error = parse_ddl(ddl).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (message, hint));
    }

    #[test]
    fn an_error_says_where_and_what_was_meant() {
        let form = Some("a schema reads like: id BIGINT, purpose STRING NOT NULL");
        let quotes = Some("put a name with dots, blanks or other signs between backquotes: `loan.amount` DOUBLE");
        check_error("a INT, b STRNG", "schema, character 10: unknown type: STRNG", Some("did you mean `STRING`?"));
        check_error("a.b INT", "schema, character 2: expected a type, found: .", form);
        check_error("7 INT", "schema, character 1: expected a column name, found: 7", quotes);
        check_error("a INT,", "schema, character 7: expected a column name, found: the end", quotes);
        check_error("", "schema, character 1: expected a column name, found: the end", quotes);
        check_error("a", "schema, character 2: expected a type, found: the end", form);
        check_error("a ARRAY<INT>>", "schema, character 13: expected `,` or the end, found: >", form);
        check_error("a INT NOT", "schema, character 10: expected NULL, found: the end", form);
        check_error("a INT COMMENT 'x", "schema, character 15: expected a closing quote, found: the end", form);
        check_error("a CHAR", "schema, character 7: expected `(` and a length, found: the end", form);
        check_error("a INT DEFAULT 1", "schema, character 7: not supported: DEFAULT", None);
        check_error("a INTERVAL", "schema, character 3: not supported: INTERVAL", None);
        check_error("a INT, a INT", "schema, character 8: the column is there twice: a", None);
        let decimal =
            "schema, character 10: a decimal has 1 to 38 digits, and a scale between 0 and that: decimal(3,5)";
        check_error("a DECIMAL(3,5)", decimal, None);
    }

    #[test]
    fn types_without_end_are_refused() {
        let deep = format!("a {}", "ARRAY<".repeat(100_000));
        assert_eq!(parse_ddl(&deep).unwrap_err().problem, DdlProblem::TooDeep);
    }

    #[test]
    fn a_type_that_spark_does_not_have_is_named_with_its_path() {
        let inner = DataType::Struct(vec![Field::new("b", DataType::UInt8, true)].into());
        let schema = Schema::new(vec![Field::new("a", array_type(inner, true), true)]);
        let error = to_ddl(&schema).unwrap_err();
        assert_eq!(error.to_string(), "column `a.element.b` has a type that Spark does not know: UInt8");
    }
}
