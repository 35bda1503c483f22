//! Bad input to a route, and a good one: workers and controllers in this process, on the demo's broker.
//!
//! Whatever is wrong is refused or held with a reason, and records stay on the lane where they are well. The proof under
//! fire, on real brokers, is `tests/live/router_chaos`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowdeck::demo::kafka::{Broker, Record};
use flowdeck::model::route::record::{Receipt, Status, Verb};
use flowdeck::router::spec::Spec;
use flowdeck::router::{RouterError, ask, controller, topics, worker};
use flowdeck::settings::KafkaSettings;
use flowdeck::source::kafka::{ClientProperties, client_properties};

const PATIENCE: Duration = Duration::from_mins(1);
const BEAT: Duration = Duration::from_millis(50);
const PARTITIONS: u32 = 2;

/// A route on a broker of its own.
struct Scene {
    _runtime: tokio::runtime::Runtime,
    broker: Broker,
    spec: Arc<Spec>,
    properties: ClientProperties,
}

/// A worker or controller, stopped when it goes.
struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), RouterError>>>,
}

impl Running {
    /// Ends it; what came of it.
    fn end(mut self) -> Result<(), RouterError> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }

    /// What it ended with by itself.
    fn ended(mut self) -> Result<(), RouterError> {
        wait("its end", || self.thread.as_ref().unwrap().is_finished().then_some(()));
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Looks until there is something, with a deadline.
fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited for {what}");
        std::thread::sleep(BEAT);
    }
}

impl Scene {
    /// With all topics, and a green lane with more words in its spec.
    fn new(green: &str) -> Self {
        let scene = Self::bare(green);
        ["all", "blue", "green"].into_iter().for_each(|topic| scene.broker.create_topic(topic, PARTITIONS));
        ["c", "c.requests", "c.status", "c.receipts"].into_iter().for_each(|topic| scene.broker.create_topic(topic, 1));
        scene
    }

    /// Without topics.
    fn bare(green: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let broker = runtime.block_on(Broker::start("routes")).unwrap();
        let text = format!(
            "name = \"r\"\nmode = \"split\"\n[source]\ntopic = \"all\"\n[control]\ntopic = \"c\"\ninitial = \"blue\"\n\
             [checks]\nevery = \"200ms\"\n[guard]\nhealthy_for = \"0s\"\n\
             [[lane]]\nname = \"blue\"\ntopic = \"blue\"\n[[lane]]\nname = \"green\"\ntopic = \"green\"\n{green}"
        );
        let settings = KafkaSettings { bootstrap: Some(broker.address().to_string()), ..KafkaSettings::default() };
        let (spec, properties) = (Arc::new(Spec::parse(&text).unwrap()), client_properties(&settings).unwrap());
        Self { _runtime: runtime, broker, spec, properties }
    }

    fn append(&self, topic: &str, partition: u32, value: &str) {
        let record = Record {
            key: Some("k".into()),
            value: value.to_owned().into(),
            timestamp_ms: 1_700_000_000_000,
            headers: vec![("h".to_owned(), "v".into())],
        };
        self.broker.append(topic, partition, &[record]).unwrap();
    }

    fn controller(&self, name: &str) -> Running {
        let job =
            controller::Job { spec: self.spec.clone(), properties: self.properties.clone(), name: name.to_owned() };
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = std::thread::spawn(move || controller::run(&job, &stopping, |_| {}));
        Running { stop, thread: Some(thread) }
    }

    fn worker(&self) -> Running {
        let job = worker::Job { spec: self.spec.clone(), properties: self.properties.clone(), slot: "w".to_owned() };
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = std::thread::spawn(move || worker::run(&job, &Arc::new(worker::Gauge::new("r", "w")), &stopping));
        Running { stop, thread: Some(thread) }
    }

    fn status(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        wait(what, || ask::status(&self.properties, &self.spec).ok().flatten().filter(|status| holds(status)))
    }

    fn ask(&self, verb: Verb) -> (bool, String) {
        let request = ask::request(&self.spec, verb, ("ann", "a test"), chrono::Utc::now());
        let answer = ask::ask(&self.properties, &self.spec, &request, PATIENCE).unwrap();
        (answer.accepted, answer.words)
    }

    fn receipts(&self) -> Vec<Receipt> {
        ask::receipts(&self.properties, &self.spec).unwrap().0
    }

    fn ends(&self, topic: &str) -> u64 {
        (0..PARTITIONS).map(|partition| self.broker.end_offset(topic, partition).unwrap()).sum()
    }
}

fn to(lane: &str) -> Verb {
    Verb::Flip { to: lane.to_owned() }
}

#[test]
fn a_flip_loses_nothing_and_leaves_a_receipt_that_was_measured() {
    let scene = Scene::new("");
    let feed =
        |numbers: std::ops::Range<u32>| numbers.for_each(|n| scene.append("all", n % PARTITIONS, &n.to_string()));
    feed(0..100);
    let (_controller, _worker) = (scene.controller("c1"), scene.worker());
    wait("the first lane", || (scene.ends("blue") == 100).then_some(()));
    scene.status("green's health", |status| status.lanes.iter().all(|lane| lane.health.word() == "well"));
    assert!(scene.ask(to("green")).0);
    feed(100..200);
    wait("the other lane", || (scene.ends("green") == 100).then_some(()));
    let receipt = wait("a receipt", || scene.receipts().pop());
    let audit =
        (receipt.audit.lost, receipt.audit.duplicated, receipt.audit.reordered, receipt.audit.unmeasured.clone());
    assert_eq!(audit, (0, 0, 0, None));
    assert!(receipt.within_sla, "{receipt:?}");
    assert_eq!((receipt.from.as_str(), receipt.to.as_str(), receipt.cuts.len()), ("blue", "green", 2));
    assert_eq!(scene.ends("blue"), 100);
    // What went where between two flips is known, so that all of it can be looked for.
    assert!(scene.ask(to("blue")).0);
    let receipt = wait("another receipt", || scene.receipts().into_iter().find(|receipt| receipt.to == "blue"));
    assert_eq!((receipt.audit.compared, receipt.audit.lost, receipt.audit.duplicated), (100, 0, 0), "{receipt:?}");
}

