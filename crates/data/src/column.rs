//! What a column means to machine learning: Spark's ML attributes, kept where Spark keeps them.
//!
//! An attribute lives in the metadata of the field, under the key `ml_attr`, as JSON text:
//!
//! ```text
//! scalar column   {"type":"nominal","name":"purpose_index","vals":["debt_consolidation","credit_card","__unknown"]}
//! vector column   {"attrs":{"numeric":[{"idx":0,"name":"int_rate"}],"nominal":[{"idx":1,"name":"purpose_index","vals":[…]}]},"num_attrs":2}
//! ```

use arrow_schema::{Field, Schema};
use serde_json::{Map, Value, json};

use crate::fault::{Explain, Fault, nearest};

/// Key under which a field's metadata holds its ML attribute.
pub const ML_ATTR: &str = "ml_attr";

/// What one number (a scalar column or a slot of a vector) stands for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attribute {
    /// Its name; absent for a nameless slot.
    pub name: Option<String>,
    /// Its kind, with what is known of its values.
    pub kind: AttributeKind,
}

/// The kinds of attributes that Spark knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum AttributeKind {
    /// A number on a scale; what nothing is said about.
    #[default]
    Numeric,
    /// An index into labels.
    Nominal {
        /// The labels by index, where they are known.
        values: Option<Vec<String>>,
        /// How many labels there are, where only that is known.
        n_values: Option<usize>,
        /// Whether the order of the labels means something.
        is_ordinal: Option<bool>,
    },
    /// Zero or one.
    Binary {
        /// The labels of 0 and 1, where they are known.
        values: Option<Vec<String>>,
    },
}

impl Attribute {
    /// A number called `name`.
    pub fn numeric(name: impl Into<String>) -> Attribute {
        Attribute { name: Some(name.into()), kind: AttributeKind::Numeric }
    }

    /// An index into `labels`, called `name`.
    pub fn nominal(name: impl Into<String>, labels: Vec<String>) -> Attribute {
        let kind = AttributeKind::Nominal { values: Some(labels), n_values: None, is_ordinal: None };
        Attribute { name: Some(name.into()), kind }
    }

    /// The attribute of a scalar column; `None` when its metadata says nothing or something we cannot read.
    pub fn of(field: &Field) -> Option<Attribute> {
        let metadata = parse(field)?;
        if metadata.contains_key("attrs") || metadata.contains_key("num_attrs") {
            return None;
        }
        let mut attribute = from_json(&metadata, metadata.get("type").and_then(Value::as_str).unwrap_or("numeric"))?;
        attribute.name = Some(field.name().clone());
        Some(attribute)
    }

    /// The labels by index, for a nominal or binary attribute that knows them.
    pub fn labels(&self) -> Option<&[String]> {
        match &self.kind {
            AttributeKind::Nominal { values, .. } | AttributeKind::Binary { values } => values.as_deref(),
            AttributeKind::Numeric => None,
        }
    }

    /// How many values a nominal (labels or their number) or binary (2) attribute has; `None` when unknown or numeric.
    pub fn n_values(&self) -> Option<usize> {
        match &self.kind {
            AttributeKind::Nominal { values: Some(values), .. } => Some(values.len()),
            AttributeKind::Nominal { n_values, .. } => *n_values,
            AttributeKind::Binary { .. } => Some(2),
            AttributeKind::Numeric => None,
        }
    }

    /// `field` with this attribute in its metadata, under the field's own name.
    pub fn attach(&self, field: Field) -> Field {
        Attribute { name: Some(field.name().clone()), kind: self.kind.clone() }.attach_as_it_is(field)
    }

    /// `field` with this attribute in its metadata; one without a name is written without one.
    pub fn attach_as_it_is(&self, field: Field) -> Field {
        let mut object = to_json(self, None);
        object.insert("type".to_owned(), json!(type_word(&self.kind)));
        with_ml_attr(field, object)
    }
}

/// The attributes of a vector column, slot by slot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AttributeGroup {
    /// Number of slots, where it is known.
    pub n_slots: Option<usize>,
    /// One attribute per slot; absent when nothing is said of the slots.
    pub attributes: Option<Vec<Attribute>>,
}

impl AttributeGroup {
    /// A group that knows each of its slots.
    pub fn new(attributes: Vec<Attribute>) -> AttributeGroup {
        AttributeGroup { n_slots: Some(attributes.len()), attributes: Some(attributes) }
    }

