use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int8Type;
use arrow_array::{ArrayRef, DictionaryArray, LargeStringArray, RecordBatch, StringViewArray};
use arrow_schema::{Field, Schema};
use ognivo_data::dataset::{Dataset, LocalExecutor};
use ognivo_data::version::SparkVersion;
use ognivo_ml::classification::{DecisionTreeClassifier, LogisticRegression};
use ognivo_ml::evaluation::BinaryClassificationEvaluator;
use ognivo_ml::feature::HandleInvalid;
use ognivo_ml::feature::bucketizer::Bucketizer;
use ognivo_ml::feature::imputer::{Imputer, Strategy};
use ognivo_ml::feature::index_to_string::IndexToString;
use ognivo_ml::feature::max_abs_scaler::MaxAbsScaler;
use ognivo_ml::feature::min_max_scaler::MinMaxScaler;
use ognivo_ml::feature::normalizer::Normalizer;
use ognivo_ml::feature::one_hot_encoder::OneHotEncoder;
use ognivo_ml::feature::quantile_discretizer::QuantileDiscretizer;
use ognivo_ml::feature::robust_scaler::RobustScaler;
use ognivo_ml::feature::standard_scaler::StandardScaler;
use ognivo_ml::feature::string_indexer::{StringIndexer, StringIndexerModel, StringOrder};
use ognivo_ml::feature::vector_assembler::VectorAssembler;
use ognivo_ml::laws::{estimator_laws, saved_laws, transformer_laws};
use ognivo_ml::pipeline::Pipeline;
use ognivo_ml::regression::DecisionTreeRegressor;
use ognivo_ml::regression::LinearRegression;
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
fn one_hot_encoders_keep_the_laws() {
    let (many, outputs) = (["colour", "size", "count", "flag"], ["a", "b", "c", "d"]);
    for (drop_last, handle_invalid) in [true, false]
        .into_iter()
        .flat_map(|drop_last| [(drop_last, HandleInvalid::Error), (drop_last, HandleInvalid::Keep)])
    {
        let encoder = OneHotEncoder::new().drop_last(drop_last).handle_invalid(handle_invalid);
        for encoder in [encoder.clone().input_cols(many).output_cols(outputs), encoder.input_col("count")] {
            let categories = input("categories");
            estimator_laws(&encoder, &partitioned(&categories), &executors());
            saved_laws(&encoder.clone().into(), read_stage, &dataset(categories.clone()));
            let model = encoder.fit(&dataset(categories)).unwrap();
            transformer_laws(&model, &input("categories_new"));
            saved_laws(&model.into(), read_stage, &dataset(input("categories_new")));
        }
    }
}

