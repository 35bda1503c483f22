//! `flowdeck signals run` on a real broker: what it tells must be what an independent count of the same events says,
//! whatever happens to it, to the broker and to the topic meanwhile.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value;

use crate::stack::{Killed, eventually, eventually_or, kafka_tool, throughout, variable};
use crate::support::FLOWDECK;

/// Requests, errors, and sum, least and greatest of latencies by window and service.
type Counts = BTreeMap<(i64, String), [u64; 5]>;

/// Length of a window in milliseconds.
const WINDOW: i64 = 1_000;
/// Events of a stream.
pub(super) const EVENTS: u64 = 150_000;

/// A run that ends with its test, however that ends.
pub(super) struct Running(pub(super) Child);

impl Running {
    /// Kill -9.
    pub(super) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Its exit code, if it has ended.
    fn ended(&mut self) -> Option<Option<i32>> {
        self.0.try_wait().unwrap().map(|status| status.code())
    }

    /// Its exit code once it ends by itself.
    fn code(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }

    /// As an operator ends it.
    fn terminate(self) -> Option<i32> {
        let stop = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(stop.success());
        self.code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        if self.0.kill().is_ok() {
            self.0.wait().unwrap();
        }
    }
}

/// A topic of one test, what was written to it, and what that must come to.
pub(super) struct Stream {
    topic: &'static str,
    directory: tempfile::TempDir,
    producer: ThreadedProducer<rdkafka::producer::DefaultProducerContext>,
    pub(super) expected: Counts,
}

