//! Where the values of the columns lie in a datum: which fields are read, and which are passed over.

use arrow_schema::FieldRef;

use super::cell::{check, lacks, not_null};
use super::input::{Input, NoAvro};
use super::schema::{AvroSchema, AvroSchemaError, Record, Type};

/// The fields of a record, each with what is wanted of it.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    fields: Vec<Part>,
    /// The type of each column's values; None for a column that no field feeds.
    pub(super) types: Vec<Option<Type>>,
}

#[derive(Debug, Clone)]
struct Part {
    avro: Type,
    /// The column that takes it as a whole.
    column: Option<usize>,
    /// What is wanted of its fields, where it is a record or null.
    inner: Option<Vec<Part>>,
}

impl Shape {
    /// Columns by name, those of records inside by a dotted one: `a.b` is the field `b` of the record `a`.
    ///
    /// # Errors
    /// A column of another type than its field, or one that no field feeds, where `may_lack` is false.
    pub(super) fn new(schema: &AvroSchema, columns: &[FieldRef], may_lack: bool) -> Result<Shape, AvroSchemaError> {
        let ways = columns.iter().enumerate().map(|(idx, column)| (idx, column.name().split('.').collect::<Vec<_>>()));
        let ways: Vec<(usize, Vec<&str>)> = ways.collect();
        let mut types = vec![None; columns.len()];
        let fields = parts(schema.root(), &ways, columns, &mut types, may_lack)?;
        Ok(Shape { fields, types })
    }

    /// Reads a datum and tells where the value of each column begins and ends; how many bytes are left behind it.
    pub(super) fn locate(&self, datum: &[u8], tell: &mut impl FnMut(usize, usize, usize)) -> Result<usize, NoAvro> {
        let mut input = Input::new(datum);
        locate(&self.fields, &mut input, tell)?;
        Ok(datum.len() - input.at)
    }
}

fn parts(
    record: &Record,
    ways: &[(usize, Vec<&str>)],
    columns: &[FieldRef],
    types: &mut [Option<Type>],
    may_lack: bool,
) -> Result<Vec<Part>, AvroSchemaError> {
    let mut out = Vec::with_capacity(record.fields.len());
    for (name, avro) in &record.fields {
        let here = ways.iter().filter(|(_, way)| way[0] == name);
        let mut part = Part { avro: avro.clone(), column: None, inner: None };
        let mut deeper = Vec::new();
        for (idx, way) in here {
            if way.len() == 1 {
                check(columns[*idx].name(), &columns[*idx], avro, may_lack)?;
                types[*idx] = Some(avro.clone());
                part.column = Some(*idx);
            } else {
                deeper.push((*idx, way[1..].to_vec()));
            }
        }
        if let Some((idx, _)) = deeper.first() {
            let Type::Record(inner) = not_null(avro) else { return Err(lacks(columns[*idx].name(), record)) };
            part.inner = Some(parts(inner, &deeper, columns, types, may_lack)?);
        }
        out.push(part);
    }
    let is_fed = |way: &[&str]| record.fields.iter().any(|(name, _)| name == way[0]);
    match ways.iter().find(|(_, way)| !may_lack && !is_fed(way)) {
        Some((idx, _)) => Err(lacks(columns[*idx].name(), record)),
        None => Ok(out),
    }
}

fn locate(parts: &[Part], input: &mut Input<'_>, tell: &mut impl FnMut(usize, usize, usize)) -> Result<(), NoAvro> {
    for part in parts {
        let start = input.at;
        match (&part.inner, &part.avro) {
            (None, avro) => input.skip(avro)?,
            (Some(inner), Type::Union(branches)) => {
                if branches[input.choice(branches.len())?] != Type::Null {
                    locate(inner, input, tell)?;
                }
            }
            (Some(inner), _) => locate(inner, input, tell)?,
        }
        if let Some(column) = part.column {
            tell(column, start, input.at);
        }
    }
    Ok(())
}
