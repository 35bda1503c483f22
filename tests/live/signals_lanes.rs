//! Two that count the same events, and a route that tells each window from one of them: what readers of the destination
//! find is what an independent count says, although the one that is told is killed in the middle.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::signals::{EVENTS, LATENESS, Running, Stream, assert_same, base, close, table};
use crate::stack::{eventually, kafka_tool, variable};
use crate::support::FLOWDECK;

/// A command of the router on the stream's route.
fn router(stream: &Stream, arguments: &[&str]) -> Command {
    let mut command = Command::new(FLOWDECK);
    command.arg("router").args(arguments).args(["--bootstrap", &variable("STACK_KAFKA"), "--spec"]);
    command.arg(stream.path("route.toml")).env("HOME", stream.path(""));
    command
}

fn json(stream: &Stream, arguments: &[&str]) -> Value {
    let output = router(stream, &[arguments, &["-o", "json"]].concat()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[test]
fn golden_signals_of_two_are_told_once_although_one_is_killed() {
    let mut stream = Stream::new("lanes-events", "3", LATENESS);
    for topic in ["lanes.blue", "lanes.green", "lanes.told"] {
        kafka_tool(&["TopicCommand", "--create", "--topic", topic, "--partitions", "1"]);
    }
    let spec = "name = \"lanes\"\nmode = \"select\"\n[source]\ntopic = \"lanes-events\"\n[destination]\n\
                topic = \"lanes.told\"\n[control]\ntopic = \"lanes.control\"\ninitial = \"blue\"\n[checks]\nevery = \"1s\"\nfreshness = \"5s\"\n\
                [guard]\nunhealthy_for = \"3s\"\nhealthy_for = \"1s\"\n\
                [[lane]]\nname = \"blue\"\ntopic = \"lanes.blue\"\n[[lane]]\nname = \"green\"\ntopic = \"lanes.green\"\n";
    std::fs::write(stream.path("route.toml"), spec).unwrap();
    assert!(router(&stream, &["init"]).status().unwrap().success());
    let quiet = |arguments: &[&str]| {
        Running(router(&stream, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let (_worker, _controller) = (quiet(&["worker", "--slot", "w1"]), quiet(&["controller"]));
    let count = |lane: &str| {
        let (state, topic) = (stream.path(lane), format!("lanes.{lane}"));
        let state = state.to_string_lossy().into_owned();
        stream.start(&["--from", "earliest", "--state", &state, "--output-topic", &topic])
    };
    let (blue, _green) = (count("blue"), count("green"));
    let base = base();
    stream.stretch(base, 0..EVENTS / 2);
    eventually("rows of blue", || (table("lanes.told").len() > 100).then_some(()));
    blue.kill();
    // Events go on coming: nobody has to ask.
    let (mut next, mut receipt) = (EVENTS / 2, None);
    while receipt.is_none() && next < EVENTS {
        stream.stretch(base, next..next + EVENTS / 200);
        stream.flush();
        next += EVENTS / 200;
        receipt = json(&stream, &["receipts"]).get(0).cloned();
    }
    let receipt = receipt.unwrap_or_else(|| panic!("no failover: {}", json(&stream, &["status"])));
    assert_eq!((&receipt["cause"], &receipt["to"]), (&Value::from("failover"), &Value::from("green")), "{receipt}");
    stream.stretch(base, next..EVENTS);
    close(&mut stream, base);
    println!("{receipt}");
    for what in ["lost", "duplicated", "reordered"] {
        assert_eq!(receipt["audit"][what], 0, "{receipt}");
    }
    let told = eventually("every window", || {
        let told = table("lanes.told");
        (told.len() >= stream.expected.len()).then_some(told)
    });
    println!("{} rows told from two; {}", told.len(), stream.words());
    assert_same(&told, &stream.expected);
}
