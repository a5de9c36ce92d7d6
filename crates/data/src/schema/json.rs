//! Schemas as Spark stores them: the JSON of `StructType`, which Parquet footers hold.
//!
//! ```text
//! {"type":"struct","fields":[
//!   {"name":"purpose","type":"string","nullable":true,"metadata":{}},
//!   {"name":"features","type":{"type":"udt","class":"org.apache.spark.ml.linalg.VectorUDT",
//!     "pyClass":"pyspark.ml.linalg.VectorUDT","sqlType":{"type":"struct","fields":[…]}},
//!    "nullable":true,"metadata":{"ml_attr":{…}}}]}
//! ```
//!
//! A field's metadata is a JSON object; the Arrow field holds it key by key, each value as JSON text. So `ml_attr` is where
//! [`Attribute`](crate::column::Attribute) looks for it, and metadata of others travels through unread.

use arrow_schema::{DataType, Field, Schema};
use serde_json::{Map, Value, json};

use super::{Atomic, UnknownToSpark, array_type, atomic_word, decimal_type, map_fields, map_type};
use super::{timestamp_ntz_type, timestamp_type};
use crate::fault::{Explain, Fault};
use crate::matrix::{is_matrix, matrix_type};
use crate::vector::{is_vector, vector_type};

/// The JSON is not a schema of Spark's that we can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaJsonError {
    /// Not JSON at all.
    #[error("schema is not JSON: {0}")]
    NotJson(String),
    /// A part is missing or of another kind.
    #[error("{path}: expected {expected}, found: {found}")]
    Expected {
        /// Where, as names of fields with dots; `schema` for the outermost.
        path: String,
        /// What should stand there.
        expected: &'static str,
        /// What stands there, shortened.
        found: String,
    },
    /// A type that we do not have.
    #[error("{path}: type not supported: {type_name}")]
    NotSupported {
        /// Where, as names of fields with dots.
        path: String,
        /// Spark's name of the type.
        type_name: String,
    },
}

impl Explain for SchemaJsonError {
    fn fault(&self) -> Fault {
        Fault::Data
    }
}

/// Reads the JSON of a `StructType`.
///
/// Vectors and matrices (`udt`, of `ml` and of `mllib`) become the types of [`vector`](crate::vector) and
/// [`matrix`](crate::matrix); another user-defined type becomes the type that it is stored as.
///
/// # Errors
/// [`SchemaJsonError`] with the field in question.
pub fn from_json(text: &str) -> Result<Schema, SchemaJsonError> {
    // The reader's own limit of 128 levels bounds the recursion below.
    let value: Value = serde_json::from_str(text).map_err(|error| SchemaJsonError::NotJson(error.to_string()))?;
    match read_type(&value, "schema")? {
        DataType::Struct(fields) => Ok(Schema::new(fields)),
        _ => Err(expected("schema", "a struct", Some(&value))),
    }
}

/// The JSON of a `StructType`, as Spark 3 and 4 write it.
///
/// Vectors and matrices are written as `udt` of `org.apache.spark.ml.linalg` with the four keys that Spark asks for.
/// Metadata of a field that is not JSON text is written as a string; that of Arrow and Parquet (`ARROW:…`, `PARQUET:…`)
/// is left out. Keys of metadata are in alphabetical order.
///
/// # Errors
/// [`UnknownToSpark`] for a type that has no name in Spark.
pub fn to_json(schema: &Schema) -> Result<String, UnknownToSpark> {
    Ok(struct_json(schema.fields().iter().map(AsRef::as_ref), "")?.to_string())
}

/// `field` with one more entry in its metadata.
pub(super) fn with_metadata(field: Field, key: &str, value: &Value) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(key.to_owned(), value.to_string());
    field.with_metadata(metadata)
}

