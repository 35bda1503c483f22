//! Logs on the real API server: what is written is shown, or a row says what is missing.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stack::{Killed, Namespace, Settings, kubectl, stackctl, variable};
use crate::support::{Console, FLOWDECK};

const CONTAINER: &str = "flink-main-container";

fn pods(namespace: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(&kubectl(&["get", "pods", "-n", namespace, "-o", "json"])).unwrap();
    list["items"].as_array().unwrap().iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The log file of a container.
struct LogFile {
    path: PathBuf,
    file: File,
    pod: String,
    written: u64,
}

impl LogFile {
    fn new(namespace: &str, pod: &str) -> Self {
        let folder = PathBuf::from(variable("STACK_POD_LOG_DIR")).join(namespace).join(pod);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{CONTAINER}.log"));
        Self { file: Self::open(&path), path, pod: pod.to_owned(), written: 0 }
    }

    fn open(path: &PathBuf) -> File {
        OpenOptions::new().create(true).append(true).open(path).unwrap()
    }

    /// Appends one line as a container runtime does.
    fn write(&mut self) {
        self.written += 1;
        let now = chrono::Utc::now();
        let (stamp, own) = (now.format("%Y-%m-%dT%H:%M:%S%.9fZ"), now.format("%Y-%m-%d %H:%M:%S,%3f"));
        let line = format!("{stamp} stdout F {own} INFO  a.b.Writer [] - {} line {}\n", self.pod, self.written);
        self.file.write_all(line.as_bytes()).unwrap();
    }

    fn write_many(&mut self, count: usize) {
        (0..count).for_each(|_| self.write());
    }

    /// The runtime begins a new file.
    fn rotate(&mut self) {
        fs::rename(&self.path, self.path.with_extension("log.1")).unwrap();
        self.file = Self::open(&self.path);
    }

    /// The container runs again, in a file of its own.
    fn reopen(&mut self) {
        self.file = Self::open(&self.path);
    }
}

/// Lines of output that are taken before they are looked at; then the command has to wait.
const UNREAD: usize = 1_000;

/// `flowdeck logs -o json`.
struct Follower {
    child: Child,
    lines: Receiver<String>,
    shown: BTreeMap<String, Vec<u64>>,
    gaps: Vec<Value>,
    remarks: Vec<String>,
    last: Instant,
}

impl Follower {
    fn start(settings: &Settings, target: &str) -> Self {
        Self::start_with(settings, &[target, "-f"])
    }

    fn start_with(settings: &Settings, arguments: &[&str]) -> Self {
        let mut command = Command::new(FLOWDECK);
        command.args(["--settings", &settings.path(), "logs", "-o", "json"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::sync_channel(UNREAD);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, shown: BTreeMap::new(), gaps: Vec::new(), remarks: Vec::new(), last: Instant::now() }
    }

    /// Takes in what comes until the predicate holds; whether it does.
    fn until(&mut self, patience: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        while !holds(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { return holds(self) };
            self.take(&line);
        }
        true
    }

    fn take(&mut self, line: &str) {
        self.last = Instant::now();
        let value: Value = serde_json::from_str(line).unwrap();
        if value["missed"].is_object() {
            self.gaps.push(value);
            return;
        }
        if let Some(remark) = value["remark"].as_str() {
            self.remarks.push(remark.to_owned());
            return;
        }
        let message = value["message"].as_str().unwrap();
        let number = message.rsplit(' ').next().unwrap().parse().unwrap();
        self.shown.entry(value["pod"].as_str().unwrap().to_owned()).or_default().push(number);
    }

    fn count(&self) -> usize {
        self.shown.values().map(Vec::len).sum()
    }

    fn lines_of(&self, pod: &str) -> &[u64] {
        self.shown.get(pod).map_or(&[], Vec::as_slice)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Ascending, and each line once.
fn repeats(lines: &[u64]) -> usize {
    lines.windows(2).filter(|pair| pair[1] <= pair[0]).count()
}

fn report(name: &str, files: &[&LogFile], follower: &Follower) {
    let written: u64 = files.iter().map(|file| file.written).sum();
    let (shown, gaps) = (follower.count(), follower.gaps.len());
    println!("{name}: {written} lines written, {shown} shown, {gaps} gap rows, remarks {:?}", follower.remarks);
    for gap in &follower.gaps {
        println!("  {}", gap["remark"]);
    }
}

#[test]
fn every_line_is_shown_whatever_dies_meanwhile() {
    let namespace = Namespace::new("log-faults");
    stackctl(&["fill", "1", "3", &namespace.0]);
    let names = pods(&namespace.0);
    let mut files: Vec<LogFile> = names.iter().map(|pod| LogFile::new(&namespace.0, pod)).collect();
    let settings = Settings::new(&variable("STACK_KUBECONFIG"), &[&namespace.0], "");
    let mut follower = Follower::start(&settings, "pipeline-0001");
    for file in &mut files {
        file.write_many(100);
    }
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 300), "{}", follower.count());

    // The client sees a clean end.
    let killed = Killed::now("kubelet");
    for file in &mut files {
        file.write_many(100);
    }
    killed.revive();
    let all = |follower: &Follower, count| follower.count() == count;
    assert!(follower.until(Duration::from_secs(30), |follower| all(follower, 600)), "{}", follower.count());

    let killed = Killed::now("apiserver");
    for file in &mut files {
        file.write_many(100);
    }
    killed.revive();
    assert!(follower.until(Duration::from_secs(60), |follower| all(follower, 900)), "{}", follower.count());

    // The log rotates while it is read; then a container restarts.
    for file in &mut files {
        file.write_many(50);
        file.rotate();
        file.write_many(50);
    }
    assert!(follower.until(Duration::from_secs(30), |follower| all(follower, 1_200)), "{}", follower.count());
    let last = files.last_mut().unwrap();
    last.write_many(50);
    stackctl(&["restart-pod", &namespace.0, &last.pod]);
    last.reopen();
    last.write_many(50);
    assert!(follower.until(Duration::from_secs(30), |follower| all(follower, 1_300)), "{}", follower.count());
    // The first lines of the new run may come before anybody knows that it is one.
    let told = |follower: &Follower| follower.remarks.iter().any(|remark| remark.contains("restarted"));
    assert!(follower.until(Duration::from_secs(30), told), "{:?}", follower.remarks);
    report("faults", &files.iter().collect::<Vec<_>>(), &follower);
    for file in &files {
        let known: Vec<u64> = (1..=file.written).collect();
        assert_eq!(follower.lines_of(&file.pod), known, "{}", file.pod);
    }
    assert_eq!(follower.gaps, Vec::<Value>::new());
}

#[test]
fn what_rotates_away_unread_is_a_gap_row() {
    let namespace = Namespace::new("log-gaps");
    stackctl(&["fill", "1", "2", &namespace.0]);
    let pod = pods(&namespace.0).remove(0);
    let mut file = LogFile::new(&namespace.0, &pod);
    let settings = Settings::new(&variable("STACK_KUBECONFIG"), &[&namespace.0], "");
    let mut follower = Follower::start(&settings, &pod);
    file.write_many(50);
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 50));
    let killed = Killed::now("kubelet");
    file.write_many(50);
    file.rotate();
    let before = file.written;
    file.write_many(50);
    killed.revive();
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 100), "{}", follower.count());
    report("rotated away", &[&file], &follower);
    let known: Vec<u64> = (1..=50).chain(before + 1..=file.written).collect();
    assert_eq!(follower.lines_of(&pod), known);
    assert_eq!(follower.gaps.len(), 1, "{:?}", follower.gaps);
    let missed = &follower.gaps[0]["missed"];
    assert!(missed["from"].is_string() && missed["to"].is_string(), "{missed}");
    assert!(missed["why"].as_str().unwrap().contains("rotated"), "{missed}");
}

