//! What a training script needs, to be imported as a whole.

pub use ognivo_data::dataset::Dataset;
pub use ognivo_data::version::SparkVersion;
pub use ognivo_ml::classification::{DecisionTreeClassificationModel, DecisionTreeClassifier};
pub use ognivo_ml::classification::{LogisticRegression, LogisticRegressionModel};
pub use ognivo_ml::evaluation::{
    BinaryClassificationEvaluator, Evaluator, MulticlassClassificationEvaluator, RegressionEvaluator,
};
pub use ognivo_ml::feature::HandleInvalid::{self, Error as Refuse, Keep, Skip};
pub use ognivo_ml::feature::bucketizer::Bucketizer;
pub use ognivo_ml::feature::imputer::{Imputer, ImputerModel};
pub use ognivo_ml::feature::index_to_string::IndexToString;
pub use ognivo_ml::feature::max_abs_scaler::{MaxAbsScaler, MaxAbsScalerModel};
pub use ognivo_ml::feature::min_max_scaler::{MinMaxScaler, MinMaxScalerModel};
pub use ognivo_ml::feature::normalizer::Normalizer;
pub use ognivo_ml::feature::one_hot_encoder::{OneHotEncoder, OneHotEncoderModel};
pub use ognivo_ml::feature::quantile_discretizer::QuantileDiscretizer;
pub use ognivo_ml::feature::robust_scaler::{RobustScaler, RobustScalerModel};
pub use ognivo_ml::feature::standard_scaler::{StandardScaler, StandardScalerModel};
pub use ognivo_ml::feature::string_indexer::{StringIndexer, StringIndexerModel};
pub use ognivo_ml::feature::vector_assembler::VectorAssembler;
pub use ognivo_ml::pipeline::{Pipeline, PipelineModel};
pub use ognivo_ml::regression::{DecisionTreeRegressionModel, DecisionTreeRegressor};
pub use ognivo_ml::regression::{LinearRegression, LinearRegressionModel};
pub use ognivo_ml::stage::{Configured, Estimator, Stage, Transformer};
pub use ognivo_ml::tuning::{
    CrossValidator, CrossValidatorModel, ParamGridBuilder, TrainValidationSplit, TrainValidationSplitModel,
};

pub use crate::models::Save;
