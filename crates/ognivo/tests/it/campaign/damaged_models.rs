//! A model directory is damaged in every single file: `score` and `stream` tell which file, end with a code that says so, and
//! write nothing.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::binary::Ran;
use crate::campaign::counts::tell;
use crate::loans::{Loans, SCHEMA, StreamForm};
use crate::stream_oracle::{files_below, names_in};

#[derive(Debug, Clone, Copy)]
enum Damage {
    Missing,
    CutTo(usize),
    FlippedBit { byte_pos: usize },
}

/// What is tried on a file of this length: cuts at several lengths, and a bit at its start, in the middle, near the end.
fn damages_of(n_bytes: usize) -> Vec<Damage> {
    let mut damages = vec![Damage::Missing];
    let lengths = [0, 1, n_bytes / 3, n_bytes / 2, n_bytes.saturating_sub(9), n_bytes.saturating_sub(2)];
    damages.extend(lengths.into_iter().filter(|length| *length < n_bytes).map(Damage::CutTo));
    let places = [0, n_bytes / 4, n_bytes / 2, n_bytes * 3 / 4, n_bytes.saturating_sub(6)];
    damages.extend(places.into_iter().filter(|_| n_bytes > 0).map(|byte_pos| Damage::FlippedBit { byte_pos }));
    damages
}

fn apply(damage: Damage, path: &Path, content: &[u8]) {
    match damage {
        Damage::Missing => fs::remove_file(path).unwrap(),
        Damage::CutTo(length) => fs::write(path, &content[..length]).unwrap(),
        Damage::FlippedBit { byte_pos } => {
            let mut changed = content.to_vec();
            changed[byte_pos] ^= 0x10;
            fs::write(path, changed).unwrap();
        }
    }
}

/// The files that make a model: marks of success and Hadoop's checksums beside them are nothing that anybody reads.
fn files_of_model(model: &Path) -> Vec<PathBuf> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files_below(model).into_iter().filter(|path| name(path) != "_SUCCESS" && !name(path).starts_with('.')).collect()
}

/// The message names the file or its stage; a model directory without its metadata is none, which is the user's mistake.
fn check_refusal(ran: &Ran, model: &Path, path: &Path, damage: Damage, what: &str) {
    let below = path.strip_prefix(model).unwrap();
    let may_be_a_mistake = match damage {
        Damage::Missing => below.starts_with("metadata"),
        Damage::CutTo(_) => false,
        // A column's name that is another one now.
        Damage::FlippedBit { .. } => true,
    };
    assert!(ran.code == Some(3) || (ran.code == Some(2) && may_be_a_mistake), "{what}: {ran:?}");
    let stage = below.iter().nth(1).filter(|_| below.starts_with("stages"));
    let uid = stage.and_then(|folder| Some(folder.to_str()?.split_once('_')?.1));
    let is_named = ran.stderr.contains(uid.unwrap_or(model.to_str().unwrap()));
    assert!(ran.stderr.starts_with("error: ") && is_named, "{what}: {}", ran.stderr);
}

#[test]
fn a_model_that_is_damaged_in_any_file_is_refused_by_score_and_stream_and_nothing_is_written() {
    let loans = Loans::new(2, 3);
    let model = loans.place.at("model");
    let job = loans.write_job("run", StreamForm::default());
    let score = ["score", "model", "good.csv", "--schema", SCHEMA, "-o", "scored.parquet", "--quiet"];
    let files = files_of_model(&model);
    assert!(files.len() >= 6, "{files:?}");
    let (mut n, mut n_untold) = (0, 0);
    for path in &files {
        let content = fs::read(path).unwrap();
        for damage in damages_of(content.len()) {
            apply(damage, path, &content);
            let what = format!("{}: {damage:?}", path.display());
            let scored = loans.place.run(&score);
            let streamed = loans.place.run(&["stream", &job, "--quiet"]);
            fs::write(path, &content).unwrap();
            n += 2;
            if scored.code == Some(0) {
                // A number or a text that is another one now: nothing in the directory says what it was.
                assert!(matches!(damage, Damage::FlippedBit { .. }), "{what}");
                assert_eq!(streamed.code, Some(0), "{what}: {}", streamed.stderr);
                println!("{what}: not told");
                n_untold += 2;
                fs::remove_file(loans.place.at("scored.parquet")).unwrap();
                fs::remove_dir_all(loans.place.at("run")).unwrap();
                continue;
            }
            println!("{what}: {:?}, {}", scored.code, scored.stderr.lines().next().unwrap_or_default());
            check_refusal(&scored, &model, path, damage, &what);
            check_refusal(&streamed, &model, path, damage, &what);
            assert!(!loans.place.at("scored.parquet").exists(), "{what}");
            check_nothing_was_written(&loans.place.at("run"), &what);
        }
    }
    let ended = json!({"refused by name, nothing written": n - n_untold, "not told: another number or text": n_untold});
    tell(
        "a file of the model directory is missing, cut or has a flipped bit, for `score` and `stream`",
        "damaged files",
        n,
        json!({"ended": ended}),
    );

    // The job itself is none the worse for it.
    loans.place.run(&["stream", &job, "--quiet"]).ok();
    assert!(!files_below(&loans.place.at("run/output")).is_empty());
}

fn check_nothing_was_written(run: &Path, what: &str) {
    assert_eq!(files_below(&run.join("output")), Vec::<PathBuf>::new(), "{what}");
    assert_eq!(files_below(&run.join("dead")), Vec::<PathBuf>::new(), "{what}");
    // Who the checkpoint belongs to may be noted; no batch is.
    let checkpoint = run.join("checkpoint");
    let noted = if checkpoint.exists() { names_in(&checkpoint) } else { Vec::new() };
    assert!(noted.iter().all(|name| name == "metadata" || name == ".ognivo.lock"), "{what}: {noted:?}");
}
