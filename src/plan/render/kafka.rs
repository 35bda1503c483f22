//! The Kafka client's configuration of a processor: what the platform's SDK does for its developers.
//!
//! A ConfigMap holds what may be read by all; the client reads its secrets itself, from a mounted Secret, through
//! Kafka's own config provider. So no secret is ever part of a manifest, a diff or an audit line.

use serde_json::{Map, Value, json};

use super::Piece;
use crate::plan::object::OURS;
use crate::plan::target::SECRET_FOLDER;

/// Where the configuration is in a container.
const FOLDER: &str = "/opt/flowdeck/kafka";

fn name(piece: &Piece<'_>) -> String {
    format!("{}-kafka", piece.name)
}

/// The ConfigMap.
pub(super) fn config_map(piece: &Piece<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": piece.metadata(&name(piece), None),
        "data": {"client.properties": properties(piece), "topics.properties": topics(piece)},
    })
}

fn properties(piece: &Piece<'_>) -> String {
    let kafka = &piece.target.kafka;
    let mut lines = Vec::new();
    if let Some(bootstrap) = &kafka.bootstrap {
        lines.push(format!("bootstrap.servers={}", escaped(bootstrap)));
    }
    lines.push(format!("group.id={}", piece.group()));
    lines.extend(kafka.by_reference().iter().map(|(name, value)| format!("{name}={}", escaped(value))));
    lines.join("\n") + "\n"
}

fn topics(piece: &Piece<'_>) -> String {
    let list = |topics: &[serde_saphyr::Spanned<String>]| {
        topics.iter().map(|topic| topic.value.as_str()).collect::<Vec<_>>().join(",")
    };
    format!("inputs={}\noutputs={}\n", list(&piece.step.inputs), list(&piece.step.outputs))
}

/// A value in a properties file, which Java reads as Latin-1: on one line, other letters by their numbers.
pub(super) fn escaped(value: &str) -> String {
    let mut text = String::new();
    for (at, letter) in value.chars().enumerate() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            // Before a value blanks are skipped.
            ' ' if at == 0 => text.push_str("\\ "),
            ' '..='~' => text.push(letter),
            other => text.extend(other.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
    }
    text
}

/// The variables by which a program finds it.
pub(super) fn variables(piece: &Piece<'_>) -> Vec<Value> {
    [
        ("FLOWDECK_PIPELINE", piece.pipeline.to_owned()),
        ("FLOWDECK_PROCESSOR", piece.name.clone()),
        ("FLOWDECK_KAFKA_CLIENT", format!("{FOLDER}/client.properties")),
        ("FLOWDECK_KAFKA_TOPICS", format!("{FOLDER}/topics.properties")),
        ("FLOWDECK_KAFKA_GROUP", piece.group()),
    ]
    .into_iter()
    .map(|(name, value)| json!({"name": name, "value": value}))
    .collect()
}

/// Where it is mounted.
pub(super) fn mounts(piece: &Piece<'_>) -> Vec<Value> {
    let mut mounts = vec![json!({"name": "kafka", "mountPath": FOLDER, "readOnly": true})];
    if piece.target.kafka.secret.is_some() {
        mounts.push(json!({"name": "kafka-secret", "mountPath": SECRET_FOLDER, "readOnly": true}));
    }
    mounts
}

/// What is mounted.
pub(super) fn volumes(piece: &Piece<'_>) -> Vec<Value> {
    let mut volumes = vec![json!({"name": "kafka", "configMap": {"name": name(piece)}})];
    if let Some(secret) = &piece.target.kafka.secret {
        volumes.push(json!({"name": "kafka-secret", "secret": {"secretName": secret.name}}));
    }
    volumes
}

/// An annotation of the pods that changes with the configuration: a pod reads it only when it starts.
pub(super) fn fingerprint(texts: &[&Value]) -> Map<String, Value> {
    let sum = texts.iter().fold(0, |sum, text| crc32c::crc32c_append(sum, text.to_string().as_bytes()));
    Map::from_iter([(format!("{OURS}configuration"), json!(format!("{sum:08x}")))])
}
