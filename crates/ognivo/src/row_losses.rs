//! Which step of `prepare` took how many rows away, counted while rows are prepared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use ognivo_data::dataset::{Dataset, DatasetError, RowMap};
use ognivo_data::prepare::{Prepare, PrepareError, Step, bind};
use ognivo_data::version::SparkVersion;

/// A step, and what it has done so far. Rows count once for each pass that prepares them: keep them after the first.
pub(crate) struct CountedStep {
    prepare: Prepare,
    step: Step,
    input: SchemaRef,
    n_in: AtomicU64,
    n_out: AtomicU64,
    /// Nulls of each column that came in.
    n_nulls: Vec<AtomicU64>,
}

/// The dataset after `steps`, and the steps that count.
///
/// # Errors
/// [`PrepareError`] when a step does not fit the columns.
pub(crate) fn prepared(
    data: &Dataset,
    steps: &[Step],
    version: SparkVersion,
) -> Result<(Dataset, Vec<Arc<CountedStep>>), PrepareError> {
    // All at once first, so that an error says which step of the job it is.
    bind(steps, data.schema(), version)?;
    let (mut data, mut counted) = (data.clone(), Vec::new());
    for step in steps {
        let input = Arc::clone(data.schema());
        let counters = || AtomicU64::new(0);
        let step = Arc::new(CountedStep {
            prepare: bind(std::slice::from_ref(step), &input, version)?,
            step: step.clone(),
            n_nulls: input.fields().iter().map(|_| counters()).collect(),
            input,
            n_in: counters(),
            n_out: counters(),
        });
        data = data.map(Arc::clone(&step) as Arc<dyn RowMap>);
        counted.push(step);
    }
    Ok((data, counted))
}

impl RowMap for CountedStep {
    fn schema(&self) -> &SchemaRef {
        self.prepare.output_schema()
    }

    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        self.n_in.fetch_add(rows.num_rows() as u64, Ordering::Relaxed);
        for (n_nulls, column) in self.n_nulls.iter().zip(rows.columns()) {
            n_nulls.fetch_add(column.null_count() as u64, Ordering::Relaxed);
        }
        let rows = RowMap::apply(&self.prepare, rows)?;
        self.n_out.fetch_add(rows.num_rows() as u64, Ordering::Relaxed);
        Ok(rows)
    }
}

/// Columns with nulls that a reason names.
const MAX_NAMED: usize = 6;

impl CountedStep {
    /// The step's name in a job file.
    pub(crate) fn name(&self) -> &'static str {
        self.step.name()
    }

    /// Rows that came in and did not go on.
    pub(crate) fn n_lost(&self) -> u64 {
        self.n_in.load(Ordering::Relaxed) - self.n_out.load(Ordering::Relaxed)
    }

    /// Why, as far as it is known without looking at the rows again.
    pub(crate) fn reason(&self) -> String {
        match &self.step {
            Step::DropNa(step) => self.nulls_of(step.subset.as_deref()),
            // The condition may hold a secret.
            Step::Filter(_) => "the condition is not true".to_owned(),
            _ => String::new(),
        }
    }

    /// `nulls: dti 12, fico 9`, the most first.
    fn nulls_of(&self, subset: Option<&[String]>) -> String {
        let is_looked_at = |name: &str| subset.is_none_or(|names| names.iter().any(|n| n.eq_ignore_ascii_case(name)));
        let counts = self.n_nulls.iter().map(|n_nulls| n_nulls.load(Ordering::Relaxed));
        let named = self.input.fields().iter().map(|field| field.name().as_str()).zip(counts);
        let mut named: Vec<(&str, u64)> = named.filter(|(name, n)| *n > 0 && is_looked_at(name)).collect();
        if named.is_empty() {
            return "NaN".to_owned();
        }
        named.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let n_more = named.len().saturating_sub(MAX_NAMED);
        let shown: Vec<String> = named.iter().take(MAX_NAMED).map(|(name, n)| format!("{name} {n}")).collect();
        let more = if n_more > 0 { format!(" and {n_more} columns more") } else { String::new() };
        format!("nulls: {}{more}", shown.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int32Array, RecordBatch};
    use ognivo_data::dataset::LocalExecutor;
    use ognivo_data::prepare::{DropNa, Filter, How};

    #[test]
    fn each_step_tells_what_it_took_and_why() {
        let column = |values: Vec<Option<i32>>| Arc::new(Int32Array::from(values)) as ArrayRef;
        let columns = [
            ("a", column(vec![Some(1), None, Some(3), Some(4)]), true),
            ("b", column(vec![None, None, Some(3), Some(4)]), true),
            ("c", column(vec![None; 4]), true),
        ];
        let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let data = Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::default()));
        let subset = Some(vec!["a".to_owned(), "B".to_owned()]);
        let steps = [
            Step::DropNa(DropNa { how: How::Any, thresh: None, subset }),
            Step::Filter(Filter { condition: "a > 3".to_owned() }),
        ];
        let (prepared, counted) = prepared(&data, &steps, SparkVersion::V4_3).unwrap();
        assert_eq!(prepared.cached().unwrap().count().unwrap(), 1);
        let told: Vec<_> = counted.iter().map(|step| (step.name(), step.n_lost(), step.reason())).collect();
        let expect = [("dropna", 2, "nulls: b 2, a 1"), ("filter", 1, "the condition is not true")];
        assert_eq!(told, expect.map(|(name, n, reason)| (name, n, reason.to_owned())));
    }
}
