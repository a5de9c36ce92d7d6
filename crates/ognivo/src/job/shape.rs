//! The grammar of a job file as data: which keys there are, what each takes, and what it is for.
//!
//! The tables in [`file`](super::file) declare every key once. From them come the check of a file ([`check`]), its
//! complaints with the nearest valid name, and the JSON Schema that editors complete from
//! ([`json_schema`](super::json_schema::json_schema)).

use ognivo_data::fault::nearest;
use ognivo_data::version::SparkVersion;

use super::complaint::Complaint;
use super::node::{Entry, Node, Position, Value};
use super::tune::TunerKind;
use ognivo_data::quantity::parse_duration;

/// What a value of the file must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A text; numbers and booleans are taken as they are written.
    Text,
    /// A path: absolute, relative to the job file, or a URL.
    Path,
    /// `true` or `false`.
    Boolean,
    /// An integer from this one on.
    Integer(i64),
    /// A number from the first to the second.
    Number(f64, f64),
    /// A duration.
    Duration,
    /// A Spark version.
    Version,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A schema: Spark DDL, or a list of `{name, type, nullable}`.
    Schema,
    /// A list of texts; one text is a list of one.
    Texts,
    /// A list of numbers.
    Numbers,
    /// A mapping with known keys.
    Record(&'static [Field]),
    /// A list of mappings with exactly one of these keys.
    OneKeyEach(&'static [Field]),
    /// A mapping with exactly one of these keys.
    OneKey(&'static [Field]),
    /// A mapping of any names to scalars; who reads it checks the names.
    Options,
    /// The stages of a pipeline, or `{load: path}`.
    Pipeline,
    /// A list of evaluators.
    Evaluators,
    /// One evaluator.
    Evaluator,
    /// The parameters of a tuner.
    Tuner(TunerKind),
    /// `Stage.parameter: [values]`.
    Grid,
}

/// One key of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// The key.
    pub(crate) key: &'static str,
    /// What its value must be.
    pub(crate) shape: Shape,
    /// One sentence without full stop.
    pub(crate) doc: &'static str,
    /// Whether it must be there.
    pub(crate) required: bool,
}

/// A key that may be absent.
pub(crate) const fn optional(key: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { key, shape, doc, required: false }
}

/// A key that must be there.
pub(crate) const fn required(key: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { key, shape, doc, required: true }
}

/// Adds to `complaints` all that is wrong with `node` as a value of `shape`; `name` says what the value is.
pub(crate) fn check(node: &Node, shape: Shape, name: &str, complaints: &mut Vec<Complaint>) {
    let mut wrong = |wanted: &str| complaints.push(must_be(node, name, wanted));
    let text = node.text();
    match shape {
        Shape::Text | Shape::Path if text.is_none_or(str::is_empty) => wrong("a text"),
        Shape::Boolean if node.boolean().is_none() => wrong("true or false"),
        Shape::Integer(least) if text.and_then(|text| text.parse().ok()).is_none_or(|n: i64| n < least) => {
            wrong(&format!("an integer from {least} on"));
        }
        Shape::Number(least, most) => match text.and_then(|text| text.parse::<f64>().ok()) {
            Some(number) if (least..=most).contains(&number) => {}
            _ => wrong(&format!("a number from {least} to {most}")),
        },
        Shape::Duration if text.and_then(parse_duration).is_none() => wrong("a duration such as `10 seconds`"),
        Shape::Version if text.is_none_or(|text| text.parse::<SparkVersion>().is_err()) => {
            wrong("one of \"2.4\", \"3.5\", \"4.3\"");
        }
        Shape::Word(words) => check_word(node, words, name, complaints),
        Shape::Texts if text.is_none() && !(is_list(node) && node.items().iter().all(|item| item.text().is_some())) => {
            wrong("a list of texts");
        }
        Shape::Numbers => {
            let is_number = |item: &Node| item.text().is_some_and(|text| text.parse::<f64>().is_ok());
            if !(is_list(node) && node.items().iter().all(is_number)) {
                wrong("a list of numbers");
            }
        }
        Shape::Schema => check_schema(node, name, complaints),
        Shape::Record(fields) => check_record(node, fields, name, complaints),
        Shape::OneKey(fields) => check_one_key(node, fields, name, complaints),
        Shape::OneKeyEach(fields) => check_items(node, name, complaints, |item, complaints| {
            check_one_key(item, fields, name, complaints);
        }),
        Shape::Options if !is_map(node) => wrong("a mapping of option names to values"),
        Shape::Options => {
            for Entry { key, node, .. } in node.entries() {
                if !matches!(node.value, Value::Scalar { .. }) {
                    complaints.push(must_be(node, key, "one value"));
                }
            }
        }
        Shape::Pipeline if is_map(node) => check_record(node, LOAD, name, complaints),
        Shape::Pipeline | Shape::Evaluators if !is_list(node) => wrong("a list, each item `- Name: {parameters}`"),
        Shape::Pipeline | Shape::Evaluators => node.items().iter().for_each(|item| check_named(item, name, complaints)),
        Shape::Evaluator => check_named(node, name, complaints),
        Shape::Tuner(_) if !is_map(node) && node.value != Value::Null => wrong("a mapping of parameters"),
        Shape::Grid if !is_map(node) => wrong("a mapping of `Stage.parameter` to lists of values"),
        Shape::Grid => {
            let not_lists = node.entries().iter().filter(|entry| !is_list(&entry.node));
            complaints.extend(not_lists.map(|entry| must_be(&entry.node, &entry.key, "a list of values")));
        }
        _ => {}
    }
}

/// `pipeline: {load: path}`.
pub(crate) const LOAD: &[Field] =
    &[required("load", Shape::Path, "directory of an unfitted Pipeline or estimator that Spark saved")];

fn must_be(node: &Node, name: &str, wanted: &str) -> Complaint {
    Complaint::new(node.at, format!("`{name}` must be {wanted}: {}", node.describe()))
}

fn is_map(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}

fn is_list(node: &Node) -> bool {
    matches!(node.value, Value::List(_))
}

fn check_word(node: &Node, words: &[&'static str], name: &str, complaints: &mut Vec<Complaint>) {
    if node.text().is_some_and(|text| words.contains(&text)) {
        return;
    }
    let suggestion = node.text().and_then(|text| did_you_mean(text, words.iter().copied()));
    complaints.push(must_be(node, name, &format!("one of {}", words.join(", "))).with_hint(suggestion));
}

fn check_schema(node: &Node, name: &str, complaints: &mut Vec<Complaint>) {
    match &node.value {
        Value::Scalar { .. } => {}
        Value::List(_) => check_items(node, name, complaints, |item, complaints| {
            check_record(item, SCHEMA_COLUMN, name, complaints);
        }),
        _ => complaints.push(must_be(node, name, "Spark DDL such as `a INT, b STRING`, or a list of columns")),
    }
}

const SCHEMA_COLUMN: &[Field] = &[
    required("name", Shape::Text, "name of the column"),
    required("type", Shape::Text, "Spark SQL type"),
    optional("nullable", Shape::Boolean, "whether the column may hold nulls; default true"),
];

fn check_items(
    node: &Node,
    name: &str,
    complaints: &mut Vec<Complaint>,
    mut check: impl FnMut(&Node, &mut Vec<Complaint>),
) {
    if !is_list(node) {
        complaints.push(must_be(node, name, "a list"));
    }
    node.items().iter().for_each(|item| check(item, complaints));
}

fn check_record(node: &Node, fields: &'static [Field], name: &str, complaints: &mut Vec<Complaint>) {
    if !is_map(node) {
        let keys: Vec<&str> = fields.iter().map(|field| field.key).collect();
        return complaints.push(must_be(node, name, &format!("a mapping with the keys {}", keys.join(", "))));
    }
    for Entry { key, at, node } in node.entries() {
        match fields.iter().find(|field| field.key == key) {
            Some(field) => check(node, field.shape, key, complaints),
            None => complaints.push(unknown(*at, "key", key, fields.iter().map(|field| field.key))),
        }
    }
    for field in fields.iter().filter(|field| field.required && node.get(field.key).is_none()) {
        complaints.push(Complaint::new(node.at, format!("`{name}` lacks the key: {}", field.key)));
    }
}

fn check_one_key(node: &Node, fields: &'static [Field], name: &str, complaints: &mut Vec<Complaint>) {
    check_record(node, fields, name, complaints);
    if is_map(node) && node.entries().len() != 1 {
        let keys: Vec<&str> = fields.iter().map(|field| field.key).collect();
        complaints.push(Complaint::new(node.at, format!("`{name}` takes exactly one of: {}", keys.join(", "))));
    }
}

/// `Name: {parameters}`, or `Name:` and `- Name` for a stage whose parameters are all defaults.
fn check_named(node: &Node, name: &str, complaints: &mut Vec<Complaint>) {
    match &node.value {
        Value::Scalar { .. } => {}
        Value::Map(entries) if entries.len() == 1 => {
            let parameters = &entries[0].node;
            if !is_map(parameters) && parameters.value != Value::Null {
                complaints.push(must_be(parameters, &entries[0].key, "a mapping of parameters"));
            }
        }
        _ => complaints.push(must_be(node, name, "`Name: {parameters}`")),
    }
}

/// The complaint about a name that is not among `known`.
pub(crate) fn unknown<'a>(
    at: Position,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Complaint {
    let hint = did_you_mean(name, known.clone()).or_else(|| {
        let known: Vec<&str> = known.into_iter().collect();
        Some(format!("valid here: {}", known.join(", ")))
    });
    Complaint::new(at, format!("unknown {what}: {name}")).with_hint(hint)
}

fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|name| format!("did you mean `{name}`?"))
}
