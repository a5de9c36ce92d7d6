//! Two processes that start one stream at the same instant: one runs, the other is refused or finds nothing left to do.

use serde_json::json;

use crate::binary::Ran;
use crate::campaign::counts::{scale, tell};
use crate::loans::{Loans, StreamForm};
use crate::stream_oracle::{LogKind, batch_scores, check};

#[test]
fn of_two_streams_that_start_at_the_same_instant_one_runs() {
    let n_rounds = 10 * scale();
    let loans = Loans::new(12, 3);
    let scores = batch_scores(&loans);
    let (mut n_refused, mut n_second) = (0, 0);
    for round in 0..n_rounds {
        let run = format!("run-{round}");
        let job = loans.write_job(&run, StreamForm::default());
        let both = [0, 1].map(|_| loans.place.start(&["stream", &job, "--quiet"])).map(Ran::of_child);
        let refused: Vec<_> = both.iter().filter(|ran| ran.code != Some(0)).collect();
        for ran in &refused {
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.stderr.contains("runs on this checkpoint"), "{}", ran.stderr);
        }
        assert!(refused.len() < 2, "nobody ran: {both:?}");
        n_refused += refused.len();
        n_second += 1 - refused.len();
        assert_eq!(check(&loans, &run, LogKind::Spark, &scores).batches, 12);
    }
    assert!(n_refused > 0, "no two were there at the same time");
    let ended = json!({"the second refused": n_refused, "the second came when the first was done": n_second});
    let rows = n_rounds as usize * loans.fates.len();
    tell(
        "two processes start one stream at the same instant",
        "starts",
        n_rounds as usize,
        json!({"rows": rows, "ended": ended}),
    );
}
