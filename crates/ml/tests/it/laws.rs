use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int8Type;
use arrow_array::{ArrayRef, DictionaryArray, LargeStringArray, RecordBatch, StringViewArray};
use arrow_schema::{Field, Schema};
use ognivo_data::dataset::{Dataset, LocalExecutor};
use ognivo_data::version::SparkVersion;
use ognivo_ml::classification::LogisticRegression;
use ognivo_ml::evaluation::BinaryClassificationEvaluator;
use ognivo_ml::feature::HandleInvalid;
use ognivo_ml::feature::index_to_string::IndexToString;
use ognivo_ml::feature::max_abs_scaler::MaxAbsScaler;
use ognivo_ml::feature::min_max_scaler::MinMaxScaler;
use ognivo_ml::feature::normalizer::Normalizer;
use ognivo_ml::feature::standard_scaler::StandardScaler;
use ognivo_ml::feature::string_indexer::{StringIndexer, StringIndexerModel, StringOrder};
use ognivo_ml::feature::vector_assembler::VectorAssembler;
use ognivo_ml::laws::{estimator_laws, saved_laws, transformer_laws};
use ognivo_ml::pipeline::Pipeline;
use ognivo_ml::stage::{Configured, Estimator, Stage, Transformer};
use ognivo_ml::tuning::{CrossValidator, Language, ParamGridBuilder, TrainValidationSplit};

use crate::fixtures::{dataset, executors, input, read_stage};

const ALL_WAYS: [HandleInvalid; 3] = [HandleInvalid::Error, HandleInvalid::Skip, HandleInvalid::Keep];

/// The table in partitions of 9 rows, with an empty one at the end.
fn partitioned(rows: &RecordBatch) -> Dataset {
    let pieces = (0..rows.num_rows()).step_by(9).map(|start| vec![rows.slice(start, 9.min(rows.num_rows() - start))]);
    let partitions = pieces.chain([Vec::new()]).collect();
    Dataset::in_memory(rows.schema(), partitions, Arc::new(LocalExecutor::single_threaded()))
}

/// The same table with the column `word` as codes into a dictionary.
fn with_codes(rows: &RecordBatch) -> RecordBatch {
    with_words(rows, Arc::new(rows["word"].as_string::<i32>().iter().collect::<DictionaryArray<Int8Type>>()))
}

