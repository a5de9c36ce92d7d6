//! What a running stream tells over HTTP, and to `top` and `tap`: the numbers of its progress, while it lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::campaign::small_disk::SmallDisk;
use crate::loans::{Fate, Loans, StreamForm};
use crate::open_metrics::{Families, parse};
use crate::watched::{Running, ask, free_port, get, request, wait_for, watched_job};

const QUICK: StreamForm =
    StreamForm { input: "", read_options: "", write: "", stream: "", trigger: "{processingTime: 20 ms}" };

/// Reads a folder that is empty until the test fills it.
const LATER: StreamForm = StreamForm { input: "later", ..QUICK };

fn with_empty_folder(loans: &Loans) {
    std::fs::create_dir(loans.place.at("later")).unwrap();
}

/// Lets a file that was laid out arrive, whole.
fn let_arrive(loans: &Loans, file: u64) {
    let name = format!("{file:05}.csv");
    std::fs::copy(loans.place.at("incoming").join(&name), loans.place.at("later").join(format!(".{name}"))).unwrap();
    std::fs::rename(loans.place.at("later").join(format!(".{name}")), loans.place.at("later").join(&name)).unwrap();
}

fn sum(progress: &[Value], pointer: &str) -> u64 {
    progress.iter().map(|progress| progress.pointer(pointer).unwrap().as_u64().unwrap()).sum()
}

/// Dead letters by stage and code, of progress reports.
fn dead_letters(progress: &[Value]) -> BTreeMap<(String, String), u64> {
    let mut by_reason = BTreeMap::new();
    for letters in progress.iter().filter_map(|progress| progress["observedMetrics"]["deadLetters"].as_array()) {
        for letter in letters {
            let stage = letter["stage"].as_str().unwrap_or("none").to_owned();
            let code = letter["code"].as_str().unwrap().to_owned();
            *by_reason.entry((stage, code)).or_default() += letter["rows"].as_u64().unwrap();
        }
    }
    by_reason
}

