//! Laws: one list of checks that every stage passes. For tests, here and wherever a stage is made.
//!
//! A stage's tests call [`estimator_laws`] or [`transformer_laws`], and [`saved_laws`], with data that show its edges (nulls,
//! values that it rejects, empty batches). A law that is broken panics and says which.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, NullArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::take;
use ognivo_data::dataset::{Dataset, Executor};
use ognivo_data::outcome::{Fate, Fates, Outcome};
use ognivo_data::version::SparkVersion;

use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Estimator, Stage, Transformer};

/// What holds for every transformer, on any rows that it can be bound to.
///
/// 1. Binding twice gives the same, and so does a copy of the stage.
/// 2. The schema that was told is the schema of the rows, also of no rows.
/// 3. Each row has one fate, and kept rows come out in order, with their input columns unchanged.
/// 4. However a batch is cut, down to single rows, the same comes out.
///
/// # Panics
/// When a law is broken, or the stage cannot be bound to the schema of `rows` or applied to them.
pub fn transformer_laws(stage: &dyn Transformer, rows: &RecordBatch) {
    let name = stage.name();
    let bound = bind(stage, &rows.schema());
    let whole = apply(bound.as_ref(), rows.clone());
    check_schemas(stage, bound.as_ref(), rows, &whole);
    check_fates(name, rows, &whole);
    let again = bind(stage, &rows.schema());
    assert_eq!(apply(again.as_ref(), rows.clone()), whole, "{name}: binding twice is binding once");
    let copy = bind(stage.clone_box().as_ref(), &rows.schema());
    assert_eq!(apply(copy.as_ref(), rows.clone()), whole, "{name}: a copy of a stage does what the stage does");
    for n_rows in [1, 2, 3, 7, 64] {
        let pieces = pieces_of(rows, n_rows).map(|piece| apply(bound.as_ref(), piece)).collect();
        let joined = joined(bound.output_schema(), pieces);
        assert_eq!(joined, whole, "{name}: pieces of {n_rows} rows give what the whole batch gives");
    }
}

/// What holds for every estimator, on any data that it can be fitted on. The model is put under [`transformer_laws`] too.
///
/// 1. The same data give the same model, bit by bit: fitted again, on each of `executors`, and with the rows of each
///    partition cut into other batches.
/// 2. The model has the estimator's uid, and its columns are those that were announced before the fit.
///
/// # Panics
/// When a law is broken, or a fit fails.
pub fn estimator_laws(estimator: &dyn Estimator, data: &Dataset, executors: &[Arc<dyn Executor>]) {
    let name = estimator.name();
    let model = fit(estimator, data);
    let bits = saved(model.as_ref());
    assert_eq!(model.uid(), estimator.uid(), "{name}: the model has the estimator's uid");
    assert_eq!(saved(fit(estimator, data).as_ref()), bits, "{name}: the same data give the same model");
    assert_eq!(saved(fit(estimator.clone_box().as_ref(), data).as_ref()), bits, "{name}: a copy gives the same model");
    for executor in executors {
        let model = fit(estimator, &data.clone().with_executor(Arc::clone(executor)));
        assert_eq!(saved(model.as_ref()), bits, "{name}: the model does not depend on {executor:?}");
    }
    for n_rows in [1, 5, 1000] {
        let model = fit(estimator, &in_batches_of(data, n_rows));
        assert_eq!(saved(model.as_ref()), bits, "{name}: the model does not depend on batches of {n_rows} rows");
    }
    let rows = all_rows(data);
    let announced = estimator.output_schema(&rows.schema()).expect("an estimator that was fitted takes the schema");
    let bound = bind(model.as_ref(), &rows.schema());
    assert_eq!(shape(&announced), shape(bound.output_schema()), "{name}: columns are announced as they come out");
    transformer_laws(model.as_ref(), &rows);
}

