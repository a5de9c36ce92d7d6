//! What a report says, without how it looks: sections of text, tables and figures.

mod chart;
mod table;

pub use chart::{Axis, Chart, Form, HeatMap, Histogram, Mark, RowChart, RowMark, Series, XyChart, thinned};
pub use table::{Bins, Cell, Column, Row, Table};

/// A whole report.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Its heading.
    pub title: String,
    /// One line below it.
    pub subtitle: String,
    /// Its parts, in the order in which they are read.
    pub sections: Vec<Section>,
}

/// A part of a report with a heading of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Its name in links and in the JSON: a word without blanks.
    pub id: &'static str,
    /// Its heading.
    pub title: String,
    /// What stands in it.
    pub blocks: Vec<Block>,
}

impl Section {
    /// An empty section.
    pub fn new(id: &'static str, title: &str) -> Section {
        Section { id, title: title.to_owned(), blocks: Vec::new() }
    }

    /// Appends a paragraph.
    pub fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Text(text.into()));
    }

    /// Appends a table.
    pub fn table(&mut self, table: Table) {
        self.blocks.push(Block::Table(table));
    }

    /// Appends a figure; those that follow each other stand side by side where there is room.
    pub fn figure(&mut self, id: &'static str, title: impl Into<String>, caption: impl Into<String>, chart: Chart) {
        self.blocks.push(Block::Figure(Figure { id, title: title.into(), caption: caption.into(), chart }));
    }

    /// Whether nothing stands in it.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}

/// One thing in a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A few numbers that one wants to see first.
    Highlights(Vec<Highlight>),
    /// A table.
    Table(Table),
    /// A chart with its title.
    Figure(Figure),
}

/// A number that one wants to see first.
#[derive(Debug, Clone, PartialEq)]
pub struct Highlight {
    /// What it is.
    pub name: String,
    /// The number.
    pub value: Cell,
    /// Of what, or how it was measured; may be empty.
    pub note: String,
}

/// A chart with its title.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name in links and in the JSON: a word without blanks.
    pub id: &'static str,
    /// What it shows.
    pub title: String,
    /// How to read it; may be empty.
    pub caption: String,
    /// The chart.
    pub chart: Chart,
}
