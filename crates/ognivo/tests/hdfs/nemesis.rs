//! The servers and the stream are hit at random moments while files arrive and a reader looks, and the oracle is clean.
//!
//! One run:
//!
//! ```text
//! 320 files   put by `ognivo fs put`, a few at a time; some puts are killed; what failed is put again until the file is there
//! stream      as rows arrive, four files a batch, every path on the cluster; started again when it was killed
//! nemesis     SIGKILL and a new start, SIGSTOP and SIGCONT, of the NameNode and of the DataNode; SIGKILL of the stream
//! reader      through the cluster's web service: what it saw is whole, stays, never changes
//! ```
//! At the end the stream is asked to stop, another one takes what is left and ends by itself, and every id must be there once.
//!
//! `cargo xtask hdfs nemesis RUNS SEED` sets how many runs there are and the seed of the first; each next run has the next seed.
//! A seed gives the same moments in time, not the same places in the programs: those depend on the machine.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::Ran;
use crate::cluster::{Server, Trial, told};
use crate::counts::tell;
use crate::loans::{Fate, StreamForm};
use crate::polling::{Polling, Seen};
use crate::random::Random;
use crate::web::Web;

const N_FILES: u64 = 320;
const ROWS_PER_FILE: usize = 8;
const FILES_PER_BATCH: u64 = 4;

/// A run that takes longer does not get on.
const RUN_DEADLINE: Duration = Duration::from_secs(900);

/// Rounds of faults, each of which has every kind once, in an order of its own.
const ROUNDS: usize = 2;

#[test]
fn servers_and_a_stream_that_are_hit_at_random_moments_lose_and_repeat_no_row() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let first = number("OGNIVO_TEST_SEED").unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
    for run in 0..number("OGNIVO_NEMESIS_RUNS").unwrap_or(1) {
        let seed = first.wrapping_add(run);
        println!("nemesis: run {run}, seed {seed}");
        hit(seed);
    }
}

/// What can be done to what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillDataNode,
    FreezeDataNode,
    KillNameNode,
    FreezeNameNode,
    KillStream,
}

const FAULTS: [Fault; 5] =
    [Fault::KillDataNode, Fault::FreezeDataNode, Fault::KillNameNode, Fault::FreezeNameNode, Fault::KillStream];

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Fault::KillDataNode => "DataNode killed and started again",
            Fault::FreezeDataNode => "DataNode frozen for a while",
            Fault::KillNameNode => "NameNode killed and started again",
            Fault::FreezeNameNode => "NameNode frozen for a while",
            Fault::KillStream => "stream killed and started again",
        }
    }

    fn server(self) -> Option<&'static str> {
        match self {
            Fault::KillDataNode | Fault::FreezeDataNode => Some("datanode"),
            Fault::KillNameNode | Fault::FreezeNameNode => Some("namenode"),
            Fault::KillStream => None,
        }
    }
}

/// How often what was done, and what came of it.
#[derive(Debug, Default)]
struct Tally {
    faults: BTreeMap<&'static str, usize>,
    starts: usize,
    /// Streams that ended by themselves and said: try again later.
    later: usize,
}

impl Tally {
    fn count(&mut self, fault: Fault) {
        *self.faults.entry(fault.name()).or_default() += 1;
    }
}

