//! Backends that die and come back while the console is open.

use std::time::{Duration, Instant};

use crate::stack::{Killed, Namespace, Settings, kafka_tool, stackctl};
use crate::support::Console;

/// As long as the issue asks for.
const AWAY: Duration = Duration::from_secs(30);

/// Opens and closes the help, and answers how long the slower of both took.
fn keys_answer(console: &mut Console) -> Duration {
    console.press("?");
    let opened = console.until_within(Duration::from_secs(1), "the help", |screen| screen.contains("help: pipelines"));
    console.press("\x1b");
    let closed = console.until_within(Duration::from_secs(1), "the list", |screen| screen.contains("PIPELINE"));
    opened.max(closed)
}

fn answers_while_away(console: &mut Console) -> Duration {
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    while begun.elapsed() < AWAY {
        slowest = slowest.max(keys_answer(console));
        console.watch(Duration::from_millis(500));
    }
    slowest
}

#[test]
fn the_api_server_dies_for_30_seconds_and_comes_back() {
    let namespace = Namespace::new("api-away");
    stackctl(&["fill", "2", "3", &namespace.0]);
    let settings = Settings::admin(&[&namespace.0]);
    let mut console = settings.console(120, 40);
    console.sees("3/3");
    let killed = Killed::now("apiserver");
    console.until("the link says so", |screen| screen.contains("k8s down"));
    assert!(console.screen().contains("3/3"), "old data stay");
    let slowest = answers_while_away(&mut console);
    killed.revive();
    let back = console.until("the link is back", |screen| !screen.contains("k8s down") && !screen.contains("stale"));
    println!("API server away: keys answered within {slowest:?}; up again on screen after {back:?}");
    stackctl(&["scale", &namespace.0, &first_pipeline(&namespace.0), "5"]);
    // The spec still wants 3 pods. The scheduler, too, has to find the server again.
    console.until_within(Duration::from_mins(3), "6 pods", |screen| screen.contains("6/3"));
}

fn first_pipeline(namespace: &str) -> String {
    let names = crate::stack::kubectl(&["get", "flinkdeployments", "-n", namespace, "-o", "name"]);
    names.lines().next().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[test]
fn kafka_dies_and_comes_back() {
    let namespace = Namespace::new("kafka-away");
    stackctl(&["fill", "1", "3", &namespace.0]);
    kafka_tool(&["TopicCommand", "--create", "--if-not-exists", "--topic", "clicks", "--partitions", "3"]);
    let settings = Settings::admin(&[&namespace.0]);
    let mut console = settings.console(120, 40);
    console.sees("3/3");
    console.press(":topics\r");
    console.sees("clicks");
    console.until("the topics", |screen| screen.contains("TOPIC"));
    let killed = Killed::now("kafka");
    console.until("the link says so", |screen| screen.contains("kafka down"));
    console.press("\x1b");
    console.until("the pipelines", |screen| screen.contains("PIPELINE"));
    let slowest = answers_while_away(&mut console);
    killed.revive();
    console.press(":topics\r");
    let back = console.until("the link is back", |screen| screen.contains("clicks") && !screen.contains("kafka down"));
    println!("Kafka away: keys answered within {slowest:?}; up again on screen after {back:?}");
}
