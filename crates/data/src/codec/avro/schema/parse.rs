//! Reads the JSON of a schema, and replaces names by what they stand for.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{AvroSchemaError, Decimal, IntKind, LARGEST_SCHEMA, LongKind, Record, Type};

/// The type that a JSON stands for, which may name those of others.
///
/// # Errors
/// For what is no schema, and for one that holds itself.
pub(super) fn parse(others: &[Value], json: &Value) -> Result<Type, AvroSchemaError> {
    let mut parser = Parser::default();
    for other in others {
        parser.parse(other, "")?;
    }
    parser.parse(json, "")
}

type Parsed<T> = Result<T, AvroSchemaError>;

fn wrong<T>(why: impl Into<String>) -> Parsed<T> {
    Err(AvroSchemaError::NotASchema(why.into()))
}

#[derive(Default)]
struct Parser {
    /// What full names stand for.
    known: HashMap<String, Type>,
    /// Full names of records that are being read.
    open: Vec<String>,
    n_parts: usize,
}

impl Parser {
    /// `within` is the namespace in which short names are looked up.
    fn parse(&mut self, json: &Value, within: &str) -> Parsed<Type> {
        self.count(1)?;
        match json {
            Value::String(name) => self.named(name, within),
            Value::Array(branches) => self.union(branches, within),
            Value::Object(fields) => match fields.get("type") {
                Some(Value::String(kind)) => self.complex(kind, fields, within),
                Some(inner) => self.parse(inner, within),
                None => wrong("a type lacks its `type`"),
            },
            other => wrong(format!("no type: {other}")),
        }
    }

    fn count(&mut self, n_parts: usize) -> Parsed<()> {
        self.n_parts += n_parts;
        if self.n_parts > LARGEST_SCHEMA { Err(AvroSchemaError::TooLarge) } else { Ok(()) }
    }

    fn named(&mut self, name: &str, within: &str) -> Parsed<Type> {
        if let Some(primitive) = primitive(name) {
            return Ok(primitive);
        }
        let full = full_name(name, within);
        if self.open.contains(&full) {
            return Err(AvroSchemaError::Recursive(full));
        }
        let Some(found) = self.known.get(&full).cloned() else { return wrong(format!("no type of this name: {name}")) };
        self.count(n_parts(&found))?;
        Ok(found)
    }

    fn union(&mut self, branches: &[Value], within: &str) -> Parsed<Type> {
        let mut kinds = HashSet::new();
        let mut parsed = Vec::with_capacity(branches.len());
        for branch in branches {
            let branch_type = self.parse(branch, within)?;
            if matches!(branch_type, Type::Union(_)) {
                return wrong("a union holds another");
            }
            let kind = kind_of(&branch_type, branch);
            if !kinds.insert(kind.clone()) {
                return wrong(format!("a union has a type twice: {kind}"));
            }
            parsed.push(branch_type);
        }
        Ok(Type::Union(parsed))
    }

    fn complex(&mut self, kind: &str, fields: &Map<String, Value>, within: &str) -> Parsed<Type> {
        match kind {
            "record" | "error" => self.record(fields, within),
            "enum" => self.symbols(fields, within),
            "fixed" => self.fixed(fields, within),
            "array" => Ok(Type::Array(Box::new(self.part("array", "items", fields, within)?))),
            "map" => Ok(Type::Map(Box::new(self.part("map", "values", fields, within)?))),
            other => Ok(with_logical_type(self.named(other, within)?, fields)),
        }
    }

    fn part(&mut self, of: &str, key: &str, fields: &Map<String, Value>, within: &str) -> Parsed<Type> {
        match fields.get(key) {
            Some(part) => self.parse(part, within),
            None => wrong(format!("an {of} lacks its {key}")),
        }
    }

    fn record(&mut self, fields: &Map<String, Value>, within: &str) -> Parsed<Type> {
        let name = self.new_name("a record", fields, within)?;
        let within = namespace_of(&name).to_owned();
        let Some(Value::Array(given)) = fields.get("fields") else { return wrong(format!("{name} lacks its fields")) };
        self.open.push(name.clone());
        let mut parsed: Vec<(String, Type)> = Vec::with_capacity(given.len());
        let mut names = HashSet::new();
        for field in given {
            let Some(field_name) = field.get("name").and_then(Value::as_str) else {
                return wrong(format!("a field of {name} lacks its name"));
            };
            check_name(field_name)?;
            if !names.insert(field_name) {
                return wrong(format!("{name} has two fields of one name: {field_name}"));
            }
            let Some(field_type) = field.get("type") else {
                return wrong(format!("{name}.{field_name} lacks its type"));
            };
            parsed.push((field_name.to_owned(), self.parse(field_type, &within)?));
        }
        self.open.pop();
        let record = Type::Record(Record { name: name.clone(), fields: parsed });
        self.known.insert(name, record.clone());
        Ok(record)
    }

