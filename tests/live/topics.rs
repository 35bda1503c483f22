//! Topics and rights as a real broker tells them, before anything is deployed.

use std::process::Command;

use serde_json::{Value, json};

use crate::stack::{Namespace, Settings, kafka_tool, variable};

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
