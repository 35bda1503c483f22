//! A real broker: lag as Kafka's own tool prints it.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::stack::{Settings, kafka_tool, variable};

const TOPIC: &str = "lag-test";
const GROUP: &str = "lag-test-group";
const PARTITIONS: i32 = 4;

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", variable("STACK_KAFKA"));
    config
}

/// Writes records, unevenly, and commits some of them.
fn prepare() {
    kafka_tool(&["TopicCommand", "--create", "--if-not-exists", "--topic", TOPIC, "--partitions", "4"]);
    let producer: BaseProducer = client().create().unwrap();
    for number in 0..1_000_i32 {
        let partition = if number % 3 == 0 { 2 } else { number % PARTITIONS };
        let record = BaseRecord::<(), [u8]>::to(TOPIC).partition(partition).payload(b"record");
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(std::time::Duration::from_secs(10)).unwrap();
    let consumer: BaseConsumer = client().set("group.id", GROUP).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    for partition in 0..PARTITIONS - 1 {
        offsets.add_partition_offset(TOPIC, partition, Offset::Offset(i64::from(partition) * 20 + 7)).unwrap();
    }
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
}

/// Lag by partition from the table of `kafka-consumer-groups --describe`.
fn lag_by_kafka() -> BTreeMap<i64, u64> {
    let text = kafka_tool(&["ConsumerGroupCommand", "--describe", "--group", GROUP]);
    let mut lines = text.lines().skip_while(|line| !line.contains("CURRENT-OFFSET"));
    let heading: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let (partition, lag) = (position(&heading, "PARTITION"), position(&heading, "LAG"));
    let cells =
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|cells| cells.first() == Some(&GROUP));
    cells.filter_map(|cells| Some((cells.get(partition)?.parse().ok()?, cells.get(lag)?.parse().ok()?))).collect()
}

fn position(heading: &[&str], title: &str) -> usize {
    heading.iter().position(|cell| *cell == title).unwrap()
}

fn lag_by_flowdeck(row: &Value) -> BTreeMap<i64, u64> {
    let partitions = row["partitions"].as_array().unwrap();
    partitions
        .iter()
        .filter_map(|partition| {
            let committed = partition["committed"].as_i64()?;
            Some((partition["partition"].as_i64()?, u64::try_from(partition["high"].as_i64()? - committed).ok()?))
        })
        .collect()
}

#[test]
fn lag_equals_what_kafkas_own_tool_prints() {
    prepare();
    let rows = Settings::admin(&["default"]).json(&["get", "groups", GROUP, "-o", "json"]);
    let row = &rows[0];
    let (ours, theirs) = (lag_by_flowdeck(row), lag_by_kafka());
    println!("lag by partition: {ours:?}");
    assert_eq!(theirs.len(), 3, "{theirs:?}");
    assert_eq!(ours, theirs);
    assert_eq!(row["lag_records"].as_u64().unwrap(), theirs.values().sum::<u64>());
}
