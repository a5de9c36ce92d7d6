//! Streams into tables of a real Cassandra, from topics and from files: rows, values, keys and dead letters.
//!
//! `cargo xtask cassandra` starts a broker beside the servers of tables for these.

use std::collections::BTreeMap;

use ognivo_stream::kill_point::KillPoint;
use scylla::value::CqlValue;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::binary::Ran;
use crate::broker::{Topic, address, unique};
use crate::loans::{Fate, SCHEMA};
use crate::place::Place;
use crate::server::contact_point;
use crate::stream_oracle::{Score, files_below};
use crate::topics::{Rig, fate_of};

const N_PARTITIONS: i32 = 3;

/// Where dead letters go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    Topic,
    Files,
    Table,
}

/// What names a row in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// A column of the rows.
    Id,
    /// Where the record stands.
    Position,
}

/// One stream from a topic into a table.
struct Stream<'a> {
    rig: &'a Rig,
    place: &'a Place,
    runtime: &'a Runtime,
    run: String,
    file: String,
    input: Topic,
    bad: Topic,
    letters: Letters,
    key: Key,
}

impl<'a> Stream<'a> {
    /// Makes the topics, fills the input, writes the job, and makes its tables with the binary.
    fn new(rig: &'a Rig, place: &'a Place, runtime: &'a Runtime, run: &str, letters: Letters, key: Key) -> Stream<'a> {
        let topic = |name: &str, n| runtime.block_on(Topic::new(name, n));
        let stream = Stream {
            rig,
            place,
            runtime,
            run: run.to_owned(),
            file: format!("{run}.yaml"),
            input: topic("in", N_PARTITIONS),
            bad: topic("bad", 1),
            letters,
            key,
        };
        for partition in 0..N_PARTITIONS {
            let ours = rig.records.iter().filter(|(id, _)| *id as i32 % N_PARTITIONS == partition);
            stream.input.add(partition, ours.map(|(_, record)| record));
        }
        rig.loans.place.write(&stream.file, &stream.job());
        rig.loans.place.run(&["validate", &stream.file]).ok();
        let made = rig.loans.place.run(&["stream", &stream.file, "--create-table=execute", "--quiet"]);
        assert!(made.stderr.contains(&format!("{}.{run} was made", place.keyspace)), "{made:?}");
        made.ok();
        stream
    }

    fn job(&self) -> String {
        let table = |name: &str, more: &str| {
            format!(
                "{{spark.cassandra.connection.host: \"{}\", auth.username: cassandra, auth.password: cassandra, \
                 keyspace: {}, table: {name}{more}}}",
                contact_point(),
                self.place.keyspace
            )
        };
        let letters = match self.letters {
            Letters::Topic => format!("{{format: kafka, options: {{topic: {}}}}}", self.bad.name),
            Letters::Files => format!("{{format: json, path: {}/dead}}", self.run),
            Letters::Table => format!("{{format: cassandra, options: {}}}", table(&format!("{}_dead", self.run), "")),
        };
        let key = match self.key {
            Key::Id => ", partitionKey: id",
            Key::Position => "",
        };
        format!(
            "version: 1\nname: {job}\nthreads: 1\nstream:\n  readStream:\n    format: kafka\n    options: \
             {{kafka.bootstrap.servers: \"{broker}\", subscribe: {input}, startingOffsets: earliest, \
             maxOffsetsPerTrigger: 20}}\n    value: {{format: json, schema: \"{SCHEMA}\"}}\n  model: model\n  \
             select: [id, rawPrediction, probability, prediction]\n  writeStream:\n    format: cassandra\n    \
             options: {options}\n    checkpointLocation: {run}/checkpoint\n    trigger: {{availableNow: true}}\n  \
             deadLetter: {letters}\n",
            job = unique(&self.run),
            broker = address(),
            input = self.input.name,
            options = table(&self.run, key),
            run = self.run,
        )
    }

    /// Runs the stream to its end.
    fn finish(&self) {
        self.rig.loans.place.run(&["stream", &self.file, "--quiet"]).ok();
    }

    /// Every record is there once, where it belongs, with the bits of its batch score and the key that it must have.
    fn check(&self) {
        let due = |wanted: fn(&Fate) -> bool| -> BTreeMap<i64, Fate> {
            let fates = self.rig.loans.fates.iter().filter(|(_, fate)| wanted(fate));
            fates.map(|(id, fate)| (*id, *fate)).collect()
        };
        let columns = "id, \"rawPrediction\", probability, prediction";
        let rows = self.runtime.block_on(self.place.rows(&format!("SELECT {columns} FROM KS.{}", self.run)));
        let found: BTreeMap<i64, Score> = rows.iter().map(|row| scored(row)).collect();
        assert_eq!(rows.len(), found.len(), "{}: no row is there twice", self.run);
        let expected: BTreeMap<i64, Score> =
            due(|fate| *fate == Fate::Scored).keys().map(|id| (*id, self.rig.scores[id].clone())).collect();
        assert!(found == expected, "{}: {} rows, {} due", self.run, found.len(), expected.len());
        if self.key == Key::Position {
            self.check_positions();
        }
        let letters = self.dead_letters();
        let of_ids: BTreeMap<i64, Fate> = letters.iter().copied().collect();
        assert_eq!(of_ids.len(), letters.len(), "{}: no dead letter is there twice", self.run);
        assert_eq!(of_ids, due(|fate| *fate != Fate::Scored), "{}: dead letters", self.run);
    }

    /// The key of a row is the place of its record.
    fn check_positions(&self) {
        let query = format!("SELECT topic, \"partition\", \"offset\", id FROM KS.{}", self.run);
        let rows = self.runtime.block_on(self.place.rows(&query));
        let found: BTreeMap<i64, (i32, i64)> = rows
            .iter()
            .map(|row| {
                assert_eq!(row[0].as_ref().and_then(CqlValue::as_text), Some(&self.input.name));
                let place = (row[1].as_ref().unwrap().as_int().unwrap(), bigint(&row[2]));
                (bigint(&row[3]), place)
            })
            .collect();
        for seen in self.input.committed() {
            let record: Value = serde_json::from_str(&seen.value.unwrap()).unwrap();
            let id = record["id"].as_i64().unwrap();
            if self.rig.scores.contains_key(&id) {
                assert_eq!(found.get(&id), Some(&(seen.partition, seen.offset)), "{}: row {id}", self.run);
            }
        }
    }

    fn dead_letters(&self) -> Vec<(i64, Fate)> {
        let texts: Vec<String> = match self.letters {
            Letters::Topic => self.bad.committed().into_iter().map(|seen| seen.value.unwrap()).collect(),
            Letters::Files => {
                let files = files_below(&self.rig.loans.place.at(&format!("{}/dead", self.run)));
                let parts = files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "json"));
                parts.flat_map(lines_of).collect()
            }
            Letters::Table => {
                let query = format!("SELECT JSON payload, stage, position FROM KS.{}_dead", self.run);
                let rows = self.runtime.block_on(self.place.rows(&query));
                rows.iter().map(|row| row[0].as_ref().and_then(CqlValue::as_text).unwrap().clone()).collect()
            }
        };
        let of_text = |text: &String| {
            let letter: Value = serde_json::from_str(text).unwrap();
            let fate = fate_of(&letter);
            let record: Value = serde_json::from_str(letter["payload"].as_str().unwrap()).unwrap();
            let position = letter["position"].as_str().unwrap();
            assert!(position.starts_with(&format!("{}-", self.input.name)), "{position}");
            (record["id"].as_i64().unwrap(), fate)
        };
        texts.iter().map(of_text).collect()
    }
}