fn hit(seed: u64) {
    let begin = Instant::now();
    let trial = Trial::awaiting(&format!("nemesis-{seed}"), N_FILES, ROWS_PER_FILE);
    trial.fs(&["mkdir", &format!("{}/incoming", trial.root)]).ok();
    trial.fs(&["put", "good.csv", &trial.root]).ok();
    let job = job(&trial, "{processingTime: 50 ms}");
    let web = Web::of(&told("OGNIVO_HDFS_WEB"));
    let polling = Polling::start(&web, &trial.path_of("run"));
    let (mut random, mut tally) = (Random(seed), Tally::default());
    let mut stream = Stream::start(&trial, &job, seed);
    let is_over = AtomicBool::new(false);
    let puts = std::thread::scope(|scope| {
        let arriving = scope.spawn(|| Puts::default().all(&trial, Random(!seed), begin, &is_over));
        for fault in (0..ROUNDS).flat_map(|_| shuffled(&mut random)).collect::<Vec<_>>() {
            rest(&mut random, 3_000);
            do_to(fault, &mut random, &mut stream, &mut tally);
            // Most faults find a cluster that serves, some one that has not recovered from the last.
            if random.below(4) > 0 {
                wait_until_served(&web, &trial);
            }
            stream.keep_running(&mut tally);
        }
        is_over.store(true, Ordering::SeqCst);
        while !arriving.is_finished() {
            stream.keep_running(&mut tally);
            sleep(Duration::from_millis(100));
        }
        arriving.join().expect("what failed is told above")
    });
    wait_until_served(&web, &trial);
    stream.stop(&mut tally);

    let finish = job_of_the_end(&trial);
    let ran = trial.loans.place.run(&["stream", &finish, "--quiet"]);
    assert_eq!(ran.code, Some(0), "the last stream ends by itself: {}", ran.stderr);
    let seen = polling.end();
    let counts = trial.check("run");
    check_no_temporary(&web, &trial);
    let is_bad = |fate: &&Fate| **fate != Fate::Scored;
    assert_eq!(counts.scored, trial.loans.count(Fate::Scored));
    assert_eq!(counts.dead_letters, trial.loans.fates.values().filter(is_bad).count());
    assert_eq!(seen.n_rows, counts.scored + counts.dead_letters, "the reader saw every row");
    assert!(counts.batches >= N_FILES / FILES_PER_BATCH, "{counts:?}");
    println!(
        "nemesis: seed {seed}: {} s, {counts:?}, {seen:?}, {puts:?}, {tally:?}, batches replayed {}",
        begin.elapsed().as_secs(),
        stream.n_replayed()
    );
    report(seed, &trial, &tally, &puts, &seen);
}

fn report(seed: u64, trial: &Trial, tally: &Tally, puts: &Puts, seen: &Seen) {
    let n_faults = tally.faults.values().sum();
    let ended: serde_json::Map<String, Value> =
        tally.faults.iter().map(|(name, n)| ((*name).to_owned(), json!(n))).collect();
    let what = "HDFS and a stream on it are hit at random moments";
    let told = json!({"rows": trial.loans.fates.len(), "seeds": seed.to_string(), "ended": ended});
    tell(what, "faults", n_faults, told);
    let told = json!({"ended": {"killed": puts.killed, "failed and repeated": puts.failed, "found the file there": puts.found_there}});
    tell("files are put meanwhile", "puts", puts.n, told);
    let told = json!({"ended": {"files seen, each whole, unchanged, never gone": seen.n_files}});
    tell("a reader looks meanwhile", "looks", seen.n_looks, told);
}

fn job(trial: &Trial, trigger: &'static str) -> String {
    let job = trial.write_job("run", StreamForm { trigger, ..StreamForm::default() });
    let text = std::fs::read_to_string(trial.loans.place.at(&job)).unwrap();
    let some = format!("maxFilesPerTrigger: {FILES_PER_BATCH}");
    trial.loans.place.write(&job, &text.replace("maxFilesPerTrigger: 1", &some));
    job
}

/// The same job, which ends when nothing is left.
fn job_of_the_end(trial: &Trial) -> String {
    job(trial, "{availableNow: true}")
}

fn shuffled(random: &mut Random) -> Vec<Fault> {
    let mut faults = FAULTS.to_vec();
    for end in (1..faults.len()).rev() {
        faults.swap(end, random.below(end as u64 + 1) as usize);
    }
    faults
}

fn rest(random: &mut Random, most_ms: u64) {
    sleep(Duration::from_millis(random.below(most_ms)));
}

fn do_to(fault: Fault, random: &mut Random, stream: &mut Stream<'_>, tally: &mut Tally) {
    tally.count(fault);
    let Some(name) = fault.server() else {
        stream.kill();
        rest(random, 500);
        return;
    };
    let server = Server::of(name);
    let is_kill = matches!(fault, Fault::KillDataNode | Fault::KillNameNode);
    server.signal(if is_kill { "KILL" } else { "STOP" });
    // One freeze of eight outlasts the deadline of a call.
    let most_ms = if !is_kill && random.below(8) == 0 { 40_000 } else { 6_000 };
    let dies_meanwhile = random.chance(25);
    rest(random, most_ms);
    if dies_meanwhile {
        tally.count(Fault::KillStream);
        stream.kill();
        stream.keep_running(tally);
        rest(random, 2_000);
    }
    if is_kill { server.start() } else { server.signal("CONT") }
}

/// Waits until the NameNode answers and the DataNode that has the bytes is known to it.
fn wait_until_served(web: &Web, trial: &Trial) {
    const DEADLINE: Duration = Duration::from_secs(120);
    let begin = Instant::now();
    while !matches!(web.read(&trial.path_of("good.csv")), Ok(Some(_))) {
        assert!(begin.elapsed() < DEADLINE, "the servers stay away");
        sleep(Duration::from_millis(100));
    }
}

