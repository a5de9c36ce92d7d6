//! Whoever is not let in hears why, at once, and what to do; so says `doctor` too.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::Login;
use crate::binary::Ran;
use crate::cluster::{Trial, told};
use crate::doctor::found;
use crate::loans::StreamForm;

/// Runs a stream and the doctor of it, each with what `prepare` does to its environment: neither may have made anything.
fn check(test: &str, expect_code: i32, words: &[&str], prepare: impl Fn(&Trial, &mut Command)) -> (Trial, Value) {
    let trial = Trial::new(test, 1, 3);
    let job = trial.write_job("run", StreamForm::default());
    let ran = |arguments: &[&str]| {
        let mut command = trial.loans.place.command(arguments);
        prepare(&trial, &mut command);
        Ran::of(command.output().unwrap())
    };
    let listed = ran(&["fs", "ls", &trial.root]);
    assert_eq!(listed.code, Some(1), "{listed:?}");
    for word in words {
        assert!(listed.stderr.contains(word), "{word} in {}", listed.stderr);
    }
    let looked = ran(&["doctor", &job, "--output", "json"]);
    assert_eq!(looked.code, Some(expect_code), "{looked:?}");
    let found: Value = serde_json::from_str(&looked.stdout).unwrap();
    for word in words {
        assert!(looked.stdout.contains(word), "{word} in {found:#}");
    }
    assert_eq!(trial.fs(&["ls", &format!("{}/run", trial.root)]).code, Some(1), "nothing was made");
    (trial, found)
}

#[test]
fn a_job_trains_scores_and_streams_and_the_doctor_says_who_we_are_and_until_when() {
    let trial = Trial::new("secure", 4, 3);
    let (root, place) = (&trial.root, &trial.loans.place);
    let train = std::fs::read_to_string(place.at("train.yaml")).unwrap();
    let train = train.replace("path: train.csv", &format!("path: {root}/train.csv"));
    place.write("train-there.yaml", &train.replace("path: model", &format!("path: {root}/trained/model")));
    place.run(&["train", "train-there.yaml", "--quiet"]).ok();
    let job = trial.write_job("run", StreamForm::default());
    let told = place.run(&["doctor", &job, "--output", "json"]).json();
    assert_eq!(found(&told, "NameNode ").1, "active; lets in by token or kerberos");
    let (state, text) = found(&told, "logged in");
    assert!(state == "ok" && text.starts_with("as alice@LAB.TEST until 20"), "{text}");
    assert!(found(&told, "Kerberos library").1.contains("libgssapi_krb5.so"));
    assert_eq!(found(&told, "DataNodes").1, "1 live, 0 dead; dfs.replication is 1 here");
    assert!(found(&told, "stream.writeStream.path").1.ends_with(" as alice"));
    place.run(&["stream", &job, "--quiet"]).ok();
    assert_eq!(trial.check("run").batches, 4);
}

#[test]
fn a_relative_path_lies_in_the_home_of_whom_the_ticket_names() {
    let trial = Trial::awaiting("home", 0, 0);
    let relative = |arguments: &[&str]| {
        let mut command = trial.loans.place.command(arguments);
        // With Kerberos nobody is who he merely says he is.
        Ran::of(command.env("HADOOP_USER_NAME", "mallory").output().unwrap())
    };
    let home = format!("{}/user/alice", told("OGNIVO_HDFS"));
    trial.fs(&["mkdir", "-p", &home]).ok();
    relative(&["fs", "put", "-f", "train.csv", "of-alice.csv"]).ok();
    let expect = std::fs::read_to_string(trial.loans.place.at("train.csv")).unwrap();
    assert_eq!(trial.fs(&["cat", &format!("{home}/of-alice.csv")]).ok(), expect);
    let listed = relative(&["fs", "ls"]).ok();
    assert!(listed.contains(" alice ") && listed.trim_end().ends_with(" of-alice.csv"), "{listed}");
    let ran = relative(&["fs", "cat", "of-nobody.csv"]);
    assert!(ran.stderr.contains("`of-nobody.csv': No such file or directory"), "{ran:?}");
}

#[test]
fn without_a_ticket_the_cache_is_named_and_what_fetches_one() {
    let words = ["no Kerberos ticket: there is no ", "/none.cc", "kinit"];
    let (_, found_) = check("no-ticket", 1, &words, |trial, command| {
        command.env("KRB5CCNAME", Login::new(trial, "none.cc").name());
    });
    assert_eq!(found(&found_, "NameNode "), ("ok", "answers"));
    assert_eq!(found(&found_, "logged in").0, "failed");
}

#[test]
fn a_ticket_that_has_run_out_is_told_with_its_end_and_may_be_renewed() {
    let words = ["the Kerberos ticket of alice@LAB.TEST has expired: 20", "kinit -R"];
    check("expired", 75, &words, |trial, command| {
        let login = Login::new(trial, "expired.cc");
        if !login.cache.exists() {
            login.fetch(1);
            std::thread::sleep(Duration::from_secs(2));
        }
        command.env("KRB5CCNAME", login.name());
    });
}

