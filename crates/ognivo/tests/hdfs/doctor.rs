//! `ognivo doctor` on a real cluster.

use serde_json::Value;

use crate::binary::Ran;
use crate::cluster::Trial;
use crate::loans::StreamForm;

/// What was found of `what`: `ok`, `warning` or `failed`, and the text.
#[track_caller]
pub(crate) fn found<'a>(told: &'a Value, what: &str) -> (&'a str, &'a str) {
    let checks = told["checks"].as_array().unwrap();
    let is_it = |check: &&Value| check["what"].as_str().is_some_and(|name| name.starts_with(what));
    let check = checks.iter().find(is_it).unwrap_or_else(|| panic!("{what} in {told:#}"));
    (check["found"].as_str().unwrap(), check["text"].as_str().unwrap())
}

#[test]
fn a_cluster_that_serves_is_found_fine_and_nothing_is_left_there() {
    let trial = Trial::new("doctor", 2, 3);
    let job = trial.write_job("run", StreamForm::default());
    let before = trial.fs(&["ls", "-R", &trial.root]).ok();
    let told = trial.loans.place.run(&["doctor", &job, "--output", "json"]).json();
    assert_eq!(trial.fs(&["ls", "-R", &trial.root]).ok(), before);
    assert_eq!(found(&told, "NameNode "), ("ok", "active; lets in by token or simple"));
    let (state, text) = found(&told, "logged in");
    assert!(state == "ok" && text.ends_with("without a proof (no Kerberos)"), "{text}");
    let root = &trial.root;
    let input = found(&told, "stream.readStream.path");
    assert!(input.0 == "ok" && input.1.starts_with(&format!("{root}/incoming: 2 files, ")), "{input:?}");
    let output = found(&told, "stream.writeStream.path");
    let expect = format!("{root}/run/output: not there yet; can be made in {root} as ");
    assert!(output.0 == "ok" && output.1.starts_with(&expect), "{output:?}");
    assert_eq!(found(&told, "stream.model").0, "ok");
    assert_eq!(found(&told, "clock of hdfs://").0, "ok");
}

#[test]
fn the_cluster_s_settings_tell_of_its_data_nodes_and_of_the_room() {
    let trial = Trial::new("doctor-settings", 1, 3);
    let job = trial.write_job("run", StreamForm::default());
    let mut doctor = trial.loans.place.command(&["doctor", &job, "--output", "json"]);
    let conf = format!("{}/conf", std::env::var("OGNIVO_HDFS_SERVERS").unwrap());
    let told = Ran::of(doctor.env("HADOOP_CONF_DIR", &conf).output().unwrap()).json();
    assert_eq!(found(&told, "Hadoop's settings"), ("ok", &*format!("core-site.xml and hdfs-site.xml in {conf}")));
    assert_eq!(found(&told, "DataNodes"), ("ok", "1 live, 0 dead; dfs.replication is 1 here"));
    assert!(found(&told, "room of the cluster").1.ends_with(" on all DataNodes"));
}

#[test]
fn a_right_that_is_missing_is_named_with_path_and_user() {
    let trial = Trial::new("doctor-rights", 1, 3);
    let job = trial.write_job("run", StreamForm::default());
    let mut doctor = trial.loans.place.command(&["doctor", &job, "--output", "json"]);
    let ran = Ran::of(doctor.env("HADOOP_USER_NAME", "mallory").output().unwrap());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(found(&told, "logged in").1.starts_with("as mallory"));
    assert_eq!(found(&told, "stream.readStream.path").0, "ok");
    let (state, text) = found(&told, "stream.writeStream.path");
    let denied = "Permission denied: user=mallory, access=WRITE, inode=\"/doctor-rights\"";
    assert!(state == "failed" && text.contains(denied) && text.contains(&trial.root), "{text}");
}
