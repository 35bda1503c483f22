//! A deployment without downtime, on the real API server and the real broker: the route's own processes, two copies of a
//! pipeline, and a health address of the new copy that the test answers for.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flowdeck::engine::contract::{self, Written};
use flowdeck::engine::totals::Totals;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::deploy::{Reconciler, done, file, items, report};
use crate::stack::{Namespace, Settings, eventually, variable};

/// By which the lanes count.
const SIGNALS: &str = "name = 'lanes'\n[source]\nformat = 'json'\ntime = { field = 'ts', unit = 'ms' }\n\
                       latency = { field = 'us', unit = 'us' }\n[key]\nservice = 'svc'\n\
                       [expressions]\nhealth = 'availability < 90.0 ? 3 : 0'\n";

/// A final row of a window, as an engine writes it.
fn row(service: &str, (window, revision): (i64, u32), (requests, errors): (u64, u64)) -> String {
    let mut totals = Totals::default();
    (0..requests).for_each(|number| totals.add(number < errors, 1_000 + number));
    let spec = flowdeck::engine::spec::Spec::parse(SIGNALS).unwrap();
    let (key, spec_sha) = (&format!("{service}||{}", window * spec.window.size.millis()), &contract::sha(&spec));
    let (totals, engine, part) = (&totals, "test/1", None);
    let row =
        Written { totals, key, spec_sha, revision, is_final: true, late_policy: "revise", engine, part, health: 0 };
    serde_json::to_string(&row).unwrap()
}

/// Answers 200 while it is told to, else 503.
struct Health {
    address: String,
    is_well: Arc<AtomicBool>,
}

impl Health {
    fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/health", listener.local_addr().unwrap());
        let is_well = Arc::new(AtomicBool::new(false));
        let told = is_well.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut asked = [0; 1_024];
                drop(stream.read(&mut asked));
                let status = if told.load(Ordering::Relaxed) { "200 OK" } else { "503 Service Unavailable" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                drop(stream.write_all(answer.as_bytes()));
            }
        });
        Self { address, is_well }
    }

    fn say(&self, is_well: bool) {
        self.is_well.store(is_well, Ordering::Relaxed);
    }
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A route with its processes, and two copies of a pipeline of which blue runs.
struct Stage {
    settings: Settings,
    namespace: Namespace,
    green: Health,
    spec: String,
    /// Name of the route, and beginning of its topics' names.
    route: String,
    processes: Vec<Process>,
    _operator: Reconciler,
    files: Vec<tempfile::TempDir>,
}

fn manifest(lane: &str) -> String {
    format!(
        "apiVersion: flowdeck.dev/v1\nkind: Pipeline\nmetadata: {{name: em-{lane}, team: data}}\nspec:\n  \
         environments: [qal]\n  processors:\n  - {{name: em-{lane}, artifact: 'com.example:em:1.0.0', replicas: 2, cpu: 1, \
         memory: 1Gi}}\n"
    )
}

impl Stage {
    fn set(name: &str) -> Self {
        Self::set_with(name, "", ["", ""])
    }

