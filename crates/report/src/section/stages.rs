//! The stages of a pipeline with their parameters.

use ognivo_ml::param::{ParamSpec, Params};
use ognivo_ml::stage::Transformer;
use serde_json::Value;

use crate::content::{Cell, Column, Row, Section, Table};
use crate::html::shortened;

/// Longer values are shortened; the model directory has them whole.
const MAX_VALUE_CHARS: usize = 300;

/// The section: a table for each stage, the parameters that were changed marked.
pub fn stages(stages: &[Box<dyn Transformer>]) -> Section {
    let mut section = Section::new("stages", "Stages");
    section.text("Parameters that differ from Spark's default are marked.");
    for (position, stage) in stages.iter().enumerate() {
        let mut table = Table::new(["parameter", "value", "default", "meaning"].map(Column::text));
        table.caption = format!("{} {} · {}", position + 1, stage.name(), stage.uid());
        table.rows = rows(stage.params());
        section.table(table);
    }
    section
}

fn rows(params: &Params) -> Vec<Row> {
    let version = params.version();
    let (defaults, values) = (params.default_param_map(version), params.param_map(version));
    let known = params.specs().iter().filter(|spec| spec.since <= version);
    let row = |spec: &ParamSpec| {
        let (value, default) = (values.get(spec.name), defaults.get(spec.name));
        let is_changed = value.is_some() && value != default;
        let cells = [
            Cell::Code(spec.name.to_owned()),
            value_cell(value.or(default)),
            value_cell(default),
            Cell::Text(spec.doc.to_owned()),
        ];
        Row::new(cells).marked(is_changed)
    };
    // What was changed is what one looks for.
    let (changed, others): (Vec<Row>, Vec<Row>) = known.map(row).partition(|row| row.is_marked);
    changed.into_iter().chain(others).collect()
}

fn value_cell(value: Option<&Value>) -> Cell {
    match value {
        None => Cell::Empty,
        Some(Value::String(text)) if text.is_empty() => Cell::Code("\"\"".to_owned()),
        Some(Value::String(text)) => Cell::Code(shortened(text, MAX_VALUE_CHARS)),
        Some(Value::Array(items)) => {
            let item = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            let items: Vec<String> = items.iter().map(item).collect();
            Cell::Code(shortened(&items.join(", "), MAX_VALUE_CHARS))
        }
        Some(other) => Cell::Code(shortened(&other.to_string(), MAX_VALUE_CHARS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Block;
    use ognivo_ml::feature::vector_assembler::VectorAssembler;

    #[test]
    fn parameters_that_were_changed_come_first_and_are_marked() {
        let assembler = VectorAssembler::new().input_cols(["a", "b"]).output_col("features");
        let section = stages(&[Box::new(assembler)]);
        let Block::Table(table) = &section.blocks[1] else { panic!() };
        let marks: Vec<bool> = table.rows.iter().map(|row| row.is_marked).collect();
        assert_eq!(marks, [true, true, false]);
        assert_eq!(table.rows[0].cells[1], Cell::Code("a, b".to_owned()));
        assert_eq!(
            table.rows[2].cells[..3],
            ["handleInvalid", "error", "error"].map(|text| Cell::Code(text.to_owned()))
        );
    }
}
