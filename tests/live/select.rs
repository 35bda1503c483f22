//! A route that selects, on the real broker, with its processes killed, stopped and woken as zombies around every flip, and
//! with copies that die in the middle of a window: each window of each service is told for good exactly once.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use self::rows::{Copy, PARTITIONS, faults, read, runs};
use crate::stack::{eventually, variable};

#[path = "../router_select/rows.rs"]
mod rows;

struct Process(Vec<String>, Child);

impl Process {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.1.id()).unwrap()).unwrap();
        // One that was fenced has ended by itself, as it should.
        let _gone = kill_process(pid, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.1.kill());
        drop(self.1.wait());
    }
}

struct Route {
    name: String,
    broker: String,
    folder: tempfile::TempDir,
}

impl Route {
    fn make() -> Self {
        let (name, broker) = (format!("select-{}", std::process::id()), variable("STACK_KAFKA"));
        let client: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &broker).create().unwrap();
        let names = ["events", "blue", "green", "told"].map(|part| format!("{name}.{part}"));
        let topic = |name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1)).set("retention.ms", "-1");
        let topics: Vec<NewTopic<'_>> = names.iter().map(|name| topic(name)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(client.create_topics(&topics, &AdminOptions::new())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let spec = format!(
            "name = {name:?}\nmode = \"select\"\n[source]\ntopic = \"{name}.events\"\n[destination]\ntopic = \"{name}.told\"\n\
             [select]\nhold = \"60s\"\n[control]\ntopic = \"{name}.control\"\ninitial = \"blue\"\n[checks]\nevery = \"1s\"\n\
             [guard]\nhealthy_for = \"0s\"\n[[lane]]\nname = \"blue\"\ntopic = \"{name}.blue\"\n\
             [[lane]]\nname = \"green\"\ntopic = \"{name}.green\"\n"
        );
        std::fs::write(folder.path().join("route.toml"), spec).unwrap();
        let route = Self { name, broker, folder };
        let made = route.prepare(&["init"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        route
    }

    fn prepare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowdeck"));
        command.arg("router").args(arguments).args(["--bootstrap", &self.broker, "--spec"]);
        command.arg(self.folder.path().join("route.toml")).env("HOME", self.folder.path());
        command
    }

    fn start(&self, arguments: &[&str]) -> Process {
        let child = self.prepare(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Process(arguments.iter().map(|word| (*word).to_owned()).collect(), child)
    }

    fn again(&self, process: &mut Process) {
        let arguments: Vec<String> = process.0.clone();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        *process = self.start(&words);
    }

    fn ask(&self, verb: &str, to: &str) -> u64 {
        eventually(&format!("{verb} to {to}"), || {
            let output =
                self.prepare(&[verb, "--to", to, "--why", "test", "--who", "test", "-o", "json"]).output().unwrap();
            let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
            let found = answer["epoch"].as_u64();
            // An earlier wish was heard, and its answer was not.
            let on_its_way = || answer["words"].as_str().is_some_and(|words| words.contains("on its way"));
            found.or_else(|| on_its_way().then_some(0))
        })
    }

    fn receipts(&self) -> Vec<Value> {
        let output = self.prepare(&["receipts", "-o", "json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn receipt(&self, count: usize) -> Value {
        eventually(&format!("receipt {count}"), || self.receipts().get(count - 1).cloned())
    }
}

#[test]
fn each_window_is_told_once_while_workers_controllers_and_copies_die() {
    let route = Route::make();
    let topic = |part: &str| format!("{}.{part}", route.name);
    let began = Instant::now();
    let start = |lane: &'static str, place| Copy::start(&route.broker, (lane, &topic(lane)), began, place);
    let (mut copies, mut died) = ([Some(start("blue", (0, 0))), Some(start("green", (0, 4)))], Vec::new());
    let mut processes = [["worker", "--slot", "w1"], ["worker", "--slot", "w2"], ["controller", "--name", "c1"]]
        .map(|arguments| route.start(&arguments));
    let _standing_by = route.start(&["controller", "--name", "c2"]);
    let mut zombies = Vec::new();
    let written = |copies: &[Option<Copy>; 2], lane: usize| copies[lane].as_ref().map_or(0, Copy::written);
    for number in 0..8_usize {
        let (to, other) = ((number + 1) % 2, number % 2);
        let (lane, before) = (["blue", "green"][to], written(&copies, to));
        eventually("more windows", || (written(&copies, to) > before + 15).then_some(()));
        // Every other time the active copy dies first, in mid-window, and is written anew afterwards, from the first event on.
        let dies = number % 2 == 1;
        if dies {
            died.push(copies[other].take().unwrap().stop());
        }
        let victim = number % 3;
        if number % 4 == 2 {
            processes[victim].signal(Signal::STOP);
            let successor = route.start(&processes[victim].0.iter().map(String::as_str).collect::<Vec<_>>());
            zombies.push(std::mem::replace(&mut processes[victim], successor));
        }
        route.ask(if dies { "force" } else { "flip" }, lane);
        if number % 4 != 2 {
            processes[victim].signal(Signal::KILL);
            route.again(&mut processes[victim]);
        }
        let receipt = route.receipt(number + 1);
        zombies.iter().for_each(|zombie| zombie.signal(Signal::CONT));
        println!(
            "{} to {lane}: {} ms, gap {} ms, audit {}",
            receipt["cause"], receipt["acknowledged_after_ms"], receipt["gap_ms"], receipt["audit"]
        );
        assert_eq!(receipt["to"], lane);
        assert_eq!(receipt["within_sla"], true);
        for what in ["lost", "duplicated", "reordered"] {
            assert_eq!(receipt["audit"][what], 0, "{receipt}");
        }
        if dies {
            // It comes back from its last checkpoint, and writes some windows again.
            let at = died.pop().unwrap();
            println!("{} had died after window {at}", ["blue", "green"][other]);
            copies[other] = Some(start(["blue", "green"][other], (at - 3, 2)));
        }
    }
    let seen = written(&copies, 0) + 20;
    eventually("the last windows", || (written(&copies, 0) > seen).then_some(()));
    let ends = copies.map(|copy| copy.unwrap().stop());
    let end = ends[0].min(ends[1]) - 1;
    let told = eventually("all of it", || {
        let told = read(&route.broker, &topic("told"));
        let is_done = faults(&told, end).is_empty() || began.elapsed() > Duration::from_mins(4);
        is_done.then_some(told)
    });
    let faults = faults(&told, end);
    let runs = runs(&told, end);
    println!("{end} windows, {} rows told by {runs:?}", told.values().map(Vec::len).sum::<usize>());
    assert!(faults.is_empty(), "{} faults: {:#?}", faults.len(), faults.iter().take(5).collect::<Vec<_>>());
}
