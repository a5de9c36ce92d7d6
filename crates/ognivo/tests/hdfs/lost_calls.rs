//! Every call that a job makes to the NameNode is lost once, question or answer, and nothing is lost, repeated or left half done.
//!
//! A relay passes on what the job says, breaks off at one call, and then passes on again. How often a job calls is counted first.

use crate::cluster::{Trial, told};
use crate::loans::StreamForm;
use crate::relay::{Lost, Relay};

/// Methods of the NameNode that change something, and so are not simply called again by the client.
const WRITES: [&str; 8] = ["create", "addBlock", "fsync", "complete", "rename2", "mkdirs", "delete", "setTimes"];

/// Some that do not: losing each of them once is enough.
const READS: [&str; 3] = ["getListing", "getFileInfo", "getBlockLocations"];

const BOTH: [Lost; 2] = [Lost::Question, Lost::Answer];

/// A trial whose every call goes through a relay.
struct Relayed {
    trial: Trial,
    relay: Relay,
}

impl Relayed {
    fn new(test: &str, n_files: u64, n_rows: usize) -> Relayed {
        let mut trial = Trial::new(test, n_files, n_rows);
        let relay = Relay::before(&told("OGNIVO_HDFS"));
        trial.root = format!("{}/{test}", relay.url);
        Relayed { trial, relay }
    }

    /// Runs `job` once for each call that it makes, without that call, and gives how many were lost.
    ///
    /// `job` gets a name that is new to the cluster.
    fn lose_each(&self, job: impl Fn(&str)) -> usize {
        self.relay.take_counts();
        job("whole");
        let counts = self.relay.take_counts();
        let n_of = |method: &str| counts.get(method).copied().unwrap_or_default();
        let writes = WRITES.iter().flat_map(|method| (1..=n_of(method)).map(move |nth| (*method, nth)));
        let reads = READS.iter().filter(|method| n_of(method) > 0).map(|method| (*method, 1));
        let aims = writes.chain(reads).flat_map(|(method, nth)| BOTH.map(|lost| (method, nth, lost)));
        let mut n_lost = 0;
        for (method, nth, lost) in aims {
            self.relay.lose(method, nth, lost);
            job(&format!("{method}-{nth}-{lost:?}"));
            // A close is looked for while it is under way, so that what is called varies a little.
            n_lost += usize::from(self.relay.has_lost());
        }
        println!("{n_lost} calls were lost, one a run, of {counts:?}");
        n_lost
    }
}

#[test]
fn a_stream_that_loses_any_call_goes_on_and_loses_and_repeats_nothing() {
    let relayed = Relayed::new("lost-calls", 2, 3);
    let trial = &relayed.trial;
    let stream = |run: &str| {
        let job = trial.write_job(run, StreamForm::default());
        let ran = trial.loans.place.run(&["stream", &job, "--progress", "none"]);
        assert_eq!(ran.code, Some(0), "{run}: {}", ran.stderr);
    };
    stream("clean");
    let expect = trial.check("clean");
    let n_lost = relayed.lose_each(|run| {
        stream(run);
        assert_eq!(trial.check(run), expect, "{run}");
        let left = trial.fs(&["ls", "-R", &format!("{}/{run}", trial.root)]).ok();
        assert!(!left.contains(".tmp"), "{run}: {left}");
    });
    assert!(n_lost > 100, "{n_lost}");
}

#[test]
fn a_training_that_loses_any_call_saves_the_same_model() {
    let relayed = Relayed::new("lost-calls-of-training", 1, 3);
    let (trial, place) = (&relayed.trial, &relayed.trial.loans.place);
    // Names of files are made anew each time.
    let contents = |folder: &str| {
        let in_folder = |path: &std::path::PathBuf| {
            let parent = path.parent().unwrap().strip_prefix(place.at(folder)).unwrap().to_owned();
            (parent, std::fs::metadata(path).unwrap().len())
        };
        let mut contents: Vec<_> = crate::stream_oracle::files_below(&place.at(folder)).iter().map(in_folder).collect();
        contents.sort();
        contents
    };
    let trained = |run: &str| {
        let train = trial.write_training(&format!("models/{run}"));
        place.run(&["train", train, "--quiet", "--seed-uids", "1"]).ok();
        trial.fs(&["get", &format!("{}/models/{run}", trial.root), run]).ok();
        contents(run)
    };
    trial.fs(&["mkdir", &format!("{}/models", trial.root)]).ok();
    let expect = trained("first");
    let n_lost = relayed.lose_each(|run| assert_eq!(trained(run), expect, "{run}"));
    assert!(n_lost > 50, "{n_lost}");
    let left = trial.fs(&["ls", "-R", &format!("{}/models", trial.root)]).ok();
    assert!(!left.contains(".tmp") && !left.contains(".ognivo"), "{left}");
}

