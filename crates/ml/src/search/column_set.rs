//! Some of the columns that a search chooses from.

/// Positions of columns among those to choose from, each once, ascending; never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnSet(Vec<u32>);

impl ColumnSet {
    /// The set of these positions; `None` when there is none.
    pub fn new(positions: impl IntoIterator<Item = usize>) -> Option<ColumnSet> {
        let mut positions: Vec<u32> = positions.into_iter().map(|position| position as u32).collect();
        positions.sort_unstable();
        positions.dedup();
        (!positions.is_empty()).then_some(ColumnSet(positions))
    }

    /// How many columns it has.
    pub fn n_columns(&self) -> usize {
        self.0.len()
    }

    /// Whether it has the column at `position`.
    pub fn contains(&self, position: usize) -> bool {
        self.0.binary_search(&(position as u32)).is_ok()
    }

    /// The positions, ascending.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|&position| position as usize)
    }

    /// The set with the column at `position` too.
    pub fn with(&self, position: usize) -> ColumnSet {
        ColumnSet::new(self.positions().chain([position])).expect("a set with a column more is not empty")
    }

    /// The set without the column at `position`; `None` when nothing is left.
    pub fn without(&self, position: usize) -> Option<ColumnSet> {
        ColumnSet::new(self.positions().filter(|&known| known != position))
    }

    /// The names of its columns, in the order of `columns`.
    ///
    /// # Panics
    /// When there are fewer columns than the set has positions for.
    pub fn names<'a>(&self, columns: &'a [String]) -> Vec<&'a str> {
        self.positions().map(|position| columns[position].as_str()).collect()
    }
}
