//! A loopback API server that plays a recording of the real one and changes pods at a steady rate.
//!
//! Two cores do not let a real API server write a thousand pods a second beside what is measured, so its objects are
//! recorded, whole, and sent again by this one, each time with another version and restart count. It writes prepared
//! bytes: what it costs itself is next to nothing.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Marks that no recording contains.
const VERSION: &str = "@version@";
const RESTARTS: u32 = 1_987_654_321;
/// Between two writes of a watch.
const BEAT: Duration = Duration::from_millis(5);

/// Microseconds in a second: changes are owed in millionths.
const MICROS: u64 = 1_000_000;

/// The kinds that the console lists, by plural, with their paths in one namespace.
const KINDS: [(&str, &str); 6] = [
    ("pods", "/api/v1"),
    ("deployments", "/apis/apps/v1"),
    ("statefulsets", "/apis/apps/v1"),
    ("jobs", "/apis/batch/v1"),
    ("flinkdeployments", "/apis/flink.apache.org/v1beta1"),
    ("flinksessionjobs", "/apis/flink.apache.org/v1beta1"),
];

/// The server.
pub struct Streamer {
    kubeconfig: tempfile::NamedTempFile,
    pace: Arc<Pace>,
}

/// How fast pods change, and how many changes were sent.
#[derive(Default)]
struct Pace {
    per_second: AtomicU64,
    sent: AtomicU64,
}

impl Streamer {
    /// Records one namespace of the real API server and serves it.
    pub fn record(kubectl: &Path, kubeconfig: &str, namespace: &str) -> Self {
        let recording = KINDS.map(|(plural, path)| {
            let raw = format!("{path}/namespaces/{namespace}/{plural}");
            let output =
                Command::new(kubectl).args(["--kubeconfig", kubeconfig, "get", "--raw", &raw]).output().unwrap();
            assert!(output.status.success(), "{raw}: {}", String::from_utf8_lossy(&output.stderr));
            let list: Value = serde_json::from_slice(&output.stdout).unwrap();
            (plural, list["items"].as_array().unwrap().clone())
        });
        let (recording, pace) = (Arc::new(HashMap::from(recording)), Arc::new(Pace::default()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let kubeconfig = kubeconfig_of(listener.local_addr().unwrap().port());
        let shared = pace.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (recording, pace) = (recording.clone(), shared.clone());
                // A connection ends when the console ends.
                std::thread::spawn(move || drop(serve(stream, &recording, &pace)));
            }
        });
        Self { kubeconfig, pace }
    }

    /// The way to it.
    pub fn kubeconfig(&self) -> &str {
        self.kubeconfig.path().to_str().unwrap()
    }

    /// Changes so many pods a second from now on.
    pub fn set_rate(&self, per_second: u64) {
        self.pace.per_second.store(per_second, Ordering::Relaxed);
    }

    /// Changes sent so far, to all watches together.
    pub fn sent(&self) -> u64 {
        self.pace.sent.load(Ordering::Relaxed)
    }
}

fn kubeconfig_of(port: u16) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "{{apiVersion: v1, kind: Config, current-context: t, clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}], \
         users: [{{name: u, user: {{}}}}], contexts: [{{name: t, context: {{cluster: c, user: u}}}}]}}"
    )
    .unwrap();
    file
}

fn serve(stream: TcpStream, recording: &HashMap<&str, Vec<Value>>, pace: &Pace) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut answers = stream;
    while let Some(target) = request(&mut requests)? {
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let plural = path.rsplit('/').next().unwrap_or_default();
        match recording.get(plural) {
            Some(objects) if query.contains("watch=true") => {
                return watch(&mut answers, plural, objects, query.contains("sendInitialEvents=true"), pace);
            }
            Some(objects) => reply(&mut answers, &json!({"metadata": {"resourceVersion": "1"}, "items": objects}))?,
            None if path == "/version" => reply(&mut answers, &json!({"major": "1", "minor": "36"}))?,
            None => reply(&mut answers, &json!({"status": {"allowed": true}, "items": []}))?,
        }
    }
    Ok(())
}

/// Reads a request; its target, or nothing at the end of the connection.
fn request(requests: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let (mut first, mut length) = (String::new(), 0);
    if requests.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        let mut header = String::new();
        requests.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    std::io::copy(&mut requests.take(length), &mut std::io::sink())?;
    Ok(first.split(' ').nth(1).map(str::to_owned))
}

fn reply(answers: &mut impl Write, value: &Value) -> std::io::Result<()> {
    let body = value.to_string();
    write!(answers, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn chunk(answers: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    write!(answers, "{:x}\r\n", bytes.len())?;
    answers.write_all(bytes)?;
    answers.write_all(b"\r\n")
}

fn watch(
    answers: &mut impl Write,
    plural: &str,
    objects: &[Value],
    with_initial: bool,
    pace: &Pace,
) -> std::io::Result<()> {
    write!(answers, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    if with_initial {
        for object in objects {
            chunk(answers, format!("{}\n", json!({"type": "ADDED", "object": object})).as_bytes())?;
        }
        let end = json!({"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}});
        let end = json!({"type": "BOOKMARK", "object": {"kind": "X", "apiVersion": "v1", "metadata": end}});
        chunk(answers, format!("{end}\n").as_bytes())?;
    }
    if plural != "pods" {
        loop {
            std::thread::sleep(Duration::from_mins(1));
        }
    }
    change(answers, &objects.iter().map(prepared).collect::<Vec<_>>(), pace)
}

/// A change of a pod around its version and its count of restarts.
fn prepared(pod: &Value) -> [String; 3] {
    let mut pod = pod.clone();
    pod["metadata"]["resourceVersion"] = VERSION.into();
    pod["status"]["containerStatuses"][0]["restartCount"] = RESTARTS.into();
    let text = format!("{}\n", json!({"type": "MODIFIED", "object": pod}));
    let (first, rest) = text.split_once(VERSION).unwrap();
    let (middle, last) = rest.split_once(&RESTARTS.to_string()).unwrap();
    [first, middle, last].map(str::to_owned)
}

/// Sends changes at the pace that is set, one pod after the other, for as long as somebody reads them.
fn change(answers: &mut impl Write, pods: &[[String; 3]], pace: &Pace) -> std::io::Result<()> {
    let (mut version, mut owed, mut before) = (1_u64, 0, Instant::now());
    loop {
        std::thread::sleep(BEAT);
        owed += pace.per_second.load(Ordering::Relaxed) * u64::try_from(before.elapsed().as_micros()).unwrap();
        before = Instant::now();
        let mut bytes = Vec::new();
        while owed >= MICROS {
            let [first, middle, last] = &pods[usize::try_from(version).unwrap() * 17 % pods.len()];
            write!(bytes, "{first}{version}{middle}{}{last}", version % 9)?;
            version += 1;
            owed -= MICROS;
            pace.sent.fetch_add(1, Ordering::Relaxed);
        }
        if !bytes.is_empty() {
            chunk(answers, &bytes)?;
        }
    }
}
