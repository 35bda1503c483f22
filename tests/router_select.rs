//! A route that selects: two copies write the same windows, and each window is told by one of them alone, across flips
//! that are asked for, and across one from a copy that died in the middle of a window. On the demo's broker, in this
//! process; under fire, on a real one, it is `select::` of the live tests.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "router_select/rows.rs"]
mod rows;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::Utc;
use flowdeck::demo::kafka::Broker;
use flowdeck::model::route::record::{Receipt, Verb};
use flowdeck::router::spec::Spec;
use flowdeck::router::{RouterError, ask, controller, worker};
use flowdeck::settings::KafkaSettings;
use flowdeck::source::kafka::{ClientProperties, client_properties};

use self::rows::{Copy, faults, read, runs};

const PATIENCE: Duration = Duration::from_mins(1);

struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), RouterError>>>,
}

impl Running {
    fn start(work: impl FnOnce(Arc<AtomicBool>) -> Result<(), RouterError> + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        Self { stop, thread: Some(std::thread::spawn(move || work(stopping))) }
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

struct Scene {
    _runtime: tokio::runtime::Runtime,
    broker: Broker,
    spec: Arc<Spec>,
    properties: ClientProperties,
}

impl Scene {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let broker = runtime.block_on(Broker::start("selecting")).unwrap();
        let partitions = u32::try_from(rows::PARTITIONS).unwrap();
        ["events", "blue", "green", "told"].into_iter().for_each(|topic| broker.create_topic(topic, partitions));
        ["c", "c.requests", "c.status", "c.receipts"].into_iter().for_each(|topic| broker.create_topic(topic, 1));
        let text = "name = \"r\"\nmode = \"select\"\n[source]\ntopic = \"events\"\n[destination]\ntopic = \"told\"\n\
                    [select]\nhold = \"20s\"\n[control]\ntopic = \"c\"\ninitial = \"blue\"\n[checks]\nevery = \"200ms\"\n[guard]\nhealthy_for = \"0s\"\n\
                    [[lane]]\nname = \"blue\"\ntopic = \"blue\"\n[[lane]]\nname = \"green\"\ntopic = \"green\"\n";
        let settings = KafkaSettings { bootstrap: Some(broker.address().to_string()), ..KafkaSettings::default() };
        let (spec, properties) = (Arc::new(Spec::parse(text).unwrap()), client_properties(&settings).unwrap());
        Self { _runtime: runtime, broker, spec, properties }
    }

    fn worker(&self, slot: &str) -> Running {
        let job = worker::Job { spec: self.spec.clone(), properties: self.properties.clone(), slot: slot.to_owned() };
        Running::start(move |stop| worker::run(&job, &Arc::new(worker::Gauge::new("r", &job.slot)), &stop))
    }

    fn controller(&self) -> Running {
        let job =
            controller::Job { spec: self.spec.clone(), properties: self.properties.clone(), name: "c".to_owned() };
        Running::start(move |stop| controller::run(&job, &stop, |_| {}))
    }

    /// Asks until it is granted, then waits for the receipt.
    fn flip(&self, verb: &Verb, before: usize) -> Receipt {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = ask::request(&self.spec, verb.clone(), ("ann", "release"), Utc::now());
            match ask::ask(&self.properties, &self.spec, &request, PATIENCE) {
                Ok(answer) if answer.accepted => break,
                refused => assert!(Instant::now() < deadline, "{refused:?}"),
            }
        }
        loop {
            let (receipts, _) = ask::receipts(&self.properties, &self.spec).unwrap();
            if receipts.len() > before {
                return receipts.last().unwrap().clone();
            }
            assert!(Instant::now() < deadline, "no receipt");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

fn wait(what: &str, look: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !look() {
        assert!(Instant::now() < deadline, "waited for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn each_window_is_told_by_one_lane_across_flips_and_a_death() {
    let scene = Scene::new();
    let broker = scene.broker.address().to_string();
    let began = Instant::now();
    let blue = Copy::start(&broker, ("blue", "blue"), began, (0, 0));
    // It is a little later with everything, as copies are.
    let green = Copy::start(&broker, ("green", "green"), began, (0, 3));
    let _controller = scene.controller();
    let (_first, second) = (scene.worker("w1"), scene.worker("w2"));
    wait("some windows", || green.written() > 20);
    let to = |lane: &str| Verb::Flip { to: lane.to_owned() };
    let receipt = scene.flip(&to("green"), 0);
    println!("{receipt:?}");
    assert_eq!((receipt.audit.lost, receipt.audit.duplicated, receipt.audit.reordered), (0, 0, 0));
    assert!(receipt.audit.unmeasured.is_none() && receipt.audit.compared > 0, "{receipt:?}");
    wait("some windows", || green.written() > 60);
    // A worker goes; the other one goes on where it was.
    drop(second);
    let receipt = scene.flip(&to("blue"), 1);
    println!("{receipt:?}");
    assert_eq!((receipt.audit.lost, receipt.audit.duplicated, receipt.audit.reordered), (0, 0, 0));
    wait("some windows", || blue.written() > 120);
    // Blue dies in the middle of a window; green is told from there on, and what is missing before.
    let died = blue.stop();
    wait("some windows more", || green.written() > died + 30);
    let receipt = scene.flip(&Verb::Force { to: "green".to_owned() }, 2);
    println!("{receipt:?}");
    assert_eq!((receipt.audit.lost, receipt.audit.duplicated, receipt.audit.reordered), (0, 0, 0));
    let seen = green.written() + 20;
    wait("some windows more", || green.written() > seen);
    let end = green.stop();
    wait("the last window", || read(&broker, "told").keys().next_back().is_some_and(|(window, _)| *window >= end - 1));
    wait("all of it", || faults(&read(&broker, "told"), end).is_empty() || began.elapsed() > PATIENCE);
    let told = read(&broker, "told");
    let faults = faults(&told, end);
    assert!(faults.is_empty(), "{} faults: {:#?}", faults.len(), faults.iter().take(5).collect::<Vec<_>>());
    let runs = runs(&told, end);
    println!("{end} windows told by {runs:?}");
    let lanes: Vec<&str> = runs.iter().map(|(lane, _, _)| lane.as_str()).filter(|lane| *lane != "mixed").collect();
    assert_eq!(lanes, ["blue", "green", "blue", "green"]);
    assert!(runs.iter().filter(|run| run.0 == "mixed").all(|(_, from, to)| to - from <= 2), "{runs:?}");
}
