//! Which columns of the scored rows are written: those that the job chose, and where a row came from for a table whose key that may be.

use arrow_schema::Schema;

use crate::job::job::{SinkJob, SourceJob, StreamJob};
use crate::job::route::position_columns;

/// The columns that are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Their names; None for all there are.
    pub(crate) columns: Option<Vec<String>>,
    /// Those among them that nobody chose.
    pub(crate) positions: Vec<String>,
}

impl Selection {
    /// The selection of a stream whose scored rows have these columns.
    pub(crate) fn of(stream: &StreamJob, scored: &Schema) -> Selection {
        let told = match stream.write {
            SinkJob::Table(_) => position_columns(&stream.read),
            SinkJob::Files(_) | SinkJob::Topic(_) => &[],
        };
        // Who chooses all columns of topics has chosen these too: they are records' own. Files have them for the key alone.
        let all_are_chosen = stream.select.is_none() && matches!(stream.read, SourceJob::Topics(_));
        let told = if all_are_chosen { &[] } else { told };
        with_positions(stream.select.clone(), told, scored)
    }
}

/// Adds what tells where a row came from, whole or not at all.
fn with_positions(select: Option<Vec<String>>, told: &[&str], scored: &Schema) -> Selection {
    if !told.iter().all(|name| scored.column_with_name(name).is_some()) {
        return Selection { columns: select, positions: Vec::new() };
    }
    let is_chosen = |name: &str| select.iter().flatten().any(|chosen| chosen == name);
    let positions: Vec<String> = told.iter().filter(|name| !is_chosen(name)).map(|name| (*name).to_owned()).collect();
    let columns = select.map(|select| select.into_iter().chain(positions.iter().cloned()).collect());
    Selection { columns, positions }
}

#[cfg(test)]
mod tests {
    use super::*;

    use arrow_schema::{DataType, Field};

    fn check(select: Option<&[&str]>, scored: &[&str], columns: Option<&[&str]>, positions: &[&str]) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let scored = Schema::new(scored.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>());
        let found = with_positions(select.map(owned), &["file", "line"], &scored);
        assert_eq!(found, Selection { columns: columns.map(owned), positions: owned(positions) });
    }

    #[test]
    fn positions_stand_behind_what_was_chosen_whole_or_not_at_all() {
        let scored = ["id", "file", "line", "prediction"];
        check(Some(&["prediction"]), &scored, Some(&["prediction", "file", "line"]), &["file", "line"]);
        check(Some(&["line", "id"]), &scored, Some(&["line", "id", "file"]), &["file"]);
        check(None, &scored, None, &["file", "line"]);
        check(Some(&["id"]), &["id", "line"], Some(&["id"]), &[]);
    }
}