#[test]
fn bucketizers_keep_the_laws() {
    let all = [f64::NEG_INFINITY, 0.0, 2.0, f64::INFINITY];
    for (handle_invalid, outside) in ALL_WAYS.into_iter().flat_map(|way| [(way, all), (way, [-2.0, 0.0, 2.0, 4.0])]) {
        let bucketizer = Bucketizer::new().handle_invalid(handle_invalid);
        let many = bucketizer.clone().input_cols(["x", "n"]).output_cols(["a", "b"]).splits_array([outside, all]);
        for stage in [many, bucketizer.input_col("x").splits(outside)] {
            transformer_laws(&stage, &input("measures_holed"));
            transformer_laws(&stage, &input("measures"));
            saved_laws(&stage.into(), read_stage, &dataset(input("measures_holed")));
        }
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
fn robust_scalers_keep_the_laws() {
    for (with_centering, with_scaling) in [(false, true), (true, true), (true, false), (false, false)] {
        let scaler =
            RobustScaler::new().input_col("features").with_centering(with_centering).with_scaling(with_scaling);
        check_scaler(&scaler.lower(0.1).relative_error(0.05));
    }
}

#[test]
fn quantile_discretizers_keep_the_laws() {
    let (gaps, new) = (input("gaps"), input("gaps_new"));
    for version in SparkVersion::ALL {
        for handle_invalid in ALL_WAYS {
            let one = QuantileDiscretizer::new().input_col("x").num_buckets(4).relative_error(0.1);
            let many = QuantileDiscretizer::new().input_cols(["x", "n", "price"]).output_cols(["a", "b", "c"]);
            for discretizer in [one, many.num_buckets_array([2, 11, 3])] {
                let mut discretizer = discretizer.handle_invalid(handle_invalid);
                discretizer.set_version(version);
                estimator_laws(&discretizer, &partitioned(&gaps), &executors());
                saved_laws(&discretizer.clone().into(), read_stage, &dataset(gaps.clone()));
                let model = discretizer.fit(&dataset(gaps.clone())).unwrap();
                transformer_laws(&model, &new);
                saved_laws(&model.into(), read_stage, &dataset(new.clone()));
            }
        }
    }
}

#[test]
fn imputers_keep_the_laws() {
    let (gaps, new) = (input("gaps"), input("gaps_new"));
    for (version, missing_value) in SparkVersion::ALL.into_iter().zip([-1.0, f64::NAN, -1.0]) {
        for strategy in [Strategy::Mean, Strategy::Median, Strategy::Mode] {
            let columns = ["x", "y", "n", "big", "small", "price"];
            // 2.4 completes floating point numbers only.
            let columns = &columns[..if version == SparkVersion::V2_4 { 2 } else { 6 }];
            let outputs = columns.iter().map(|column| format!("{column}_full"));
            let mut imputer = Imputer::new().input_cols(columns.iter().copied()).output_cols(outputs);
            imputer.set_version(version);
            let imputer = imputer.strategy(strategy).missing_value(missing_value);
            estimator_laws(&imputer, &partitioned(&gaps), &executors());
            saved_laws(&imputer.clone().into(), read_stage, &dataset(gaps.clone()));
            let model = imputer.fit(&dataset(gaps.clone())).unwrap();
            transformer_laws(&model, &new);
            saved_laws(&model.into(), read_stage, &dataset(new.clone()));
        }
    }
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

/// The laws of trees on the table `mixed`, and of their models on rows that are null, short, or unlike what was seen.
fn check_tree<E: Estimator + Clone + Into<Stage>>(estimator: &E) {
    let (mixed, mixed_new) = (input("mixed"), input("mixed_new"));
    for version in SparkVersion::ALL {
        let mut estimator = estimator.clone();
        estimator.set_version(version);
        estimator_laws(&estimator, &partitioned(&mixed), &executors());
        saved_laws(&estimator.clone().into(), read_stage, &dataset(mixed.clone()));
        let model = estimator.fit(&dataset(mixed.clone())).unwrap();
        transformer_laws(model.as_ref(), &mixed_new);
        transformer_laws(model.as_ref(), &input("points_null"));
        saved_laws(&Stage::Transformer(model), read_stage, &dataset(mixed_new.clone()));
    }
}

#[test]
fn decision_trees_keep_the_laws() {
    for impurity in ["gini", "entropy"] {
        check_tree(&DecisionTreeClassifier::new().label_col("ternary").impurity(impurity).leaf_col("leaf"));
        check_tree(&DecisionTreeClassifier::new().label_col("binary").impurity(impurity).weight_col("weight"));
    }
    check_tree(&DecisionTreeRegressor::new().label_col("number").variance_col("variance").max_depth(7));
    check_tree(&DecisionTreeRegressor::new().label_col("number").weight_col("weight").leaf_col("leaf"));
}

#[test]
fn linear_regressions_keep_the_laws() {
    for version in SparkVersion::ALL {
        for (solver, loss, table) in
            [("normal", "squaredError", "houses"), ("l-bfgs", "squaredError", "sparse"), ("auto", "huber", "houses")]
        {
            let rows = input(table);
            let mut regression = LinearRegression::new().solver(solver).loss(loss).max_iter(5).reg_param(0.01);
            regression.set_version(version);
            estimator_laws(&regression, &partitioned(&rows), &executors());
            saved_laws(&regression.clone().into(), read_stage, &dataset(rows.clone()));
            let model = regression.fit(&dataset(rows.clone())).unwrap();
            saved_laws(&model.into(), read_stage, &dataset(rows));
        }
    }
}

#[test]
fn linear_regression_models_keep_the_laws_on_rows_that_they_reject() {
    let model = LinearRegression::new().label_col("y").features_col("pair").reg_param(0.1);
    let model = model.fit(&dataset(input("assembled").slice(0, 3))).unwrap();
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