#[test]
fn two_restarts_between_two_looks_are_a_gap_row_and_one_is_none() {
    let namespace = Namespace::new("log-restarts");
    stackctl(&["fill", "1", "2", &namespace.0]);
    let pod = pods(&namespace.0).remove(0);
    let mut file = LogFile::new(&namespace.0, &pod);
    let settings = Settings::new(&variable("STACK_KUBECONFIG"), &[&namespace.0], "");
    let mut follower = Follower::start(&settings, &pod);
    file.write_many(20);
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 20));
    let killed = Killed::now("kubelet");
    file.write_many(20);
    for _ in 0..2 {
        stackctl(&["restart-pod", &namespace.0, &pod]);
        file.reopen();
        file.write_many(20);
    }
    killed.revive();
    assert!(follower.until(Duration::from_secs(30), |follower| follower.lines_of(&pod).last() == Some(&80)));
    report("two restarts", &[&file], &follower);
    assert_eq!(follower.gaps.len(), 1, "{:?}", follower.gaps);
    assert_eq!(repeats(follower.lines_of(&pod)), 0);
    stackctl(&["restart-pod", &namespace.0, &pod]);
    file.reopen();
    file.write_many(20);
    assert!(follower.until(Duration::from_secs(30), |follower| follower.lines_of(&pod).last() == Some(&100)));
    assert_eq!(follower.gaps.len(), 1, "{:?}", follower.gaps);
}

#[test]
fn pods_that_come_later_are_followed_from_their_first_line() {
    let namespace = Namespace::new("log-new-pods");
    stackctl(&["fill", "1", "2", &namespace.0]);
    let settings = Settings::new(&variable("STACK_KUBECONFIG"), &[&namespace.0], "");
    let mut follower = Follower::start(&settings, "pipeline-0001");
    let mut first = LogFile::new(&namespace.0, &pods(&namespace.0)[0]);
    first.write_many(10);
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 10));
    let known = pods(&namespace.0);
    stackctl(&["scale", &namespace.0, "pipeline-0001", "3"]);
    let new: Vec<String> = crate::stack::eventually("new pods", || {
        let new: Vec<String> = pods(&namespace.0).into_iter().filter(|pod| !known.contains(pod)).collect();
        (new.len() == 2).then_some(new)
    });
    let mut files: Vec<LogFile> = new.iter().map(|pod| LogFile::new(&namespace.0, pod)).collect();
    files.iter_mut().for_each(|file| file.write_many(30));
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 70), "{}", follower.count());
    for file in &files {
        assert_eq!(follower.lines_of(&file.pod), (1..=30).collect::<Vec<u64>>());
    }
}

