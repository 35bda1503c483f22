//! Logs on the real API server: what is written is shown, or a row says what is missing.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stack::{Killed, Namespace, Settings, kubectl, stackctl, variable};
use crate::support::FLOWDECK;

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

    fn write_many(&mut self, count: usize, pause: Duration) {
        for _ in 0..count {
            self.write();
            std::thread::sleep(pause);
        }
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

/// `flowdeck logs -f -o json`.
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
        let mut command = Command::new(FLOWDECK);
        command.args(["--settings", &settings.path(), "logs", target, "-f", "-o", "json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
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

    fn memory_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
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
    let quick = Duration::from_millis(1);
    for file in &mut files {
        file.write_many(100, quick);
    }
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 300), "{}", follower.count());

    // The client sees a clean end.
    let killed = Killed::now("kubelet");
    for file in &mut files {
        file.write_many(100, quick);
    }
    killed.revive();
    let all = |follower: &Follower, count| follower.count() == count;
    assert!(follower.until(Duration::from_secs(30), |follower| all(follower, 600)), "{}", follower.count());

    let killed = Killed::now("apiserver");
    for file in &mut files {
        file.write_many(100, quick);
    }
    killed.revive();
    assert!(follower.until(Duration::from_secs(60), |follower| all(follower, 900)), "{}", follower.count());

    // The log rotates while it is read; then a container restarts.
    for file in &mut files {
        file.write_many(50, quick);
        file.rotate();
        file.write_many(50, quick);
    }
    assert!(follower.until(Duration::from_secs(30), |follower| all(follower, 1_200)), "{}", follower.count());
    let last = files.last_mut().unwrap();
    last.write_many(50, quick);
    stackctl(&["restart-pod", &namespace.0, &last.pod]);
    last.reopen();
    last.write_many(50, quick);
    assert!(follower.until(Duration::from_secs(30), |follower| all(follower, 1_300)), "{}", follower.count());
    report("faults", &files.iter().collect::<Vec<_>>(), &follower);
    for file in &files {
        let known: Vec<u64> = (1..=file.written).collect();
        assert_eq!(follower.lines_of(&file.pod), known, "{}", file.pod);
    }
    assert_eq!(follower.gaps, Vec::<Value>::new());
    assert!(follower.remarks.iter().any(|remark| remark.contains("restarted")), "{:?}", follower.remarks);
}

#[test]
fn what_rotates_away_unread_is_a_gap_row() {
    let namespace = Namespace::new("log-gaps");
    stackctl(&["fill", "1", "2", &namespace.0]);
    let pod = pods(&namespace.0).remove(0);
    let mut file = LogFile::new(&namespace.0, &pod);
    let settings = Settings::new(&variable("STACK_KUBECONFIG"), &[&namespace.0], "");
    let mut follower = Follower::start(&settings, &pod);
    file.write_many(50, Duration::ZERO);
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 50));
    let killed = Killed::now("kubelet");
    file.write_many(50, Duration::ZERO);
    file.rotate();
    let before = file.written;
    file.write_many(50, Duration::ZERO);
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
    file.write_many(20, Duration::ZERO);
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 20));
    let killed = Killed::now("kubelet");
    file.write_many(20, Duration::ZERO);
    for _ in 0..2 {
        stackctl(&["restart-pod", &namespace.0, &pod]);
        file.reopen();
        file.write_many(20, Duration::ZERO);
    }
    killed.revive();
    assert!(follower.until(Duration::from_secs(30), |follower| follower.lines_of(&pod).last() == Some(&80)));
    report("two restarts", &[&file], &follower);
    assert_eq!(follower.gaps.len(), 1, "{:?}", follower.gaps);
    assert_eq!(repeats(follower.lines_of(&pod)), 0);
    stackctl(&["restart-pod", &namespace.0, &pod]);
    file.reopen();
    file.write_many(20, Duration::ZERO);
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
    first.write_many(10, Duration::ZERO);
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 10));
    let known = pods(&namespace.0);
    stackctl(&["scale", &namespace.0, "pipeline-0001", "3"]);
    let new: Vec<String> = crate::stack::eventually("new pods", || {
        let new: Vec<String> = pods(&namespace.0).into_iter().filter(|pod| !known.contains(pod)).collect();
        (new.len() == 2).then_some(new)
    });
    let mut files: Vec<LogFile> = new.iter().map(|pod| LogFile::new(&namespace.0, pod)).collect();
    files.iter_mut().for_each(|file| file.write_many(30, Duration::from_millis(2)));
    assert!(follower.until(Duration::from_secs(30), |follower| follower.count() == 70), "{}", follower.count());
    for file in &files {
        assert_eq!(follower.lines_of(&file.pod), (1..=30).collect::<Vec<u64>>());
    }
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
    let files: Vec<LogFile> = names.iter().map(|pod| LogFile::new(&namespace.0, pod)).collect();
    let (files, over) = (Arc::new(Mutex::new(files)), Arc::new(AtomicBool::new(false)));
    let writer = std::thread::spawn({
        let (files, over) = (files.clone(), over.clone());
        move || {
            let begun = Instant::now();
            for round in 0..SECONDS * 40 {
                files.lock().unwrap().iter_mut().for_each(LogFile::write);
                let due = Duration::from_millis((round + 1) * 25);
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
            }
            over.store(true, Ordering::SeqCst);
            begun.elapsed()
        }
    });
    let all = usize::try_from(SECONDS * 40 * 50).unwrap();
    let complete = follower.until(Duration::from_secs(SECONDS * 3), |follower| follower.count() >= all);
    let took = writer.join().unwrap();
    assert!(over.load(Ordering::SeqCst));
    let files = files.lock().unwrap();
    report("50 pods", &files.iter().collect::<Vec<_>>(), &follower);
    let memory = follower.memory_bytes();
    println!("50 pods: written within {took:?}, most memory {:.1} MB", memory as f64 / 1e6);
    assert!(complete, "{} of {all}", follower.count());
    for file in files.iter() {
        assert_eq!(follower.lines_of(&file.pod), (1..=file.written).collect::<Vec<u64>>(), "{}", file.pod);
    }
    assert!(memory <= 120_000_000, "{memory}");
}