#[test]
fn every_page_tells_the_numbers_of_the_progress() {
    let loans = Loans::new(12, 6);
    let port = free_port();
    let job = watched_job(&loans, "run", QUICK, port);
    let mut stream = Running::start(&loans, &job, port);
    let progress = stream.progress(12);

    let lags: Vec<u64> =
        progress.iter().map(|progress| progress["observedMetrics"]["lag"]["files"].as_u64().unwrap()).collect();
    assert_eq!(lags, (0..12).rev().collect::<Vec<_>>(), "all files were there from the beginning");

    assert_eq!(get(port, "/live").ok(), "live\n");
    assert_eq!(wait_for(port, "/ready", |answer| answer.code == 200).body, "ready\n");
    assert_eq!(get(port, "/progress").json(), progress[11]);
    assert_eq!(get(port, "/progress?last=100").json(), Value::Array(progress.clone()));
    assert_eq!(get(port, "/progress?last=2").json(), json!([progress[10], progress[11]]));

    let rows = |name: &str| sum(&progress, &format!("/observedMetrics/rows/{name}"));
    let (read, written, dead) = (rows("read"), rows("written"), rows("deadLetters"));
    assert_eq!(read, loans.fates.len() as u64);
    assert_eq!(written, loans.count(Fate::Scored) as u64);

    let answer = get(port, "/metrics");
    assert!(
        answer.head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{}",
        answer.head
    );
    let metrics = parse(&answer.ok()).unwrap();
    let value = |sample: &str| metrics.value(sample, &[]).unwrap_or_else(|| panic!("{sample} is not there"));
    for (sample, expect) in [
        ("ognivo_rows_read_total", read),
        ("ognivo_rows_written_total", written),
        ("ognivo_rows_scored_total", written),
        ("ognivo_rows_skipped_total", rows("skipped")),
        ("ognivo_rows_bad_total", rows("bad")),
        ("ognivo_commits_total", 12),
        ("ognivo_replays_total", 0),
        ("ognivo_aborts_total", 0),
        ("ognivo_failures_total", 0),
        ("ognivo_batch_id", 11),
        ("ognivo_ready", 1),
        ("ognivo_lag_files", 0),
        ("ognivo_batch_duration_seconds_count", 12),
        ("ognivo_latency_seconds_count", 0),
    ] {
        assert_eq!(metrics.value(sample, &[]), Some(expect as f64), "{sample}");
    }
    let durations_ms = sum(&progress, "/batchDuration") as f64;
    assert!((value("ognivo_batch_duration_seconds_sum") - durations_ms / 1000.0).abs() < 1e-9);
    // Every file with rows is one block.
    let n_with_rows = progress.iter().filter(|progress| progress["numInputRows"] != 0).count();
    assert_eq!(metrics.value("ognivo_score_duration_seconds_count", &[]), Some(n_with_rows as f64));

    let letters = dead_letters(&progress);
    assert_eq!(letters.values().sum::<u64>(), dead);
    assert_eq!(dead, (loans.count(Fate::Malformed) + loans.count(Fate::Unseen)) as u64);
    assert_eq!(letters.len(), 2, "{letters:?}");
    for ((stage, code), n) in &letters {
        let labels = [("stage", stage.as_str()), ("code", code.as_str())];
        assert_eq!(metrics.value("ognivo_dead_letters_total", &labels), Some(*n as f64), "{stage} {code}");
    }
    let model = progress[0]["observedMetrics"]["batch"]["model"].as_str().unwrap();
    assert_eq!(metrics.value("ognivo_model_info", &[("model", model)]), Some(1.0));
    assert_eq!(metrics.value("ognivo_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), Some(1.0));

    let status = get(port, "/status").json();
    assert_eq!(
        status["rows"],
        json!({"read": read, "written": written, "skipped": rows("skipped"), "deadLetters": dead})
    );
    assert_eq!((&status["state"], &status["name"]), (&json!("running"), &json!("run")));
    assert_eq!(status["lastBatches"].as_array().unwrap().len(), 10);
    assert_eq!(status["lastBatches"][0]["batchId"], 11);
    assert_eq!(status["query"]["id"], progress[0]["id"]);

    let page = get(port, "/");
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    let page = page.ok();
    for text in
        ["<h1>run</h1>", "class=\"state running\"", "http-equiv=\"refresh\"", "unseen_label", "files behind", model]
    {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"), "{page}");

    for (method, path, code) in [
        ("GET", "/nothing", 404),
        ("POST", "/progress", 405),
        ("GET", "/progress?last=0", 400),
        ("GET", "/progress?last=101", 400),
        ("GET", "/progress?first=1", 400),
        ("HEAD", "/metrics", 200),
    ] {
        assert_eq!(ask(port, method, path).code, code, "{method} {path}");
    }
    assert_eq!(stream.end().code, Some(0));
}

#[test]
fn before_the_first_batch_it_is_ready_and_tells_nothing() {
    let loans = Loans::new(1, 3);
    with_empty_folder(&loans);
    let port = free_port();
    let job = watched_job(&loans, "run", LATER, port);
    let mut stream = Running::start(&loans, &job, port);
    wait_for(port, "/ready", |answer| answer.code == 200);
    assert_eq!(get(port, "/progress").json(), Value::Null);
    assert_eq!(get(port, "/progress?last=3").json(), json!([]));
    let metrics = parse(&get(port, "/metrics").ok()).unwrap();
    assert_eq!(metrics.value("ognivo_rows_read_total", &[]), Some(0.0));
    assert_eq!(metrics.value("ognivo_checkpoint_age_seconds", &[]), None);
    assert!(get(port, "/").ok().contains("Waits for rows."));
    let_arrive(&loans, 0);
    assert_eq!(stream.progress(1)[0], get(port, "/progress").json());
    assert_eq!(stream.end().code, Some(0));
}

#[test]
fn while_the_sink_fails_it_is_alive_and_not_ready_and_says_why() {
    let loans = Loans::new(30, 12);
    let port = free_port();
    let job = watched_job(&loans, "run", QUICK, port);
    let Some(disk) = SmallDisk::mount(loans.place.at("run"), "120k") else {
        println!("NOT CHECKED that a stream with a failing sink is not ready: no disk can be mounted here");
        return;
    };
    let mut stream = Running::start(&loans, &job, port);
    let answer = wait_for(port, "/ready", |answer| answer.code == 503 && answer.body.contains("No space left"));
    assert!(answer.body.starts_with("waiting ") && answer.body.contains("after failure"), "{}", answer.body);
    assert_eq!(get(port, "/live").code, 200);
    let status = get(port, "/status").json();
    assert_eq!(status["state"], "waiting", "{status}");
    assert!(status["reason"].as_str().unwrap().contains("No space left"), "{status}");
    assert!(get(port, "/").ok().contains("No space left"));
    let metrics = parse(&get(port, "/metrics").ok()).unwrap();
    assert_eq!(metrics.value("ognivo_ready", &[]), Some(0.0));
    assert!(metrics.value("ognivo_failures_total", &[]) >= Some(1.0));
    let shown = loans.place.run(&["top", &job]).ok();
    assert!(shown.contains("waiting") && shown.contains("No space left"), "{shown}");

    disk.resize("64m");
    let progress = stream.progress(30);
    assert_eq!(sum(&progress, "/observedMetrics/rows/read"), loans.fates.len() as u64);
    wait_for(port, "/ready", |answer| answer.code == 200);
    let metrics = parse(&get(port, "/metrics").ok()).unwrap();
    let written = sum(&progress, "/observedMetrics/rows/written");
    assert_eq!(metrics.value("ognivo_rows_written_total", &[]), Some(written as f64));
    // Batches that were given up were scored too.
    assert!(metrics.value("ognivo_rows_scored_total", &[]) >= Some(written as f64));
    assert_eq!(stream.end().code, Some(0));
}

#[test]
fn a_port_that_is_taken_ends_the_verb_before_anything_is_opened() {
    let loans = Loans::new(1, 3);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let job = watched_job(&loans, "run", StreamForm::default(), port);
    let ran = loans.place.run(&["stream", &job]);
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("cannot listen on `metrics.listen`: 127.0.0.1:{port}")), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: another process listens there"), "{}", ran.stderr);
    assert!(!loans.place.at("run").exists(), "nothing was opened");

    // An address of another machine never becomes ours.
    let ran = loans.place.run(&["stream", &job, "--set", "metrics.listen=192.0.2.1:9464"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("192.0.2.1:9464"), "{}", ran.stderr);
}

#[test]
fn an_address_that_is_none_is_refused_with_its_place() {
    let loans = Loans::new(1, 3);
    let job = watched_job(&loans, "run", StreamForm::default(), 1);
    let text = std::fs::read_to_string(loans.place.at(&job)).unwrap().replace("\"127.0.0.1:1\"", "somewhere:9464");
    loans.place.write(&job, &text);
    let line = text.lines().count();
    for verb in ["stream", "validate", "top", "tap"] {
        let ran = loans.place.run(&[verb, &job]);
        assert_eq!(ran.code, Some(2), "{verb}: {}", ran.stderr);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        let complaint = format!("{job}:{line}:19: `metrics.listen` is no address with a port: somewhere:9464");
        assert!(told.contains(&complaint), "{verb}: {told}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_metrics_no_port_is_opened() {
    let loans = Loans::new(2, 3);
    let port = free_port();
    let watched = watched_job(&loans, "watched", QUICK, port);
    let mut stream = Running::start(&loans, &watched, port);
    stream.progress(1);
    assert_eq!(listening(stream.child.id()), 1);
    assert_eq!(stream.end().code, Some(0));

    let job = loans.write_job("run", QUICK);
    let mut child = loans.place.start(&["stream", &job, "--progress", "json"]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with('{'), "{line}");
    assert_eq!(listening(child.id()), 0);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// How many sockets a process listens on.
#[cfg(target_os = "linux")]
fn listening(pid: u32) -> usize {
    let mut listening = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap();
        let cells = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        listening.extend(cells.filter(|cells| cells[3] == "0A").map(|cells| format!("socket:[{}]", cells[9])));
    }
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| listening.contains(target.to_str().unwrap_or_default())).count()
}

/// A connection that taps, once its head has come: from now on the next batch is shown.
fn tap(port: u16) -> BufReader<TcpStream> {
    let mut tap = BufReader::new(request(port, "GET", "/tap"));
    let mut line = String::new();
    tap.read_line(&mut line).unwrap();
    assert!(line.contains("200"), "{line}");
    while !line.trim().is_empty() {
        line.clear();
        tap.read_line(&mut line).unwrap();
    }
    tap
}

#[test]
fn a_tap_shows_the_rows_that_are_written() {
    let loans = Loans::new(6, 5);
    with_empty_folder(&loans);
    let port = free_port();
    let job = watched_job(&loans, "run", LATER, port);
    let mut stream = Running::start(&loans, &job, port);
    wait_for(port, "/ready", |answer| answer.code == 200);
    let n_scored = loans.count(Fate::Scored);
    let tapping = loans.place.start(&["tap", &job, "--limit", &n_scored.to_string()]);
    let mut other = tap(port);
    wait_for(port, "/status", |answer| answer.body.contains("\"nTaps\":2"));
    for file in 0..6 {
        let_arrive(&loans, file);
        stream.progress(1);
    }
    let shown = crate::binary::Ran::of_child(tapping).ok();
    let rows: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: BTreeSet<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    let expect = loans.fates.iter().filter(|(_, fate)| **fate == Fate::Scored).map(|(id, _)| *id);
    assert_eq!((rows.len(), ids), (n_scored, expect.collect()));
    assert!(rows.iter().all(|row| row["prediction"].is_number() && row["probability"]["values"].is_array()), "{shown}");

    // Whoever taps is let go at the end, and so is the port.
    let ran = stream.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut rest = String::new();
    other.read_to_string(&mut rest).unwrap();
    assert_eq!(rest.matches("\"prediction\"").count(), n_scored, "{rest}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn who_does_not_read_and_who_says_nothing_holds_nothing_up() {
    let loans = Loans::new(20, 40);
    with_empty_folder(&loans);
    let port = free_port();
    let job = watched_job(&loans, "run", LATER, port);
    let mut stream = Running::start(&loans, &job, port);
    wait_for(port, "/ready", |answer| answer.code == 200);
    let taps: Vec<_> = (0..4).map(|_| tap(port)).collect();
    let silent: Vec<TcpStream> = (0..150).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    for file in 0..20 {
        let_arrive(&loans, file);
    }
    let progress = stream.progress(20);
    assert_eq!(sum(&progress, "/observedMetrics/rows/read"), loans.fates.len() as u64);
    let ran = stream.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    drop((taps, silent));
}

#[test]
fn rows_are_not_shown_to_a_page_of_the_web() {
    use std::io::Write as _;
    let loans = Loans::new(1, 3);
    let port = free_port();
    let job = watched_job(&loans, "run", QUICK, port);
    let stream = Running::start(&loans, &job, port);
    wait_for(port, "/ready", |answer| answer.code == 200);
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(b"GET /tap HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(stream.end().code, Some(0));
}

#[test]
fn top_shows_the_counts_once_where_there_is_no_terminal() {
    let loans = Loans::new(5, 6);
    let port = free_port();
    let job = watched_job(&loans, "run", QUICK, port);
    let mut stream = Running::start(&loans, &job, port);
    let progress = stream.progress(5);
    let rows = |name: &str| sum(&progress, &format!("/observedMetrics/rows/{name}"));
    let shown = loans.place.run(&["top", &job, "--once"]).ok();
    let counts = format!(
        "{} read = {} written + {} skipped + {} dead letters",
        rows("read"),
        rows("written"),
        rows("skipped"),
        rows("deadLetters")
    );
    for text in [counts.as_str(), "run  running", "unseen_label", "files", "5 committed, 0 replayed"] {
        assert!(shown.contains(text), "{text} is not in\n{shown}");
    }
    assert!(!shown.contains('\x1b'), "{shown:?}");
    let json = loans.place.run(&["top", &job, "--output", "json"]).json();
    assert_eq!(json["rows"]["read"], rows("read"));
    assert_eq!(stream.end().code, Some(0));

    let ran = loans.place.run(&["top", &job]);
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("no stream answers at 127.0.0.1:{port}")), "{}", ran.stderr);
    assert_eq!(loans.place.run(&["tap", &job]).code, Some(75));
    let unwatched = loans.write_job("unwatched", StreamForm::default());
    let ran = loans.place.run(&["top", &unwatched]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("the job has no part `metrics:`"), "{}", ran.stderr);
}

/// The families that a stream really exposes.
fn exposed() -> Families {
    let loans = Loans::new(1, 3);
    let port = free_port();
    let job = watched_job(&loans, "run", QUICK, port);
    let mut stream = Running::start(&loans, &job, port);
    stream.progress(1);
    let families = parse(&get(port, "/metrics").ok()).unwrap();
    assert_eq!(stream.end().code, Some(0));
    families
}

const PAGE: &str = include_str!("../../../../docs/how-to/watch-a-stream.md");
const DASHBOARD: &str = include_str!("../../../../docs/operate/grafana-dashboard.json");
const ALERTS: &str = include_str!("../../../../docs/operate/alerts.yml");

/// Every word of a text that is the name of a metric of ours.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("ognivo_") && *word != "ognivo_").map(str::to_owned).collect()
}

/// The strings at `key`, wherever it is in a JSON value.
fn strings_at<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get(key).and_then(Value::as_str));
            object.values().for_each(|value| strings_at(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| strings_at(item, key, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_the_alerts_and_the_page_speak_of_the_metrics_that_there_are() {
    let families = exposed();
    let samples = families.sample_names();

    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut queries = Vec::new();
    strings_at(&dashboard, "expr", &mut queries);
    assert!(queries.len() >= 12, "{queries:?}");
    assert!(queries.iter().all(|query| !named(query).is_empty()), "{queries:?}");
    for (text, what) in [(queries.join("\n"), "the dashboard"), (ALERTS.to_owned(), "alerts.yml")] {
        let unknown: Vec<String> = named(&text).into_iter().filter(|name| !samples.contains(name)).collect();
        assert!(unknown.is_empty(), "{what} names metrics that are not there: {unknown:?}");
    }

    let documented: BTreeSet<String> =
        PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect();
    let documented: BTreeSet<String> = documented.into_iter().filter(|name| name.starts_with("ognivo_")).collect();
    assert_eq!(documented, families.names(), "the table of docs/how-to/watch-a-stream.md lists every family");
    let unknown: Vec<String> =
        named(PAGE).into_iter().filter(|name| !samples.contains(name) && !documented.contains(name)).collect();
    assert!(unknown.is_empty(), "the page names metrics that are not there: {unknown:?}");
}
