use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::dataset::{Dataset, DatasetError, LocalExecutor, Partitions, RowIter};
use ognivo_data::fault::{Explain, Fault};
use ognivo_data::version::SparkVersion;
use ognivo_ml::feature::HandleInvalid;
use ognivo_ml::feature::index_to_string::IndexToString;
use ognivo_ml::feature::string_indexer::StringIndexer;
use ognivo_ml::feature::vector_assembler::VectorAssembler;
use ognivo_ml::pipeline::{Pipeline, stage_path};
use ognivo_ml::stage::{Configured, FitError, Transformer};
use ognivo_ml::uid::Uid;

use crate::fixtures::{dataset, input};

/// Partitions that nobody may scan.
#[derive(Debug)]
struct Untouchable(SchemaRef);

impl Partitions for Untouchable {
    fn schema(&self) -> &SchemaRef {
        &self.0
    }
    fn n_partitions(&self) -> usize {
        1
    }
    fn scan(&self, _: usize) -> Result<RowIter<'_>, DatasetError> {
        panic!("rows were read")
    }
}

fn untouchable(rows: &RecordBatch) -> Dataset {
    Dataset::new(Arc::new(Untouchable(rows.schema())), Arc::new(LocalExecutor::single_threaded()))
}

fn indexer(input: &str, output: &str) -> StringIndexer {
    StringIndexer::new().input_col(input).output_col(output)
}

#[test]
fn a_stage_that_does_not_fit_is_found_before_any_row_is_read() {
    let pipeline = Pipeline::new([
        indexer("word", "word_index").into(),
        VectorAssembler::new().input_cols(["word_indx"]).output_col("v").into(),
    ]);
    let error = pipeline.fit(&untouchable(&input("words"))).unwrap_err();
    let uid = pipeline.stages()[1].configured().uid();
    let columns = "id, word, colour, number, count, flag, word_index";
    assert_eq!(error.to_string(), format!("stage `{uid}`: column `word_indx` not found; input columns: {columns}"));
    assert_eq!((error.fault(), error.hint().as_deref()), (Fault::Job, Some("did you mean `word_index`?")));
}

#[test]
fn stages_after_the_last_estimator_see_no_rows_in_a_fit() {
    // `number` has NaN, which this assembler rejects.
    let assembler = VectorAssembler::new().input_cols(["number"]).output_col("v");
    let pipeline = Pipeline::new([indexer("word", "a").into(), assembler.clone().into()]);
    assert!(pipeline.fit(&dataset(input("words"))).is_ok());
    let pipeline = Pipeline::new([assembler.into(), indexer("word", "a").into()]);
    let error = pipeline.fit(&dataset(input("words"))).unwrap_err();
    let uid = pipeline.stages()[0].configured().uid();
    let expected = format!("stage `{uid}`: column `number`: not assembled, since handleInvalid is error: NaN");
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, FitError::Data(cause) if cause.partition == Some(0) && cause.fault() == Fault::Data));
}

#[test]
fn a_pipeline_without_estimators_reads_nothing() {
    let pipeline = Pipeline::new([VectorAssembler::new().input_cols(["number"]).output_col("v").into()]);
    let model = pipeline.fit(&untouchable(&input("words"))).unwrap();
    assert_eq!((model.uid(), model.stages().len()), (pipeline.uid(), 1));
}

#[test]
fn what_earlier_stages_will_learn_is_not_asked_for_before_the_fit() {
    // The labels of `a` are known only after the indexer is fitted.
    let pipeline =
        Pipeline::new([indexer("word", "a").into(), IndexToString::new().input_col("a").output_col("b").into()]);
    let words = dataset(input("words_seen"));
    let rows = pipeline.fit(&words).unwrap().transform(&words).unwrap().collect().unwrap();
    assert_eq!(&rows[0][0]["b"], &rows[0][0]["word"]);
}