fn lines_of(file: &std::path::PathBuf) -> Vec<String> {
    std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

fn bigint(value: &Option<CqlValue>) -> i64 {
    value.as_ref().and_then(CqlValue::as_bigint).unwrap()
}

/// Id and bits of `id, rawPrediction, probability, prediction`.
fn scored(row: &[Option<CqlValue>]) -> (i64, Score) {
    let list = |value: &Option<CqlValue>| value.as_ref().and_then(CqlValue::as_list).unwrap().clone();
    let numbers = list(&row[1]).into_iter().chain(list(&row[2])).chain(row[3].clone());
    (bigint(&row[0]), numbers.map(|number| number.as_double().unwrap().to_bits()).collect())
}

/// Places that this route passes.
const POINTS: [KillPoint; 11] = [
    KillPoint::SourceFound,
    KillPoint::BeforePlan,
    KillPoint::AfterPlan,
    KillPoint::AfterBegin,
    KillPoint::SinkPartVisible,
    KillPoint::AfterWrite,
    KillPoint::BeforeCommit,
    KillPoint::SinkAllVisible,
    KillPoint::SinkLogged,
    KillPoint::AfterCommit,
    KillPoint::AfterDone,
];

#[test]
fn a_kill_anywhere_between_a_topic_and_a_table_loses_and_doubles_nothing() {
    let rig = Rig::new(5, 16);
    let runtime = Runtime::new().unwrap();
    let place = runtime.block_on(Place::new("topics_to_tables", 1));
    for (number, point) in POINTS.into_iter().enumerate() {
        let letters = [Letters::Topic, Letters::Files, Letters::Table][number % 3];
        let key = [Key::Id, Key::Position][number % 2];
        let stream = Stream::new(&rig, &place, &runtime, &format!("run_{}", point.name()), letters, key);
        let mut command = rig.loans.place.command(&["stream", &stream.file, "--quiet"]);
        let killed = Ran::of(command.env("OGNIVO_KILL_POINT", format!("{}@2", point.name())).output().unwrap());
        assert_eq!(killed.code, None, "{}: the process was to die\n{}", stream.run, killed.stderr);
        stream.finish();
        stream.check();
        // Nothing is left to do, and nothing is done twice.
        stream.finish();
        stream.check();
        println!("{}: died, came back; dead letters to {letters:?}, key: {key:?}", stream.run);
    }
}

#[test]
fn rows_of_files_are_named_by_file_and_line_when_the_table_wants_it() {
    let rig = Rig::new(6, 9);
    let runtime = Runtime::new().unwrap();
    let place = runtime.block_on(Place::new("files_to_tables", 1));
    let table = format!(
        "{{spark.cassandra.connection.host: \"{}\", auth.username: cassandra, auth.password: cassandra, \
         keyspace: files_to_tables, table: scored}}",
        contact_point()
    );
    let job = format!(
        "version: 1\nthreads: 1\nstream:\n  readStream:\n    format: csv\n    path: incoming\n    \
         schema: \"{SCHEMA}\"\n    options: {{header: true, maxFilesPerTrigger: 2}}\n  model: model\n  \
         select: [id, prediction]\n  writeStream:\n    format: cassandra\n    options: {table}\n    \
         checkpointLocation: files/checkpoint\n    trigger: {{availableNow: true}}\n  \
         deadLetter: {{format: json, path: files/dead}}\n"
    );
    rig.loans.place.write("files.yaml", &job);
    rig.loans.place.run(&["validate", "files.yaml"]).ok();
    let printed = rig.loans.place.run(&["stream", "files.yaml", "--create-table"]).ok();
    assert!(printed.ends_with("PRIMARY KEY ((\"file\"), \"line\")\n)\n"), "{printed}");
    rig.loans.place.run(&["stream", "files.yaml", "--create-table=execute"]).ok();
    let again = rig.loans.place.run(&["stream", "files.yaml", "--create-table=execute"]);
    assert!(again.stderr.contains("files_to_tables.scored is there already, and was left as it is"), "{again:?}");
    rig.loans.place.run(&["doctor", "files.yaml"]).ok();
    rig.loans.place.run(&["stream", "files.yaml", "--quiet"]).ok();

    let rows = runtime.block_on(place.rows("SELECT id, prediction, file, line FROM KS.scored"));
    assert_eq!(rows.len(), rig.scores.len());
    for row in &rows {
        let id = bigint(&row[0]);
        let prediction = row[1].as_ref().unwrap().as_double().unwrap().to_bits();
        assert_eq!(Some(&prediction), rig.scores[&id].last(), "the prediction of row {id}");
        let file = row[2].as_ref().and_then(CqlValue::as_text).unwrap().strip_prefix("file://").unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        let line = text.lines().nth(bigint(&row[3]) as usize - 1).unwrap();
        assert!(line.starts_with(&format!("{id},")), "row {id} stands on another line than: {line}");
    }
}

#[test]
fn a_table_whose_key_nothing_feeds_is_refused_by_doctor_and_before_the_first_row() {
    let rig = Rig::new(1, 4);
    let runtime = Runtime::new().unwrap();
    let place = runtime.block_on(Place::new("keys_not_fed", 1));
    runtime.block_on(
        place.cql("CREATE TABLE KS.t (uid uuid, \"offset\" bigint, id bigint, PRIMARY KEY (uid, \"offset\"))"),
    );
    let job = |more: &str| {
        format!(
            "version: 1\nstream:\n  readStream:\n    format: kafka\n    options: {{kafka.bootstrap.servers: \"{}\", \
             subscribe: {}}}\n    value: {{format: json, schema: \"{SCHEMA}\"}}\n  model: model\n  select: [id]\n  \
             writeStream:\n    format: cassandra\n    options: {{connection.host: \"{}\", auth.username: cassandra, \
             auth.password: cassandra, keyspace: keys_not_fed, table: t{more}}}\n    checkpointLocation: c\n    \
             trigger: {{availableNow: true}}\n",
            address(),
            runtime.block_on(Topic::new("keys", 1)).name,
            contact_point()
        )
    };
    rig.loans.place.write("keys.yaml", &job(""));
    let message = "nothing feeds the key of keys_not_fed.t: uid";
    let looked = rig.loans.place.run(&["doctor", "keys.yaml"]);
    assert!(looked.code == Some(1) && looked.stdout.contains(message), "{looked:?}");
    let ran = rig.loans.place.run(&["stream", "keys.yaml"]);
    assert!(ran.code == Some(2) && ran.stderr.contains(message), "{ran:?}");
    // A key that the job itself names is known without the server.
    rig.loans.place.write("named.yaml", &job(", partitionKey: uid, clusteringKey: offset"));
    let validated = rig.loans.place.run(&["validate", "named.yaml"]);
    let message = "`partitionKey` names a column that nothing feeds: uid";
    assert!(validated.code == Some(2) && validated.stdout.contains(message), "{validated:?}");
}
