//! A report as one file of HTML: style and charts inside, no script, no network, light and dark, made to be printed too.

mod escape;

use escape::breakable;
pub use escape::escape;
pub(crate) use escape::shortened;

use std::fmt::Write as _;

use crate::content::{Block, Cell, Column, Figure, Highlight, Page, Row, Section, Table};
use crate::number::{count, percent, short};
use crate::svg;

const STYLE: &str = include_str!("page.css");

/// The page.
pub fn to_html(page: &Page) -> String {
    let title = escape(&page.title);
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n");
    let _ =
        writeln!(out, "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>");
    if !page.subtitle.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", escape(&page.subtitle));
    }
    out.push_str("</header>\n");
    contents(&mut out, &page.sections);
    out.push_str("<main>\n");
    page.sections.iter().for_each(|content| section(&mut out, content));
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// Links to the sections.
fn contents(out: &mut String, sections: &[Section]) {
    if sections.len() < 2 {
        return;
    }
    out.push_str("<nav>");
    for section in sections {
        let _ = write!(out, "<a href=\"#{}\">{}</a> ", escape(section.id), escape(&section.title));
    }
    out.push_str("</nav>\n");
}

fn section(out: &mut String, section: &Section) {
    let _ = writeln!(out, "<section id=\"{}\">\n<h2>{}</h2>", escape(section.id), escape(&section.title));
    let is_figure = |block: &Block| matches!(block, Block::Figure(_));
    for group in section.blocks.chunk_by(|a, b| is_figure(a) && is_figure(b)) {
        let is_charts = is_figure(&group[0]);
        if is_charts {
            out.push_str("<div class=\"charts\">\n");
        }
        group.iter().for_each(|content| block(out, section.id, content));
        if is_charts {
            out.push_str("</div>\n");
        }
    }
    out.push_str("</section>\n");
}

fn block(out: &mut String, section: &str, block: &Block) {
    match block {
        Block::Text(text) => {
            let _ = writeln!(out, "<p>{}</p>", escape(text));
        }
        Block::Highlights(values) => {
            out.push_str("<div class=\"highlights\">\n");
            values.iter().for_each(|value| highlight(out, value));
            out.push_str("</div>\n");
        }
        Block::Table(content) => table(out, content),
        Block::Figure(content) => figure(out, section, content),
    }
}

fn highlight(out: &mut String, highlight: &Highlight) {
    let Highlight { name, value, note } = highlight;
    // All digits of a metric are too many for a glance; they stand below.
    let (shown, digits) = match value {
        Cell::Exact(value) => (short(*value), format!("{} ", cell(&Cell::Exact(*value)))),
        value => (cell(value), String::new()),
    };
    let (name, note) = (escape(name), escape(note));
    let _ = writeln!(
        out,
        "<div><span class=\"name\">{name}</span><span class=\"number\">{shown}</span><span class=\"note\">{digits}{note}</span></div>"
    );
}

fn figure(out: &mut String, section: &str, figure: &Figure) {
    let id = escape(&format!("{section}-{}", figure.id));
    let _ = writeln!(out, "<figure id=\"{id}\">\n<h3>{}</h3>\n{}", escape(&figure.title), svg::chart(figure));
    if !figure.caption.is_empty() {
        let _ = writeln!(out, "<figcaption>{}</figcaption>", escape(&figure.caption));
    }
    out.push_str("</figure>\n");
}

/// A table in a box of its own, which scrolls when it is wider than the page.
fn table(out: &mut String, table: &Table) {
    let _ = write!(out, "<div class=\"table\"><table{}>", if table.has_head() { "" } else { " class=\"facts\"" });
    if !table.caption.is_empty() {
        let _ = write!(out, "<caption>{}</caption>", escape(&table.caption));
    }
    out.push('\n');
    if table.has_head() {
        out.push_str("<thead><tr>");
        for column in &table.columns {
            let _ = write!(out, "<th{}>{}</th>", class_of(column), escape(&column.title));
        }
        out.push_str("</tr></thead>\n");
    }
    out.push_str("<tbody>\n");
    table.rows.iter().for_each(|content| row(out, &table.columns, content));
    out.push_str("</tbody></table></div>\n");
}

fn row(out: &mut String, columns: &[Column], row: &Row) {
    out.push_str(if row.is_marked { "<tr class=\"marked\">" } else { "<tr>" });
    for (position, (column, content)) in columns.iter().zip(&row.cells).enumerate() {
        // The first cell names the row.
        let tag = if position == 0 { "th" } else { "td" };
        let _ = write!(out, "<{tag}{}>{}</{tag}>", class_of(column), cell(content));
    }
    out.push_str("</tr>\n");
}

fn class_of(column: &Column) -> &'static str {
    if column.is_number { " class=\"n\"" } else { "" }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => breakable(text),
        Cell::Code(text) => format!("<code>{}</code>", breakable(text)),
        Cell::Number(value) => short(*value),
        Cell::Exact(value) => format!("{value:?}"),
        Cell::Count(n) => count(*n),
        Cell::About(n) => format!("≈ {}", count(*n)),
        Cell::AtLeast(n) => format!("≥ {}", count(*n)),
        Cell::Share(share) => percent(*share),
        Cell::Bins(bins) => svg::small_histogram(bins),
    }
}

#[cfg(test)]
mod tests;
