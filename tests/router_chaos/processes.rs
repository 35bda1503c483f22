//! The processes of the route, and what happens to them.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rustix::process::{Pid, Signal, kill_process};

use crate::load::PARTITIONS;

const FLOWDECK: &str = env!("CARGO_BIN_EXE_flowdeck");
const WORKERS: usize = 3;
const CONTROLLERS: usize = 2;

/// Chance that is the same for the same seed.
pub struct Random(pub u64);

impl Random {
    /// Below a number.
    pub const fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// A random moment: this test is about when things happen.
    pub fn wait(&mut self, longest_ms: u64) {
        std::thread::sleep(Duration::from_millis(self.below(longest_ms)));
    }
}

/// A route with topics of its own.
pub struct Route {
    pub broker: String,
    pub source: String,
    pub lanes: [String; 2],
    directory: tempfile::TempDir,
}

impl Route {
    /// Makes topics and spec.
    pub fn make() -> Self {
        let broker = std::env::var("STACK_KAFKA").expect("start this with tests/live/router_chaos");
        let name = format!("chaos-{}", std::process::id());
        let [source, blue, green] = ["source", "blue", "green"].map(|part| format!("{name}.{part}"));
        let directory = tempfile::tempdir().unwrap();
        let spec = format!(
            "name = {name:?}\nmode = \"split\"\n[source]\ntopic = {source:?}\n[[lane]]\nname = \"blue\"\ntopic = {blue:?}\n\
             [[lane]]\nname = \"green\"\ntopic = {green:?}\n[control]\ntopic = \"{name}.control\"\ninitial = \"blue\"\n\
             [checks]\nevery = \"1s\"\n[guard]\nhealthy_for = \"1s\"\n"
        );
        std::fs::write(directory.path().join("route.toml"), spec).unwrap();
        let route = Self { broker, source, lanes: [blue, green], directory };
        route.make_topics();
        let made = route.command(&["init"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        route
    }

    fn make_topics(&self) {
        let client: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &self.broker).create().unwrap();
        let names = [&self.source, &self.lanes[0], &self.lanes[1]];
        // The records carry timestamps of long ago, and no segment may go before it was looked at.
        let topic = |name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1)).set("retention.ms", "-1");
        let topics: Vec<NewTopic<'_>> = names.iter().map(|name| topic(name)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let results = runtime.block_on(client.create_topics(&topics, &AdminOptions::new())).unwrap();
        results.into_iter().for_each(|result| drop(result.unwrap()));
    }

    fn prepare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(FLOWDECK);
        command.args(["router"]).args(arguments).args(["--bootstrap", &self.broker, "--spec"]);
        command.arg(self.directory.path().join("route.toml")).env("HOME", self.directory.path());
        command
    }

    /// Runs a command of the router.
    pub fn command(&self, arguments: &[&str]) -> Output {
        self.prepare(arguments).output().unwrap()
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let words = OpenOptions::new().create(true).append(true).open(self.words()).unwrap();
        self.prepare(arguments).stderr(words).stdout(File::create("/dev/null").unwrap()).spawn().unwrap()
    }

    /// What the processes said.
    pub fn words(&self) -> PathBuf {
        let kept = std::env::var("FLOWDECK_CHAOS_WORDS").map(PathBuf::from);
        kept.unwrap_or_else(|_| self.directory.path().join("words"))
    }
}

/// One process, with what it was started by.
struct Process {
    arguments: Vec<String>,
    child: Child,
}

impl Process {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        // A zombie that was woken may have ended by itself, as it should.
        let _gone = kill_process(pid, signal);
    }

    fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Workers and controllers.
pub struct Fleet<'a> {
    route: &'a Route,
    processes: Vec<Process>,
    /// Stopped ones; their successors may be at work.
    zombies: Vec<Process>,
    stopped: Vec<usize>,
    broker_is_down: bool,
}

impl<'a> Fleet<'a> {
    /// Starts all.
    pub fn start(route: &'a Route) -> Self {
        let workers = (1..=WORKERS).map(|number| vec!["worker".into(), "--slot".into(), format!("w{number}")]);
        let controllers =
            (1..=CONTROLLERS).map(|number| vec!["controller".into(), "--name".into(), format!("c{number}")]);
        let start = |arguments| Self::launch(route, arguments);
        let processes = workers.chain(controllers).map(start).collect();
        Self { route, processes, zombies: Vec::new(), stopped: Vec::new(), broker_is_down: false }
    }

    fn launch(route: &Route, arguments: Vec<String>) -> Process {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let child = route.spawn(&words);
        Process { arguments, child }
    }

    fn again(&mut self, number: usize) {
        let arguments = self.processes[number].arguments.clone();
        self.processes[number].end();
        self.processes[number] = Self::launch(self.route, arguments);
    }

    /// Makes some trouble; answers what.
    pub fn trouble(&mut self, random: &mut Random, flip: u64) -> String {
        if Self::costs_the_broker(flip) {
            return "broker killed meanwhile".to_owned();
        }
        let number = usize::try_from(random.below((WORKERS + CONTROLLERS) as u64)).unwrap();
        let name = self.processes[number].arguments.join(" ");
        match random.below(4) {
            0 => "nothing".to_owned(),
            1 => {
                self.again(number);
                format!("{name} killed")
            }
            2 => {
                self.processes[number].signal(Signal::STOP);
                self.stopped.push(number);
                format!("{name} stopped")
            }
            _ => {
                self.processes[number].signal(Signal::STOP);
                let successor = Self::launch(self.route, self.processes[number].arguments.clone());
                self.zombies.push(std::mem::replace(&mut self.processes[number], successor));
                format!("{name} stopped and replaced")
            }
        }
    }

    /// What happens to it once it was asked for: without a broker nobody would hear the wish.
    pub fn strike(&mut self, flip: u64) {
        if Self::costs_the_broker(flip) {
            stack_ctl("kill");
            self.broker_is_down = true;
        }
    }

    const fn costs_the_broker(flip: u64) -> bool {
        flip.is_multiple_of(5)
    }

    /// Whether one is stopped that nobody replaces.
    pub const fn has_stopped(&self) -> bool {
        !self.stopped.is_empty()
    }

    /// Wakes what was stopped, zombies too; starts again what ended; restarts the broker.
    pub fn mend(&mut self) {
        if std::mem::take(&mut self.broker_is_down) {
            stack_ctl("start");
        }
        for zombie in &self.zombies {
            zombie.signal(Signal::CONT);
        }
        for number in std::mem::take(&mut self.stopped) {
            self.processes[number].signal(Signal::CONT);
        }
        // They have had their chance to do harm; the last two may still.
        let keep = self.zombies.len().saturating_sub(2);
        self.zombies.drain(..keep);
        for number in 0..self.processes.len() {
            if self.processes[number].child.try_wait().unwrap().is_some() {
                self.again(number);
            }
        }
    }
}

fn stack_ctl(verb: &str) {
    let tool = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stack/ctl");
    assert!(Command::new(tool).args(["kafka", verb]).status().unwrap().success());
}