#[test]
fn a_wrong_realm_is_told_with_what_the_library_says() {
    let words = ["the Kerberos ticket of alice@LAB.TEST is not taken: ", "OTHER.TEST", "domain_realm"];
    check("realm", 1, &words, |trial, command| {
        let conf = std::fs::read_to_string(format!("{}/krb5.conf", told("OGNIVO_KDC"))).unwrap();
        let conf = conf.replace("localhost = LAB.TEST", "localhost = OTHER.TEST");
        command.env("KRB5_CONFIG", trial.loans.place.write("krb5.conf", &conf));
    });
}

#[test]
fn a_kdc_that_does_not_answer_may_come_back() {
    check("kdc", 75, &["the KDC does not answer: Cannot contact any KDC", "krb5.conf names"], |trial, command| {
        let login = Login::new(trial, "kdc.cc");
        if !login.cache.exists() {
            login.fetch(600);
        }
        let conf = std::fs::read_to_string(format!("{}/krb5.conf", told("OGNIVO_KDC"))).unwrap();
        // Port 1 of the loopback: nobody listens there.
        let conf: Vec<&str> =
            conf.lines().map(|line| if line.contains("kdc = ") { "kdc = 127.0.0.1:1" } else { line }).collect();
        command.env("KRB5_CONFIG", trial.loans.place.write("krb5.conf", &conf.join("\n")));
        command.env("KRB5CCNAME", login.name());
    });
}

#[test]
fn settings_that_know_no_kerberos_are_told_so_and_nobody_waits() {
    let words = ["the cluster wants Kerberos, and our settings do not name it", "hadoop.security.authentication"];
    check("simple", 1, &words, |_, command| {
        command.env_remove("HADOOP_CONF_DIR");
    });
}

#[test]
fn settings_that_know_no_protection_of_data_are_told_which_key_is_missing() {
    let trial = Trial::new("unprotected", 1, 3);
    let site = std::fs::read_to_string(format!("{}/hdfs-site.xml", told("HADOOP_CONF_DIR"))).unwrap();
    let site: String = site.lines().filter(|line| !line.contains("dfs.data.transfer.protection")).collect();
    let core = std::fs::read_to_string(format!("{}/core-site.xml", told("HADOOP_CONF_DIR"))).unwrap();
    trial.loans.place.write("conf/core-site.xml", &core);
    trial.loans.place.write("conf/hdfs-site.xml", &site);
    let ran = |arguments: &[&str]| {
        let mut command = trial.loans.place.command(arguments);
        Ran::of(command.env("HADOOP_CONF_DIR", trial.loans.place.at("conf")).output().unwrap())
    };
    ran(&["fs", "ls", &trial.root]).ok();
    for verb in [["fs", "cat", "train.csv"], ["fs", "put", "good.csv"]] {
        let [fs, action, name] = verb;
        let there = format!("{}/{name}", trial.root);
        let arguments = if action == "put" { vec![fs, action, name, &there] } else { vec![fs, action, &there] };
        let ended = ran(&arguments);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("the settings have no dfs.data.transfer.protection"), "{}", ended.stderr);
    }
    let job = trial.write_job("run", StreamForm::default());
    let looked = ran(&["doctor", &job, "--output", "json"]);
    let told: Value = serde_json::from_str(&looked.stdout).unwrap();
    assert_eq!(found(&told, "protection of data").0, "warning");
    let (state, text) = found(&told, "stream.writeStream.path");
    assert!(state == "failed" && text.contains("the settings have no dfs.data.transfer.protection"), "{text}");
}

#[test]
fn a_right_that_is_missing_is_told_with_path_user_and_right() {
    let trial = Trial::new("denied", 1, 3);
    let closed = format!("{}/closed", told("OGNIVO_HDFS"));
    let ran = trial.fs(&["put", "good.csv", &format!("{closed}/good.csv")]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for word in ["Permission denied: user=alice, access=WRITE", "inode=\"/closed\""] {
        assert!(ran.stderr.contains(word), "{word} in {}", ran.stderr);
    }
    let ran = trial.fs(&["ls", &format!("{closed}/own")]);
    assert!(ran.stderr.contains("user=alice, access=READ_EXECUTE, inode=\"/closed/own\""), "{}", ran.stderr);
    let job = trial.write_job("run", StreamForm::default());
    let text = std::fs::read_to_string(trial.loans.place.at(&job)).unwrap();
    trial
        .loans
        .place
        .write(&job, &text.replace(&format!("path: {}/run/output", trial.root), &format!("path: {closed}/output")));
    let looked = trial.loans.place.run(&["doctor", &job, "--output", "json"]);
    assert_eq!(looked.code, Some(1), "{looked:?}");
    let told: Value = serde_json::from_str(&looked.stdout).unwrap();
    let (state, text) = found(&told, "stream.writeStream.path");
    assert!(state == "failed" && text.contains("user=alice, access=WRITE, inode=\"/closed\""), "{text}");
}