fn check_no_temporary(web: &Web, trial: &Trial) {
    let files = web.list_below(&trial.path_of("run")).expect("the servers are there");
    let left: Vec<_> = files.iter().filter(|(_, found)| found.name.ends_with(".tmp")).collect();
    assert!(left.is_empty(), "temporaries are left: {left:?}");
}

/// The process of the stream, which is started again whenever it has ended.
struct Stream<'a> {
    trial: &'a Trial,
    job: String,
    child: Child,
    was_killed: bool,
    log: std::path::PathBuf,
}

impl<'a> Stream<'a> {
    fn start(trial: &'a Trial, job: &str, seed: u64) -> Stream<'a> {
        // With the servers' logs, so that it can be read after a failure.
        let log = std::path::PathBuf::from(told("OGNIVO_HDFS_SERVERS")).join(format!("nemesis-{seed}.log"));
        Stream { trial, job: job.to_owned(), child: spawn(trial, job, &log), was_killed: false, log }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.was_killed = true;
    }

    /// Starts it again if it has ended: killed, or because it could not even begin while the servers were away.
    fn keep_running(&mut self, tally: &mut Tally) {
        let ended = if self.was_killed { Some(self.child.wait().unwrap()) } else { self.child.try_wait().unwrap() };
        let Some(ended) = ended else { return };
        match ended.code() {
            None => assert!(self.was_killed, "it died by itself: {ended}\n{}", self.last_words()),
            Some(75) => tally.later += 1,
            code => panic!("it ended by itself with {code:?}\n{}", self.last_words()),
        }
        tally.starts += 1;
        self.child = spawn(self.trial, &self.job, &self.log);
        self.was_killed = false;
    }

    /// Asks it to end, which it does with all batches whole.
    fn stop(&mut self, tally: &mut Tally) {
        self.keep_running(tally);
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let ended = self.child.wait().unwrap();
        // One that was started a moment before is ended by the signal itself.
        assert!(matches!(ended.code(), None | Some(0 | 75)), "{ended}\n{}", self.last_words());
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('{')).collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Batches that were planned by a process that was killed.
    fn n_replayed(&self) -> usize {
        std::fs::read_to_string(&self.log).unwrap_or_default().matches("\"replayed\":true").count()
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(trial: &Trial, job: &str, log: &std::path::Path) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    let mut command = trial.loans.place.command(&["stream", job, "--progress", "json"]);
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// What became of the files that were put.
#[derive(Debug, Default)]
struct Puts {
    n: usize,
    killed: usize,
    failed: usize,
    /// The file was there already: an earlier put had done it and could not say so.
    found_there: usize,
}

impl Puts {
    /// Lets all files arrive, with rests as long as there are faults.
    fn all(mut self, trial: &Trial, mut random: Random, begin: Instant, is_over: &AtomicBool) -> Puts {
        let mut next = 0;
        while next < N_FILES {
            let end = (next + 1 + random.below(6)).min(N_FILES);
            let mut missing: Vec<String> = (next..end).map(|file| format!("incoming/{file:05}.csv")).collect();
            rest(&mut random, if is_over.load(Ordering::SeqCst) { 50 } else { 600 });
            while !missing.is_empty() {
                assert!(begin.elapsed() < RUN_DEADLINE, "they cannot be put: {missing:?}");
                missing = self.put(trial, missing, &mut random);
            }
            next = end;
        }
        self
    }

    /// Those of the files of which it is not known whether they are there.
    fn put(&mut self, trial: &Trial, mut names: Vec<String>, random: &mut Random) -> Vec<String> {
        self.n += 1;
        let target = format!("{}/incoming", trial.root);
        let files = names.iter().map(String::as_str);
        let arguments: Vec<&str> = ["fs", "put"].into_iter().chain(files).chain([target.as_str()]).collect();
        let mut command = trial.loans.place.command(&arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        if random.chance(8) {
            rest(random, 200);
            child.kill().unwrap();
        }
        let ran = Ran::of_child(child);
        match ran.code {
            Some(0) => return Vec::new(),
            None => self.killed += 1,
            Some(1 | 75) => self.failed += 1,
            code => panic!("put ended with {code:?}: {}", ran.stderr),
        }
        let is_there = |name: &String| ran.stderr.contains(&format!("{}': File exists", &name["incoming".len()..]));
        let n_names = names.len();
        names.retain(|name| !is_there(name));
        self.found_there += n_names - names.len();
        names
    }
}
