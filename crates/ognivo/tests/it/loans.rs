//! Loans with ids, in many small files: what the tests of streams are fed, and what must become of each row.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::binary::Workplace;

/// LendingClub loans: `lending_club` of the R package modeldata 1.1.0 (MIT), written with write.csv.
const LOANS: &str = include_str!("../../../../fixtures/data/lending_club.csv");

/// The columns of every file here: the fixture's, after an id.
pub(crate) const SCHEMA: &str = "id BIGINT, funded_amnt INT, term STRING, int_rate DOUBLE, sub_grade STRING, \
addr_state STRING, verification_status STRING, annual_inc DOUBLE, emp_length STRING, delinq_2yrs INT, \
inq_last_6mths INT, revol_util DOUBLE, acc_now_delinq INT, open_il_6m INT, open_il_12m INT, open_il_24m INT, \
total_bal_il INT, all_util INT, inq_fi INT, inq_last_12m INT, delinq_amnt INT, num_il_tl INT, \
total_il_high_credit_limit INT, Class STRING";

/// What the job of [`Loans::write_job`] trains.
const TRAIN: &str = r#"
train:
  read: {format: csv, path: train.csv, schema: &loan "SCHEMA", options: {header: true}}
  pipeline:
    - StringIndexer: {inputCols: [term, Class], outputCols: [term_index, label], stringOrderType: frequencyDesc}
    - VectorAssembler: {inputCols: [funded_amnt, int_rate, annual_inc, term_index], outputCol: features}
    - LogisticRegression: {maxIter: 5, regParam: 0.01}
  save: {path: model, mode: overwrite}
"#;

/// How one stream writes, as text of the job file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StreamForm {
    /// Folder that is read; `incoming` when empty.
    pub(crate) input: &'static str,
    /// More keys of `readStream.options`, each with a comma before it.
    pub(crate) read_options: &'static str,
    /// More keys of `writeStream`, a line each, indented by four.
    pub(crate) write: &'static str,
    /// More keys of `stream`, a line each, indented by two.
    pub(crate) stream: &'static str,
    /// `trigger`; `{availableNow: true}` when empty.
    pub(crate) trigger: &'static str,
}

/// What must become of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is scored.
    Scored,
    /// It is a dead letter: no record of the schema.
    Malformed,
    /// It is a dead letter: its term was not there in training.
    Unseen,
}

/// A folder with files to train on, a model, and files that arrive.
///
/// ```text
/// train.csv  model/                      400 loans, and the pipeline that was fitted on them
/// incoming/00000.csv …                   the files that arrive, in the order of their names
/// good.csv                               their rows that can be scored, in one file
/// <run>.yaml  <run>/{output,dead,checkpoint}
/// ```
pub(crate) struct Loans {
    /// The folder.
    pub(crate) place: Workplace,
    /// Every id that arrives, once.
    pub(crate) fates: BTreeMap<i64, Fate>,
    /// How many files arrive.
    pub(crate) n_files: u64,
}

/// Loans that train; the others arrive.
const N_TRAINING_ROWS: usize = 400;

impl Loans {
    /// Trains a model and lays out `n_files` files of `n_rows` rows; every fourth has a record that is none, every fifth an
    /// unseen label, and every seventh nothing but a header.
    pub(crate) fn new(n_files: u64, n_rows: usize) -> Loans {
        let place = Workplace::new();
        let mut lines = LOANS.lines();
        let header = format!("\"id\",{}\n", lines.next().unwrap());
        let mut training = header.clone();
        for (id, line) in lines.by_ref().take(N_TRAINING_ROWS).enumerate() {
            writeln!(training, "{id},{line}").unwrap();
        }
        place.write("train.csv", &training);

        // Many rows come again, under other ids.
        let mut lines = lines.chain(LOANS.lines().skip(1).cycle());
        let mut loans = Loans { place, fates: BTreeMap::new(), n_files };
        let mut good = header.clone();
        let mut next_id = 10_000;
        for file in 0..n_files {
            let mut text = header.clone();
            let n_rows = if file % 7 == 6 { 0 } else { n_rows };
            for row in 0..n_rows {
                let line = lines.next().expect("they have no end");
                let fate = match (row, file % 4, file % 5) {
                    (0, 1, _) => Fate::Malformed,
                    (1, _, 2) => Fate::Unseen,
                    _ => Fate::Scored,
                };
                let line = format!("{next_id},{}\n", spoiled(line, fate));
                if fate == Fate::Scored {
                    good.push_str(&line);
                }
                text.push_str(&line);
                loans.fates.insert(next_id, fate);
                next_id += 1;
            }
            loans.place.write(&format!("incoming/{file:05}.csv"), &text);
        }
        loans.place.write("good.csv", &good);
        loans.place.write("train.yaml", &format!("version: 1\n{}", TRAIN.replace("SCHEMA", SCHEMA)));
        loans.place.run(&["train", "train.yaml", "--quiet"]).ok();
        loans
    }

    /// Writes the job of one run, whose own folder is called `run`, and gives the file's name.
    pub(crate) fn write_job(&self, run: &str, form: StreamForm) -> String {
        let StreamForm { input, read_options, write, stream, trigger } = form;
        let input = if input.is_empty() { "incoming" } else { input };
        let trigger = if trigger.is_empty() { "{availableNow: true}" } else { trigger };
        let name = format!("{run}.yaml");
        let text = format!(
            "version: 1\nname: {run}\nthreads: 1\nstream:\n  readStream:\n    format: csv\n    path: {input}\n    \
             schema: \"{SCHEMA}\"\n    options: {{header: true, maxFilesPerTrigger: 1{read_options}}}\n  model: model\n  \
             select: [id, term, rawPrediction, probability, prediction]\n  writeStream:\n    format: parquet\n    \
             path: {run}/output\n    partitionBy: [term]\n    checkpointLocation: {run}/checkpoint\n    \
             trigger: {trigger}\n{write}  deadLetter: {{format: json, path: {run}/dead}}\n{stream}"
        );
        self.place.write(&name, &text);
        name
    }

    /// Lets one more file of good rows arrive, whole.
    pub(crate) fn add_file(&mut self, name: &str, n_rows: usize) {
        let mut text = LOANS.lines().next().map(|header| format!("\"id\",{header}\n")).unwrap();
        let mut good = std::fs::read_to_string(self.place.at("good.csv")).unwrap();
        for (id, line) in (90_000..).zip(LOANS.lines().skip(1).take(n_rows)) {
            let line = format!("{id},{line}\n");
            text.push_str(&line);
            good.push_str(&line);
            self.fates.insert(id, Fate::Scored);
        }
        self.place.write("good.csv", &good);
        let hidden = self.place.write(&format!("incoming/.{name}.csv"), &text);
        std::fs::rename(hidden, self.place.at(&format!("incoming/{name}.csv"))).unwrap();
        self.n_files += 1;
    }

    /// How many rows have this fate.
    pub(crate) fn count(&self, fate: Fate) -> usize {
        self.fates.values().filter(|found| **found == fate).count()
    }
}

/// The line with what makes it so.
fn spoiled(line: &str, fate: Fate) -> String {
    let (amount, rest) = line.split_once(',').unwrap();
    match fate {
        Fate::Scored => line.to_owned(),
        Fate::Malformed => format!("a lot,{rest}"),
        Fate::Unseen => {
            let (_, after_term) = rest.split_once(',').unwrap();
            format!("{amount},\"term_48\",{after_term}")
        }
    }
}