#[test]
fn a_scoring_that_loses_any_call_writes_the_same_rows_whole() {
    let relayed = Relayed::new("lost-calls-of-scoring", 1, 3);
    let trial = &relayed.trial;
    let scored = |run: &str| {
        let out = format!("{}/{run}/scored.csv", trial.root);
        let [model, input] = ["model", "good.csv"].map(|name| format!("{}/{name}", trial.root));
        trial.loans.place.run(&["score", &model, &input, "-o", &out, "--select", "id,probability,prediction"]).ok();
        trial.fs(&["cat", &out]).ok()
    };
    trial.fs(&["put", "good.csv", &trial.root]).ok();
    let expect = scored("first");
    let n_lost = relayed.lose_each(|run| {
        assert_eq!(scored(run), expect, "{run}");
        let listed = trial.fs(&["ls", "-R", &format!("{}/{run}", trial.root)]).ok();
        assert_eq!(listed.lines().count(), 1, "{run}: {listed}");
    });
    assert!(n_lost > 12, "{n_lost}");
}

#[test]
fn files_are_put_moved_and_removed_whichever_call_is_lost() {
    let relayed = Relayed::new("lost-calls-of-fs", 2, 3);
    let trial = &relayed.trial;
    let n_lost = relayed.lose_each(|run| {
        let below = |name: &str| format!("{}/{run}/{name}", trial.root);
        trial.fs(&["mkdir", "-p", &below("folder")]).ok();
        trial.fs(&["put", "good.csv", &below("folder")]).ok();
        trial.fs(&["mv", &below("folder/good.csv"), &below("moved.csv")]).ok();
        trial.fs(&["mv", &below("folder"), &below("moved")]).ok();
        let listed = trial.fs(&["ls", "-R", &below("")]).ok();
        assert!(listed.contains("/moved.csv") && listed.contains("/moved\n"), "{run}: {listed}");
        assert_eq!(listed.lines().count(), 2, "{run}: {listed}");
        let expect = std::fs::read_to_string(trial.loans.place.at("good.csv")).unwrap();
        assert_eq!(trial.fs(&["cat", &below("moved.csv")]).ok(), expect, "{run}");
        trial.fs(&["rm", &below("moved.csv")]).ok();
        trial.fs(&["rm", "-r", &below("")]).ok();
        assert_eq!(trial.fs(&["ls", &below("")]).code, Some(1), "{run}");
    });
    assert!(n_lost > 20, "{n_lost}");
}

#[test]
fn a_trigger_lists_its_folder_once_however_many_files_there_are() {
    let relayed = Relayed::new("listings", 6, 3);
    let (trial, place) = (&relayed.trial, &relayed.trial.loans.place);
    let n_listings = |run: &str, files_per_trigger: &str| {
        let job = trial.write_job(run, StreamForm::default());
        let text = std::fs::read_to_string(place.at(&job)).unwrap();
        place.write(&job, &text.replace("maxFilesPerTrigger: 1", &format!("maxFilesPerTrigger: {files_per_trigger}")));
        relayed.relay.take_counts();
        place.run(&["stream", &job, "--quiet"]).ok();
        let counts = relayed.relay.take_counts();
        println!("{run}: {counts:?}");
        (trial.check(run).batches, counts["getListing"])
    };
    let [(1, at_once), (2, in_two), (6, one_by_one)] =
        [("at-once", "6"), ("in-two", "3"), ("one-by-one", "1")].map(|(run, files)| n_listings(run, files))
    else {
        panic!("as many triggers as were asked for")
    };
    assert!(in_two <= at_once + 1 && one_by_one <= at_once + 5, "{at_once}, {in_two}, {one_by_one}");
}
