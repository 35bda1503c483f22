//! Topics and rights as a real broker tells them, before anything is deployed.

use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::deploy::{done, report};
use crate::stack::{Namespace, Settings, eventually, kafka_tool, variable};

const MANIFEST: &str = r#"apiVersion: flowdeck.dev/v1
kind: Pipeline
metadata: {name: rights, team: data}
spec:
  environments: [qal]
  processors:
    - {name: reader, artifact: "com.example:reader:1.0.0", replicas: 4, cpu: 1, memory: 1Gi, offsetVersion: 3, inputs: [rights-in], outputs: [rights-out]}
"#;

/// Settings that lead to the broker, with more lines for `[environment.kafka]` and `[environment.deploy]`.
fn settings(namespace: &str, kafka: &str, deploy: &str) -> Settings {
    let more =
        format!("[environment.kafka]\n{kafka}\n[environment.deploy]\n{deploy}\nstate = \"s3://state/{{processor}}\"");
    Settings::named("qal", &variable("STACK_KUBECONFIG"), &[namespace], &more)
}

fn plain() -> String {
    format!("bootstrap = {:?}", variable("STACK_KAFKA"))
}

fn file() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipeline.yaml");
    std::fs::write(&path, MANIFEST).unwrap();
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// What a diff finds of topics: weight and words.
fn found(settings: &Settings, path: &str) -> Vec<(String, String, Value)> {
    let proposals = settings.json(&["diff", "-f", path, "-o", "json"]);
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    let topics = proposals[0]["topics"].as_array().unwrap().clone();
    topics.iter().map(|it| (text(it, "weight"), text(it, "message"), it["command"].clone())).collect()
}