impl Stream {
    pub(super) fn new(topic: &'static str, partitions: &str, more: &str) -> Self {
        kafka_tool(&["TopicCommand", "--create", "--topic", topic, "--partitions", partitions]);
        let directory = tempfile::tempdir().unwrap();
        let spec = format!(
            "name = \"live\"\n[source]\ntopics = [{topic:?}]\nformat = \"json\"\ntime = {{ field = \"ts\", unit = \"ms\" }}\n\
             latency = {{ field = \"us\", unit = \"us\" }}\n[key]\nservice = \"svc\"\n{more}\n"
        );
        std::fs::write(directory.path().join("spec.toml"), spec).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", variable("STACK_KAFKA")).set("compression.type", "lz4").set("linger.ms", "5");
        // What is sent again when a broker went away before its answer came is written once.
        config.set("enable.idempotence", "true").set("topic.metadata.refresh.interval.ms", "500");
        let producer = config.create().unwrap();
        Self { topic, directory, producer, expected: Counts::new() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, partition: i32, value: &str) {
        let record = || BaseRecord::<(), str>::to(self.topic).partition(partition).payload(value);
        // Its client learns of new partitions only after a while.
        eventually("a place for a record", || self.producer.send(record()).ok());
    }

    fn event(&mut self, partition: i32, time: i64, service: &str, (status, latency): (u32, u64)) {
        self.write(partition, &format!(r#"{{"ts":{time},"svc":"{service}","status":{status},"us":{latency}}}"#));
        let key = (time.div_euclid(WINDOW) * WINDOW, service.to_owned());
        let counts = self.expected.entry(key).or_insert([0, 0, 0, u64::MAX, 0]);
        counts[0] += 1;
        counts[1] += u64::from(status >= 500);
        counts[2] += latency;
        counts[3] = counts[3].min(latency);
        counts[4] = counts[4].max(latency);
    }

    pub(super) fn flush(&self) {
        self.producer.flush(Duration::from_mins(1)).unwrap();
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(FLOWDECK);
        let spec = self.path("spec.toml");
        command.args(["signals", "run", "--bootstrap", &variable("STACK_KAFKA"), "--spec"]).arg(spec).args(arguments);
        command.env("HOME", self.directory.path());
        command
    }

    /// Starts a run that adds its rows to `rows.jsonl` and its words to `words`.
    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        let append = |name| OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        Running(self.command(arguments).stdout(append("rows.jsonl")).stderr(append("words")).spawn().unwrap())
    }

    pub(super) fn words(&self) -> String {
        let mut words = String::new();
        File::open(self.path("words")).unwrap().read_to_string(&mut words).unwrap();
        words
    }

    /// Events of `numbers`, in 3 partitions, up to 3 s out of order and some of them a lot later: 1,000 a second of their time.
    pub(super) fn stretch(&mut self, base: i64, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let chance = scatter(number + 1);
            let delay = if chance.is_multiple_of(500) { chance % 20_000 } else { chance % 3_000 };
            let time = base + i64::try_from(number).unwrap() - i64::try_from(delay).unwrap();
            let status = if chance.is_multiple_of(40) { 503 } else { 200 };
            let service = format!("service-{}", chance % 7);
            self.event(i32::try_from(number % 3).unwrap(), time, &service, (status, 1 + chance % 90_000));
        }
    }
}

/// Numbers that look like chance and are the same every time.
const fn scatter(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// An address that nobody listens at yet.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// What a scraper is told; `None` while nobody answers.
fn metrics(address: &str) -> Option<String> {
    let output = Command::new("curl").args(["-sf", "-m", "2", &format!("http://{address}/metrics")]).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

fn lines(path: &Path) -> usize {
    File::open(path).map_or(0, |file| BufReader::new(file).lines().count())
}

fn number(row: &Value, name: &str) -> u64 {
    row[name].as_u64().unwrap_or_else(|| panic!("{name} of {row}"))
}

fn counts(row: &Value) -> [u64; 5] {
    ["n", "err", "sum", "min", "max"].map(|name| number(row, name))
}

/// Rows that were printed, and how many of them more than once. Those that were must say the same.
fn printed(path: &Path) -> (Counts, usize) {
    let (mut found, mut repeated) = (Counts::new(), 0);
    for line in BufReader::new(File::open(path).unwrap()).lines() {
        // A run that is killed may leave half a line, which the next one's first line follows.
        let line = line.unwrap();
        let whole = line.rfind(r#"{"start""#).map_or("", |at| line.get(at..).unwrap());
        let row: Value = serde_json::from_str(whole).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(row["final"], true, "{row}");
        let key = (row["start"].as_i64().unwrap(), row["svc"].as_str().unwrap().to_owned());
        if let Some(before) = found.insert(key, counts(&row)) {
            assert_eq!(before, counts(&row), "told twice, and not the same: {row}");
            repeated += 1;
        }
    }
    (found, repeated)
}

pub(super) fn assert_same(found: &Counts, expected: &Counts) {
    let different = expected.iter().map(|(key, counts)| (key, found.get(key), counts));
    let different: Vec<_> = different.filter(|(_, found, counts)| *found != Some(*counts)).collect();
    let surplus: Vec<_> = found.keys().filter(|key| !expected.contains_key(*key)).collect();
    let few = (&different[..different.len().min(5)], &surplus[..surplus.len().min(5)]);
    let numbers = (different.len(), surplus.len());
    assert_eq!(numbers, (0, 0), "(key, found, expected), and what nobody expects: {few:?}");
}

/// Some minutes ago, on a whole window, so that nothing is ahead of the clock.
pub(super) fn base() -> i64 {
    (chrono::Utc::now().timestamp_millis() - 3_600_000).div_euclid(WINDOW) * WINDOW
}

/// An event in each partition so much later that all windows before it are final.
pub(super) fn close(stream: &mut Stream, base: i64) {
    for partition in 0..3 {
        stream.event(partition, base + 1_800_000, "the-end", (200, 1));
    }
    stream.flush();
    // Its own window stays open.
    stream.expected.retain(|(_, service), _| service != "the-end");
}

pub(super) const LATENESS: &str = "[window]\nsize = \"1s\"\nallowed_lateness = \"30s\"\n";

#[test]
fn killed_in_mid_stream_and_started_again_it_tells_the_same_as_an_independent_count() {
    let mut stream = Stream::new("signals-killed", "3", LATENESS);
    let base = base();
    let state = stream.path("state").to_string_lossy().into_owned();
    let arguments = ["--from", "earliest", "--state", &state];
    let rows = stream.path("rows.jsonl");
    let parts = 5;
    for part in 0..parts {
        let before = lines(&rows);
        let written = std::fs::read(&state).ok();
        let running = stream.start(&arguments);
        stream.stretch(base, EVENTS * part / parts..EVENTS * (part + 1) / parts);
        // In the middle of telling, at the first row or some rows after it; or just after that was remembered.
        let some = before + usize::try_from(part).unwrap() * 20;
        eventually("rows", || (lines(&rows) > some).then_some(()));
        if part % 2 == 1 {
            eventually("a new state", || (std::fs::read(&state).ok() != written).then_some(()));
        }
        running.kill();
    }
    assert!(Path::new(&state).exists());
    close(&mut stream, base);
    assert_eq!(stream.start(&[&arguments[..], &["--until-end"]].concat()).code(), Some(0), "{}", stream.words());
    let (found, repeated) = printed(&rows);
    println!("{} windows of services told, {repeated} of them again after a kill; {}", found.len(), stream.words());
    assert_same(&found, &stream.expected);
    assert!(!stream.words().contains("too late"), "{}", stream.words());
}

#[test]
fn rows_in_a_topic_are_the_same_after_a_kill() {
    let mut stream = Stream::new("signals-source", "3", LATENESS);
    let output = "signals.v1";
    kafka_tool(&[
        "TopicCommand",
        "--create",
        "--topic",
        output,
        "--partitions",
        "1",
        "--config",
        "cleanup.policy=compact",
    ]);
    let base = base();
    let state = stream.path("state").to_string_lossy().into_owned();
    let arguments = ["--from", "earliest", "--state", &state, "--output-topic", output];
    for part in 0..3 {
        let running = stream.start(&arguments);
        stream.stretch(base, EVENTS * part / 3..EVENTS * (part + 1) / 3);
        let written = std::fs::read(&state).ok();
        eventually("a new state", || (std::fs::read(&state).ok() != written).then_some(()));
        running.kill();
    }
    close(&mut stream, base);
    assert_eq!(stream.start(&[&arguments[..], &["--until-end"]].concat()).code(), Some(0), "{}", stream.words());
    let found = table(output);
    println!("{} rows in the topic by key; {}", found.len(), stream.words());
    assert!(!stream.words().contains("too late"), "{}", stream.words());
    assert_same(&found, &stream.expected);
}

/// Rows of parts of a service's windows, added up. A part that was told more than once must have been told alike.
fn added(paths: &[PathBuf]) -> (Counts, BTreeMap<String, usize>) {
    let mut parts: BTreeMap<(i64, String, String), [u64; 5]> = BTreeMap::new();
    for path in paths {
        // A run that is killed, or still at it, leaves half a line at the end.
        let text = std::fs::read_to_string(path).unwrap();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let row: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let key = (row["start"].as_i64().unwrap(), text("svc"), text("part"));
            if let Some(before) = parts.insert(key, counts(&row)) {
                assert_eq!(before, counts(&row), "told twice, and not the same: {row}");
            }
        }
    }
    let (mut sums, mut told) = (Counts::new(), BTreeMap::new());
    for ((start, service, part), [n, err, sum, min, max]) in parts {
        let whole = sums.entry((start, service)).or_insert([0, 0, 0, u64::MAX, 0]);
        *whole = [whole[0] + n, whole[1] + err, whole[2] + sum, whole[3].min(min), whole[4].max(max)];
        *told.entry(part).or_default() += 1;
    }
    (sums, told)
}

#[test]
fn runs_of_a_group_share_a_topic_and_their_parts_add_up_whoever_is_killed_or_frozen() {
    let mut stream = Stream::new("signals-group", "3", LATENESS);
    let base = base();
    let arguments = ["--from", "earliest", "--group", "signals", "-X", "session.timeout.ms=6000"];
    let start = |stream: &Stream, name: &str| {
        let file = |end: &str| File::create(stream.path(&format!("{name}.{end}"))).unwrap();
        let mut command = stream.command(&arguments);
        Running(command.stdout(file("jsonl")).stderr(file("words")).spawn().unwrap())
    };
    let said = |stream: &Stream, name: &str| std::fs::read_to_string(stream.path(&format!("{name}.words"))).unwrap();
    let rows = |stream: &Stream, name: &str| lines(&stream.path(&format!("{name}.jsonl")));
    let signal = |running: &Running, name: &str| {
        assert!(Command::new("kill").args([name, &running.0.id().to_string()]).status().unwrap().success());
    };
    let killed = start(&stream, "killed");
    stream.stretch(base, 0..EVENTS / 4);
    eventually("rows of the first", || (rows(&stream, "killed") > 0).then_some(()));
    // The second and third join while the first is counting, and it gives partitions up to them.
    let (frozen, ended) = (start(&stream, "frozen"), start(&stream, "ended"));
    for name in ["frozen", "ended"] {
        eventually("a partition each", || said(&stream, name).contains("reads ").then_some(()));
    }
    stream.stretch(base, EVENTS / 4..EVENTS / 2);
    eventually("rows of all", || ["frozen", "ended"].iter().all(|name| rows(&stream, name) > 0).then_some(()));
    killed.kill();
    signal(&frozen, "-STOP");
    stream.stretch(base, EVENTS / 2..EVENTS * 3 / 4);
    eventually("one that has them all", || {
        (said(&stream, "ended").matches("signals-group/").count() >= 3).then_some(())
    });
    signal(&frozen, "-CONT");
    let last = start(&stream, "last");
    eventually("a partition for it", || said(&stream, "last").contains("reads ").then_some(()));
    assert_eq!(ended.terminate(), Some(143), "{}", said(&stream, "ended"));
    stream.stretch(base, EVENTS * 3 / 4..EVENTS);
    close(&mut stream, base);
    let paths = ["killed", "frozen", "ended", "last"].map(|name| stream.path(&format!("{name}.jsonl")));
    let expected = stream.expected.clone();
    let size = || paths.iter().map(|path| std::fs::metadata(path).unwrap().len()).sum::<u64>();
    let mut seen = 0;
    let closed = || {
        let grown = size();
        if grown == std::mem::replace(&mut seen, grown) {
            return None;
        }
        let (sums, _) = added(&paths);
        expected.iter().all(|(key, counts)| sums.get(key) == Some(counts)).then_some(())
    };
    let give_up = || {
        for name in ["killed", "frozen", "ended", "last"] {
            println!("{name} said:\n{}", said(&stream, name));
        }
        assert_same(&added(&paths).0, &expected);
    };
    eventually_or(give_up, closed);
    for running in [frozen, last] {
        assert_eq!(running.terminate(), Some(143));
    }
    let (found, told) = added(&paths);
    let by_run: Vec<usize> = paths.iter().map(|path| lines(path)).collect();
    println!("{} windows of services; rows by partition {told:?}, by run {by_run:?}", found.len());
    assert_same(&found, &expected);
    assert_eq!(told.len(), 3);
    assert!(by_run.iter().all(|rows| *rows > 0), "each of them counted: {by_run:?}");
    for name in ["killed", "frozen", "ended", "last"] {
        assert!(!said(&stream, name).contains("too late"), "{}", said(&stream, name));
    }
}

/// The last row of each key.
pub(super) fn table(topic: &str) -> Counts {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", variable("STACK_KAFKA"))
        .set("group.id", "table")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut places = TopicPartitionList::new();
    places.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&places).unwrap();
    let mut table = Counts::new();
    while let Some(Ok(message)) = consumer.poll(Duration::from_secs(10)) {
        let key = std::str::from_utf8(message.key().unwrap()).unwrap();
        let mut parts = key.rsplitn(3, '|');
        let start = parts.next().unwrap().parse().unwrap();
        assert_eq!(parts.next(), Some(""), "no swimlane");
        let row: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        assert_eq!(row["key"], key);
        let binned: u64 = row["bins"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(binned, number(&row, "n"), "{row}");
        table.insert((start, parts.next().unwrap().to_owned()), counts(&row));
    }
    table
}

#[test]
fn a_broker_that_goes_away_and_comes_back_costs_nothing() {
    let mut stream = Stream::new("signals-broker", "3", LATENESS);
    let base = base();
    let rows = stream.path("rows.jsonl");
    let mut running = stream.start(&["--from", "earliest"]);
    stream.stretch(base, 0..EVENTS / 2);
    eventually("rows", || (lines(&rows) > 0).then_some(()));
    let killed = Killed::now("kafka");
    eventually("a word about it", || stream.words().contains("; waiting").then_some(()));
    // Longer than its first attempts to connect again.
    throughout(Duration::from_secs(5), || assert_eq!(running.ended(), None, "{}", stream.words()));
    killed.revive();
    let back = Instant::now();
    eventually("the word that it is back", || stream.words().contains("everything answers again").then_some(()));
    println!("reading again {:?} after the broker was ready", back.elapsed());
    stream.stretch(base, EVENTS / 2..EVENTS);
    close(&mut stream, base);
    let expected = stream.expected.len();
    eventually("all rows", || (lines(&rows) >= expected).then_some(()));
    running.kill();
    let (found, repeated) = printed(&rows);
    assert_eq!(repeated, 0);
    assert_same(&found, &stream.expected);
}

#[test]
fn poison_an_idle_partition_and_what_comes_too_late_stop_nothing() {
    let more = "[window]\nsize = \"1s\"\nallowed_lateness = \"2s\"\n[watermark]\ndelay = \"0s\"\nidle_after = \"2s\"\n";
    let mut stream = Stream::new("signals-poison", "3", more);
    let rows = stream.path("rows.jsonl");
    let address = free_address();
    let running = stream.start(&["--from", "earliest", "--listen", &address]);
    let begun = chrono::Utc::now().timestamp_millis().div_euclid(WINDOW) * WINDOW - 60_000;
    // The third partition says nothing, ever.
    for second in 0..20 {
        for partition in 0..2 {
            stream.event(partition, begun + second * 1_000 + 1, "steady", (200, 100));
            for poison in ["{", "[]", "\u{7f}", r#"{"ts":"soon","svc":"a","status":1,"us":1}"#, r#"{"svc":"a"}"#, ""] {
                stream.write(partition, poison);
            }
        }
    }
    stream.flush();
    // Windows whose lateness is over: they are told without the third partition.
    let told = 20 - 3;
    eventually("windows in spite of an idle partition", || (lines(&rows) >= told).then_some(()));
    let late = format!(r#"{{"ts":{begun},"svc":"steady","status":200,"us":100}}"#);
    stream.write(0, &late);
    stream.flush();
    let counted = "flowdeck_events_rejected_total{reason=\"too late\"} 1";
    eventually("the late event", || metrics(&address)?.lines().any(|line| line == counted).then_some(()));
    assert_eq!(running.terminate(), Some(128 + 15));
    let words = stream.words();
    println!("{words}");
    assert!(words.contains("counted 40,") && words.contains("too late: 1"), "{words}");
    assert!(words.contains("not JSON") && words.contains("field missing") && words.contains("wrong type"), "{words}");
    let (found, _) = printed(&rows);
    found.iter().for_each(|(key, counts)| assert_eq!(stream.expected.get(key), Some(counts), "{key:?}"));
}

#[test]
fn more_partitions_and_a_topic_made_anew_are_noticed() {
    let more =
        "[window]\nsize = \"1s\"\nallowed_lateness = \"15s\"\n[watermark]\ndelay = \"0s\"\nidle_after = \"2s\"\n";
    let mut stream = Stream::new("signals-grows", "1", more);
    let rows = stream.path("rows.jsonl");
    let running = stream.start(&["--from", "earliest"]);
    // A partition is noticed within seconds, and its events are late until then.
    let mut stage = 0;
    // Once all partitions are idle the clock closes windows, so each event is of now.
    let mut tells = |stream: &mut Stream, partition: i32| {
        stage += 1;
        let service = format!("stage-{stage}");
        stream.event(partition, chrono::Utc::now().timestamp_millis(), &service, (200, 100));
        stream.flush();
        let text = format!("\"{service}\"");
        eventually(&service, || std::fs::read_to_string(&rows).ok().filter(|rows| rows.contains(&text)));
    };
    tells(&mut stream, 0);
    kafka_tool(&["TopicCommand", "--alter", "--topic", "signals-grows", "--partitions", "2"]);
    tells(&mut stream, 1);
    kafka_tool(&["TopicCommand", "--delete", "--topic", "signals-grows"]);
    eventually("a word about it", || stream.words().contains("the cluster has no topic signals-grows").then_some(()));
    kafka_tool(&["TopicCommand", "--create", "--topic", "signals-grows", "--partitions", "2"]);
    tells(&mut stream, 0);
    running.kill();
}

#[test]
fn a_scraper_sees_services_and_how_reading_stands() {
    let mut stream = Stream::new("signals-scraped", "3", LATENESS);
    let base = base();
    stream.stretch(base, 0..20_000);
    close(&mut stream, base);
    let address = free_address();
    let running = stream.start(&["--from", "earliest", "--listen", &address]);
    let requests: u64 = stream.expected.values().map(|counts| counts[0]).sum();
    let sum = |text: &str| -> f64 {
        let found = text.lines().filter(|line| line.starts_with("flowdeck_requests_total{service=\"service-"));
        found.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    let text = eventually("all requests", || {
        let text = metrics(&address)?;
        #[expect(clippy::cast_precision_loss, reason = "twenty thousand")]
        let whole = (sum(&text) - requests as f64).abs() < 0.5;
        whole.then_some(text)
    });
    running.kill();
    for line in ["flowdeck_source_up 1", "flowdeck_backlog_records 0", "flowdeck_records_read_total 20003"] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
