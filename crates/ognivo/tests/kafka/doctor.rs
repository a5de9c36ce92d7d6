//! What `ognivo doctor` asks brokers about is what the stream will use.

use crate::broker::unique;
use crate::topics::Rig;

#[test]
fn the_group_and_the_transactional_id_that_a_job_names_are_those_that_are_asked_about() {
    let rig = Rig::new(1, 20);
    let (group, id) = (unique("group"), unique("id"));
    let read = format!(", kafka.group.id: {group}");
    let write = format!(", kafka.transactional.id: {id}");
    let stream = rig.stream("doctor", 1, &read, &write, "");
    let told = rig.loans.place.run(&["doctor", &stream.file]).ok();
    let about = |text: &str| told.lines().filter(|line| line.contains(text)).count();
    assert_eq!(about(&format!("group {group}")), 2, "how far it is, and the right to store positions: {told}");
    assert_eq!(about("group "), 2, "{told}");
    assert_eq!(about("transactional id"), 1, "dead letters share the transactions of the rows: {told}");
    assert_eq!(about(&format!("transactional id {id}-doctor")), 1, "{told}");
}
