//! The demo's files: loans to learn from, loans that arrive later, and the job.

use std::path::Path;

use crate::failure::{Failure, FileFailure, Refusal};

/// LendingClub loans: `lending_club` of the R package modeldata 1.1.0 (MIT), written with write.csv.
const LOANS: &str = include_str!("../../../../fixtures/data/lending_club.csv");

/// The job, with comments for its reader.
const JOB: &str = include_str!("loans.yaml");

/// Loans that train; the others arrive while the stream runs.
const N_TRAINING_ROWS: usize = 7_857;

/// A loan whose amount is no number: no record that can be read.
const MALFORMED: &str =
    r#"a lot,"term_36",11.99,"C1","MN","Verified",72000,"emp_ge_10",0,0,82.2,0,5,1,3,49187,77,0,0,0,9,65945,"good""#;

/// A loan with a term that no training loan has: readable, and nothing that the model can score.
const UNSEEN: &str =
    r#"16100,"term_48",13.99,"C4","CT","Verified",35000,"emp_5",0,0,67.4,0,1,0,0,1099,48,0,3,0,3,13193,"good""#;

/// Writes the files into `dir`, which must not hold anything yet, and gives their paths.
///
/// # Errors
/// When `dir` holds something, or cannot be written.
pub(crate) fn write(dir: &Path) -> Result<Vec<String>, Failure> {
    refuse_if_used(dir)?;
    let mut lines = LOANS.lines();
    let header = lines.next().unwrap_or_default();
    let loans: Vec<&str> = lines.collect();
    let (training, arriving) = loans.split_at(N_TRAINING_ROWS.min(loans.len()));
    let mut files =
        vec![("loans.yaml".to_owned(), JOB.to_owned()), ("data/loans.csv".to_owned(), csv(header, training))];
    for (i, part) in arriving.chunks(arriving.len().div_ceil(3).max(1)).enumerate() {
        let mut rows = part.to_vec();
        if i == 1 {
            rows.extend([MALFORMED, UNSEEN]);
        }
        files.push((format!("incoming/loans-{}.csv", i + 1), csv(header, &rows)));
    }
    let mut written = Vec::new();
    for (name, content) in files {
        let path = dir.join(name);
        let folder = path.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder).map_err(FileFailure::of("make the folder", folder))?;
        std::fs::write(&path, content).map_err(FileFailure::of("write", &path))?;
        written.push(path.display().to_string());
    }
    Ok(written)
}

fn csv(header: &str, rows: &[&str]) -> String {
    let mut text = header.to_owned() + "\n";
    for row in rows {
        text.push_str(row);
        text.push('\n');
    }
    text
}

fn refuse_if_used(dir: &Path) -> Result<(), Failure> {
    let is_used = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(FileFailure::of("look into", dir)(error).into()),
    };
    if is_used {
        let hint = Some("name another folder, or remove this one".to_owned());
        return Err(Refusal::of_job(format!("the folder is not empty: {}", dir.display()), hint).into());
    }
    Ok(())
}
