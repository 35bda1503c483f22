//! The running stack: its addresses, its tools, and settings that lead to it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Console, FLOWDECK};

/// Reads a variable of the stack's `env` file.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start the stack with tests/live/run"))
}

fn tool(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stack").join(name)
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {words}");
    String::from_utf8(output.stdout).unwrap()
}

fn ctl(component: &str, verb: &str) {
    run(Command::new(tool("ctl")).args([component, verb]));
}

/// A component that was killed; it comes back at the latest when this is dropped, so that a failed test does not
/// fail the next ones.
pub struct Killed(&'static str, bool);

impl Killed {
    /// Kills it.
    pub fn now(component: &'static str) -> Self {
        ctl(component, "kill");
        Self(component, true)
    }

    /// Starts it again.
    pub fn revive(mut self) {
        self.1 = false;
        ctl(self.0, "start");
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        if self.1 {
            ctl(self.0, "start");
        }
    }
}

/// Changes objects of the cluster.
pub fn stackctl(arguments: &[&str]) -> String {
    run(Command::new(variable("STACK_CTL")).args(arguments))
}

/// As the administrator.
pub fn kubectl(arguments: &[&str]) -> String {
    run(Command::new(variable("STACK_KUBECTL")).args(["--kubeconfig", &variable("STACK_KUBECONFIG")]).args(arguments))
}

/// Applies a manifest as the administrator.
pub fn apply(manifest: &str) {
    kubectl_with(&["apply", "-f", "-"], manifest);
}

/// As the administrator, with a text on standard input.
pub fn kubectl_with(arguments: &[&str], input: &str) {
    let mut child = Command::new(variable("STACK_KUBECTL"))
        .args(["--kubeconfig", &variable("STACK_KUBECONFIG")])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{arguments:?}: {input}");
}

/// One of Kafka's own tools, by its class.
pub fn kafka_tool(arguments: &[&str]) -> String {
    run(Command::new(tool("kafka-tool")).args(arguments))
}

/// Starts a job on the real Flink; answers its id.
pub fn flink_submit(kind: &str) -> String {
    run(Command::new(tool("flink-submit")).arg(kind)).trim().to_owned()
}

/// Asks until it holds.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    eventually_or(|| panic!("waited {PATIENCE:?} for {what}"), &mut ask)
}

/// The same; what is done when it never holds says what is wrong.
pub fn eventually_or<T>(give_up: impl FnOnce() -> T, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        if Instant::now() > deadline {
            return give_up();
        }
        breathe();
    }
}

/// How long a test waits for what must come: long, for a machine that has others to serve.
const PATIENCE: Duration = Duration::from_mins(3);

/// Checks it again and again for a while.
pub fn throughout(time: Duration, mut check: impl FnMut()) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        check();
        breathe();
    }
}

/// Between two questions: to ask without a pause would take a core from what is asked.
fn breathe() {
    std::thread::park_timeout(Duration::from_millis(5));
}

/// A namespace of one test, gone with it.
pub struct Namespace(pub String);

impl Namespace {
    /// Makes it.
    pub fn new(name: &str) -> Self {
        kubectl(&["create", "namespace", name]);
        Self(name.to_owned())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let mut delete = Command::new(variable("STACK_KUBECTL"));
        delete.args(["--kubeconfig", &variable("STACK_KUBECONFIG"), "delete", "namespace", &self.0, "--wait=false"]);
        if !std::thread::panicking() {
            run(&mut delete);
        }
    }
}

/// A settings file that leads to the stack.
pub struct Settings {
    directory: tempfile::TempDir,
}

impl Settings {
    /// For a kubeconfig, with namespaces, and with more lines for the environment.
    pub fn new(kubeconfig: &str, namespaces: &[&str], more: &str) -> Self {
        Self::named("live", kubeconfig, namespaces, more)
    }

    /// The same with the environment's name.
    pub fn named(environment: &str, kubeconfig: &str, namespaces: &[&str], more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            "[[environment]]\nname = {environment:?}\nkubeconfig = {kubeconfig:?}\nnamespaces = {namespaces:?}\n{more}\n"
        );
        std::fs::write(directory.path().join("flowdeck.toml"), text).unwrap();
        Self { directory }
    }

    /// For the administrator, with Kafka.
    pub fn admin(namespaces: &[&str]) -> Self {
        let more = format!("[environment.kafka]\nbootstrap = {:?}", variable("STACK_KAFKA"));
        Self::new(&variable("STACK_KUBECONFIG"), namespaces, &more)
    }

    /// The file.
    pub fn path(&self) -> String {
        self.directory.path().join("flowdeck.toml").to_string_lossy().into_owned()
    }

    /// Where commands run.
    pub fn folder(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Opens the console.
    pub fn console(&self, columns: u16, rows: u16) -> Console {
        let home = self.directory.path().to_string_lossy().into_owned();
        Console::start(&["--settings", &self.path()], &[("HOME", &home)], columns, rows)
    }

    /// Runs a command.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(FLOWDECK);
        command.args(["--settings", &self.path()]).args(arguments).env("HOME", self.directory.path());
        command.current_dir(self.directory.path()).output().unwrap()
    }

    /// Runs a command that prints JSON. Pipelines that `fill` made have no Flink behind them, and a command that
    /// asks for jobs says so with code 4; anything else is a failure.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let only_flink = words.lines().all(|line| line.contains("flink:"));
        let fine = output.status.success() || (output.status.code() == Some(4) && only_flink);
        assert!(fine, "{arguments:?}: {words}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}