    /// A group of which only the number of slots is known.
    pub fn of_size(n_slots: usize) -> AttributeGroup {
        AttributeGroup { n_slots: Some(n_slots), attributes: None }
    }

    /// The attributes of a vector column; the empty group when its metadata says nothing or something we cannot read.
    pub fn of(field: &Field) -> AttributeGroup {
        parse(field).and_then(|metadata| group_from_json(&metadata)).unwrap_or_default()
    }

    /// `field` with these attributes in its metadata.
    pub fn attach(&self, field: Field) -> Field {
        let mut object = Map::new();
        if let Some(attributes) = &self.attributes {
            let mut by_type = Map::new();
            for word in ["numeric", "nominal", "binary"] {
                let slots: Vec<Value> = (attributes.iter().enumerate())
                    .filter(|(_, attribute)| type_word(&attribute.kind) == word)
                    .map(|(slot, attribute)| Value::Object(to_json(attribute, Some(slot))))
                    .collect();
                if !slots.is_empty() {
                    by_type.insert(word.to_owned(), Value::Array(slots));
                }
            }
            object.insert("attrs".to_owned(), Value::Object(by_type));
        }
        if let Some(n_slots) = self.n_slots {
            object.insert("num_attrs".to_owned(), json!(n_slots));
        }
        if object.is_empty() {
            return field;
        }
        with_ml_attr(field, object)
    }
}

/// A column that is asked for is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}` not found; input columns: {}", known.join(", "))]
pub struct ColumnNotFound {
    /// The name that was asked for.
    pub column: String,
    /// The columns that are there.
    pub known: Vec<String>,
}

impl Explain for ColumnNotFound {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        let name = nearest(&self.column, self.known.iter().map(String::as_str))?;
        Some(format!("did you mean `{name}`?"))
    }
}

/// Position and field of the column called `name`; upper and lower case differ, as in Spark ML.
///
/// # Errors
/// [`ColumnNotFound`] with the names that are there.
pub fn find_column<'a>(schema: &'a Schema, name: &str) -> Result<(usize, &'a Field), ColumnNotFound> {
    schema.column_with_name(name).ok_or_else(|| ColumnNotFound {
        column: name.to_owned(),
        known: schema.fields().iter().map(|field| field.name().clone()).collect(),
    })
}

fn parse(field: &Field) -> Option<Map<String, Value>> {
    match serde_json::from_str(field.metadata().get(ML_ATTR)?) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

fn with_ml_attr(field: Field, object: Map<String, Value>) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(ML_ATTR.to_owned(), Value::Object(object).to_string());
    field.with_metadata(metadata)
}

fn type_word(kind: &AttributeKind) -> &'static str {
    match kind {
        AttributeKind::Numeric => "numeric",
        AttributeKind::Nominal { .. } => "nominal",
        AttributeKind::Binary { .. } => "binary",
    }
}

fn to_json(attribute: &Attribute, slot: Option<usize>) -> Map<String, Value> {
    let mut object = Map::new();
    if let Some(slot) = slot {
        object.insert("idx".to_owned(), json!(slot));
    }
    if let Some(name) = &attribute.name {
        object.insert("name".to_owned(), json!(name));
    }
    match &attribute.kind {
        AttributeKind::Numeric => {}
        AttributeKind::Nominal { values, n_values, is_ordinal } => {
            if let Some(is_ordinal) = is_ordinal {
                object.insert("ord".to_owned(), json!(is_ordinal));
            }
            if let Some(n_values) = n_values {
                object.insert("num_vals".to_owned(), json!(n_values));
            }
            if let Some(values) = values {
                object.insert("vals".to_owned(), json!(values));
            }
        }
        AttributeKind::Binary { values } => {
            if let Some(values) = values {
                object.insert("vals".to_owned(), json!(values));
            }
        }
    }
    object
}

fn from_json(object: &Map<String, Value>, type_word: &str) -> Option<Attribute> {
    let values = object
        .get("vals")
        .and_then(Value::as_array)
        .map(|values| values.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>());
    let kind = match type_word {
        "numeric" => AttributeKind::Numeric,
        "nominal" => AttributeKind::Nominal {
            values,
            n_values: object.get("num_vals").and_then(Value::as_u64).map(|n| n as usize),
            is_ordinal: object.get("ord").and_then(Value::as_bool),
        },
        "binary" => AttributeKind::Binary { values },
        _ => return None,
    };
    let name = object.get("name").and_then(Value::as_str).map(str::to_owned);
    Some(Attribute { name, kind })
}

