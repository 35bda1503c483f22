//! A deployment without downtime, on the real API server and the real broker: the route's own processes, two copies of a
//! pipeline, and a health address of the new copy that the test answers for.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value, json};

use crate::deploy::{Reconciler, done, file, items, report};
use crate::stack::{Namespace, Settings, eventually, variable};

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
        let namespace = Namespace::new(name);
        let operator = Reconciler::of(&namespace.0);
        let green = Health::serve();
        let route = format!("{name}-{}", std::process::id());
        let broker = variable("STACK_KAFKA");
        let [source, blue, topic] = ["source", "blue", "green"].map(|part| format!("{route}.{part}"));
        let text = format!(
            "name = {route:?}\nmode = \"split\"\n[source]\ntopic = {source:?}\n[[lane]]\nname = \"blue\"\ntopic = {blue:?}\n\
             pipeline = \"em-blue\"\n[[lane]]\nname = \"green\"\ntopic = {topic:?}\npipeline = \"em-green\"\nhttp = {:?}\n\
             [control]\ntopic = \"{route}.control\"\ninitial = \"blue\"\n[checks]\nevery = \"1s\"\n\
             [guard]\nhealthy_for = \"1s\"\nunhealthy_for = \"2s\"\ncooldown = \"1s\"\n\
             [rollout]\npatience = \"2m\"\nbake = \"4s\"\n",
            green.address
        );
        let (folder, spec) = file(&text);
        make_topics(&broker, &[source, blue, topic]);
        let more = format!(
            "routes = [{spec:?}]\n[environment.kafka]\nbootstrap = {broker:?}\n[environment.deploy]\n\
             image = \"registry.example.com/{{artifact}}:{{revision}}\"\nstate = \"s3://state/{{namespace}}/{{processor}}\"\n"
        );
        let settings = Settings::named("qal", &variable("STACK_KUBECONFIG"), &[&namespace.0], &more);
        let mut stage =
            Self { settings, namespace, green, spec, processes: Vec::new(), _operator: operator, files: vec![folder] };
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