#[test]
fn a_pipeline_fitted_in_two_parts_is_one_model() {
    let all = dataset(input("words"));
    let pipeline = Pipeline::new([
        indexer("word", "word_index").handle_invalid(HandleInvalid::Keep).into(),
        VectorAssembler::new()
            .input_cols(["word_index", "count"])
            .output_col("v")
            .handle_invalid(HandleInvalid::Skip)
            .into(),
        indexer("colour", "colour_index").handle_invalid(HandleInvalid::Keep).into(),
    ]);
    let (prepare, rest) = pipeline.split_at(2);
    let prepared_by = prepare.fit(&all).unwrap();
    let prepared = prepared_by.transform(&all).unwrap().select(&["colour", "v"]).unwrap();
    let rows = prepared.collect().unwrap()[0][0].slice(0, 10);
    let model = prepared_by.then(rest.fit(&dataset(rows)).unwrap());

    assert_eq!(model.uid(), pipeline.uid());
    let uids: Vec<&Uid> = model.stages().iter().map(|stage| stage.uid()).collect();
    assert_eq!(uids, pipeline.stages().iter().map(|stage| stage.configured().uid()).collect::<Vec<_>>());
    let schema = model.transform(&all).unwrap().schema().clone();
    let names: Vec<&str> = schema.fields().iter().skip(6).map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["word_index", "v", "colour_index"]);
}

#[test]
fn a_version_reaches_every_stage() {
    // U+1F600 comes before U+FF5E by UTF-16 units, and after it by UTF-8 bytes.
    let schema = Arc::new(Schema::new(vec![Field::new("c", DataType::Utf8, true)]));
    let texts = StringArray::from(vec!["\u{ff5e}", "\u{1f600}"]);
    let data = dataset(RecordBatch::try_new(schema, vec![Arc::new(texts)]).unwrap());
    let first_label = |version| {
        let mut outer = Pipeline::new([Pipeline::new([indexer("c", "i").into()]).into()]);
        outer.set_version(version);
        let model = outer.fit(&data).unwrap();
        let back = IndexToString::new().input_col("i").output_col("first");
        let rows = back.transform(&model.transform(&data).unwrap()).unwrap().collect().unwrap();
        let position =
            rows[0][0]["i"].as_primitive::<arrow_array::types::Float64Type>().iter().position(|i| i == Some(0.0));
        rows[0][0]["first"].as_string::<i32>().value(position.unwrap()).to_owned()
    };
    assert_eq!(first_label(SparkVersion::V3_5), "\u{1f600}");
    assert_eq!(first_label(SparkVersion::V4_3), "\u{ff5e}");
}

#[test]
fn folders_are_numbered_with_the_digits_of_the_count() {
    let uid = Uid::new("a_1");
    assert_eq!(stage_path(3, 9, &uid), "stages/3_a_1");
    assert_eq!(stage_path(3, 10, &uid), "stages/03_a_1");
}

#[test]
fn many_columns_cannot_be_said_in_spark_2_4_s_layout() {
    let many = StringIndexer::new().input_cols(["word"]).output_cols(["a"]);
    let error = Pipeline::new([many.into()]).to_saved(SparkVersion::V2_4).unwrap_err();
    assert!(error.to_string().ends_with("field `inputCols`: Spark 2.4 does not know this parameter"), "{error}");
}

#[test]
fn a_pipeline_model_with_an_unfitted_stage_is_refused() {
    let pipeline = Pipeline::new([indexer("word", "a").into()]);
    let saved = pipeline.to_saved(SparkVersion::V4_3).unwrap();
    let error = ognivo_ml::pipeline::PipelineModel::from_saved(&saved, crate::fixtures::read_stage).unwrap_err();
    assert_eq!(error.reason, "not a fitted stage: org.apache.spark.ml.feature.StringIndexer");
    let mut without = saved;
    without.children.clear();
    let error = Pipeline::from_saved(&without, crate::fixtures::read_stage).unwrap_err();
    assert!(error.reason.starts_with("the folder is missing: stages/0_StringIndexer_"), "{}", error.reason);
}