/// What holds for the saved form of every stage; `read` makes a stage from it.
///
/// 1. In the layout of each version that can say the stage, reading and saving again gives the same directory.
/// 2. What was read does what the stage does: a transformer on `data`, an estimator when fitted on it.
/// 3. A table that is missing, empty or of other columns makes `read` fail, and not panic.
///
/// # Panics
/// When a law is broken, or the newest version cannot say the stage.
pub fn saved_laws(stage: &Stage, read: impl Fn(&SavedStage) -> Result<Stage, SavedError>, data: &Dataset) {
    let name = stage.configured().name();
    let version = stage.configured().params().version();
    let newest = stage.configured().to_saved(SparkVersion::default());
    newest.unwrap_or_else(|error| panic!("{name}: the newest version can say every stage: {error}"));
    for layout in SparkVersion::ALL {
        let Ok(saved) = stage.configured().to_saved(layout) else { continue };
        assert_eq!(&saved.uid, stage.configured().uid());
        let mut again = read(&saved).unwrap_or_else(|error| panic!("{name}: what {layout} says is read: {error}"));
        // A class may bear another name in an old layout; whoever reads it gets the class of today.
        assert_eq!(again.configured().class(), stage.configured().class(), "{name}: read from {layout}");
        assert!(
            layout < SparkVersion::default() || saved.class == stage.configured().class(),
            "{name}: saved under its class"
        );
        let saved_again = again.configured().to_saved(layout).expect("a layout that said the stage says it again");
        assert_eq!(
            saved_again, saved,
            "{name}: reading and saving again gives the same directory, in {layout}'s layout"
        );
        again.configured_mut().set_version(version);
        assert_eq!(
            behaviour(&again, data, layout),
            behaviour(stage, data, layout),
            "{name}: what was read does the same, from {layout}"
        );
        for damaged in damaged_tables(&saved) {
            assert!(read(&damaged).is_err(), "{name}: a damaged table is refused: {:?}", damaged.tables);
        }
    }
}

/// What a stage does to data, in a form that can be compared: of an estimator, what its model says in a layout.
#[derive(Debug, PartialEq)]
enum Behaviour {
    Fitted(Box<SavedStage>),
    Applied(Result<Applied, String>),
}

fn behaviour(stage: &Stage, data: &Dataset, layout: SparkVersion) -> Behaviour {
    match stage {
        Stage::Estimator(estimator) => {
            let model = fit(estimator.as_ref(), data).to_saved(layout);
            let model = model.expect("a layout that can say an estimator can say its model");
            Behaviour::Fitted(Box::new(model))
        }
        Stage::Transformer(transformer) => {
            let rows = all_rows(data);
            let bound = transformer.bind(&rows.schema()).map_err(|error| error.to_string());
            Behaviour::Applied(bound.map(|bound| apply(bound.as_ref(), rows)))
        }
    }
}

/// An [`Outcome`] that can be compared.
#[derive(Debug, PartialEq)]
struct Applied {
    rows: RecordBatch,
    fates: Vec<Fate>,
}

fn apply(stage: &dyn BoundStage, rows: RecordBatch) -> Applied {
    let Outcome { rows, fates } = stage.apply(rows).expect("a bound stage takes batches of its schema");
    let fates = match fates {
        Fates::AllKept(n_rows) => vec![Fate::Kept; n_rows],
        Fates::Each(fates) => fates,
    };
    Applied { rows, fates }
}

fn bind(stage: &dyn Transformer, schema: &SchemaRef) -> Box<dyn BoundStage> {
    stage.bind(schema).unwrap_or_else(|error| panic!("{}: laws need a schema that it takes: {error}", stage.name()))
}

fn fit(estimator: &dyn Estimator, data: &Dataset) -> Box<dyn Transformer> {
    estimator.fit(data).unwrap_or_else(|error| panic!("{}: laws need data that it fits: {error}", estimator.name()))
}

fn saved(model: &dyn Transformer) -> SavedStage {
    model.to_saved(SparkVersion::default()).expect("the newest version can say every stage")
}

