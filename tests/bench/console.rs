//! What the console costs: one JSON object a line with `name`, `value`, `unit` and the `bound` that it must keep.
//!
//! The built binary runs in a pseudo-terminal against a real API server with 200 pipelines and 5,000 pods
//! (`tests/stack`; started here when it is not running yet), so that what is measured is what a user waits for.
//! Only the cost of one frame is measured in-process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck::app::{self, Options, State};
use flowdeck::event::Event;
use flowdeck::model::change::{Change, Kind, Scope, ScopeState};
use flowdeck::model::environment::Environment;
use flowdeck::model::key::ObjectKey;
use flowdeck::model::pod::{Pod, PodHealth, Role};
use flowdeck::ui::{self, Colours, Theme};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use support::Console;

const PIPELINES: usize = 200;
const PODS_EACH: usize = 25;
const CHURN_PER_SECOND: &str = "1000";

fn main() {
    frame();
    let stack = Stack::ensure();
    let variables = [("HOME", stack.home.path().to_str().unwrap())];
    let arguments = ["--kubeconfig", stack.kubeconfig.as_str(), "-n", "bench"];
    first_frame(&arguments, &variables);
    stack.fill();
    let mut console = complete(&arguments, &variables);
    idle(&arguments, &variables);
    busy(&stack, &arguments, &variables, &mut console);
    report("resident memory with 5,000 pods after the churn", resident_mib(&console), "MiB", 80.0);
}

fn report(name: &str, value: f64, unit: &str, bound: f64) {
    let line = serde_json::json!({ "name": name, "value": (value * 1_000.0).round() / 1_000.0, "unit": unit, "bound": bound, "kept": value <= bound });
    println!("{line}");
}

fn percentile(samples: &mut [Duration], percent: usize) -> f64 {
    samples.sort_unstable();
    let index = (samples.len() * percent).div_ceil(100).clamp(1, samples.len()) - 1;
    samples[index].as_secs_f64() * 1_000.0
}

/// From exec to the first drawn line, with a server that does not answer yet.
fn first_frame(arguments: &[&str], variables: &[(&str, &str)]) {
    let mut samples: Vec<Duration> = (0..21)
        .map(|_| {
            let mut console = Console::start(arguments, variables, 80, 24);
            console.sees("flowdeck");
            let took = console.since_start();
            console.press("q");
            console.ends();
            took
        })
        .collect();
    report("first frame after exec, median of 21", percentile(&mut samples, 50), "ms", 50.0);
}

/// From exec until every pod of every pipeline is on screen.
fn complete(arguments: &[&str], variables: &[(&str, &str)]) -> Console {
    let mut samples = Vec::new();
    let mut last = None;
    for _ in 0..5 {
        drop(last.take());
        let mut console = Console::start(arguments, variables, 200, 60);
        let summed = format!("{PIPELINES} pipelines");
        let rows = format!("{PODS_EACH}/{PODS_EACH}");
        console.until("all rows", |screen| screen.contains(&summed) && screen.matches(&rows).count() >= 45);
        samples.push(console.since_start());
        last = Some(console);
    }
    report(
        "rows complete, 200 pipelines with 5,000 pods, median of 5",
        percentile(&mut samples, 50) / 1_000.0,
        "s",
        1.5,
    );
    let mut console = last.unwrap();
    console.watch(Duration::from_secs(2));
    report("resident memory with 5,000 pods", resident_mib(&console), "MiB", 80.0);
    console
}

fn idle(arguments: &[&str], variables: &[(&str, &str)]) {
    let mut console = Console::start(arguments, variables, 80, 24);
    console.sees("PIPELINE");
    console.watch(Duration::from_secs(5));
    let bytes = console.watch(Duration::from_secs(10));
    report("idle 80x24 screen", bytes as f64 / 10.0 / 1_000.0, "kB/s", 1.0);
}

/// While pods change as fast as the API server takes it, up to 1,000 a second: keys first, then bytes.
fn busy(stack: &Stack, arguments: &[&str], variables: &[(&str, &str)], console: &mut Console) {
    let mut small = Console::start(arguments, variables, 80, 24);
    small.sees("PIPELINE");
    small.watch(Duration::from_secs(2));
    let mut churn = stack.churn("40");
    console.watch(Duration::from_secs(2));
    let mut samples: Vec<Duration> = Vec::new();
    for step in 0..300 {
        let before = selected(&console.screen());
        console.press(if step % 40 < 20 { "j" } else { "k" });
        let pressed = Instant::now();
        console.until("the selection moves", |screen| selected(screen) != before);
        samples.push(pressed.elapsed());
        console.watch(Duration::from_millis(20));
    }
    report(
        "key to frame at 200x60 while up to 1,000 pod changes a second are asked of the API server, median",
        percentile(&mut samples, 50),
        "ms",
        16.0,
    );
    report(
        "key to frame at 200x60 while up to 1,000 pod changes a second are asked of the API server, p99",
        percentile(&mut samples, 99),
        "ms",
        16.0,
    );
    small.watch(Duration::from_secs(1));
    let bytes = small.watch(Duration::from_secs(10));
    report("busy 80x24 screen", bytes as f64 / 10.0 / 1_000.0, "kB/s", 10.0);
    churn.kill().ok();
    churn.wait().ok();
}

