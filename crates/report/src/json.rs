//! A report as JSON: the same sections, tables and charts, with numbers that nobody rounded.
//!
//! ```text
//! {"title": …, "subtitle": …, "sections": [{"id": "performance", "title": …, "blocks": [
//!   {"kind": "text", "text": …},
//!   {"kind": "highlights", "values": [{"name": …, "value": …, "note": …}]},
//!   {"kind": "table", "caption": …, "columns": ["feature", …], "rows": [["int_rate", 0.12], …], "marked": [0]},
//!   {"kind": "figure", "id": "roc", "title": …, "caption": …, "chart": {"kind": "xy", "x": …, "y": …, "series": […]}}]}]}
//! ```
//!
//! NaN and the infinities are the strings `"NaN"`, `"Infinity"`, `"-Infinity"`; an empty cell is null.

use serde_json::{Value, json};

use crate::content::{
    Axis, Bins, Block, Cell, Chart, Figure, HeatMap, Highlight, Histogram, Mark, Page, RowChart, RowMark, Section,
    Series, Table, XyChart,
};

/// The report as one JSON object.
pub fn to_json(page: &Page) -> Value {
    json!({"title": page.title, "subtitle": page.subtitle, "sections": sections(&page.sections)})
}

/// Sections as a JSON list.
pub fn sections(sections: &[Section]) -> Value {
    list(sections, |section| json!({"id": section.id, "title": section.title, "blocks": list(&section.blocks, block)}))
}

/// A double as JSON.
pub fn number(value: f64) -> Value {
    match value {
        value if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        value => json!(value),
    }
}

fn list<T>(items: &[T], to_json: impl Fn(&T) -> Value) -> Value {
    items.iter().map(to_json).collect()
}

fn numbers(values: &[f64]) -> Value {
    list(values, |&value| number(value))
}

fn block(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({"kind": "text", "text": text}),
        Block::Highlights(values) => json!({"kind": "highlights", "values": list(values, highlight)}),
        Block::Table(content) => table(content),
        Block::Figure(Figure { id, title, caption, chart: content }) => {
            json!({"kind": "figure", "id": id, "title": title, "caption": caption, "chart": chart(content)})
        }
    }
}

fn highlight(highlight: &Highlight) -> Value {
    json!({"name": highlight.name, "value": cell(&highlight.value), "note": highlight.note})
}

fn table(table: &Table) -> Value {
    let marked = table.rows.iter().enumerate().filter(|(_, row)| row.is_marked).map(|(row_idx, _)| row_idx);
    json!({
        "kind": "table",
        "caption": table.caption,
        "columns": list(&table.columns, |column| json!(column.title)),
        "rows": list(&table.rows, |row| list(&row.cells, cell)),
        "marked": marked.collect::<Vec<_>>(),
    })
}

fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Text(text) | Cell::Code(text) => json!(text),
        Cell::Number(value) | Cell::Exact(value) | Cell::Share(value) => number(*value),
        Cell::Count(n) => json!(n),
        Cell::About(n) => json!({"about": n}),
        Cell::AtLeast(n) => json!({"atLeast": n}),
        Cell::Bins(Bins { from, to, counts }) => json!({"from": number(*from), "to": number(*to), "counts": counts}),
    }
}

fn chart(chart: &Chart) -> Value {
    match chart {
        Chart::Xy(XyChart { x, y, series: content }) => {
            json!({"kind": "xy", "x": axis(x), "y": axis(y), "series": list(content, series)})
        }
        Chart::Rows(RowChart { axis: content, row_label, is_bars, rows }) => json!({
            "kind": if *is_bars { "bars" } else { "dots" },
            "axis": axis(content), "rowLabel": row_label, "rows": list(rows, row),
        }),
        Chart::Histogram(Histogram { x, y, edges, groups }) => json!({
            "kind": "histogram", "x": axis(x), "y": axis(y), "edges": numbers(edges),
            "groups": list(groups, |(name, values)| json!({"name": name, "values": numbers(values)})),
        }),
        Chart::Heat(HeatMap { row_label, column_label, rows, columns, counts }) => json!({
            "kind": "heat", "rowLabel": row_label, "columnLabel": column_label, "rows": rows, "columns": columns,
            "counts": counts,
        }),
    }
}

fn axis(axis: &Axis) -> Value {
    json!({"label": axis.label, "isLog": axis.is_log})
}

fn series(series: &Series) -> Value {
    json!({"name": series.name, "form": series.form.word(), "points": list(&series.points, mark)})
}

/// `[x, y]`, or `[x, y, low, high]`.
fn mark(mark: &Mark) -> Value {
    match mark.spread {
        None => numbers(&[mark.x, mark.y]),
        Some((low, high)) => numbers(&[mark.x, mark.y, low, high]),
    }
}

fn row(row: &RowMark) -> Value {
    let mut object = json!({"name": row.name, "value": number(row.value)});
    if let Some((low, high)) = row.spread {
        object["spread"] = numbers(&[low, high]);
    }
    if row.is_marked {
        object["marked"] = json!(true);
    }
    object
}