fn check_schemas(stage: &dyn Transformer, bound: &dyn BoundStage, rows: &RecordBatch, whole: &Applied) {
    let name = stage.name();
    assert_eq!(&whole.rows.schema(), bound.output_schema(), "{name}: rows have the schema that was told");
    let announced = stage.output_schema(&rows.schema()).expect("a stage that was bound takes the schema");
    assert_eq!(shape(&announced), shape(bound.output_schema()), "{name}: columns are announced as they come out");
    let nothing = apply(bound, rows.slice(0, 0));
    assert_eq!(&nothing.rows.schema(), bound.output_schema(), "{name}: no rows have the schema that was told");
    assert_eq!((nothing.rows.num_rows(), nothing.fates.len()), (0, 0), "{name}: no rows in, no rows out");
}

/// What must be known of a schema before fitting: names and types.
fn shape(schema: &Schema) -> Vec<(&str, String, bool)> {
    let fields = schema.fields().iter();
    fields.map(|field| (field.name().as_str(), field.data_type().to_string(), field.is_nullable())).collect()
}

fn check_fates(name: &str, rows: &RecordBatch, whole: &Applied) {
    assert_eq!(whole.fates.len(), rows.num_rows(), "{name}: each row has one fate");
    let kept = (0..rows.num_rows()).filter(|&row_idx| whole.fates[row_idx] == Fate::Kept);
    let kept: UInt64Array = kept.map(|row_idx| row_idx as u64).collect();
    assert_eq!(whole.rows.num_rows(), kept.len(), "{name}: the kept rows come out");
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let Some(after) = whole.rows.column_by_name(field.name()) else { continue };
        let before = take(column, &kept, None).expect("kept rows are rows");
        assert_eq!(&before, after, "{name}: column `{}` of the kept rows is unchanged and in order", field.name());
    }
}

fn pieces_of(rows: &RecordBatch, n_rows: usize) -> impl Iterator<Item = RecordBatch> + '_ {
    (0..rows.num_rows()).step_by(n_rows).map(move |start| rows.slice(start, n_rows.min(rows.num_rows() - start)))
}

fn joined(schema: &SchemaRef, pieces: Vec<Applied>) -> Applied {
    let rows =
        concat_batches(schema, pieces.iter().map(|piece| &piece.rows)).expect("pieces have the schema that was told");
    Applied { rows, fates: pieces.into_iter().flat_map(|piece| piece.fates).collect() }
}

fn all_rows(data: &Dataset) -> RecordBatch {
    let batches: Vec<RecordBatch> =
        data.collect().expect("laws need data that can be read").into_iter().flatten().collect();
    concat_batches(data.schema(), &batches).expect("batches have the dataset's schema")
}

fn in_batches_of(data: &Dataset, n_rows: usize) -> Dataset {
    let partitions = data.collect().expect("laws need data that can be read").into_iter().map(|batches| {
        let rows = concat_batches(data.schema(), &batches).expect("batches have the dataset's schema");
        pieces_of(&rows, n_rows).collect()
    });
    Dataset::in_memory(Arc::clone(data.schema()), partitions.collect(), Arc::clone(data.executor()))
}

/// The same directory with one table damaged, in each way that we know.
fn damaged_tables(saved: &SavedStage) -> Vec<SavedStage> {
    let with = |name: &str, table: Option<RecordBatch>| {
        let mut damaged = saved.clone();
        damaged.tables.remove(name);
        damaged.tables.extend(table.map(|table| (name.to_owned(), table)));
        damaged
    };
    let damage = |(name, table): (&String, &RecordBatch)| {
        [with(name, None), with(name, Some(table.slice(0, 0))), with(name, Some(of_nulls(table)))]
    };
    saved.tables.iter().flat_map(damage).collect()
}

/// A table of the same names and number of rows that holds nothing.
fn of_nulls(table: &RecordBatch) -> RecordBatch {
    let nulls: ArrayRef = Arc::new(NullArray::new(table.num_rows()));
    let fields = table
        .schema()
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), nulls.data_type().clone(), true))
        .collect::<Vec<_>>();
    let options = RecordBatchOptions::new().with_row_count(Some(table.num_rows()));
    let columns = vec![Arc::clone(&nulls); fields.len()];
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .expect("columns are as long as the table")
}