/// The same table with another array as the column `word`.
fn with_words(rows: &RecordBatch, words: ArrayRef) -> RecordBatch {
    let position = rows.schema().index_of("word").unwrap();
    let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
    columns[position] = words;
    let mut fields: Vec<Arc<Field>> = rows.schema().fields().iter().cloned().collect();
    fields[position] = Arc::new(Field::new("word", columns[position].data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn word_and(column: &str, order: StringOrder) -> StringIndexer {
    let indexer = StringIndexer::new().input_cols(["word", column]).output_cols(["a", "b"]);
    indexer.string_order_type(order).handle_invalid(HandleInvalid::Keep)
}

#[test]
fn string_indexers_keep_the_laws() {
    let words = input("words");
    let orders =
        [StringOrder::FrequencyDesc, StringOrder::FrequencyAsc, StringOrder::AlphabetDesc, StringOrder::AlphabetAsc];
    for (order, column) in orders.into_iter().zip(["colour", "number", "count", "number"]) {
        let indexer = word_and(column, order);
        estimator_laws(&indexer, &partitioned(&words), &executors());
        estimator_laws(&indexer, &partitioned(&with_codes(&words)), &executors());
        let labels = |data| indexer.fit(&data).unwrap().labels_array().to_vec();
        assert_eq!(labels(partitioned(&words)), labels(dataset(words.clone())));
        saved_laws(&indexer.into(), read_stage, &dataset(words.clone()));
    }
}

#[test]
fn string_indexer_models_keep_the_laws_on_rows_that_they_were_not_fitted_on() {
    let unseen = input("words_unseen");
    for handle_invalid in ALL_WAYS {
        let model = word_and("number", StringOrder::FrequencyDesc).fit(&dataset(input("words"))).unwrap();
        let model = model.handle_invalid(handle_invalid);
        transformer_laws(&model, &unseen);
        transformer_laws(&model, &with_codes(&unseen));
        saved_laws(&model.into(), read_stage, &dataset(unseen.clone()));
        let one = StringIndexerModel::from_labels(["a", ""]).input_col("word").handle_invalid(handle_invalid);
        saved_laws(&one.into(), read_stage, &dataset(unseen.clone()));
    }
}

#[test]
fn indexes_to_strings_keep_the_laws() {
    for version in SparkVersion::ALL {
        let mut stage = IndexToString::new().input_col("number").output_col("text").labels(["x", "y", "z"]);
        stage.set_version(version);
        transformer_laws(&stage, &input("words"));
        saved_laws(&stage.into(), read_stage, &dataset(input("words")));
        let of_attribute = IndexToString::new().input_col("index");
        transformer_laws(&of_attribute, &input("indexed"));
        saved_laws(&of_attribute.into(), read_stage, &dataset(input("indexed")));
    }
}

#[test]
fn vector_assemblers_keep_the_laws() {
    for version in SparkVersion::ALL {
        for handle_invalid in ALL_WAYS {
            let mut stage =
                VectorAssembler::new().input_cols(["x", "n", "pair"]).output_col("v").handle_invalid(handle_invalid);
            stage.set_version(version);
            transformer_laws(&stage, &input("holed"));
            saved_laws(&stage.clone().into(), read_stage, &dataset(input("holed")));
            if handle_invalid != HandleInvalid::Keep {
                transformer_laws(&stage, &input("assembled"));
            }
        }
        let of_scalars = VectorAssembler::new().input_cols(["y", "n", "flag", "x"]);
        transformer_laws(&of_scalars, &input("assembled"));
    }
}

/// The laws of a stage that learns from the vectors of the table `points`, with the numbers of each version.
fn check_scaler<S: Estimator + Clone + Into<Stage>>(scaler: &S) {
    for version in SparkVersion::ALL {
        let mut scaler = scaler.clone();
        scaler.set_version(version);
        let points = input("points");
        estimator_laws(&scaler, &partitioned(&points), &executors());
        saved_laws(&scaler.clone().into(), read_stage, &dataset(points.clone()));
        let model = scaler.fit(&dataset(points)).unwrap();
        transformer_laws(model.as_ref(), &input("points_null"));
        saved_laws(&Stage::Transformer(model), read_stage, &dataset(input("points_null")));
    }
}

#[test]
fn standard_scalers_keep_the_laws() {
    for (with_mean, with_std) in [(false, true), (true, true), (true, false), (false, false)] {
        let scaler = StandardScaler::new().input_col("features").with_mean(with_mean).with_std(with_std);
        check_scaler(&scaler);
    }
}

#[test]
fn min_max_scalers_keep_the_laws() {
    check_scaler(&MinMaxScaler::new().input_col("features").output_col("scaled").min(-2.0).max(0.5));
}

#[test]
fn max_abs_scalers_keep_the_laws() {
    check_scaler(&MaxAbsScaler::new().input_col("features").output_col("scaled"));
}

#[test]
fn normalizers_keep_the_laws() {
    for p in [1.0, 1.5, 2.0, f64::INFINITY] {
        let stage = Normalizer::new().input_col("features").p(p);
        transformer_laws(&stage, &input("points_null"));
        saved_laws(&stage.into(), read_stage, &dataset(input("points_null")));
    }
}

#[test]
fn logistic_regressions_keep_the_laws() {
    let loans = input("loans");
    for version in SparkVersion::ALL {
        for (family, label) in [("binomial", "label"), ("multinomial", "status")] {
            let mut regression = LogisticRegression::new().family(family).label_col(label).max_iter(5).reg_param(0.01);
            regression.set_version(version);
            estimator_laws(&regression, &partitioned(&loans), &executors());
            saved_laws(&regression.clone().into(), read_stage, &dataset(loans.clone()));
            let model = regression.fit(&dataset(loans.clone())).unwrap();
            saved_laws(&model.into(), read_stage, &dataset(loans.clone()));
        }
    }
}

#[test]
fn logistic_regression_models_keep_the_laws_on_rows_that_they_reject() {
    let model = LogisticRegression::new().label_col("y").max_iter(3).features_col("pair");
    let model = model.fit(&dataset(input("assembled").slice(0, 2))).unwrap();
    transformer_laws(&model, &input("holed"));
}

fn pipeline() -> Pipeline {
    let inner = Pipeline::new([
        StringIndexer::new().input_col("word").output_col("word_index").into(),
        VectorAssembler::new()
            .input_cols(["word_index", "number"])
            .output_col("v")
            .handle_invalid(HandleInvalid::Skip)
            .into(),
    ]);
    Pipeline::new([inner.into(), IndexToString::new().input_col("word_index").output_col("word_again").into()])
}

#[test]
fn pipelines_keep_the_laws() {
    let seen = input("words_seen");
    estimator_laws(&pipeline(), &partitioned(&seen), &executors());
    saved_laws(&pipeline().into(), read_stage, &dataset(seen.clone()));
    let model = pipeline().fit(&dataset(seen)).unwrap();
    transformer_laws(&model, &input("words_unseen"));
    saved_laws(&model.into(), read_stage, &dataset(input("words_unseen")));
}

#[test]
fn tuners_keep_the_laws() {
    let loans = input("loans");
    for version in SparkVersion::ALL {
        let regression = LogisticRegression::new().max_iter(3);
        let grid = ParamGridBuilder::new().add_grid(&regression, "regParam", [0.5, 0.01]).build();
        let evaluator = BinaryClassificationEvaluator::new().num_bins(0);
        let cross = CrossValidator::new(regression.clone(), grid.clone(), evaluator.clone()).spark_version(version);
        let split =
            TrainValidationSplit::new(regression, grid, evaluator).language(Language::Scala).spark_version(version);
        estimator_laws(&cross, &partitioned(&loans), &executors());
        estimator_laws(&split, &partitioned(&loans), &executors());
        let stages: [Stage; 4] = [
            cross.clone().into(),
            split.clone().into(),
            cross.collect_sub_models(true).fit(&dataset(loans.clone())).unwrap().into(),
            split.collect_sub_models(true).fit(&dataset(loans.clone())).unwrap().into(),
        ];
        stages.iter().for_each(|stage| saved_laws(stage, read_stage, &dataset(loans.clone())));
        let model = |stage: &Stage| match stage {
            Stage::Transformer(model) => model.clone_box(),
            Stage::Estimator(_) => panic!("it was fitted"),
        };
        transformer_laws(model(&stages[2]).as_ref(), &loans);
        transformer_laws(model(&stages[3]).as_ref(), &loans);
    }
}

#[test]
fn columns_of_codes_and_of_every_kind_of_text_give_the_same() {
    let in_all_forms = |rows: &RecordBatch| {
        let words = || rows["word"].as_string::<i32>().iter();
        let large: ArrayRef = Arc::new(words().collect::<LargeStringArray>());
        let view: ArrayRef = Arc::new(words().collect::<StringViewArray>());
        [rows.clone(), with_words(rows, large), with_words(rows, view), with_codes(rows)]
    };
    let fit = |rows| word_and("count", StringOrder::FrequencyAsc).fit(&dataset(rows)).unwrap();
    let model = fit(input("words"));
    for rows in in_all_forms(&input("words")) {
        assert_eq!(fit(rows).labels_array(), model.labels_array());
    }
    let index = |rows: RecordBatch| model.bind(&rows.schema()).unwrap().apply(rows).unwrap().rows["a"].clone();
    for rows in in_all_forms(&input("words_unseen")) {
        assert_eq!(&index(rows), &index(input("words_unseen")));
    }
}
