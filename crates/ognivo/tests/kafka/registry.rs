//! A schema registry that is not there, and one that dies under a stream.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::avro_records::{Loans, framed, letters, of_registry, register, scored, try_ask, with_values};
use crate::broker::{Server, registry, unique};
use crate::loans::Fate;
use crate::stream::AVAILABLE_NOW;
use crate::topics::{Rig, Stream};

/// On two busy cores a registry needs 15 s.
const PATIENCE: Duration = Duration::from_secs(120);

/// The registry killed, until this is dropped or it is started again.
struct Killed(Option<Server>);

impl Killed {
    fn new() -> Killed {
        let server = Server::of_registry();
        server.kill();
        wait(|| !answers());
        Killed(Some(server))
    }

    fn start_again(mut self) {
        self.start();
    }

    fn start(&mut self) {
        if let Some(server) = self.0.take() {
            server.start();
            wait(answers);
        }
    }
}

impl Drop for Killed {
    /// The tests that come after need it.
    fn drop(&mut self) {
        self.start();
    }
}

fn answers() -> bool {
    try_ask("GET", "/subjects", &Value::Null).is_ok_and(|(status, _)| status == 200)
}

#[track_caller]
fn wait(until: impl Fn() -> bool) {
    let begin = Instant::now();
    while !until() {
        assert!(begin.elapsed() < PATIENCE, "it did not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A stream that runs until it is asked to end, and what it says.
struct Running<'a> {
    stream: &'a Stream<'a>,
    child: Child,
}

impl Running<'_> {
    fn start<'a>(stream: &'a Stream<'a>) -> Running<'a> {
        let place = &stream.rig.loans.place;
        let mut command = place.command(&["stream", &stream.file, "--progress", "none"]);
        let said = File::create(place.at("said")).unwrap();
        Running { stream, child: command.stdout(Stdio::null()).stderr(said).spawn().unwrap() }
    }

    fn has_said(&self, text: &str) -> bool {
        std::fs::read_to_string(self.stream.rig.loans.place.at("said")).unwrap().contains(text)
    }

    fn end(mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success() && self.child.wait().unwrap().success());
    }
}

#[test]
fn schemas_that_are_known_need_no_registry_and_a_new_one_waits_for_it() {
    let rig = Rig::new(4, 20);
    let stream = rig.stream("registry-dies", 1, "", "", "");
    let (read, write) = of_registry();
    with_values(&stream, &read, &write);
    let writers = [Loans::new(), Loans::reversed()];
    let subject = format!("{}-value", stream.input.name);
    let numbers = writers.each_ref().map(|loans| register(&subject, &json!({"schema": loans.schema.to_string()})));
    let good: Vec<(i64, &String)> = rig
        .records
        .iter()
        .filter(|(id, _)| rig.loans.fates[id] == Fate::Scored)
        .map(|(id, record)| (*id, record))
        .collect();
    let add = |writer: usize, part: std::ops::Range<usize>| {
        stream
            .input
            .add(0, good[part].iter().map(|(_, record)| framed(numbers[writer], &writers[writer].datum(record))));
    };
    let n_out = || stream.output.values().len();

    add(0, 0..20);
    let running = Running::start(&stream);
    wait(|| n_out() == 20);
    let killed = Killed::new();
    add(0, 20..40);
    wait(|| n_out() == 40);
    add(1, 40..50);
    add(0, 50..60);
    wait(|| running.has_said(&format!("cannot ask the schema registry {}", registry())));
    assert_eq!(n_out(), 40);
    killed.start_again();
    wait(|| n_out() == 60);
    running.end();

    let expected = good[..60].iter().map(|(id, _)| (*id, rig.scores[id].clone())).collect();
    assert_eq!(scored(&stream.output).0, expected);
    assert_eq!(letters(&stream).len(), 0);
}

#[test]
fn a_stream_without_its_registry_ends_after_its_deadline_and_a_later_start_goes_on() {
    let rig = Rig::new(1, 20);
    let stream = rig.stream("registry-away", 1, "", "", AVAILABLE_NOW);
    let (read, write) = of_registry();
    with_values(&stream, &read, &write);
    let job = std::fs::read_to_string(rig.loans.place.at(&stream.file)).unwrap();
    let json_out = job
        .replace(&write, "{format: json}")
        .replace("  model: model\n", "  model: model\n  retryDeadline: 2 seconds\n");
    rig.loans.place.write(&stream.file, &json_out);
    let loans = Loans::new();
    let number = register(&unique("in"), &json!({"schema": loans.schema.to_string()}));
    stream.input.add(0, rig.records.iter().map(|(_, record)| framed(number, &loans.datum(record))));

    let killed = Killed::new();
    let url = registry();
    let looked = rig.loans.place.run(&["doctor", &stream.file]);
    assert_eq!(looked.code, Some(75), "{}{}", looked.stdout, looked.stderr);
    assert!(
        looked.stdout.contains(&format!("FAIL  schema registry {url}: cannot ask the schema registry {url}: ")),
        "{}",
        looked.stdout
    );
    let ran = rig.loans.place.run(&["stream", &stream.file, "--quiet"]);
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
    for text in [
        &format!("cannot ask the schema registry {url}: "),
        "hint: does the registry run, and is `schema.registry.url` right?",
    ] {
        assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
    }
    assert_eq!((stream.output.values().len(), stream.letters.values().len()), (0, 0));

    killed.start_again();
    rig.loans.place.run(&["stream", &stream.file, "--quiet"]).ok();
    assert_eq!(stream.output.values().len(), rig.records.len());
    assert_eq!(stream.letters.values().len(), 0);
}