fn expected(path: &str, expected: &'static str, found: Option<&Value>) -> SchemaJsonError {
    const MAX_SHOWN: usize = 60;
    let text = found.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let mut shown: String = text.chars().take(MAX_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    SchemaJsonError::Expected { path: path.to_owned(), expected, found: shown }
}

fn read_type(value: &Value, path: &str) -> Result<DataType, SchemaJsonError> {
    if let Some(word) = value.as_str() {
        return read_word(word, path);
    }
    let object = value.as_object().ok_or_else(|| expected(path, "a type", Some(value)))?;
    let part = |key: &'static str, inside: &str| match object.get(key) {
        Some(part) => read_type(part, &format!("{path}.{inside}")),
        None => Err(expected(path, key, None)),
    };
    let flag = |key: &str| object.get(key).and_then(Value::as_bool).unwrap_or(true);
    match object.get("type").and_then(Value::as_str) {
        Some("struct") => {
            let fields = object.get("fields").and_then(Value::as_array);
            let fields = fields.ok_or_else(|| expected(path, "a list of fields", object.get("fields")))?;
            let fields = fields.iter().map(|field| read_field(field, path)).collect::<Result<Vec<_>, _>>()?;
            Ok(DataType::Struct(fields.into()))
        }
        Some("array") => Ok(array_type(part("elementType", "element")?, flag("containsNull"))),
        Some("map") => Ok(map_type(part("keyType", "key")?, part("valueType", "value")?, flag("valueContainsNull"))),
        Some("udt") => match object.get("class").and_then(Value::as_str) {
            Some("org.apache.spark.ml.linalg.VectorUDT" | "org.apache.spark.mllib.linalg.VectorUDT") => {
                Ok(vector_type())
            }
            Some("org.apache.spark.ml.linalg.MatrixUDT" | "org.apache.spark.mllib.linalg.MatrixUDT") => {
                Ok(matrix_type())
            }
            _ => part("sqlType", "sqlType"),
        },
        _ => Err(expected(path, "struct, array, map or udt", object.get("type"))),
    }
}

fn read_field(value: &Value, path: &str) -> Result<Field, SchemaJsonError> {
    let name = value.get("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| expected(path, "a field with a name", Some(value)))?;
    let path = if path == "schema" { name.to_owned() } else { format!("{path}.{name}") };
    let data_type = value.get("type").ok_or_else(|| expected(&path, "a type", None))?;
    let nullable = value.get("nullable").and_then(Value::as_bool).unwrap_or(true);
    let field = Field::new(name, read_type(data_type, &path)?, nullable);
    Ok(match value.get("metadata") {
        Some(Value::Object(metadata)) => {
            metadata.iter().fold(field, |field, (key, value)| with_metadata(field, key, value))
        }
        _ => field,
    })
}

fn read_word(word: &str, path: &str) -> Result<DataType, SchemaJsonError> {
    let not_supported = || SchemaJsonError::NotSupported { path: path.to_owned(), type_name: word.to_owned() };
    Ok(match word {
        "byte" => DataType::Int8,
        "short" => DataType::Int16,
        "integer" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "string" => DataType::Utf8,
        "binary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" | "timestamp_ltz" => timestamp_type(),
        "timestamp_ntz" => timestamp_ntz_type(),
        "void" | "null" => DataType::Null,
        "decimal" => DataType::Decimal128(10, 0),
        other => match other.strip_suffix(')').and_then(|other| other.split_once('(')) {
            Some(("decimal", sizes)) => read_decimal(sizes).ok_or_else(not_supported)?,
            Some(("char" | "varchar", _)) => DataType::Utf8,
            _ => return Err(not_supported()),
        },
    })
}

fn read_decimal(sizes: &str) -> Option<DataType> {
    let (precision, scale) = sizes.split_once(',')?;
    decimal_type(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
}

fn struct_json<'a>(fields: impl Iterator<Item = &'a Field>, path: &str) -> Result<Value, UnknownToSpark> {
    let fields = fields.map(|field| field_json(field, path)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"type": "struct", "fields": fields}))
}

fn field_json(field: &Field, path: &str) -> Result<Value, UnknownToSpark> {
    let path = if path.is_empty() { field.name().clone() } else { format!("{path}.{}", field.name()) };
    Ok(json!({
        "name": field.name(),
        "type": type_json(field.data_type(), &path)?,
        "nullable": field.is_nullable(),
        "metadata": metadata_json(field),
    }))
}

