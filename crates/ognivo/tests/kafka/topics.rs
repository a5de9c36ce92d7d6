//! Loans as JSON records in topics, and what streams of them must come to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use crate::broker::{Topic, address, unique};
use crate::loans::{Fate, Loans, SCHEMA};
use crate::stream_oracle::{Score, batch_scores};

/// A trained model, records to be scored, and what each must come to; many streams may be made of it.
pub(crate) struct Rig {
    pub(crate) loans: Loans,
    pub(crate) scores: BTreeMap<i64, Score>,
    /// Id and JSON of each record, in the order of the ids.
    pub(crate) records: Vec<(i64, String)>,
    runtime: Runtime,
}

impl Rig {
    pub(crate) fn new(n_files: u64, n_rows: usize) -> Rig {
        let loans = Loans::new(n_files, n_rows);
        let scores = batch_scores(&loans);
        let mut records = Vec::new();
        for file in 0..n_files {
            let text = std::fs::read_to_string(loans.place.at(&format!("incoming/{file:05}.csv"))).unwrap();
            records.extend(text.lines().skip(1).map(to_json));
        }
        assert_eq!(records.len(), loans.fates.len());
        Rig { loans, scores, records, runtime: Runtime::new().unwrap() }
    }

    /// A new topic.
    pub(crate) fn topic(&self, name: &str, n_partitions: i32) -> Topic {
        self.runtime.block_on(Topic::new(name, n_partitions))
    }

    /// New topics and the job of a stream between them. `read` and `write` are more options, each with a comma before it.
    pub(crate) fn stream(&self, run: &str, n_partitions: i32, read: &str, write: &str, trigger: &str) -> Stream<'_> {
        let stream = Stream {
            rig: self,
            file: format!("{run}.yaml"),
            input: self.topic("in", n_partitions),
            output: self.topic("out", 3),
            letters: self.topic("bad", 1),
            n_partitions,
        };
        let (job, server) = (unique(run), address());
        let text = format!(
            "version: 1\nname: {job}\nthreads: 1\nstream:\n  readStream:\n    format: kafka\n    options: \
             {{kafka.bootstrap.servers: \"{server}\", subscribe: {input}, startingOffsets: earliest, \
             kafka.session.timeout.ms: 1500, kafka.heartbeat.interval.ms: 300{read}}}\n    \
             value: {{format: json, schema: \"{SCHEMA}\"}}\n  model: model\n  \
             select: [id, rawPrediction, probability, prediction]\n  writeStream:\n    format: kafka\n    \
             options: {{kafka.bootstrap.servers: \"{server}\", topic: {output}{write}}}\n    key: id\n    \
             value: {{format: json}}\n    delivery: exactlyOnce\n{trigger}  \
             deadLetter: {{format: kafka, options: {{topic: {letters}}}}}\n",
            input = stream.input.name,
            output = stream.output.name,
            letters = stream.letters.name,
        );
        self.loans.place.write(&stream.file, &text);
        stream
    }
}

/// Does all of it, so many at a time; the first that fails fails the test.
pub(crate) fn at_once<T: Sync>(n_threads: usize, all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(one);
                }
            });
        }
    });
}

/// A line of CSV as a JSON object.
fn to_json(line: &str) -> (i64, String) {
    let names = SCHEMA.split(", ").map(|column| column.split(' ').next().unwrap());
    let mut object = String::from("{");
    for (name, field) in names.zip(line.split(',')) {
        if object.len() > 1 {
            object.push(',');
        }
        let is_number = field.parse::<f64>().is_ok();
        let value = if is_number || field.starts_with('"') { field.to_owned() } else { format!("\"{field}\"") };
        object.push_str(&format!("\"{name}\":{value}"));
    }
    object.push('}');
    let id = line.split(',').next().unwrap().parse().unwrap();
    (id, object)
}

/// Scored rows and dead letters, by id.
type Committed = (Vec<(i64, Score)>, Vec<(i64, Fate)>);

/// A stream and its topics.
pub(crate) struct Stream<'a> {
    pub(crate) rig: &'a Rig,
    /// The job file.
    pub(crate) file: String,
    pub(crate) input: Topic,
    pub(crate) output: Topic,
    pub(crate) letters: Topic,
    n_partitions: i32,
}

impl Stream<'_> {
    /// Puts records into the input, those of an id always into the same partition.
    pub(crate) fn add(&self, records: &[(i64, String)]) {
        for partition in 0..self.n_partitions {
            let ours = records.iter().filter(|(id, _)| *id as i32 % self.n_partitions == partition);
            self.input.add(partition, ours.map(|(_, record)| record));
        }
    }

    fn committed(&self) -> Committed {
        let json = |text: Option<String>| -> Value { serde_json::from_str(&text.unwrap()).unwrap() };
        let scored = self.output.committed().into_iter().map(|seen| {
            let row = json(seen.value);
            let id = row["id"].as_i64().unwrap();
            assert_eq!(seen.key.unwrap(), id.to_string());
            (id, score_of(row.as_object().unwrap()))
        });
        let letters = self.letters.committed().into_iter().map(|seen| {
            let letter = json(seen.value);
            let fate = fate_of(&letter);
            let record: Value = serde_json::from_str(letter["payload"].as_str().unwrap()).unwrap();
            let position = letter["position"].as_str().unwrap();
            assert!(position.starts_with(&format!("{}-", self.input.name)), "{position}");
            (record["id"].as_i64().unwrap(), fate)
        });
        (scored.collect(), letters.collect())
    }

    /// Every row came out once, where it belongs, with the score of the `score` verb to the bit; of the first `n` records.
    #[track_caller]
    pub(crate) fn check(&self, n: usize) {
        let (scored, letters) = self.committed();
        let mut found: BTreeMap<i64, Vec<Fate>> = BTreeMap::new();
        for (id, fate) in scored.iter().map(|(id, _)| (*id, Fate::Scored)).chain(letters) {
            found.entry(id).or_default().push(fate);
        }
        let expected: BTreeMap<i64, Vec<Fate>> =
            self.rig.records[..n].iter().map(|(id, _)| (*id, vec![self.rig.loans.fates[id]])).collect();
        let wrong: Vec<_> = expected.iter().filter(|(id, fates)| found.get(id) != Some(fates)).take(5).collect();
        let shown: Vec<_> = wrong.iter().map(|(id, fates)| (id, fates, found.get(id))).collect();
        assert_eq!(wrong.len(), 0, "{}: id, what was due, what was found: {shown:?}", self.file);
        assert_eq!(found, expected, "{}: rows that never arrived", self.file);
        for (id, score) in &scored {
            assert_eq!(Some(score), self.rig.scores.get(id), "{}: score of row {id}", self.file);
        }
    }

    /// Waits until the first `n` records have come out, well or not.
    #[track_caller]
    pub(crate) fn wait_for(&self, n: usize, patience: Duration) {
        let begin = Instant::now();
        loop {
            let n_out = self.output.committed().len() + self.letters.committed().len();
            if n_out >= n {
                return;
            }
            assert!(begin.elapsed() < patience, "{}: {n_out} of {n} records came out", self.file);
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Why the row of a dead letter is dead.
pub(crate) fn fate_of(letter: &Value) -> Fate {
    if letter["stage"].is_null() { Fate::Malformed } else { Fate::Unseen }
}

/// The bits of a scored row.
pub(crate) fn score_of(row: &Map<String, Value>) -> Score {
    let values = |name: &str| row[name]["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
    let all = values("rawPrediction").chain(values("probability")).chain(row["prediction"].as_f64());
    all.map(f64::to_bits).collect()
}
