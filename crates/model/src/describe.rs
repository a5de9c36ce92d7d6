//! What a directory holds, in short, also when we cannot load it.

use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use ognivo_data::matrix::{is_matrix, matrix_at};
use ognivo_data::schema::type_name;
use ognivo_data::vector::{Vector, VectorColumn, is_vector};
use ognivo_ml::saved::SavedStage;
use ognivo_ml::uid::Uid;
use serde_json::{Map, Value, json};

use crate::registry::Registry;

/// A stage as `ognivo inspect` shows it, with the stages inside it.
///
/// Its `Display` is a tree of text lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The folder below the model directory; empty for the directory itself.
    pub folder: String,
    /// The JVM class.
    pub class: String,
    /// The stage's uid.
    pub uid: Uid,
    /// The Spark release that wrote it.
    pub spark_version: String,
    /// Why it cannot be loaded; `None` when it can. Of a stage with others inside, it is about the stage itself.
    pub obstacle: Option<String>,
    /// Parameters that differ from the default, by name.
    pub params: Map<String, Value>,
    /// Metadata keys that only this class has.
    pub extra: Map<String, Value>,
    /// What was learned, in a few words, where neither parameters nor tables tell it.
    pub in_short: Option<String>,
    /// Columns that it reads.
    pub inputs: Vec<String>,
    /// Columns that it adds.
    pub outputs: Vec<String>,
    /// Its tables.
    pub tables: Vec<TableDescription>,
    /// The stages inside, in order.
    pub children: Vec<Description>,
}

/// A table of a stage, in short.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDescription {
    /// Its folder.
    pub name: String,
    /// How many rows it has.
    pub n_rows: usize,
    /// Its columns: name, type in Spark's words, and the beginning of the first row's value.
    pub columns: Vec<(String, String, String)>,
}

impl Description {
    /// Whether this stage and all inside it can be loaded, as far as their classes are concerned.
    pub fn is_loadable(&self) -> bool {
        self.obstacle.is_none() && self.children.iter().all(Description::is_loadable)
    }

    /// The same as JSON, for programs.
    ///
    /// `{"class", "uid", "folder", "sparkVersion", "loadable", "obstacle", "params", "extra", "inShort", "inputs", "outputs",
    /// "tables": [{"name", "rows", "columns": [{"name", "type", "first"}]}], "stages": […]}`
    pub fn to_json(&self) -> Value {
        let column = |(name, type_name, first): &(String, String, String)| json!({"name": name, "type": type_name, "first": first});
        let table = |table: &TableDescription| {
            let columns: Vec<Value> = table.columns.iter().map(column).collect();
            json!({"name": table.name, "rows": table.n_rows, "columns": columns})
        };
        json!({
            "class": self.class,
            "uid": self.uid.as_str(),
            "folder": self.folder,
            "sparkVersion": self.spark_version,
            "loadable": self.is_loadable(),
            "obstacle": self.obstacle,
            "params": self.params,
            "extra": self.extra,
            "inShort": self.in_short,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "tables": self.tables.iter().map(table).collect::<Vec<_>>(),
            "stages": self.children.iter().map(Description::to_json).collect::<Vec<_>>(),
        })
    }
}

/// Describes what was read from a directory; `registry` says what can be loaded.
///
/// A class that the registry knows is also built, so that a stage which refuses its directory says why.
pub fn describe(saved: &SavedStage, registry: &Registry) -> Description {
    describe_in("", saved, registry)
}

fn describe_in(folder: &str, saved: &SavedStage, registry: &Registry) -> Description {
    let children = saved.children.iter().map(|(below, child)| {
        let folder = if folder.is_empty() { below.clone() } else { format!("{folder}/{below}") };
        describe_in(&folder, child, registry)
    });
    let children: Vec<Description> = children.collect();
    let of_role = |role: Role| columns_of(saved, role);
    Description {
        folder: folder.to_owned(),
        class: saved.class.clone(),
        uid: saved.uid.clone(),
        spark_version: saved.spark_version.clone(),
        obstacle: obstacle(saved, &children, registry),
        params: differing(saved),
        extra: saved.extra.clone(),
        in_short: in_short(saved, registry),
        inputs: of_role(Role::Input),
        outputs: of_role(Role::Output),
        tables: saved.tables.iter().map(|(name, rows)| table(name, rows)).collect(),
        children,
    }
}

