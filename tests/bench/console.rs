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

#[path = "console/streamer.rs"]
mod streamer;
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
use streamer::Streamer;
use support::Console;

const PIPELINES: usize = 200;
const PODS_EACH: usize = 25;
/// What Linux counts CPU time in for user space, on every architecture that matters here.
const TICKS: f64 = 100.0;
/// Changes of pods a second.
const CHURN: u64 = 1_000;

fn main() {
    frame();
    let stack = Stack::ensure();
    let variables = [("HOME", stack.home.path().to_str().unwrap())];
    let arguments = ["--kubeconfig", stack.kubeconfig.as_str(), "-n", "bench"];
    first_frame(&arguments, &variables);
    stack.fill();
    let mut console = complete(&arguments, &variables);
    idle(&arguments, &variables);
    let streamer = Streamer::record(&stack.kubectl(), &stack.kubeconfig, "bench");
    let churn = stack.churn("20");
    keys(&mut console, "while the real API server's pods change as fast as it can");
    Stack::report_churn(churn);
    drop(console);
    busy(&streamer, &variables);
}

fn report(name: &str, value: f64, unit: &str, bound: f64) {
    let line = serde_json::json!({ "name": name, "value": (value * 1_000.0).round() / 1_000.0, "unit": unit, "bound": bound, "kept": value <= bound });
    println!("{line}");
}

/// A figure without a bound, to judge others by.
fn note(name: &str, value: f64, unit: &str) {
    println!("{}", serde_json::json!({ "name": name, "value": (value * 1_000.0).round() / 1_000.0, "unit": unit }));
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
    let (mut samples, mut used) = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..5 {
        drop(last.take());
        let console = rows(arguments, variables);
        samples.push(console.since_start());
        used.push(Duration::from_secs_f64(cpu_seconds(&console)));
        last = Some(console);
    }
    report(
        "rows complete, 200 pipelines with 5,000 pods, median of 5",
        percentile(&mut samples, 50) / 1_000.0,
        "s",
        1.5,
    );
    note("of it, CPU time of the console", percentile(&mut used, 50) / 1_000.0, "s");
    let mut console = last.unwrap();
    console.watch(Duration::from_secs(2));
    report("resident memory with 5,000 pods", resident_mib(&console), "MiB", 80.0);
    console
}

/// A console that shows all rows.
fn rows(arguments: &[&str], variables: &[(&str, &str)]) -> Console {
    let mut console = Console::start(arguments, variables, 200, 60);
    let summed = format!("{PIPELINES} pipelines");
    let rows = format!("{PODS_EACH}/{PODS_EACH}");
    console.until("all rows", |screen| screen.contains(&summed) && screen.matches(&rows).count() >= 45);
    console
}

fn idle(arguments: &[&str], variables: &[(&str, &str)]) {
    let mut console = Console::start(arguments, variables, 80, 24);
    console.sees("PIPELINE");
    console.watch(Duration::from_secs(5));
    let bytes = console.watch(Duration::from_secs(10));
    report("idle 80x24 screen", bytes as f64 / 10.0 / 1_000.0, "kB/s", 1.0);
}

/// While 1,000 pods a second change: keys, bytes, memory, and what it costs of a core.
fn busy(streamer: &Streamer, variables: &[(&str, &str)]) {
    let arguments = ["--kubeconfig", streamer.kubeconfig(), "-n", "bench"];
    let mut console = rows(&arguments, variables);
    note("rows complete when the server costs nothing", console.since_start().as_secs_f64(), "s");
    console.watch(Duration::from_secs(2));
    streamer.set_rate(CHURN);
    console.watch(Duration::from_secs(2));
    let (begun, sent, used) = (Instant::now(), streamer.sent(), cpu_seconds(&console));
    keys(&mut console, "while 1,000 pods a second change");
    console.watch(Duration::from_secs(20).saturating_sub(begun.elapsed()));
    let seconds = begun.elapsed().as_secs_f64();
    note("pod changes that reached the console", (streamer.sent() - sent) as f64 / seconds, "changes/s");
    note("share of a core for 1,000 changes a second", (cpu_seconds(&console) - used) / seconds * 100.0, "%");
    report("resident memory with 5,000 pods after the changes", resident_mib(&console), "MiB", 80.0);
    drop(console);
    let mut small = Console::start(&arguments, variables, 80, 24);
    small.sees("PIPELINE");
    small.watch(Duration::from_secs(4));
    let bytes = small.watch(Duration::from_secs(10));
    report("busy 80x24 screen, 1,000 pods a second", bytes as f64 / 10.0 / 1_000.0, "kB/s", 10.0);
}

/// From a key to the frame that shows what it did.
fn keys(console: &mut Console, meanwhile: &str) {
    let mut samples: Vec<Duration> = Vec::new();
    for step in 0..500 {
        let before = selected(&console.screen());
        console.press(if step % 40 < 20 { "j" } else { "k" });
        let pressed = Instant::now();
        console.until("the selection moves", |screen| selected(screen) != before);
        samples.push(pressed.elapsed());
        console.watch(Duration::from_millis(20));
    }
    for (percent, word) in [(50, "median"), (99, "p99")] {
        report(&format!("key to frame at 200x60 {meanwhile}, {word}"), percentile(&mut samples, percent), "ms", 16.0);
    }
}

/// CPU time used so far, of all threads.
fn cpu_seconds(console: &Console) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", console.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / TICKS
}

/// The pipeline under the cursor: its line may move meanwhile.
fn selected(screen: &str) -> Option<String> {
    let line = screen.lines().find(|line| line.starts_with('▸'))?;
    line.split_whitespace().find(|word| word.starts_with("pipeline-")).map(str::to_owned)
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
        churn.args([&CHURN.to_string(), seconds, "bench"]).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// How many changes a second the real API server took.
    fn report_churn(churn: Child) {
        let said = String::from_utf8(churn.wait_with_output().unwrap().stdout).unwrap();
        let numbers: Vec<f64> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
        note("pod changes that the real API server took", numbers[0] / numbers[numbers.len() - 1], "changes/s");
    }

    fn kubectl(&self) -> PathBuf {
        let environment = std::fs::read_to_string(PathBuf::from(&self.kubeconfig).with_file_name("env")).unwrap();
        environment.lines().find_map(|line| line.strip_prefix("export STACK_KUBECTL=")).unwrap().into()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.started_here {
            Command::new(self.tools.join("down")).stdout(Stdio::null()).status().ok();
        }
    }
}
