//! The pipeline of a set of columns: one list parameter of one stage is varied.

use std::collections::HashSet;

use ognivo_data::fault::{Explain, Fault, nearest};

use super::column_set::ColumnSet;
use crate::columns::{LABEL_COL, PREDICTION_COL, PROBABILITY_COL, columns_read, columns_written};
use crate::evaluation::Evaluator;
use crate::param::{ParamKind, ParamValue, Params};
use crate::pipeline::Pipeline;
use crate::stage::Stage;
use crate::uid::Uid;

/// A pipeline in which one stage takes some of the columns that there are to choose from.
#[derive(Debug, Clone)]
pub struct VariedPipeline {
    pipeline: Pipeline,
    position: usize,
    param: &'static str,
    columns: Vec<String>,
}

/// The pipeline cannot be varied in this way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaryError {
    /// The stage has no such parameter.
    #[error("stage `{uid}` has no parameter: {name}")]
    NoSuchParam {
        /// The stage.
        uid: Uid,
        /// What was asked for.
        name: String,
        /// Its parameters that are lists of columns.
        lists: Vec<&'static str>,
    },
    /// The parameter is there, and is not a list of columns.
    #[error("parameter `{name}` of stage `{uid}` is not a list of columns to read")]
    NotAList {
        /// The stage.
        uid: Uid,
        /// The parameter.
        name: &'static str,
    },
    /// A column to choose from is what the pipeline predicts.
    #[error("column `{column}` is the label of stage `{uid}`: it cannot predict itself")]
    Label {
        /// The column.
        column: String,
        /// The stage.
        uid: Uid,
    },
}

impl Explain for VaryError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match self {
            VaryError::NoSuchParam { name, lists, .. } => {
                let list = nearest(name, lists.iter().copied()).or(lists.first().copied())?;
                Some(format!("did you mean `{list}`?"))
            }
            VaryError::NotAList { .. } => None,
            VaryError::Label { .. } => Some("leave it out of the columns to choose from".to_owned()),
        }
    }
}

impl VariedPipeline {
    /// `pipeline`, in which the list `param` of the stage at `position` is chosen from `columns`.
    ///
    /// # Errors
    /// [`VaryError`] when the stage has no such list, or one of the columns is a label.
    ///
    /// # Panics
    /// When there is no stage at `position`.
    pub fn new(
        pipeline: Pipeline,
        position: usize,
        param: &str,
        columns: Vec<String>,
    ) -> Result<VariedPipeline, VaryError> {
        let params = pipeline.stages()[position].configured().params();
        let uid = params.uid().clone();
        let is_list = |kind: ParamKind, name: &str| kind == ParamKind::StringArray && name.ends_with("Cols");
        let Some(spec) = params.specs().iter().find(|spec| spec.name == param) else {
            let lists = params.specs().iter().filter(|spec| is_list(spec.kind, spec.name)).map(|spec| spec.name);
            return Err(VaryError::NoSuchParam { uid, name: param.to_owned(), lists: lists.collect() });
        };
        if !is_list(spec.kind, spec.name) || spec.name.starts_with("output") {
            return Err(VaryError::NotAList { uid, name: spec.name });
        }
        for stage in &pipeline.stages()[position + 1..] {
            let params = stage.configured().params();
            let has_label = params.spec(LABEL_COL.name).is_ok();
            let label = has_label.then(|| params.find(LABEL_COL)).flatten();
            if let Some(column) = label.filter(|label| columns.contains(label)) {
                return Err(VaryError::Label { column, uid: params.uid().clone() });
            }
        }
        Ok(VariedPipeline { position, param: spec.name, columns, pipeline })
    }