    /// With more in the spec, and in its lanes.
    fn set_with(name: &str, more_spec: &str, more_lanes: [&str; 2]) -> Self {
        let namespace = Namespace::new(name);
        let operator = Reconciler::of(&namespace.0);
        let green = Health::serve();
        let route = format!("{name}-{}", std::process::id());
        let broker = variable("STACK_KAFKA");
        let [source, blue, topic] = ["source", "blue", "green"].map(|part| format!("{route}.{part}"));
        let [more_blue, more_green] = more_lanes.map(|more| more.replace("ROUTE", &route));
        let more_spec = more_spec.replace("ROUTE", &route);
        let text = format!(
            "name = {route:?}\nmode = \"split\"\n[source]\ntopic = {source:?}\n[[lane]]\nname = \"blue\"\ntopic = {blue:?}\n\
             pipeline = \"em-blue\"\n{more_blue}\n[[lane]]\nname = \"green\"\ntopic = {topic:?}\npipeline = \"em-green\"\nhttp = {:?}\n{more_green}\n\
             [control]\ntopic = \"{route}.control\"\ninitial = \"blue\"\n[checks]\nevery = \"1s\"\nfreshness = \"10m\"\n\
             [guard]\nhealthy_for = \"1s\"\nunhealthy_for = \"2s\"\ncooldown = \"1s\"\n\
             [rollout]\npatience = \"2m\"\nbake = \"4s\"\n{more_spec}\n",
            green.address
        );
        let (folder, spec) = file(&text);
        std::fs::write(folder.path().join("signals.toml"), SIGNALS).unwrap();
        let rows = ["blue.rows", "green.rows", "platform"].map(|part| format!("{route}.{part}"));
        make_topics(&broker, &[&[source, blue, topic][..], &rows[..]].concat());
        let more = format!(
            "routes = [{spec:?}]\n[environment.kafka]\nbootstrap = {broker:?}\n[environment.deploy]\n\
             image = \"registry.example.com/{{artifact}}:{{revision}}\"\nstate = \"s3://state/{{namespace}}/{{processor}}\"\n"
        );
        let settings = Settings::named("qal", &variable("STACK_KUBECONFIG"), &[&namespace.0], &more);
        let mut stage = Self {
            settings,
            namespace,
            green,
            spec,
            route,
            processes: Vec::new(),
            _operator: operator,
            files: vec![folder],
        };
        assert!(stage.router(&["init"]).status().unwrap().success());
        for lane in ["blue", "green"] {
            let (folder, path) = file(&manifest(lane));
            done(&stage.settings, &["apply", "-f", &path, "--yes", "--wait"]);
            stage.files.push(folder);
        }
        done(&stage.settings, &["stop", "em-green", "--yes", "--wait"]);
        for words in [&["controller"][..], &["worker", "--slot", "one"]] {
            let process = stage.router(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            stage.processes.push(Process(process));
        }
        eventually("a leading controller", || {
            stage.router(&["status"]).output().unwrap().status.success().then_some(())
        });
        stage
    }

    fn router(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowdeck"));
        command.arg("router").args(arguments).args(["--bootstrap", &variable("STACK_KAFKA"), "--spec", &self.spec]);
        command.env("HOME", self.settings.folder());
        command
    }

    fn begin(&self) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowdeck"));
        command.args(["--settings", &self.settings.path(), "rollout", "em-green", "--yes"]);
        command.env("HOME", self.settings.folder()).stdout(Stdio::null()).stderr(Stdio::null());
        Process(command.spawn().unwrap())
    }