/// Upper bound on the slots that metadata may claim, so that a hostile `num_attrs` cannot ask for all memory.
const MAX_SLOTS: usize = 1 << 24;

fn group_from_json(object: &Map<String, Value>) -> Option<AttributeGroup> {
    let claimed = object.get("num_attrs").and_then(Value::as_u64).map(|n| n as usize);
    let Some(by_type) = object.get("attrs").and_then(Value::as_object) else {
        return Some(AttributeGroup { n_slots: claimed, attributes: None });
    };
    let mut slots = Vec::new();
    for (type_word, entries) in by_type {
        for entry in entries.as_array()?.iter().filter_map(Value::as_object) {
            let slot = entry.get("idx")?.as_u64()? as usize;
            slots.push((slot, from_json(entry, type_word)?));
        }
    }
    let n_slots = slots.iter().map(|(slot, _)| slot + 1).max().unwrap_or(0).max(claimed.unwrap_or(0));
    if n_slots > MAX_SLOTS {
        return None;
    }
    let mut attributes = vec![Attribute::default(); n_slots];
    for (slot, attribute) in slots {
        attributes[slot] = attribute;
    }
    Some(AttributeGroup { n_slots: Some(n_slots), attributes: Some(attributes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::DataType;

    fn field(name: &str, ml_attr: &str) -> Field {
        let metadata = [(ML_ATTR.to_owned(), ml_attr.to_owned())].into();
        Field::new(name, DataType::Float64, true).with_metadata(metadata)
    }

    #[test]
    fn a_nominal_column_of_spark_gives_its_labels() {
        // Written by Spark 3.5.9: StringIndexer with handleInvalid=keep.
        let spark = field("si", r#"{"name":"si","type":"nominal","vals":["a","b","__unknown"]}"#);
        let attribute = Attribute::of(&spark).unwrap();
        assert_eq!(attribute.labels().unwrap(), ["a", "b", "__unknown"]);
        assert_eq!(attribute.n_values(), Some(3));
        assert_eq!(Attribute::of(&attribute.attach(Field::new("si", DataType::Float64, true))), Some(attribute));
    }

    #[test]
    fn an_attribute_without_a_name_is_written_without_one_and_read_under_that_of_its_field() {
        // Written by Spark 3.5.9 and 4.3.0: Bucketizer.
        let kind =
            AttributeKind::Nominal { values: Some(vec!["a".to_owned()]), n_values: None, is_ordinal: Some(true) };
        let attribute = Attribute { name: None, kind };
        let written = attribute.attach_as_it_is(Field::new("b", DataType::Float64, true));
        let spark: Value = serde_json::from_str(r#"{"ord":true,"vals":["a"],"type":"nominal"}"#).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&written.metadata()[ML_ATTR]).unwrap(), spark);
        assert_eq!(Attribute::of(&written), Some(Attribute { name: Some("b".to_owned()), ..attribute }));
    }

    #[test]
    fn a_group_of_mixed_slots_comes_back_as_written() {
        let group = AttributeGroup::new(vec![
            Attribute::numeric("x"),
            Attribute::nominal("p", vec!["a".to_owned()]),
            Attribute { name: None, kind: AttributeKind::Binary { values: None } },
        ]);
        let written = group.attach(Field::new("features", DataType::Float64, true));
        assert_eq!(AttributeGroup::of(&written), group);
        assert_eq!(Attribute::of(&written), None);
    }

    #[test]
    fn metadata_that_says_nothing_readable_is_no_attribute() {
        for text in ["", "[]", "not json", r#"{"type":"colour"}"#] {
            assert_eq!(Attribute::of(&field("x", text)), None, "{text}");
        }
        for text in ["", "[]", "not json", r#"{"attrs":{"colour":[{"idx":0}]}}"#] {
            assert_eq!(AttributeGroup::of(&field("x", text)).attributes, None, "{text}");
        }
    }

    #[test]
    fn a_slot_beyond_all_memory_is_not_believed() {
        let hostile = field("x", r#"{"attrs":{"numeric":[{"idx":99999999999}]}}"#);
        assert_eq!(AttributeGroup::of(&hostile), AttributeGroup::default());
    }
}
