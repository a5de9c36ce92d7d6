//! An output folder that may not be written: the stream says so at once, leaves what is there as it is, and goes on when it
//! is started after that was mended.
//!
//! A folder becomes read-only in three ways, as far as the user may take them; each that cannot be taken is told.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::campaign::counts::tell;
use crate::campaign::small_disk::{SmallDisk, run};
use crate::loans::{Loans, StreamForm};
use crate::stream_oracle::{LogKind, batch_scores, check, files_below};

/// The job file names a place that cannot be written: a usage error, not a reason to wait.
const USAGE: i32 = 2;

#[derive(Debug, Clone, Copy)]
enum Way {
    /// The disk of the folder is mounted read-only.
    Mount,
    /// The folders are immutable (`chattr +i`), for root too.
    Immutable,
    /// Mode bits, which root may ignore.
    Mode,
}

/// Makes every folder below `folder` read-only or writable again; false when this user cannot do it so.
fn set_read_only(way: Way, folder: &Path, disk: Option<&SmallDisk>, is_read_only: bool) -> bool {
    let folder = folder.to_str().unwrap();
    match way {
        Way::Mount => disk.is_some_and(|disk| {
            disk.set_read_only(is_read_only);
            true
        }),
        Way::Immutable => run("chattr", &["-R", if is_read_only { "+i" } else { "-i" }, folder]),
        Way::Mode => {
            run("chmod", &["-R", if is_read_only { "a-w" } else { "u+w" }, folder])
                && (!is_read_only || !run("touch", &[&format!("{folder}/probe")]))
        }
    }
}

fn refuses_at_once(way: Way) {
    let loans = Loans::new(5, 4);
    let scores = batch_scores(&loans);
    let job = loans.write_job("run", StreamForm::default());
    let output = loans.place.at("run/output");
    let disk = matches!(way, Way::Mount).then(|| SmallDisk::mount(output.clone(), "64m")).flatten();
    // Two batches are there already: those that the first two files make.
    let read_two = ["stream", &job, "--quiet", "--set", "stream.readStream.options.pathGlobFilter=0000[01].csv"];
    loans.place.run(&read_two).ok();
    let before = files_below(&loans.place.at("run"));
    assert!(before.len() > 8, "{before:?}");

    if !set_read_only(way, &output, disk.as_ref(), true) {
        set_read_only(way, &output, disk.as_ref(), false);
        println!("NOT CHECKED on a read-only output, {way:?}: this user cannot make a folder read-only in this way");
        return;
    }
    let ran = loans.place.run(&["stream", &job, "--quiet"]);
    set_read_only(way, &output, disk.as_ref(), false);
    assert_eq!(ran.code, Some(USAGE), "{way:?}: {ran:?}");
    assert!(ran.stderr.contains("/run/output") && !ran.stderr.contains("waiting"), "{way:?}: {}", ran.stderr);
    let new: Vec<_> = files_below(&output).into_iter().filter(|file| !before.contains(file)).collect();
    assert_eq!(new, Vec::<PathBuf>::new(), "{way:?}: nothing was written");

    loans.place.run(&["stream", &job, "--quiet"]).ok();
    assert_eq!(check(&loans, "run", LogKind::Spark, &scores).batches, 5);
    let what = format!("the output folder is read-only ({way:?})").to_lowercase();
    tell(&what, "starts", 1, json!({"rows": loans.fates.len(), "ended": {"refused at once, finished later": 1}}));
}

#[test]
fn an_output_on_a_disk_that_is_mounted_read_only_is_refused_at_once() {
    refuses_at_once(Way::Mount);
}

#[test]
fn an_output_of_immutable_folders_is_refused_at_once() {
    refuses_at_once(Way::Immutable);
}

#[test]
fn an_output_of_folders_without_the_right_to_write_is_refused_at_once() {
    refuses_at_once(Way::Mode);
}