#[test]
fn lanes_with_other_partitions_are_refused() {
    let scene = Scene::bare("");
    ["all", "blue"].into_iter().for_each(|topic| scene.broker.create_topic(topic, PARTITIONS));
    scene.broker.create_topic("green", PARTITIONS + 1);
    let words = topics::check(&scene.properties, &scene.spec).unwrap_err().to_string();
    assert!(words.contains("green has 3 partitions and the source all has 2"), "{words}");
    assert!(matches!(scene.worker().ended(), Err(RouterError::Refused(_))));
    assert!(matches!(scene.controller("c1").ended(), Err(RouterError::Refused(_))));
}

#[test]
fn a_missing_control_topic_is_refused_with_what_to_do() {
    let scene = Scene::bare("");
    ["all", "blue", "green"].into_iter().for_each(|topic| scene.broker.create_topic(topic, PARTITIONS));
    let words = scene.controller("c1").ended().unwrap_err().to_string();
    assert!(words.contains("there is no topic c: see flowdeck router init"), "{words}");
}

#[test]
fn another_routes_control_topic_is_refused() {
    let scene = Scene::new("");
    scene.append("c", 0, &control("other", 7, "green"));
    let words = scene.controller("c1").ended().unwrap_err().to_string();
    assert!(words.contains("is another route's") && words.contains("\"other\""), "{words}");
}

#[test]
fn a_control_topic_of_the_other_mode_is_refused() {
    let scene = Scene::new("");
    let selection = "{\"reigns\":[{\"from\":null,\"lane\":\"green\"}],\"made\":7,\"fenced\":7}";
    let record = control("r", 7, "green").replace("\"hold\"", &format!("\"selection\":{selection},\"hold\""));
    scene.append("c", 0, &record);
    let words = scene.controller("c1").ended().unwrap_err().to_string();
    assert!(words.contains("other mode"), "{words}");
}

fn control(route: &str, epoch: u64, lane: &str) -> String {
    format!(
        "{{\"version\":1,\"route\":\"{route}\",\"epoch\":{epoch},\"lane\":\"{lane}\",\"previous\":null,\"cause\":\"initial\",\
         \"who\":\"a\",\"why\":\"b\",\"since_ms\":1,\"decided_ms\":2,\"hold\":null,\"lane_ends\":[]}}"
    )
}

#[test]
fn an_unreadable_control_record_changes_nothing_and_is_told() {
    let scene = Scene::new("");
    scene.append("c", 0, &control("r", 3, "green"));
    scene.append("c", 0, "{\"version\":1,");
    scene.append("all", 0, "record");
    let (_controller, _worker) = (scene.controller("c1"), scene.worker());
    let status = scene.status("a status", |status| status.epoch == 3);
    assert_eq!(status.lane, "green");
    assert!(status.troubles.iter().any(|words| words.contains("control record at offset 1")), "{status:?}");
    wait("the record on its lane", || (scene.ends("green") == 1).then_some(()));
    assert_eq!(scene.ends("blue"), 0);
}

#[test]
fn of_two_controllers_one_leads_and_the_other_takes_over() {
    let scene = Scene::new("");
    let (first, second) = (scene.controller("c1"), scene.controller("c2"));
    let leader = scene.status("a leader", |_| true).leader;
    let (leads, stands_by) = if leader == "c1" { (first, second) } else { (second, first) };
    assert!(scene.ask(Verb::Hold).0);
    leads.end().unwrap();
    let status = scene.status("the other one", |status| status.leader != leader);
    assert_eq!((status.epoch, status.lane.as_str(), status.hold.is_some()), (2, "blue", true));
    stands_by.end().unwrap();
}

#[test]
fn brokers_that_forgot_the_end_of_a_transaction_stop_nobody() {
    let scene = Scene::new("");
    scene.append("all", 0, "first");
    let (controller, worker) = (scene.controller("c1"), scene.worker());
    wait("the first record on its lane", || (scene.ends("blue") == 1).then_some(()));
    assert!(scene.ask(Verb::Hold).0);
    worker.end().unwrap();
    controller.end().unwrap();
    scene.broker.forget_end("route.r.workers.w", "route.r.workers", "all", 0);
    scene.broker.forget_end("route.r.controllers.leader", "route.r.controllers", "c.requests", 0);
    scene.append("all", 0, "second");
    let (_controller, _worker) = (scene.controller("c2"), scene.worker());
    scene.status("the next leader", |status| status.leader == "c2" && status.hold.is_some());
    wait("the second record on its lane", || (scene.ends("blue") == 2).then_some(()));
}

#[test]
fn a_lane_that_never_becomes_well_gets_no_records() {
    // Nobody listens at the discard port.
    let scene = Scene::new("http = \"http://127.0.0.1:9/\"\n");
    let _controller = scene.controller("c1");
    scene.status("green's health", |status| status.lanes.iter().any(|lane| lane.health.word() == "unwell"));
    let (accepted, words) = scene.ask(to("green"));
    assert!(!accepted && words.contains("green is unwell") && words.contains("force"), "{words}");
    assert_eq!(scene.status("a status", |_| true).lane, "blue");
    let (accepted, words) = scene.ask(to("purple"));
    assert!(!accepted && words.contains("no lane named purple"), "{words}");
}