    fn status(&self) -> Value {
        let output = self.settings.command(&["rollout", "em-green", "--status"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Waits until the rollout is at a step.
    fn until(&self, stage: &str) {
        eventually(&format!("the step {stage}"), || (self.status()["stage"] == stage).then_some(()));
    }

    /// Writes to a topic of the route.
    fn write(&self, topic: &str, values: impl Iterator<Item = String>) {
        let producer: ThreadedProducer<DefaultProducerContext> =
            ClientConfig::new().set("bootstrap.servers", variable("STACK_KAFKA")).create().unwrap();
        let topic = format!("{}.{topic}", self.route);
        for (number, value) in values.enumerate() {
            let record = BaseRecord::<str, str>::to(&topic).partition(i32::from(number % 2 == 1)).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(std::time::Duration::from_secs(30)).unwrap();
    }

    /// Records in a topic of the route that readers of whole transactions see.
    fn count(&self, topic: &str) -> usize {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", variable("STACK_KAFKA"))
            .set("group.id", "rollout-count")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut places = TopicPartitionList::new();
        for partition in 0..2 {
            let topic = format!("{}.{topic}", self.route);
            places.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&places).unwrap();
        let (mut count, mut ended) = (0, 0);
        while ended < 2 {
            match consumer.poll(std::time::Duration::from_secs(30)).unwrap() {
                Ok(_) => count += 1,
                Err(KafkaError::PartitionEOF(_)) => ended += 1,
                Err(error) => println!("{topic}: {error}"),
            }
        }
        count
    }

    fn route(&self) -> Value {
        serde_json::from_slice(&self.router(&["status", "-o", "json"]).output().unwrap().stdout).unwrap_or_default()
    }

    /// Waits until so many records of the source are routed.
    fn settle(&self, total: i64) {
        eventually(&format!("{total} records routed"), || {
            let partitions = self.route()["partitions"].as_array().cloned().unwrap_or_default();
            let routed: i64 = partitions.iter().filter_map(|it| it["routed"].as_i64()).sum();
            (routed == total).then_some(())
        });
    }

    /// The active lane, and which copies are meant to run.
    fn world(&self) -> (Value, Vec<Value>) {
        let status: Value =
            serde_json::from_slice(&self.router(&["status", "-o", "json"]).output().unwrap().stdout).unwrap();
        let states =
            items(&self.namespace.0, "flinkdeployments").into_iter().map(|it| it["spec"]["job"]["state"].clone());
        (status["lane"].clone(), states.collect())
    }
}

fn make_topics(broker: &str, names: &[String]) {
    let client: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
    let topics: Vec<NewTopic<'_>> =
        names.iter().map(|name| NewTopic::new(name, 2, TopicReplication::Fixed(1))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = runtime.block_on(client.create_topics(&topics, &AdminOptions::new())).unwrap();
    made.into_iter().for_each(|made| drop(made.unwrap()));
}

#[test]
fn a_new_copy_gets_the_traffic_step_by_step_and_goes_on_after_a_crash() {
    let stage = Stage::set("rollout");
    // While green is unwell nothing but its start is done; whoever is at it is killed, and the next one goes on.
    let first = stage.begin();
    stage.until("warm-up");
    assert_eq!(stage.world(), (json!("blue"), vec![json!("running"), json!("running")]));
    drop(first);
    stage.green.say(true);
    let rolled = done(&stage.settings, &["rollout", "em-green", "--yes"]);
    let steps: Vec<&str> = rolled["steps"].as_array().unwrap().iter().map(|it| it["step"].as_str().unwrap()).collect();
    let told = |step: &str| steps.iter().position(|it| *it == step).unwrap_or_else(|| panic!("no {step} in {steps:?}"));
    let order = ["go on", "warm up", "compare", "flip", "bake", "retire", "done"].map(told);
    assert!(order.is_sorted(), "{steps:?}");
    assert_eq!(stage.world(), (json!("green"), vec![json!("suspended"), json!("running")]));
    assert_eq!(stage.status()["stage"], "done");
    let receipts: Value =
        serde_json::from_slice(&stage.router(&["receipts", "-o", "json"]).output().unwrap().stdout).unwrap();
    assert_eq!(receipts.as_array().unwrap().len(), 1, "{receipts:#}");
    let (code, again, words) = report(&stage.settings, &["rollout", "em-green", "--yes"]);
    let said = format!("{words}{}", again["message"]);
    assert!(code == 7 && said.contains("has the traffic already"), "{code} {said}");
}

#[test]
fn a_rollout_is_taken_back_before_and_after_the_flip() {
    let stage = Stage::set("aborted");
    let first = stage.begin();
    stage.until("warm-up");
    drop(first);
    done(&stage.settings, &["rollout", "em-green", "--abort", "--yes"]);
    assert_eq!(stage.world(), (json!("blue"), vec![json!("running"), json!("suspended")]));
    let (code, _, words) = report(&stage.settings, &["rollout", "em-green", "--abort", "--yes"]);
    assert!(code == 3 && words.contains("no rollout of em-green is under way"), "{code} {words}");

    // Behind the flip; and whoever was at it finds out that somebody else is.
    stage.green.say(true);
    let mut second = stage.begin();
    stage.until("bake");
    done(&stage.settings, &["rollout", "em-green", "--abort", "--yes"]);
    assert!(!second.0.wait().unwrap().success());
    assert_eq!(stage.world(), (json!("blue"), vec![json!("running"), json!("suspended")]));
    assert_eq!(stage.status()["stage"], "aborted");
}

#[test]
fn lanes_that_differ_are_not_changed_and_the_numbers_are_told() {
    let compare = "[compare]\nsignals = \"signals.toml\"\n";
    let lanes = ["output = \"ROUTE.blue.rows\"", "output = \"ROUTE.green.rows\""];
    let stage = Stage::set_with("compared", compare, lanes);
    let rows = |less: u64| {
        (0..12).map(move |window| row("orders", (window, 1), (100 - if window == 9 { less } else { 0 }, 3)))
    };
    stage.green.say(true);
    stage.write("blue.rows", rows(0));
    stage.write("green.rows", rows(1));
    stage.write("source", (0..500).map(|number| format!("before {number}")));
    stage.settle(500);
    let (code, failed, words) = report(&stage.settings, &["rollout", "em-green", "--yes"]);
    let message = failed["message"].as_str().unwrap();
    assert_eq!(code, 1, "{words} {failed:#}");
    assert!(message.contains("the lanes differ: 1 of 3 rows of 3 windows differ: orders "), "{message}");
    assert!(message.contains("100 requests in blue, 99 in green"), "{message}");
    assert_eq!((&stage.world().0, &stage.route()["shadow"]), (&json!("blue"), &json!("green")));

    // While it is compared it gets every record too; the other way to flip is refused as well.
    stage.write("source", (0..500).map(|number| format!("meanwhile {number}")));
    stage.settle(1_000);
    let asked = stage.router(&["flip", "--to", "green", "--why", "test", "--who", "test"]).output().unwrap();
    let words = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(words.contains("refused: green still gets every record too"), "{words}");

    // Once they say the same it goes on where it stopped.
    stage.write("green.rows", std::iter::once(row("orders", (9, 2), (100, 3))));
    eventually("that they say the same", || (stage.route()["comparison"]["health"] == "well").then_some(()));
    done(&stage.settings, &["rollout", "em-green", "--yes"]);
    stage.write("source", (0..500).map(|number| format!("behind {number}")));
    stage.settle(1_500);
    assert_eq!((stage.count("blue"), stage.count("green")), (1_000, 1_000));
    let receipts: Value =
        serde_json::from_slice(&stage.router(&["receipts", "-o", "json"]).output().unwrap().stdout).unwrap();
    let audit = &receipts[0]["audit"];
    assert_eq!(
        (&audit["lost"], &audit["duplicated"], &audit["unmeasured"]),
        (&json!(0), &json!(0), &Value::Null),
        "{receipts:#}"
    );
}

#[test]
fn a_lane_is_as_well_as_the_golden_signals_of_its_pipeline() {
    let health = "[health]\nsignals = \"signals.toml\"\ntopic = \"ROUTE.platform\"\n";
    let stage = Stage::set_with("signals", health, ["service = \"em-blue\"", ""]);
    let check = |health: &str, words: &str| {
        eventually(&format!("blue {health}"), || {
            let blue = &stage.route()["lanes"][0];
            let found = blue["checks"].as_array()?.iter().find(|check| check["name"] == "signals").cloned()?;
            let is_it = found["health"] == health && found["words"].as_str()?.contains(words);
            (is_it && blue["health"] == health).then_some(())
        });
    };
    check("unknown", "0 of 2 windows of em-blue were seen");
    stage.write("platform", (0..5).map(|window| row("em-blue", (window, 1), (100, 3))));
    check("well", "em-blue is 0 of 3, 97.00 % available");
    stage.write("platform", (5..7).map(|window| row("em-blue", (window, 1), (100, 50))));
    check("unwell", "3 or worse in 2 windows");
}