fn obstacle(saved: &SavedStage, children: &[Description], registry: &Registry) -> Option<String> {
    if !registry.knows(&saved.class) {
        return Some("class not supported".to_owned());
    }
    // An outer stage fails with its inner ones, which say it better themselves.
    if !children.iter().all(Description::is_loadable) {
        return None;
    }
    registry.check(saved).err().map(|error| error.to_string())
}

/// What a fitted stage says of itself; of a stage with others inside they say it.
fn in_short(saved: &SavedStage, registry: &Registry) -> Option<String> {
    let is_alone = saved.children.is_empty() && registry.knows(&saved.class);
    registry.stage(saved).ok().filter(|_| is_alone)?.configured().in_short()
}

/// What was set to another value than the default.
fn differing(saved: &SavedStage) -> Map<String, Value> {
    let set = saved.param_map.iter().filter(|(name, value)| saved.default_param_map.get(*name) != Some(value));
    let mut set: Vec<_> = set.map(|(name, value)| (name.clone(), value.clone())).collect();
    set.sort_by(|a, b| a.0.cmp(&b.0));
    set.into_iter().collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Input,
    /// Read while fitting; a model keeps the name and does not read the column.
    FitInput,
    Output,
}

/// Parameters that name columns.
const COLUMN_PARAMS: &[(&str, Role)] = &[
    ("inputCol", Role::Input),
    ("inputCols", Role::Input),
    ("featuresCol", Role::Input),
    ("labelCol", Role::FitInput),
    ("weightCol", Role::FitInput),
    ("itemsCol", Role::Input),
    ("userCol", Role::Input),
    ("itemCol", Role::Input),
    ("ratingCol", Role::FitInput),
    ("censorCol", Role::FitInput),
    ("offsetCol", Role::Input),
    ("outputCol", Role::Output),
    ("outputCols", Role::Output),
    ("rawPredictionCol", Role::Output),
    ("probabilityCol", Role::Output),
    ("predictionCol", Role::Output),
    ("leafCol", Role::Output),
    ("varianceCol", Role::Output),
    ("quantilesCol", Role::Output),
    ("linkPredictionCol", Role::Output),
    ("topicDistributionCol", Role::Output),
];

fn columns_of(saved: &SavedStage, role: Role) -> Vec<String> {
    // One column or many, never both: where many are set, the default name of the one output does not count.
    let set_many = match role {
        Role::Input | Role::FitInput => saved.param_map.contains_key("inputCols"),
        Role::Output => saved.param_map.contains_key("outputCols"),
    };
    let is_evaluator = saved.class.starts_with("org.apache.spark.ml.evaluation.");
    let is_model = saved.class.ends_with("Model");
    let mut columns = Vec::new();
    for (name, role_of_param) in COLUMN_PARAMS {
        let role_here = match role_of_param {
            _ if is_evaluator => Role::Input,
            Role::FitInput if !is_model => Role::Input,
            role => *role,
        };
        if role_here != role || (set_many && matches!(*name, "inputCol" | "outputCol")) {
            continue;
        }
        match saved.param_map.get(*name).or_else(|| saved.default_param_map.get(*name)) {
            Some(Value::String(column)) if !column.is_empty() => columns.push(column.clone()),
            Some(Value::Array(items)) => columns.extend(items.iter().filter_map(Value::as_str).map(str::to_owned)),
            _ => {}
        }
    }
    columns
}

fn table(name: &str, rows: &RecordBatch) -> TableDescription {
    let schema: &Schema = rows.schema_ref();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
        let first = if column.is_empty() { String::new() } else { shown(column, 0) };
        (field.name().clone(), type_name(field.data_type()), first)
    });
    TableDescription { name: name.to_owned(), n_rows: rows.num_rows(), columns: columns.collect() }
}

