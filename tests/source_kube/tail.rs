//! Logs whose server dies while they are read: the client sees a clean end, as that of a log that was read whole.

use std::sync::Arc;
use std::time::Duration;

use flowdeck::model::key::ObjectKey;
use flowdeck::model::log::{Container, StreamState};
use flowdeck::source::kube::tail::{Piece, Plan, Tails};
use serde_json::json;
use tokio::time::timeout;

use crate::connect;
use crate::stub::{Stub, pod};

const FIRST: &str = "2026-11-22T06:52:01.000000001Z one\n2026-11-22T06:52:02.000000001Z two\n";
const REST: &str = "2026-11-22T06:52:02.000000001Z two\n2026-11-22T06:52:03.000000001Z three\n";
const LAST: &str = "2026-11-22T06:52:03.000000001Z three\n";

/// A pod whose container runs or has ended.
async fn stub(state: &str) -> Stub {
    let stub = Stub::start().await;
    let mut object = pod("a", "orders", "Running");
    object["status"]["containerStatuses"] = json!([{"name": "main", "restartCount": 0, "state": {state: {}}}]);
    stub.put("pods", object);
    stub
}

/// Lines, gaps and the last state of a log, until it is over or as long as `enough` says.
async fn read(stub: &Stub, plan: Plan, enough: impl Fn(&StreamState) -> bool) -> (Vec<String>, Vec<String>) {
    let (mut tails, mut pieces) = Tails::new(connect(stub, &["prd"]).await, plan);
    let container = Container { pod: ObjectKey::new("test", "prd", "a"), name: "main".into() };
    tails.follow(Arc::new(container), false);
    let (mut lines, mut gaps) = (Vec::new(), Vec::new());
    loop {
        let message = timeout(Duration::from_secs(20), pieces.recv()).await.unwrap().unwrap();
        match message.piece {
            Piece::Lines(more) => lines.extend(more.iter().map(|(line, _)| line.to_owned())),
            Piece::Missed(missed) => gaps.push(missed.words()),
            Piece::State(state) if enough(&state) => return (lines, gaps),
            Piece::Over => return (lines, gaps),
            Piece::State(_) | Piece::Remark(..) => {}
        }
    }
}

#[tokio::test]
async fn a_log_that_is_not_followed_is_read_on_when_its_server_dies_midway() {
    for (state, previous) in [("running", false), ("terminated", false), ("running", true)] {
        let stub = stub(state).await;
        stub.set(|state| state.logs = [FIRST, REST, LAST].into());
        let (lines, gaps) = read(&stub, Plan { previous, ..Plan::default() }, |_| false).await;
        assert_eq!((lines.join(" "), gaps), ("one two three".to_owned(), Vec::new()), "{state}, previous {previous}");
    }
}

#[tokio::test]
async fn a_line_that_is_cut_by_the_death_of_the_server_is_shown_once_and_whole() {
    const CUT: &str = "2026-11-22T06:52:01.000000001Z one\n2026-11-22T06:52:02.000000001Z tw";
    for cut in 1..CUT.len() {
        let begun = CUT.get(..cut).unwrap();
        let stub = stub("terminated").await;
        stub.set(|state| state.logs = [begun, FIRST, REST, LAST].into());
        let (lines, gaps) = read(&stub, Plan::default(), |_| false).await;
        assert_eq!((lines.join(" "), gaps), ("one two three".to_owned(), Vec::new()), "{begun}");
    }
    let stub = stub("terminated").await;
    stub.set(|state| state.logs = [CUT; 5].into());
    let (lines, gaps) = read(&stub, Plan::default(), |_| false).await;
    assert_eq!((lines.join(" "), gaps), ("one tw".to_owned(), Vec::new()), "a log may end without a line feed");
}

#[tokio::test]
async fn a_pod_that_goes_before_anybody_knows_whether_all_was_read_leaves_a_gap_row() {
    for follow in [true, false] {
        let stub = stub("running").await;
        stub.set(|state| (state.logs, state.pods_go) = ([FIRST].into(), true));
        let (lines, gaps) = read(&stub, Plan { follow, ..Plan::default() }, |state| *state == StreamState::Gone).await;
        assert_eq!((lines.join(" "), gaps.len()), ("one two".to_owned(), 1), "follow {follow}: {gaps:?}");
        assert!(gaps[0].contains("may be missing after 2026-11-22 06:52:02"), "{gaps:?}");
    }
}

#[tokio::test]
async fn a_pod_that_goes_after_all_was_read_leaves_none() {
    let stub = stub("running").await;
    stub.set(|state| (state.logs, state.pods_go) = ([FIRST, REST, LAST, LAST].into(), true));
    let plan = Plan { follow: true, ..Plan::default() };
    let (lines, gaps) = read(&stub, plan, |state| *state == StreamState::Gone).await;
    assert_eq!((lines.join(" "), gaps), ("one two three".to_owned(), Vec::new()));
}