/// Without `-f`: the log server is killed while the log is on its way, and the client sees a clean end.
#[test]
fn a_log_that_is_read_once_is_whole_whatever_dies_meanwhile() {
    const LINES: usize = 200_000;
    let namespace = Namespace::new("log-once");
    stackctl(&["fill", "1", "2", &namespace.0]);
    let pod = pods(&namespace.0).remove(0);
    let mut file = LogFile::new(&namespace.0, &pod);
    file.write_many(LINES);
    let settings = Settings::new(&variable("STACK_KUBECONFIG"), &[&namespace.0], "");
    let mut follower = Follower::start_with(&settings, &[&pod]);
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() > 0));
    // Nobody takes the output meanwhile, so that most of the log has not left the node.
    Killed::now("kubelet").revive();
    follower.until(Duration::from_mins(2), |follower| follower.count() == LINES);
    report("read once", &[&file], &follower);
    assert_eq!(follower.lines_of(&pod), (1..=file.written).collect::<Vec<u64>>());
    assert_eq!(follower.gaps, Vec::<Value>::new());
}

/// Presses a key that shows something and takes it away again; the ninety-ninth slowest of a hundred answers.
fn slowest_answers(console: &mut Console) -> (Duration, Duration) {
    let mut answers: Vec<Duration> = Vec::new();
    for _ in 0..50 {
        console.press("?");
        answers.push(console.sees("help: log"));
        console.press("?");
        answers.push(console.sees_no("help: log"));
    }
    answers.sort_unstable();
    (answers[answers.len() / 2], answers[answers.len() * 99 / 100 - 1])
}

/// The most memory that a process ever had.
fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

/// Fifty pods at two thousand lines a second in all.
#[test]
fn fifty_pods_at_two_thousand_lines_a_second() {
    const SECONDS: u64 = 20;
    let namespace = Namespace::new("log-load");
    stackctl(&["fill", "1", "50", &namespace.0]);
    let names = pods(&namespace.0);
    assert_eq!(names.len(), 50);
    let settings = Settings::new(&variable("STACK_KUBECONFIG"), &[&namespace.0], "");
    let mut follower = Follower::start(&settings, "pipeline-0001");
    let path = settings.path();
    let mut console = Console::start(&["--settings", &path], &[], 120, 40);
    console.until("the pipeline", |screen| screen.contains("pipeline-0001") && screen.contains("50/50"));
    console.press("l");
    console.sees("› log");
    let mut files: Vec<LogFile> = names.iter().map(|pod| LogFile::new(&namespace.0, pod)).collect();
    let writer = std::thread::spawn(move || {
        let begun = Instant::now();
        let (_open, never) = mpsc::channel::<()>();
        for round in 0..SECONDS * 40 {
            files.iter_mut().for_each(LogFile::write);
            let due = Duration::from_millis((round + 1) * 25);
            never.recv_timeout(due.saturating_sub(begun.elapsed())).unwrap_err();
        }
        (files, begun.elapsed())
    });
    console.sees(" line ");
    let presser = std::thread::spawn(move || {
        let answers = slowest_answers(&mut console);
        (console, answers)
    });
    let all = usize::try_from(SECONDS * 40 * 50).unwrap();
    let complete = follower.until(Duration::from_secs(SECONDS * 3), |follower| follower.count() >= all);
    let (files, took) = writer.join().unwrap();
    let (mut console, (median, slowest)) = presser.join().unwrap();
    report("50 pods", &files.iter().collect::<Vec<_>>(), &follower);
    let memory = most_memory(follower.child.id());
    println!("50 pods: written within {took:?}, most memory {:.1} MB", memory as f64 / 1e6);
    // A log of so many events is told in thousands: none of them is missing on the screen either.
    let known = format!("{}k events", all / 1_000);
    console.until_within(Duration::from_secs(30), &known, |screen| screen.contains(&known));
    assert!(!console.screen().contains(" gap"), "{}", console.screen());
    let of_console = most_memory(u32::try_from(console.id()).unwrap());
    println!(
        "50 pods: keys {median:?} in the middle, {slowest:?} for 99 of 100; console {:.1} MB",
        of_console as f64 / 1e6
    );
    assert!(of_console <= 120_000_000, "{of_console}");
    assert!(slowest < Duration::from_millis(300), "{slowest:?}");
    assert!(complete, "{} of {all}", follower.count());
    for file in &files {
        assert_eq!(follower.lines_of(&file.pod), (1..=file.written).collect::<Vec<u64>>(), "{}", file.pod);
    }
    assert!(memory <= 120_000_000, "{memory}");
}