/// Items that are shown of a list.
const MAX_SHOWN: usize = 8;

/// The value in a row, with long lists cut.
fn shown(column: &ArrayRef, row_idx: usize) -> String {
    if column.is_null(row_idx) {
        return "null".to_owned();
    }
    if is_vector(column.data_type()) {
        let vectors = VectorColumn::try_new(column);
        return match vectors.ok().and_then(|vectors| vectors.get(row_idx).map(|vector| vector.to_owned())) {
            None => "not a valid vector".to_owned(),
            Some(Vector::Dense(values)) => list_of(values.len(), |i| format!("{:?}", values[i])),
            Some(Vector::Sparse { size, indices, values }) => {
                let entries = list_of(values.len(), |i| format!("{}: {:?}", indices[i], values[i]));
                format!("{entries}, sparse, of {size}")
            }
        };
    }
    if is_matrix(column.data_type()) {
        return match matrix_at(column, row_idx) {
            Ok(matrix) => {
                let (n_rows, n_cols) = (matrix.n_rows(), matrix.n_cols());
                let numbers =
                    list_of(n_rows.saturating_mul(n_cols), |i| format!("{:?}", matrix.get(i / n_cols, i % n_cols)));
                format!("{n_rows}×{n_cols} {numbers}")
            }
            Err(error) => error.to_string(),
        };
    }
    match column.data_type() {
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row_idx);
            list_of(items.len(), |item| shown(&items, item))
        }
        DataType::Utf8 => column.as_string::<i32>().value(row_idx).to_owned(),
        DataType::Boolean => column.as_boolean().value(row_idx).to_string(),
        DataType::Float64 => format!("{:?}", column.as_primitive::<Float64Type>().value(row_idx)),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row_idx).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row_idx).to_string(),
        _ => "…".to_owned(),
    }
}

fn list_of(n_items: usize, item: impl Fn(usize) -> String) -> String {
    let items: Vec<String> = (0..n_items.min(MAX_SHOWN)).map(item).collect();
    let rest = if n_items > MAX_SHOWN { format!(", … ({n_items})") } else { String::new() };
    format!("[{}{rest}]", items.join(", "))
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_tree(f, 0)
    }
}

impl Description {
    fn write_tree(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        let short = self.class.rsplit('.').next().unwrap_or(&self.class);
        writeln!(f, "{indent}{short}  {}", self.uid)?;
        if depth == 0 {
            writeln!(f, "{indent}  class: {}", self.class)?;
            writeln!(f, "{indent}  written by: Spark {}", self.spark_version)?;
        }
        if let Some(obstacle) = &self.obstacle {
            writeln!(f, "{indent}  cannot be loaded: {obstacle}: {}", self.class)?;
        }
        let columns = |columns: &[String]| columns.join(", ");
        if !self.inputs.is_empty() || !self.outputs.is_empty() {
            writeln!(f, "{indent}  columns: {} → {}", columns(&self.inputs), columns(&self.outputs))?;
        }
        for (name, value) in self.params.iter().filter(|(name, _)| !is_shown_elsewhere(name)).chain(&self.extra) {
            writeln!(f, "{indent}  {name}: {value}")?;
        }
        if let Some(in_short) = &self.in_short {
            writeln!(f, "{indent}  {in_short}")?;
        }
        for table in &self.tables {
            let rows = if table.n_rows == 1 { "1 row".to_owned() } else { format!("{} rows", table.n_rows) };
            writeln!(f, "{indent}  {}: {rows}", table.name)?;
            for (name, type_name, first) in &table.columns {
                writeln!(f, "{indent}    {name} ({type_name}): {first}")?;
            }
        }
        self.children.iter().try_for_each(|child| child.write_tree(f, depth + 1))
    }
}

/// Parameters that the lines of columns and stages already tell.
fn is_shown_elsewhere(name: &str) -> bool {
    name == "stageUids" || COLUMN_PARAMS.iter().any(|(known, _)| *known == name)
}
