//! Tables: cells with their kind, so that each renderer can write them in its way.

/// A table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// What it holds; may be empty.
    pub caption: String,
    /// Its columns; without a title each, the table has no head.
    pub columns: Vec<Column>,
    /// Its rows, each with a cell per column.
    pub rows: Vec<Row>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { caption: String::new(), columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// A table of names and values, without a head.
    pub fn of_facts(facts: impl IntoIterator<Item = (String, Cell)>) -> Table {
        let rows = facts.into_iter().map(|(name, value)| Row::new([Cell::Text(name), value]));
        Table { caption: String::new(), columns: vec![Column::text(""), Column::text("")], rows: rows.collect() }
    }

    /// Whether its columns have titles.
    pub fn has_head(&self) -> bool {
        self.columns.iter().any(|column| !column.title.is_empty())
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its title.
    pub title: String,
    /// Whether its cells are numbers, which line up at the right.
    pub is_number: bool,
}

impl Column {
    /// A column of texts.
    pub fn text(title: impl Into<String>) -> Column {
        Column { title: title.into(), is_number: false }
    }

    /// A column of numbers.
    pub fn number(title: impl Into<String>) -> Column {
        Column { title: title.into(), is_number: true }
    }
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// A cell per column.
    pub cells: Vec<Cell>,
    /// Whether it stands out: the best of its like, or one that somebody chose.
    pub is_marked: bool,
}

impl Row {
    /// A row that does not stand out.
    pub fn new(cells: impl IntoIterator<Item = Cell>) -> Row {
        Row { cells: cells.into_iter().collect(), is_marked: false }
    }

    /// The same row, standing out when `is_marked`.
    pub fn marked(mut self, is_marked: bool) -> Row {
        self.is_marked = is_marked;
        self
    }
}

/// What stands in one place of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing: unknown, or it makes no sense here.
    Empty,
    /// Words.
    Text(String),
    /// A name or a value as a program writes it.
    Code(String),
    /// A number, shown with five digits.
    Number(f64),
    /// A number, shown with all its digits.
    Exact(f64),
    /// How many.
    Count(u64),
    /// How many, nearly.
    About(u64),
    /// No fewer than so many, nearly.
    AtLeast(u64),
    /// A share of a whole, 0 to 1, shown in per cent.
    Share(f64),
    /// How values are spread, as a small histogram.
    Bins(Bins),
}

/// Counts of values in bins of one width.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Where the first bin starts.
    pub from: f64,
    /// Where the last bin ends.
    pub to: f64,
    /// How many values lie in each bin.
    pub counts: Vec<u64>,
}
