//! The reader of whole topics against a cluster that misbehaves as real ones do while they restart.
//! Nothing sleeps: every wait is for a condition, with a deadline.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

mod source_kafka {
    pub mod stage;
}

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flowdeck::settings::KafkaSettings;
use flowdeck::source::kafka::client_properties;
use flowdeck::source::kafka::consume::{Assignment, News, Reader, Start, Subscription};

use self::source_kafka::stage::{Partition, Stage, State, TOPIC};

const PATIENCE: Duration = Duration::from_mins(1);

/// What the reader told.
struct Listener {
    reader: Reader,
    /// In the order in which they were told.
    assignments: Vec<Assignment>,
    revoked: usize,
    /// Records by the number of their partition.
    records: BTreeMap<u32, usize>,
    positions: BTreeMap<u32, i64>,
}

impl Listener {
    fn start(stage: &Stage, start: Start) -> Self {
        let settings = KafkaSettings { bootstrap: Some(stage.bootstrap()), ..KafkaSettings::default() };
        let subscription = Subscription { topics: vec![TOPIC.into()], start, only: None };
        let reader = Reader::start(client_properties(&settings).unwrap(), subscription).unwrap();
        let (records, positions) = (BTreeMap::new(), BTreeMap::new());
        Self { reader, assignments: Vec::new(), revoked: 0, records, positions }
    }

    fn all(&self) -> usize {
        self.records.values().sum()
    }

    async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let Ok(news) = tokio::time::timeout(left, self.reader.next()).await else {
                panic!("no {what}: {:?}, {} revoked, {} records", self.assignments, self.revoked, self.all());
            };
            match news.unwrap() {
                News::Assigned(assignment) => {
                    self.positions.insert(assignment.place, assignment.position);
                    self.assignments.push(assignment);
                }
                News::Revoked { .. } => self.revoked += 1,
                News::Records(records) => {
                    let position = self.positions.get_mut(&records.place).unwrap();
                    assert_eq!(records.batch.first_offset, *position, "in order, without a gap");
                    *position = records.next_offset;
                    *self.records.entry(records.place).or_default() += records.batch.len();
                }
                News::Lost { .. } | News::Unreadable { .. } => panic!("nothing is lost here"),
                _ => {}
            }
        }
    }
}

/// Waits for the stage alone, while nobody listens to the reader.
async fn on_stage(stage: &Stage, what: &str, condition: impl Fn(&State) -> bool) {
    let begun = Instant::now();
    while !condition(&stage.state()) {
        assert!(begun.elapsed() < PATIENCE, "no {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// More partitions than the reader's queue has room for.
const MANY: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_gave_is_told_even_when_it_leads_nothing_any_more() {
    let stage = Stage::start(2, vec![Partition { leader: 1, end: 5 }; MANY]).await;
    let mut listener = Listener::start(&stage, Start::Earliest);
    listener.until("all partitions", |it| it.assignments.len() == MANY).await;
    // The second question is sent once the first answer is noted; then the queue is full, and nobody listens.
    let fetches = |state: &State, broker: usize| state.fetches.get(&broker).copied().unwrap_or(0);
    on_stage(&stage, "second question", |state| fetches(state, 1) >= 2).await;
    stage.state().partitions.iter_mut().for_each(|partition| partition.leader = 2);
    on_stage(&stage, "question to the new leader", |state| fetches(state, 2) >= 1).await;
    listener.until("all records", |it| it.all() == MANY * 5).await;
    stage.state().partitions.iter_mut().for_each(|partition| partition.end = 8);
    listener.until("what came later", |it| it.all() == MANY * 8).await;
    assert!(listener.records.values().all(|count| *count == 8), "{:?}", listener.records);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_forgets_a_topic_once_changes_nothing() {
    let stage = Stage::start(1, vec![Partition { leader: 1, end: 10 }]).await;
    let mut listener = Listener::start(&stage, Start::Earliest);
    listener.until("all records", |it| it.all() == 10).await;
    let told = stage.state().told;
    stage.state().forgetful = 1;
    on_stage(&stage, "a look after the one that failed", |state| state.denied == 1 && state.told > told + 1).await;
    stage.state().partitions[0].end = 15;
    listener.until("what came later", |it| it.all() >= 15).await;
    assert_eq!((listener.all(), listener.assignments.len(), listener.revoked), (15, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_comes_back_is_read_on() {
    let stage = Stage::start(1, vec![Partition { leader: 1, end: 10 }]).await;
    let mut listener = Listener::start(&stage, Start::Earliest);
    listener.until("all records", |it| it.all() == 10).await;
    stage.state().forgetful = usize::MAX;
    listener.until("its end", |it| it.revoked == 1).await;
    assert!(stage.state().denied >= 3, "one broker's word is not enough");
    stage.state().forgetful = 0;
    stage.state().partitions[0].end = 15;
    listener.until("what came later", |it| it.all() >= 15).await;
    assert_eq!((listener.all(), listener.assignments[1].position), (15, 10));
}