fn metadata_json(field: &Field) -> Value {
    let mut keys: Vec<&String> = field.metadata().keys().collect();
    keys.retain(|key| !key.starts_with("ARROW:") && !key.starts_with("PARQUET:"));
    keys.sort();
    let entry = |key: &String| {
        let text = &field.metadata()[key];
        (key.clone(), serde_json::from_str(text).unwrap_or_else(|_| json!(text)))
    };
    Value::Object(keys.into_iter().map(entry).collect::<Map<_, _>>())
}

fn type_json(data_type: &DataType, path: &str) -> Result<Value, UnknownToSpark> {
    if is_vector(data_type) {
        return Ok(udt_json("VectorUDT", plain_json(&vector_type(), path)?));
    }
    if is_matrix(data_type) {
        return Ok(udt_json("MatrixUDT", plain_json(&matrix_type(), path)?));
    }
    plain_json(data_type, path)
}

/// The type of a user-defined type; `stored` is what it is made of.
fn udt_json(name: &str, stored: Value) -> Value {
    json!({
        "type": "udt",
        "class": format!("org.apache.spark.ml.linalg.{name}"),
        "pyClass": format!("pyspark.ml.linalg.{name}"),
        "sqlType": stored,
    })
}

fn plain_json(data_type: &DataType, path: &str) -> Result<Value, UnknownToSpark> {
    let unknown = || UnknownToSpark { column: path.to_owned(), data_type: data_type.clone() };
    Ok(match data_type {
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => json!({
            "type": "array",
            "elementType": type_json(element.data_type(), &format!("{path}.element"))?,
            "containsNull": element.is_nullable(),
        }),
        DataType::Map(entries, _) => {
            let (key, value) = map_fields(entries).ok_or_else(unknown)?;
            json!({
                "type": "map",
                "keyType": type_json(key.data_type(), &format!("{path}.key"))?,
                "valueType": type_json(value.data_type(), &format!("{path}.value"))?,
                "valueContainsNull": value.is_nullable(),
            })
        }
        DataType::Struct(fields) => struct_json(fields.iter().map(AsRef::as_ref), path)?,
        DataType::Dictionary(_, values) => type_json(values, path)?,
        atomic => json!(atomic_word(atomic).map(Atomic::json).ok_or_else(unknown)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::AttributeGroup;
    use crate::schema::parse_ddl;
    use crate::vector::vector_field;

    /// What pyspark 3.5.9's `StructType.fromDDL(…).json()` prints, through py4j.
    #[test]
    fn the_json_is_the_one_that_spark_writes() {
        let ddl = "a INT, b STRING NOT NULL, c DECIMAL(10,2), d TIMESTAMP COMMENT 'it', e ARRAY<DOUBLE>";
        let spark = concat!(
            r#"{"type":"struct","fields":[{"name":"a","type":"integer","nullable":true,"metadata":{}},"#,
            r#"{"name":"b","type":"string","nullable":false,"metadata":{}},"#,
            r#"{"name":"c","type":"decimal(10,2)","nullable":true,"metadata":{}},"#,
            r#"{"name":"d","type":"timestamp","nullable":true,"metadata":{"comment":"it"}},"#,
            r#"{"name":"e","type":{"type":"array","elementType":"double","containsNull":true},"nullable":true,"metadata":{}}]}"#,
        );
        assert_eq!(to_json(&parse_ddl(ddl).unwrap()).unwrap(), spark);
        assert_eq!(from_json(spark).unwrap(), parse_ddl(ddl).unwrap());
    }

    #[test]
    fn all_types_come_back() {
        let ddl = "a TINYINT, b SMALLINT, c BIGINT, d FLOAT, e BINARY, f BOOLEAN, g DATE, h TIMESTAMP_NTZ, i VOID,
            j MAP<STRING, INT>, k STRUCT<x: INT NOT NULL, y: ARRAY<STRING>>";
        let schema = parse_ddl(ddl).unwrap();
        assert_eq!(from_json(&to_json(&schema).unwrap()).unwrap(), schema);
    }

    /// `DataType.fromJson(…).json()` of pyspark 3.5.9 and 4.3.0 for `StructField("v", VectorUDT())`.
    const SPARK_VECTOR: &str = concat!(
        r#"{"type":"struct","fields":[{"name":"v","type":{"type":"udt","class":"org.apache.spark.ml.linalg.VectorUDT","#,
        r#""pyClass":"pyspark.ml.linalg.VectorUDT","sqlType":{"type":"struct","fields":["#,
        r#"{"name":"type","type":"byte","nullable":false,"metadata":{}},{"name":"size","type":"integer","nullable":true,"metadata":{}},"#,
        r#"{"name":"indices","type":{"type":"array","elementType":"integer","containsNull":false},"nullable":true,"metadata":{}},"#,
        r#"{"name":"values","type":{"type":"array","elementType":"double","containsNull":false},"nullable":true,"metadata":{}}]}},"#,
        r#""nullable":true,"metadata":{}}]}"#,
    );

    #[test]
    fn a_vector_column_is_spark_s_udt_with_its_four_keys() {
        let schema = Schema::new(vec![vector_field("v")]);
        assert_eq!(to_json(&schema).unwrap(), SPARK_VECTOR);
        assert_eq!(from_json(SPARK_VECTOR).unwrap(), schema);
    }

    #[test]
    fn vectors_and_matrices_of_the_old_package_are_read_as_the_new() {
        let old = SPARK_VECTOR.replace("spark.ml.", "spark.mllib.");
        assert_eq!(from_json(&old).unwrap(), Schema::new(vec![vector_field("v")]));
        let matrix = r#"{"type":"struct","fields":[{"name":"m","type":{"type":"udt","class":"org.apache.spark.mllib.linalg.MatrixUDT","pyClass":null,"sqlType":{}}}]}"#;
        assert!(is_matrix(from_json(matrix).unwrap().field(0).data_type()));
    }

    #[test]
    fn another_udt_is_read_as_what_it_is_stored_as() {
        let text = r#"{"type":"struct","fields":[{"name":"p","type":{"type":"udt","pyClass":"my.Point","sqlType":"double"}}]}"#;
        assert_eq!(*from_json(text).unwrap().field(0).data_type(), DataType::Float64);
    }

    #[test]
    fn metadata_travels_key_by_key() {
        let field = AttributeGroup::of_size(3).attach(vector_field("v"));
        let field = with_metadata(field, "note", &json!({"by": ["us", 1]}));
        let mut metadata = field.metadata().clone();
        metadata.insert("PARQUET:field_id".to_owned(), "7".to_owned());
        let written = to_json(&Schema::new(vec![field.clone().with_metadata(metadata)])).unwrap();
        assert!(written.ends_with(r#""metadata":{"ml_attr":{"num_attrs":3},"note":{"by":["us",1]}}}]}"#), "{written}");
        assert_eq!(from_json(&written).unwrap(), Schema::new(vec![field]));
    }

    #[track_caller]
    fn check_error(text: &str, message: &str) {
        assert_eq!(from_json(text).unwrap_err().to_string(), message);
    }

    #[test]
    fn an_error_names_the_field() {
        let field = |inside: &str| format!(r#"{{"type":"struct","fields":[{{"name":"a","type":{inside}}}]}}"#);
        check_error("{", "schema is not JSON: EOF while parsing an object at line 1 column 1");
        check_error("[1]", "schema: expected a type, found: [1]");
        check_error(r#""integer""#, r#"schema: expected a struct, found: "integer""#);
        check_error(&field(r#""variant""#), "a: type not supported: variant");
        check_error(&field(r#""decimal(99,1)""#), "a: type not supported: decimal(99,1)");
        check_error(&field(r#"{"type":"array"}"#), "a: expected elementType, found: nothing");
        check_error(&field(r#"{"type":"set"}"#), r#"a: expected struct, array, map or udt, found: "set""#);
        check_error(&field(r#"{"type":"array","elementType":7}"#), "a.element: expected a type, found: 7");
        check_error(r#"{"type":"struct","fields":[{}]}"#, "schema: expected a field with a name, found: {}");
    }

    #[test]
    fn json_without_end_is_an_error_and_no_overflow() {
        let deep = r#"{"type":"array","elementType":"#.repeat(100_000);
        assert!(matches!(from_json(&deep), Err(SchemaJsonError::NotJson(_))));
    }
}