/// Runs a command that flowdeck names, with the tools of this broker.
fn obey(command: &Value) {
    let command = command.as_str().unwrap();
    let (script, class) = [("kafka-topics.sh", "TopicCommand"), ("kafka-acls.sh", "AclCommand")]
        .into_iter()
        .find(|(script, _)| command.starts_with(script))
        .unwrap();
    let rest = command.strip_prefix(script).unwrap();
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stack/kafka-tool");
    let output = Command::new("bash").args(["-c", &format!("exec {tool} {class} {rest}")]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_a_pipeline_lacks_is_named_until_each_named_command_was_run() {
    let namespace = Namespace::new("rights");
    let (_folder, path) = file();
    let settings = settings(&namespace.0, &plain(), "kafka-principal = \"User:flink {processor}\"");
    // Rules for others, so that the broker's answer to nobody's rule is no.
    for (option, name) in [("--topic", "rights-"), ("--group", "rights.")] {
        let add = ["AclCommand", "--add", "--allow-principal", "User:other", "--operation", "All", option, name];
        kafka_tool(&[&add[..], &["--resource-pattern-type", "prefixed"]].concat());
    }
    let first = found(&settings, &path);
    let missing: Vec<&str> = first.iter().filter(|it| it.0 == "missing").map(|it| it.1.as_str()).collect();
    assert_eq!(
        missing,
        [
            "User:flink reader may not read group rights.reader.v3: no rule allows it",
            "User:flink reader may not read topic rights-in: no rule allows it",
            "User:flink reader may not write topic rights-out: no rule allows it",
            "reads topic rights-in, which does not exist",
            "writes topic rights-out, which does not exist",
        ]
    );
    // It is refused, and nothing is sent.
    let output = settings.command(&["apply", "-f", &path, "--yes", "-o", "json"]);
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["refusals"].as_array().unwrap().len(), 5, "{report:#}");
    // Each command that was named does what it says.
    first.iter().filter(|it| it.0 == "missing").for_each(|it| obey(&it.2));
    // A topic that was just made has no writer yet; the first record shows that somebody is one, whoever it is.
    let unwritten = found(&settings, &path);
    assert!(unwritten.len() == 1 && unwritten[0].0 == "warning", "{unwritten:?}");
    assert!(
        unwritten[0].1.starts_with("reads topic rights-in, which nobody seems to write: no known pipeline does")
            && unwritten[0].1.ends_with("no record was ever written to it"),
        "{unwritten:?}"
    );
    produce("rights-in");
    assert_eq!(found(&settings, &path), []);
    let output = settings.command(&["apply", "-f", &path, "--yes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // A rule that denies wins, and the command takes it away.
    kafka_tool(&[
        "AclCommand",
        "--add",
        "--deny-principal",
        "User:flink reader",
        "--operation",
        "Read",
        "--topic",
        "rights-in",
    ]);
    let denied = found(&settings, &path);
    assert!(denied.len() == 1 && denied[0].1.ends_with("a rule denies it"), "{denied:?}");
    obey(&json!(format!("{} --force", denied[0].2.as_str().unwrap())));
    assert_eq!(found(&settings, &path), []);
    // Another pipeline that writes the same is named, in whichever namespace it is.
    let other = Namespace::new("rights-other");
    let there = self::settings(&other.0, &plain(), "");
    let (_rival, rival) = crate::deploy::file(
        &MANIFEST
            .replace("name: rights,", "name: rival,")
            .replace("inputs: [rights-in], ", "")
            .replace("{name: reader,", "{name: writer,"),
    );
    done(&there, &["apply", "-f", &rival, "--yes"]);
    let twice = found(&settings, &path);
    let words =
        "writes topic rights-out, and so does rival › writer in rights-other: whoever reads it cannot tell them apart";
    assert_eq!(twice, [("warning".to_owned(), words.to_owned(), Value::Null)]);
    done(&there, &["decommission", "rival", "--yes", "--accept-state-loss"]);
    // More readers than partitions: a warning, which stands against nothing.
    let wide = MANIFEST.replace("replicas: 4", "replicas: 6");
    std::fs::write(&path, wide).unwrap();
    let idle = found(&settings, &path);
    assert!(idle.len() == 1 && idle[0].0 == "warning" && idle[0].1.contains("2 of its readers"), "{idle:?}");
}

#[test]
fn a_broker_that_does_not_tell_is_an_answer_of_its_own() {
    let namespace = Namespace::new("rights-untold");
    let (_folder, path) = file();
    let sasl = format!(
        "bootstrap = {:?}\n[environment.kafka.properties]\n\"security.protocol\" = \"SASL_PLAINTEXT\"\n\"sasl.mechanisms\" = \"PLAIN\"\n\
         \"sasl.username\" = {:?}\n\"sasl.password\" = {:?}",
        variable("STACK_KAFKA_SASL"),
        variable("STACK_KAFKA_SASL_USER"),
        variable("STACK_KAFKA_SASL_PASSWORD")
    );
    let principal = "kafka-principal = \"flink\"";
    // Somebody else may describe the cluster: then this user may not.
    let other = ["--allow-principal", "User:somebody", "--operation", "Describe", "--cluster"];
    kafka_tool(&[&["AclCommand", "--add"][..], &other].concat());
    let untold = found(&settings(&namespace.0, &sasl, principal), &path);
    kafka_tool(&[&["AclCommand", "--remove", "--force"][..], &other].concat());
    assert!(untold.iter().any(|it| it.0 == "unknown" && it.1.contains("does not tell who may what")), "{untold:?}");
    let nobody = found(&settings(&namespace.0, "bootstrap = \"127.0.0.1:1\"", principal), &path);
    assert!(nobody.len() == 1 && nobody[0].1.contains("connection refused by 127.0.0.1:1"), "{nobody:?}");
}

/// Creates topics of one partition.
fn create(topics: &[&str]) {
    for topic in topics {
        kafka_tool(&["TopicCommand", "--create", "--topic", topic, "--partitions", "2"]);
    }
}

/// Names of the cluster that begin with a word.
fn named(class: &str, prefix: &str) -> Vec<String> {
    let listed = kafka_tool(&[class, "--list"]);
    let mut names: Vec<String> =
        listed.lines().map(str::trim).filter(|it| it.starts_with(prefix)).map(str::to_owned).collect();
    names.sort();
    names
}

/// A consumer that joins a group, reads a topic and commits; it is a member as long as it lives.
fn member(group: &str, topic: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", variable("STACK_KAFKA")).set("group.id", group);
    config.set("auto.offset.reset", "earliest").set("session.timeout.ms", "6000");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    eventually("a record", || consumer.poll(Duration::from_millis(500)).and_then(Result::ok).map(|_| ()));
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();
    consumer
}

fn produce(topic: &str) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", variable("STACK_KAFKA")).create().unwrap();
    producer.send(BaseRecord::<(), _>::to(topic).payload("x")).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

#[test]
fn a_pipeline_that_goes_takes_exactly_the_topics_and_groups_that_it_was_asked_to() {
    let (namespace, other) = (Namespace::new("sweep"), Namespace::new("sweep-other"));
    let here = settings(&namespace.0, &plain(), "");
    let there = settings(&other.0, &plain(), "");
    create(&["sweep-in", "sweep-own", "sweep-shared", "sweep-watched", "sweep-in-else"]);
    let manifest = |name: &str, inputs: &str, outputs: &str| {
        let text = format!(
            "apiVersion: flowdeck.dev/v1\nkind: Pipeline\nmetadata: {{name: {name}, team: data}}\nspec:\n  environments: [qal]\n  \
             processors:\n    - {{name: {name}-job, artifact: 'com.example:a:1.0.0', replicas: 1, cpu: 1, memory: 1Gi, \
             offsetVersion: 2, inputs: [{inputs}], outputs: [{outputs}]}}\n"
        );
        crate::deploy::file(&text)
    };
    let (_own, own) = manifest("sweep", "sweep-in", "sweep-own, sweep-shared, sweep-watched");
    let (_reader, reader) = manifest("sweeper", "sweep-shared", "sweep-in-else");
    // It ran with another offset version before, whose group is its own too.
    let former = std::fs::read_to_string(&own).unwrap().replace("offsetVersion: 2", "offsetVersion: 1");
    let (_former, former) = crate::deploy::file(&former);
    for (settings, path) in [(&here, &former), (&here, &own), (&there, &reader)] {
        done(settings, &["apply", "-f", path, "--yes", "--accept-state-loss"]);
    }
    ["sweep-in", "sweep-watched", "sweep-shared"].into_iter().for_each(produce);
    drop(member("sweep.sweep-job.v1", "sweep-in"));
    drop(member("sweeper.sweeper-job.v2", "sweep-shared"));
    let watcher = member("sweep-watcher", "sweep-watched");
    let straggler = member("sweep.sweep-job.v2", "sweep-in");
    let groups = ["sweep-watcher", "sweep.sweep-job.v1", "sweep.sweep-job.v2", "sweeper.sweeper-job.v2"];
    assert_eq!(named("ConsumerGroupCommand", "sweep"), groups);
    let topics = ["sweep-in", "sweep-in-else", "sweep-own", "sweep-shared", "sweep-watched"];
    // Unasked, all of them stay; asked, each is named with the reason. Neither look deletes anything.
    let ask = |more: &[&str]| {
        let base = ["decommission", "sweep", "--yes", "--accept-state-loss"];
        report(&here, &[&base[..], more].concat())
    };
    let (_, unasked, _) = ask(&["--dry-run"]);
    assert!(unasked["remnants"].as_array().unwrap().iter().all(|it| it["goes"] == false), "{unasked:#}");
    let (code, looked, words) = ask(&["--topics", "--groups", "--dry-run"]);
    assert_eq!(code, 0, "{words}");
    let fates: Vec<(String, bool, String)> = looked["remnants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap().into(), it["goes"] == true, it["because"].as_str().unwrap().into()))
        .collect();
    let fate = |name: &str| fates.iter().find(|it| it.0 == name).map(|it| (it.1, it.2.as_str())).unwrap();
    assert_eq!(fate("sweep-in"), (false, "sweep-job only reads it: somebody else writes it"));
    assert_eq!(fate("sweep-shared"), (false, "sweeper › sweeper-job in sweep-other reads it"));
    assert_eq!(fate("sweep-watched"), (false, "consumer group sweep-watcher reads it now, with 1 member"));
    assert!(fate("sweep-own").0 && fate("sweep.sweep-job.v1").0 && fate("sweep.sweep-job.v2").0, "{fates:?}");
    assert_eq!((fates.len(), named("TopicCommand", "sweep-")), (6, topics.map(str::to_owned).to_vec()));
    // The group that still has a member is waited for; then exactly what was named is gone.
    let leaving = std::thread::spawn(move || {
        let leaves = Instant::now() + Duration::from_secs(8);
        while Instant::now() < leaves {
            straggler.poll(Duration::from_millis(200));
        }
    });
    let (code, gone, words) = ask(&["--topics", "--groups"]);
    leaving.join().unwrap();
    assert_eq!(code, 0, "{words} {gone:#}");
    let steps: Vec<&str> = gone["steps"].as_array().unwrap().iter().map(|it| it["step"].as_str().unwrap()).collect();
    assert!(gone["steps"].to_string().contains("it still has members: waiting"), "{steps:?}");
    assert_eq!(steps.last(), Some(&"delete topic sweep-own"), "{steps:?}");
    assert_eq!(named("TopicCommand", "sweep-"), ["sweep-in", "sweep-in-else", "sweep-shared", "sweep-watched"]);
    assert_eq!(named("ConsumerGroupCommand", "sweep"), ["sweep-watcher", "sweeper.sweeper-job.v2"]);
    // The same again finds nothing to do, and says what stays.
    let (code, again, _) = ask(&["--topics", "--groups"]);
    assert_eq!((code, &again["outcome"]), (0, &json!("unchanged")), "{again:#}");
    // Once nobody reads it any more, what was left goes too.
    drop(watcher);
    let (code, rest, words) = ask(&["--topics"]);
    assert_eq!((code, &rest["outcome"]), (0, &json!("done")), "{words} {rest:#}");
    assert_eq!(named("TopicCommand", "sweep-"), ["sweep-in", "sweep-in-else", "sweep-shared"]);
    let audit = here.json(&["audit", "sweep", "-o", "json"]);
    let last = audit.as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["outcome"], &last["changes"]), (&json!("done"), &json!(["topic sweep-watched: removed"])));
}

#[test]
fn without_a_broker_that_tells_nothing_of_kafka_goes_and_neither_do_the_objects() {
    let namespace = Namespace::new("sweep-blind");
    let settings = settings(&namespace.0, "bootstrap = \"127.0.0.1:1\"", "");
    let (_folder, path) = file();
    done(&settings, &["apply", "-f", &path, "--yes", "--ignore-topics"]);
    let ask = ["decommission", "rights", "--topics", "--yes", "--accept-state-loss"];
    let (code, _, words) = report(&settings, &ask);
    assert!(code == 7 && words.contains("nobody can say what becomes of its topics"), "{code} {words}");
    assert!(!settings.json(&["history", "rights", "-o", "json"]).as_array().unwrap().is_empty());
    assert_eq!(crate::deploy::items(&namespace.0, "flinkdeployments").len(), 1);
    done(&settings, &["decommission", "rights", "--yes", "--accept-state-loss"]);
}

#[test]
fn the_rendered_client_configuration_signs_in_with_kafkas_own_client() {
    let (_folder, path) = file();
    let kafka = format!(
        "bootstrap = {:?}\n[environment.kafka.properties]\n\"security.protocol\" = \"sasl_plaintext\"\n\"sasl.mechanisms\" = \"SCRAM-SHA-512\"\n\
         \"sasl.username\" = \"somebody\"\n\"sasl.password\" = \"hunter2\"",
        variable("STACK_KAFKA_SASL")
    );
    let settings = settings("default", &kafka, "kafka-secret = \"kafka-client\"");
    let output = settings.command(&["render", "-f", &path, "-o", "json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains("hunter2") && !text.contains("somebody"), "{text}");
    let objects: Vec<Value> = serde_json::from_str(&text).unwrap();
    let data = &objects.iter().find(|it| it["kind"] == "ConfigMap").unwrap()["data"];
    assert_eq!(data["topics.properties"], "inputs=rights-in\noutputs=rights-out\n");
    // The Secret as it would be mounted.
    let mounted = tempfile::tempdir().unwrap();
    let login = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{}\" password=\"{}\";",
        variable("STACK_KAFKA_SASL_USER"),
        variable("STACK_KAFKA_SASL_PASSWORD")
    );
    std::fs::write(mounted.path().join("sasl.jaas.config"), login).unwrap();
    let client = data["client.properties"].as_str().unwrap();
    let client = client.replace("/opt/flowdeck/kafka-secret", &mounted.path().to_string_lossy());
    let file = mounted.path().join("client.properties");
    std::fs::write(&file, &client).unwrap();
    let bootstrap = variable("STACK_KAFKA_SASL");
    let tool = |file: &std::path::Path| {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stack/kafka-tool");
        let mut command = Command::new(tool);
        command.args(["TopicCommand", "--bootstrap-server", &bootstrap, "--list", "--command-config"]);
        command.arg(file).output().unwrap()
    };
    let listed = tool(&file);
    assert!(listed.status.success(), "{client}\n{}", String::from_utf8_lossy(&listed.stderr));
}
