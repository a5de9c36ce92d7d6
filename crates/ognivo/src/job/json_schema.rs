//! The JSON Schema of a job file, printed from the tables that check it.

use ognivo_data::vector::number_to_json;
use ognivo_ml::param::{DefaultValue, ParamKind, ParamSpec, Range};
use serde_json::{Map, Value, json};

use super::file::JOB;
use super::shape::{Field, LOAD, Shape};
use super::stages;
use super::tune::{LANGUAGE_DOC, LANGUAGES};

/// The schema of the whole file, draft 2020-12.
pub(crate) fn json_schema() -> Value {
    let mut schema = record(JOB);
    let object = schema.as_object_mut().expect("a record is an object");
    object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    object.insert("title".to_owned(), json!("ognivo job"));
    schema
}

fn record(fields: &[Field]) -> Value {
    let properties: Map<String, Value> = fields.iter().map(|field| (field.key.to_owned(), described(field))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.key).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn one_key(fields: &[Field]) -> Value {
    let mut schema = record(fields);
    schema["minProperties"] = json!(1);
    schema["maxProperties"] = json!(1);
    schema
}

fn described(field: &Field) -> Value {
    let mut schema = of_shape(field.shape);
    schema["description"] = json!(field.doc);
    schema
}

fn of_shape(shape: Shape) -> Value {
    let scalar = json!(["string", "number", "boolean"]);
    match shape {
        Shape::Text | Shape::Version => json!({"type": ["string", "number"]}),
        Shape::Path => json!({"type": "string"}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Integer(i64::MIN) => json!({"type": "integer"}),
        Shape::Integer(least) => json!({"type": "integer", "minimum": least}),
        Shape::Number(least, most) => json!({"type": "number", "minimum": least, "maximum": most}),
        Shape::Duration => json!({"type": "string", "examples": ["10 seconds"]}),
        Shape::Word(words) => json!({"enum": words}),
        Shape::Schema => json!({"type": ["string", "array"], "examples": ["a INT, b STRING"]}),
        Shape::Texts => json!({"type": ["array", "string"], "items": {"type": "string"}}),
        Shape::Numbers => json!({"type": "array", "items": {"type": "number"}}),
        Shape::Record(fields) => record(fields),
        Shape::OneKey(fields) => one_key(fields),
        Shape::OneKeyEach(fields) => json!({"type": "array", "items": one_key(fields)}),
        Shape::Options => json!({"type": "object", "additionalProperties": {"type": scalar}}),
        Shape::Pipeline => {
            let stages = stages::STAGES.iter().map(|kind| (kind.name, kind.specs()));
            json!({"anyOf": [record(LOAD), {"type": "array", "items": named(stages)}]})
        }
        Shape::Evaluators => json!({"type": "array", "items": of_shape(Shape::Evaluator)}),
        Shape::Tuner(kind) => {
            let mut parameters: Map<String, Value> =
                kind.specs().iter().map(|spec| (spec.name.to_owned(), parameter(spec))).collect();
            parameters.insert("language".to_owned(), json!({"enum": LANGUAGES, "description": LANGUAGE_DOC}));
            parameters.insert("uid".to_owned(), json!({"type": "string", "description": "name of the tuner"}));
            json!({"type": ["object", "null"], "properties": parameters, "additionalProperties": false})
        }
        Shape::Grid => {
            json!({"type": "object", "additionalProperties": {"type": "array", "minItems": 1}})
        }
        Shape::Evaluator => named(stages::EVALUATORS.iter().map(|kind| (kind.name, kind.specs()))),
    }
}

/// `Name: {parameters}` for each of the names, or the bare name.
fn named(kinds: impl Iterator<Item = (&'static str, &'static [ParamSpec])>) -> Value {
    let mut names = Vec::new();
    let mut properties = Map::new();
    for (name, specs) in kinds {
        let mut parameters: Map<String, Value> =
            specs.iter().map(|spec| (spec.name.to_owned(), parameter(spec))).collect();
        parameters.insert("uid".to_owned(), json!({"type": "string", "description": "name of this stage"}));
        names.push(name);
        properties.insert(
            name.to_owned(),
            json!({"type": ["object", "null"], "properties": parameters, "additionalProperties": false}),
        );
    }
    json!({"anyOf": [
        {"enum": names},
        {"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
    ]})
}

fn parameter(spec: &ParamSpec) -> Value {
    let numbers = json!({"type": "array", "items": {"type": "number"}});
    let mut schema = match spec.kind {
        ParamKind::Double => json!({"type": "number"}),
        ParamKind::Int | ParamKind::Long => json!({"type": "integer"}),
        ParamKind::Boolean => json!({"type": "boolean"}),
        ParamKind::String => json!({"type": "string"}),
        ParamKind::StringArray => json!({"type": "array", "items": {"type": "string"}}),
        ParamKind::IntArray => json!({"type": "array", "items": {"type": "integer"}}),
        ParamKind::DoubleArray => numbers,
        ParamKind::DoubleArrayArray => json!({"type": "array", "items": numbers}),
        ParamKind::Vector | ParamKind::Matrix => json!({"type": "object"}),
    };
    schema["description"] = json!(spec.doc);
    match spec.range {
        Range::Any => {}
        Range::AtLeast(least) => schema["minimum"] = json!(least),
        Range::Above(bound) => schema["exclusiveMinimum"] = json!(bound),
        Range::Between(least, most) => {
            schema["minimum"] = json!(least);
            schema["maximum"] = json!(most);
        }
        Range::Inside(low, high) => {
            schema["exclusiveMinimum"] = json!(low);
            schema["exclusiveMaximum"] = json!(high);
        }
        Range::OneOf(words) => schema["enum"] = json!(words),
        Range::Ascending(least) if spec.kind == ParamKind::DoubleArrayArray => {
            schema["items"]["minItems"] = json!(least)
        }
        Range::Ascending(least) => schema["minItems"] = json!(least),
    }
    match spec.default {
        DefaultValue::Absent | DefaultValue::UidOutput => {}
        DefaultValue::Double(value) => schema["default"] = number_to_json(value),
        DefaultValue::Int(value) => schema["default"] = json!(value),
        DefaultValue::Long(value) => schema["default"] = json!(value),
        DefaultValue::Boolean(value) => schema["default"] = json!(value),
        DefaultValue::String(value) => schema["default"] = json!(value),
    }
    schema
}