/// The line under the cursor.
fn selected(screen: &str) -> Option<usize> {
    screen.lines().position(|line| line.starts_with('▸'))
}

fn resident_mib(console: &Console) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", console.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib / 1_024.0
}

/// One pod changes, then the whole screen is drawn: what a busy cluster asks for, over and over.
fn frame() {
    let now = chrono::Utc::now();
    let mut state = State::new(Options { now, size: (200, 60) });
    let pods = (0..PIPELINES * PODS_EACH).map(|number| Change::Pod(Box::new(pod(number, 0, now))));
    app::update(&mut state, Event::Changed(environment()));
    app::update(&mut state, Event::Changed(pods.collect()));
    let theme = Theme::new(Colours::Full, false);
    let mut terminal = Terminal::with_options(
        CrosstermBackend::new(std::io::sink()),
        ratatui::TerminalOptions { viewport: ratatui::Viewport::Fixed(ratatui::layout::Rect::new(0, 0, 200, 60)) },
    )
    .unwrap();
    let mut samples: Vec<Duration> = (0..500_u32)
        .map(|round| {
            let begun = Instant::now();
            let changed = pod(usize::try_from(round).unwrap() * 17 % (PIPELINES * PODS_EACH), round, now);
            app::update(&mut state, Event::Changed(vec![Change::Pod(Box::new(changed))]));
            terminal.draw(|frame| ui::draw(&state, &theme, frame)).unwrap();
            begun.elapsed()
        })
        .collect();
    report("update and frame at 200x60 with 5,000 pods, median of 500", percentile(&mut samples, 50), "ms", 2.0);
}

fn environment() -> Vec<Change> {
    let name: Arc<str> = "bench".into();
    let environment = Environment {
        name: name.clone(),
        context: "bench".into(),
        server: "https://127.0.0.1".into(),
        namespaces: Vec::new(),
        protection: flowdeck::model::environment::Protection::Open,
        kafka: None,
        objects: None,
        links: Vec::new(),
    };
    let scope = Scope { environment: name, namespace: None, kind: Kind::Pods };
    vec![Change::Environment(Box::new(environment)), Change::Scope(scope, ScopeState::Live)]
}

fn pod(number: usize, restarts: u32, now: flowdeck::model::Time) -> Pod {
    let pipeline = format!("pipeline-{:03}", number / PODS_EACH);
    let index = number % PODS_EACH;
    Pod {
        key: ObjectKey::new("bench", "bench", format!("{pipeline}-taskmanager-1-{index}")),
        processor: ObjectKey::new("bench", "bench", pipeline),
        pipeline: None,
        role: if index == 0 { Role::JobManager } else { Role::TaskManager },
        status: "Running".into(),
        message: None,
        health: PodHealth::Ready,
        ready: 1,
        containers: vec!["flink-main-container".into()],
        restarts,
        last_termination: None,
        node: Some("node-1".into()),
        address: Some("10.0.0.1".into()),
        created_at: Some(now),
        cpu_limit_millis: Some(1_000),
        memory_limit_bytes: Some(1 << 30),
    }
}

/// The real API server.
struct Stack {
    home: tempfile::TempDir,
    kubeconfig: String,
    tools: PathBuf,
    started_here: bool,
}

impl Stack {
    fn ensure() -> Self {
        let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stack");
        let home = tempfile::tempdir().unwrap();
        if let Ok(kubeconfig) = std::env::var("STACK_KUBECONFIG") {
            return Self { home, kubeconfig, tools, started_here: false };
        }
        let up = Command::new(tools.join("up")).arg("kubernetes").stdout(Stdio::null()).status().unwrap();
        assert!(up.success(), "the stack did not start");
        let directory = std::env::var("FLOWDECK_STACK_DIR").unwrap_or_else(|_| "/tmp/flowdeck-stack".to_owned());
        Self { home, kubeconfig: format!("{directory}/admin.kubeconfig"), tools, started_here: true }
    }

    fn fill(&self) {
        let (pipelines, pods) = (PIPELINES.to_string(), PODS_EACH.to_string());
        let fill =
            Command::new(self.tools.join("fill")).args([&pipelines, &pods, "bench"]).stdout(Stdio::null()).status();
        assert!(fill.unwrap().success(), "the pods could not be made");
    }

    fn churn(&self, seconds: &str) -> Child {
        let mut churn = Command::new(self.tools.join("churn"));
        churn.args([CHURN_PER_SECOND, seconds, "bench"]).stdout(Stdio::null()).spawn().unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.started_here {
            Command::new(self.tools.join("down")).stdout(Stdio::null()).status().ok();
        }
    }
}
