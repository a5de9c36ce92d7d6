//! How far a stream is behind its topics, as its progress and its pages tell.

use std::collections::BTreeMap;

use crate::topics::Rig;
use crate::watched::{Running, free_port, get, wait_for};

#[test]
fn progress_metrics_and_page_tell_the_records_behind_by_partition() {
    let rig = Rig::new(2, 40);
    let stream = rig.stream("lag", 2, ", maxOffsetsPerTrigger: 30", "", "");
    stream.add(&rig.records);
    let port = free_port();
    let job = std::fs::read_to_string(rig.loans.place.at(&stream.file)).unwrap();
    rig.loans.place.write(&stream.file, &format!("{job}metrics: {{listen: \"127.0.0.1:{port}\"}}\n"));
    let mut running = Running::start(&rig.loans, &stream.file, port);
    let mut n_left = rig.records.len() as u64;
    let names = [0, 1].map(|partition| format!("{}-{partition}", stream.input.name));
    while n_left > 0 {
        let progress = running.progress(1).remove(0);
        n_left -= progress["numInputRows"].as_u64().unwrap();
        let lag: BTreeMap<String, u64> =
            serde_json::from_value(progress["observedMetrics"]["lag"]["records"].clone()).unwrap();
        assert_eq!(lag.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>(), "{progress}");
        assert_eq!(lag.values().sum::<u64>(), n_left, "{progress}");
        let most = progress["sources"][0]["metrics"]["maxOffsetsBehindLatest"].as_str().unwrap();
        assert_eq!(most, lag.values().max().unwrap().to_string(), "{progress}");
    }
    let sample = |name: &String| format!("ognivo_lag_records{{partition=\"{name}\"}} 0");
    let metrics = wait_for(port, "/metrics", |answer| names.iter().all(|name| answer.body.contains(&sample(name))));
    assert_eq!(metrics.code, 200);
    let page = get(port, "/").ok();
    assert!(page.contains("records behind"), "{page}");
    running.end().ok();
}
