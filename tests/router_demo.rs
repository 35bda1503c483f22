//! The Show of the router: in the demo an incident makes blue unwell, the controller flips, and nothing is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use support::{Console, FLOWDECK};

/// The incident comes seconds after the start; a build without optimizations beside a compiler takes its time.
const PATIENCE: Duration = Duration::from_mins(2);

/// The row of the flip that nobody asked for, once it is there: its columns from the flip on.
fn failover(screen: &str) -> Option<Vec<&str>> {
    let row = screen.lines().find(|line| line.contains("blue › green") && line.contains("failover"))?;
    Some(row.split_whitespace().skip_while(|word| *word != "failover").collect())
}

#[test]
fn the_incident_makes_blue_unwell_and_the_controller_flips_without_a_loss() {
    let mut console = Console::start(&["demo", "--pace", "2"], &[], 120, 40);
    console.until_within(PATIENCE, "pipelines", |screen| screen.contains("expert-matching"));
    console.press(":router\r");
    console.until_within(PATIENCE, "the route", |screen| screen.contains("prd › routes › match-making"));
    console.until_within(PATIENCE, "blue's trouble", |screen| screen.contains("blue is unwell"));
    console.until_within(PATIENCE, "the other lane", |screen| screen.contains("green is active by control record 2"));
    console.until_within(PATIENCE, "the receipt", |screen| failover(screen).is_some());
    let screen = console.screen();
    let row = failover(&screen).unwrap();
    // failover, time with its unit, SLA, gap, lost, duplicated, reordered, compared
    assert_eq!(row.get(3), Some(&"kept"), "{row:?}\n{screen}");
    assert_eq!(row.get(5..8), Some(["0", "0", "0"].as_slice()), "{row:?}\n{screen}");
    let compared: u64 = row.get(8).unwrap().parse().unwrap();
    assert!(compared > 0, "{row:?}\n{screen}");
    console.until_within(PATIENCE, "green at work", |screen| {
        let lanes = screen.lines().find(|line| line.contains("green active") && line.contains("● well"));
        lanes.is_some() && screen.lines().any(|line| line.contains("output") && line.matches("grows").count() >= 1)
    });
    console.press("f");
    console.until("what would change", |screen| screen.contains("- active lane: green"));
    console.press("back again\r");
    console.until("the name asked for", |screen| screen.contains("type prd to confirm"));
    console.press("prd\r");
    // Blue's sink still fails: the controller says so, and keeps the records where they are well.
    console.until_within(PATIENCE, "the answer", |screen| {
        ["refused", "done"].iter().any(|word| screen.contains(&format!("flip to blue: {word}: ")))
    });
    console.press("q");
}

/// A step of the dashboard on which those look who read what both copies write, in milliseconds.
const STEP: i64 = 30_000;

/// Ended with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Times of all matches so far, of both copies.
fn matches(broker: &str) -> Vec<i64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker)
        .set("group.id", "dashboard")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut places = TopicPartitionList::new();
    for lane in ["blue", "green"] {
        for partition in 0..4 {
            places.add_partition_offset(&format!("matches.{lane}"), partition, Offset::Beginning).unwrap();
        }
    }
    consumer.assign(&places).unwrap();
    let (mut times, mut ended, deadline) = (Vec::new(), 0, Instant::now() + PATIENCE);
    while ended < places.count() {
        assert!(Instant::now() < deadline, "the end of the matches does not come");
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => times.extend(message.timestamp().to_millis()),
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(_)) | None => {}
        }
    }
    times
}

#[test]
fn the_dashboard_of_the_consumers_shows_no_gap() {
    let mut command = Command::new(FLOWDECK);
    command.args(["demo", "--headless", "--pace", "2"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut demo = Demo(command.spawn().unwrap());
    let lines = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told: Vec<(String, String)> = lines
        .take(11)
        .filter_map(|line| line.split_once('\t').map(|(name, what)| (name.to_owned(), what.to_owned())))
        .collect();
    let of = |name: &str| told.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let (broker, settings) = (of("prd kafka"), of("settings"));
    let spec = Path::new(&settings).with_file_name("match-making-route.toml");
    let deadline = Instant::now() + PATIENCE;
    // By the receipt of the failover: when the trouble was seen first.
    let since = loop {
        let mut receipts = Command::new(FLOWDECK);
        receipts.args(["router", "receipts", "-o", "json", "--bootstrap", &broker, "--spec"]).arg(&spec);
        let receipts: serde_json::Value =
            serde_json::from_slice(&receipts.output().unwrap().stdout).unwrap_or_default();
        let failover = receipts.as_array().into_iter().flatten().find(|receipt| receipt["cause"] == "failover");
        if let Some(receipt) = failover {
            break receipt["since_ms"].as_i64().unwrap();
        }
        assert!(Instant::now() < deadline, "no failover: {receipts:#}");
    };
    // Until a whole step lies behind it.
    let times = loop {
        let times = matches(&broker);
        if times.iter().max().is_some_and(|last| *last > since + 2 * STEP) {
            break times;
        }
        assert!(Instant::now() < deadline + PATIENCE, "nothing came after the flip");
    };
    let (first, last) = (times.iter().min().unwrap() / STEP, times.iter().max().unwrap() / STEP);
    let empty: Vec<i64> = (first..=last).filter(|step| !times.iter().any(|time| time / STEP == *step)).collect();
    assert!(last - first >= 2 && empty.is_empty(), "{empty:?} of {first}..{last} are empty");
}