    /// The pipeline as it was given.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Position of the stage that takes the columns.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The list that is varied.
    pub fn param(&self) -> &'static str {
        self.param
    }

    /// The columns to choose from.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The same, without predicted labels and probabilities that neither `evaluator` nor a later stage looks at. Margins stay:
    /// without them Spark predicts labels otherwise.
    pub(super) fn judged_by(&self, evaluator: &dyn Evaluator) -> VariedPipeline {
        let mut judged = self.clone();
        let params = evaluator.params();
        let mut wanted: HashSet<String> = columns_read(params).into_iter().chain(columns_written(params)).collect();
        for stage in judged.pipeline.stages_mut()[self.position + 1..].iter_mut().rev() {
            let params = stage.configured_mut().params_mut();
            for key in [PREDICTION_COL, PROBABILITY_COL] {
                let is_there = params.spec(key.name).is_ok();
                if is_there && params.find(key).is_some_and(|column| !wanted.contains(&column)) {
                    params.put(key, String::new());
                }
            }
            wanted.extend(columns_read(params));
        }
        judged
    }

    /// The stages before the one that takes the columns: the same for every set but for those that a set does without.
    pub fn stages_before(&self) -> Pipeline {
        self.pipeline.split_at(self.position).0
    }

    /// The stage that takes the columns of `set`, and those after it.
    pub fn stages_from(&self, set: &ColumnSet) -> Pipeline {
        let (_, mut rest) = self.pipeline.split_at(self.position);
        self.choose(&mut rest.stages_mut()[0], set);
        rest
    }

    /// The whole pipeline of `set`, without the stages that only feed a column that is not in it.
    pub fn with(&self, set: &ColumnSet) -> Pipeline {
        let is_needed = self.stages_needed(set);
        let mut pipeline = self.pipeline.clone();
        self.choose(&mut pipeline.stages_mut()[self.position], set);
        let mut needed = is_needed.into_iter();
        pipeline.stages_mut().retain(|_| needed.next().unwrap_or(true));
        pipeline
    }

    fn choose(&self, stage: &mut Stage, set: &ColumnSet) {
        let names = set.names(&self.columns).into_iter().map(str::to_owned).collect();
        let params = stage.configured_mut().params_mut();
        params.set(self.param, ParamValue::StringArray(names)).expect("`new` looked at the parameter");
    }

    /// Whether each stage stays. One goes when nothing that stays reads what it adds, and something that was left out does:
    /// the list that is varied, or a stage that goes.
    fn stages_needed(&self, set: &ColumnSet) -> Vec<bool> {
        let stages = self.pipeline.stages();
        let chosen: HashSet<String> = set.names(&self.columns).into_iter().map(str::to_owned).collect();
        let listed = |params: &Params| columns_read(params).into_iter().collect::<HashSet<_>>();
        let offered = || self.columns.iter().cloned().chain(listed(stages[self.position].configured().params()));
        let mut left_out: HashSet<String> = offered().filter(|column| !chosen.contains(column)).collect();
        let mut wanted = chosen;
        let mut is_needed = vec![true; stages.len()];
        for stage in &stages[self.position + 1..] {
            wanted.extend(columns_read(stage.configured().params()));
        }
        for (position, stage) in stages[..self.position].iter().enumerate().rev() {
            let params = stage.configured().params();
            let written = columns_written(params);
            let is_wanted = written.iter().any(|column| wanted.contains(column));
            is_needed[position] = is_wanted || !written.iter().any(|column| left_out.contains(column));
            let readers = if is_needed[position] { &mut wanted } else { &mut left_out };
            readers.extend(columns_read(params));
        }
        is_needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classification::LogisticRegression;
    use crate::feature::string_indexer::StringIndexer;
    use crate::feature::vector_assembler::VectorAssembler;
    use crate::stage::Configured;

    fn indexer(input: &str, output: &str) -> Stage {
        let mut indexer = StringIndexer::new().input_col(input).output_col(output);
        indexer.params_mut().set_uid(Uid::new(output));
        indexer.into()
    }

    /// A label that is indexed, one index for a column to choose, one whose output nobody reads.
    fn loans() -> VariedPipeline {
        let pipeline = Pipeline::new([
            indexer("outcome", "label"),
            indexer("purpose", "purpose_index"),
            indexer("state", "state_index"),
            VectorAssembler::new().input_cols(["rate", "purpose_index"]).output_col("features").into(),
            LogisticRegression::new().into(),
        ]);
        let columns = ["rate", "dti", "purpose_index"].map(str::to_owned).into();
        VariedPipeline::new(pipeline, 3, "inputCols", columns).unwrap()
    }

    fn names(pipeline: &Pipeline) -> Vec<String> {
        pipeline.stages()[..pipeline.stages().len() - 2].iter().map(|s| s.configured().uid().to_string()).collect()
    }

    #[test]
    fn a_stage_goes_with_the_only_column_that_it_feeds() {
        let loans = loans();
        let without = loans.with(&ColumnSet::new([0, 1]).unwrap());
        assert_eq!(names(&without), ["label", "state_index"]);
        assert_eq!(names(&loans.with(&ColumnSet::new([2]).unwrap())), ["label", "purpose_index", "state_index"]);
        let assembler = without.stages()[2].configured().params();
        assert_eq!(assembler.find(crate::columns::INPUT_COLS), Some(vec!["rate".to_owned(), "dti".to_owned()]));
    }

    #[test]
    fn what_feeds_a_stage_that_goes_goes_too() {
        let pipeline = Pipeline::new([
            indexer("purpose", "first"),
            indexer("first", "second"),
            VectorAssembler::new().input_cols(["second"]).output_col("features").into(),
        ]);
        let columns = vec!["rate".to_owned(), "second".to_owned()];
        let varied = VariedPipeline::new(pipeline, 2, "inputCols", columns).unwrap();
        assert_eq!(varied.with(&ColumnSet::new([0]).unwrap()).stages().len(), 1);
        assert_eq!(varied.with(&ColumnSet::new([0, 1]).unwrap()).stages().len(), 3);
    }

    #[test]
    fn only_a_list_of_columns_to_read_is_varied_and_never_by_the_label() {
        let columns = vec!["rate".to_owned()];
        let vary = |position, param, columns| {
            VariedPipeline::new(loans().pipeline, position, param, columns).unwrap_err().to_string()
        };
        assert!(vary(3, "inputCol", columns.clone()).ends_with("has no parameter: inputCol"));
        assert!(vary(3, "outputCol", columns.clone()).ends_with("is not a list of columns to read"));
        assert!(vary(3, "inputCols", vec!["label".to_owned()]).contains("column `label` is the label of stage"));
    }
}