    fn symbols(&mut self, fields: &Map<String, Value>, within: &str) -> Parsed<Type> {
        let name = self.new_name("an enum", fields, within)?;
        let given = fields.get("symbols").and_then(Value::as_array);
        let symbols = given.and_then(|given| given.iter().map(|symbol| symbol.as_str().map(str::to_owned)).collect());
        let Some(symbols) = symbols else { return wrong(format!("{name} lacks its symbols")) };
        let symbols = Type::Enum(symbols);
        self.known.insert(name, symbols.clone());
        Ok(symbols)
    }

    fn fixed(&mut self, fields: &Map<String, Value>, within: &str) -> Parsed<Type> {
        let name = self.new_name("a fixed", fields, within)?;
        let size = fields.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
        let Some(size) = size else { return wrong(format!("{name} lacks its size")) };
        let fixed = with_logical_type(Type::Fixed(size, None), fields);
        self.known.insert(name, fixed.clone());
        Ok(fixed)
    }

    /// The full name of a type that is said here for the first time.
    fn new_name(&self, what: &str, fields: &Map<String, Value>, within: &str) -> Parsed<String> {
        let text = |key: &str| fields.get(key).and_then(Value::as_str);
        let Some(name) = text("name") else { return wrong(format!("{what} lacks its name")) };
        let full = full_name(name, text("namespace").unwrap_or(within));
        full.split('.').try_for_each(check_name)?;
        match self.known.contains_key(&full) || self.open.contains(&full) {
            true => wrong(format!("two types of one name: {full}")),
            false => Ok(full),
        }
    }
}

fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int(IntKind::Plain),
        "long" => Type::Long(LongKind::Plain),
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes(None),
        "string" => Type::String,
        _ => return None,
    })
}

/// A name with points is whole, another one stands in the namespace.
fn full_name(name: &str, namespace: &str) -> String {
    match name.contains('.') || namespace.is_empty() {
        true => name.to_owned(),
        false => format!("{namespace}.{name}"),
    }
}

fn namespace_of(full: &str) -> &str {
    full.rsplit_once('.').map_or("", |(namespace, _)| namespace)
}

fn check_name(name: &str) -> Parsed<()> {
    match is_name(name) {
        true => Ok(()),
        false => wrong(format!("no name of Avro's: {name}")),
    }
}

/// Letters, digits and underscores, no digit first.
pub(in crate::codec::avro) fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// What tells the branches of a union apart: the name where a type has one, else what its bytes are.
fn kind_of(branch: &Type, json: &Value) -> String {
    match branch {
        Type::Record(record) => record.name.clone(),
        Type::Enum(_) | Type::Fixed(..) => {
            let named = json.as_str().or_else(|| json.get("name").and_then(Value::as_str));
            named.unwrap_or_default().to_owned()
        }
        Type::Int(_) => "int".to_owned(),
        Type::Long(_) => "long".to_owned(),
        Type::Bytes(_) => "bytes".to_owned(),
        Type::Array(_) => "array".to_owned(),
        Type::Map(_) => "map".to_owned(),
        other => other.to_string(),
    }
}

/// A logical type that is unknown, or does not go with the type, is none, as the specification has it.
fn with_logical_type(plain: Type, fields: &Map<String, Value>) -> Type {
    match (plain, fields.get("logicalType").and_then(Value::as_str)) {
        (Type::Int(_), Some("date")) => Type::Int(IntKind::Date),
        (Type::Long(_), Some("timestamp-millis")) => Type::Long(LongKind::TimestampMillis),
        (Type::Long(_), Some("timestamp-micros")) => Type::Long(LongKind::TimestampMicros),
        (Type::Long(_), Some("local-timestamp-millis")) => Type::Long(LongKind::LocalMillis),
        (Type::Long(_), Some("local-timestamp-micros")) => Type::Long(LongKind::LocalMicros),
        (Type::Bytes(_), Some("decimal")) => Type::Bytes(decimal(fields, None)),
        (Type::Fixed(size, _), Some("decimal")) => Type::Fixed(size, decimal(fields, Some(size))),
        (plain, _) => plain,
    }
}

fn decimal(fields: &Map<String, Value>, size: Option<usize>) -> Option<Decimal> {
    let number = |key: &str| fields.get(key).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let precision = number("precision")?;
    let scale = if fields.contains_key("scale") { number("scale")? } else { 0 };
    let is_sound = precision > 0 && scale <= precision && size.is_none_or(|size| precision <= digits_in(size));
    is_sound.then_some(Decimal { precision, scale })
}

/// How many digits every number has at least room for in so many bytes of two's complement.
fn digits_in(size: usize) -> usize {
    match size {
        0 => 0,
        size => ((8.0 * size as f64 - 1.0) * std::f64::consts::LOG10_2).floor() as usize,
    }
}

fn n_parts(of: &Type) -> usize {
    1 + match of {
        Type::Array(inner) | Type::Map(inner) => n_parts(inner),
        Type::Union(branches) => branches.iter().map(n_parts).sum(),
        Type::Record(record) => record.fields.iter().map(|(_, field)| n_parts(field)).sum(),
        _ => 0,
    }
}
