//! A disk that is full while a stream writes: the stream says so and waits, shows nothing that is not whole, ends when it is
//! asked to, and goes on by itself when there is room again.
//!
//! Where we may mount, the disk is a small one in memory, full for good. Elsewhere a limit on the size of files stands in for
//! it: that one is found when one file grows too large, and only a new process is without it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::binary::Ran;
use crate::campaign::counts::tell;
use crate::campaign::polling::Polling;
use crate::campaign::small_disk::{SmallDisk, run};
use crate::loans::{Loans, StreamForm};
use crate::stream_oracle::{LogKind, batch_scores, check, files_below};

/// Waits until the process has said `text`; the rest of what it says goes on to be read.
fn wait_until_it_says(child: &mut Child, text: &str) -> String {
    let mut told = Vec::new();
    let stderr = child.stderr.as_mut().unwrap();
    let mut byte = [0];
    while !String::from_utf8_lossy(&told).contains(text) {
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "it ended: {}", String::from_utf8_lossy(&told));
        told.push(byte[0]);
    }
    String::from_utf8(told).unwrap()
}

/// Sends SIGTERM and waits.
fn ask_to_end(child: Child) -> Ran {
    assert!(run("kill", &["-TERM", &child.id().to_string()]));
    Ran::of_child(child)
}

/// What a full disk is called.
const FULL: &str = "No space left on device";

/// A stream whose output, dead letters and, if that is asked for, checkpoint lie on a small disk that it fills.
fn fills_a_small_disk(form: StreamForm, checkpoint_elsewhere: bool) {
    let loans = Loans::new(30, 12);
    let scores = batch_scores(&loans);
    let kind = if form.write.contains("commitLog: none") { LogKind::Success } else { LogKind::Spark };
    let job = loans.write_job("run", form);
    let Some(disk) = SmallDisk::mount(loans.place.at("run"), "120k") else {
        println!(
            "NOT CHECKED on a full disk: no disk can be mounted here; a limit on the size of files is checked instead"
        );
        return;
    };
    if checkpoint_elsewhere {
        std::fs::create_dir(loans.place.at("elsewhere")).unwrap();
        std::os::unix::fs::symlink(loans.place.at("elsewhere"), loans.place.at("run/checkpoint")).unwrap();
    }
    let polling = Polling::start(&loans.place.at("run"), kind);

    // It waits, and ends well when it is asked to.
    let mut child = loans.place.start(&["stream", &job, "--quiet"]);
    let told = wait_until_it_says(&mut child, FULL);
    assert!(told.contains("waiting ") && told.contains("after failure 1"), "{told}");
    let ran = ask_to_end(child);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);

    // A process that starts on the full disk waits too, and goes on when there is room.
    let mut child = loans.place.start(&["stream", &job, "--quiet"]);
    wait_until_it_says(&mut child, FULL);
    assert_no_temporaries(&loans.place.at("run"));
    disk.resize("64m");
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);

    let counts = check(&loans, "run", kind, &scores);
    assert_eq!(counts.batches, 30);
    let seen = polling.end();
    assert_eq!(seen.n_rows, counts.scored + counts.dead_letters, "a reader saw every row");
    let what =
        "the disk is full while a stream writes (a small disk in memory); it waits, ends when asked, and goes on";
    tell(what, "full disks", 1, json!({"rows": loans.fates.len()}));
}

/// A failed write leaves no temporary while the process waits for the next attempt.
fn assert_no_temporaries(run: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let temporaries = || -> Vec<PathBuf> {
        let is_temporary = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "tmp");
        files_below(run).into_iter().filter(is_temporary).collect()
    };
    while !temporaries().is_empty() {
        assert!(Instant::now() < deadline, "left over: {:?}", temporaries());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_stream_on_a_full_disk_waits_and_goes_on_when_there_is_room() {
    fills_a_small_disk(StreamForm::default(), false);
}

#[test]
fn a_stream_whose_output_is_full_and_its_checkpoint_is_not_waits_and_goes_on_when_there_is_room() {
    fills_a_small_disk(StreamForm::default(), true);
}

#[test]
fn a_stream_for_plain_readers_on_a_full_disk_waits_and_goes_on_when_there_is_room() {
    fills_a_small_disk(StreamForm { write: "    options: {commitLog: none}\n", ..StreamForm::default() }, false);
}

#[test]
fn a_stream_that_starts_on_a_full_disk_says_that_it_should_be_tried_again() {
    const TRY_AGAIN_LATER: i32 = 75;
    let loans = Loans::new(3, 4);
    let scores = batch_scores(&loans);
    let job = loans.write_job("run", StreamForm::default());
    let Some(disk) = SmallDisk::mount(loans.place.at("run"), "64k") else {
        println!("NOT CHECKED at the start on a full disk: no disk can be mounted here");
        return;
    };
    let filler = loans.place.at("run/filler");
    // Nothing is there yet, or the files of an earlier start: the lock, whose owner cannot be noted, must not be in the way.
    for with_lock in [false, true] {
        if with_lock {
            std::fs::create_dir_all(loans.place.at("run/checkpoint")).unwrap();
            std::fs::write(loans.place.at("run/checkpoint/.ognivo.lock"), "").unwrap();
        }
        assert!(std::fs::write(&filler, vec![0; 1 << 20]).is_err(), "the disk is full");
        let ran = loans.place.run(&["stream", &job, "--quiet"]);
        assert_eq!(ran.code, Some(TRY_AGAIN_LATER), "{ran:?}");
        assert!(ran.stderr.contains(FULL) && ran.stderr.contains("/run/checkpoint"), "{}", ran.stderr);
        assert_eq!(files_below(&loans.place.at("run/output")), Vec::<PathBuf>::new());
        std::fs::remove_file(&filler).unwrap();
    }
    drop(disk);
    loans.place.run(&["stream", &job, "--quiet"]).ok();
    check(&loans, "run", LogKind::Spark, &scores);
    tell("a stream starts on a full disk", "full disks", 2, json!({"ended": {"told to be tried again (75)": 2}}));
}

#[test]
fn a_stream_whose_files_may_not_grow_waits_shows_nothing_and_a_process_without_the_limit_finishes() {
    let loans = Loans::new(3, 120);
    let scores = batch_scores(&loans);
    let job = loans.write_job("run", StreamForm::default());
    // 512 bytes a unit: enough for the checkpoint, too little for a file of the output. The signal is ignored so that the
    // write fails, as it does on a full disk, instead of ending the process.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 6; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_ognivo")]);
    command.args(["stream", &job, "--quiet"]).current_dir(loans.place.path());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let told = wait_until_it_says(&mut child, "File too large");
    assert!(told.contains("waiting "), "{told}");
    let ran = ask_to_end(child);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(files_below(&loans.place.at("run/output")), Vec::<PathBuf>::new());
    assert_eq!(files_below(&loans.place.at("run/dead")), Vec::<PathBuf>::new());

    loans.place.run(&["stream", &job, "--quiet"]).ok();
    check(&loans, "run", LogKind::Spark, &scores);
    let what =
        "a file may not grow as large as a stream's files (limit on the size of files); a process without it finishes";
    tell(what, "full disks", 1, json!({"rows": loans.fates.len()}));
}
