//! The Kafka source against brokers that run in the test: the demonstration's own, and librdkafka's mock cluster
//! of three. Nothing sleeps: every wait is for a condition, with a deadline.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

mod source_kafka {
    pub mod console;
}

use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::Utc;
use flowdeck::demo::kafka::{Broker, Member, Record};
use flowdeck::model::environment::Link;
use flowdeck::model::interest::Interest;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use self::source_kafka::console::{Console, Seen, group, names, topics};

fn records(count: usize, age: Duration) -> Vec<Record> {
    let timestamp_ms = Utc::now().timestamp_millis() - i64::try_from(age.as_millis()).unwrap();
    let record = Record { key: None, value: Bytes::from_static(b"value"), timestamp_ms, headers: Vec::new() };
    vec![record; count]
}

/// A broker with two partitions of `orders` that `billing` reads: 100 and 60 records, 40 and 60 committed.
async fn broker() -> Broker {
    let broker = Broker::start("test").await.unwrap();
    broker.create_topic("orders", 2);
    broker.append("orders", 0, &records(100, Duration::ZERO)).unwrap();
    broker.append("orders", 1, &records(60, Duration::ZERO)).unwrap();
    broker.commit("billing", "orders", 0, 40);
    broker.commit("billing", "orders", 1, 60);
    broker
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_is_end_minus_committed() {
    let broker = broker().await;
    let assignment = vec![("orders".to_owned(), vec![0, 1])];
    let member = Member { client_id: "flink".into(), host: "/10.0.0.1".into(), assignment };
    broker.set_members("billing", vec![member]);
    let mut console = Console::start(&broker.address().to_string(), &[], group("billing", &["orders"], false));
    console.until("group", |seen| seen.groups.contains_key("billing")).await;
    let billing = &console.seen.groups["billing"];
    assert_eq!((&*billing.state, billing.members), ("Stable", 1));
    let lags: Vec<_> =
        billing.partitions.iter().map(|lag| (lag.partition, lag.committed, lag.high, lag.records())).collect();
    assert_eq!(lags, [(0, Some(40), 100, Some(60)), (1, Some(60), 60, Some(0))]);
    assert_eq!(billing.lag_records(), Some(60));
    assert_eq!(billing.worst().map(|lag| lag.partition), Some(0));
    assert!(matches!(console.seen.links.as_slice(), [Link::Connecting, Link::Up { .. }]), "{:?}", console.seen.links);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_named_topics_is_asked_for_all_its_commits() {
    let broker = broker().await;
    broker.create_topic("other", 1);
    broker.commit("billing", "other", 0, 0);
    let mut console = Console::start(&broker.address().to_string(), &[], group("billing", &[], false));
    let all = |seen: &Seen| seen.groups.get("billing").is_some_and(|group| group.partitions.len() == 3);
    let took = console.until("all three partitions", all).await;
    assert!(took < Duration::from_secs(1), "in the first round, not after {took:?}");
    assert_eq!(console.seen.groups["billing"].lag_records(), Some(60));
}

#[tokio::test(flavor = "multi_thread")]
async fn growing_lag_shows_in_the_rates() {
    let broker = broker().await;
    let mut interest = group("billing", &["orders"], false);
    interest.topics = topics(&["orders"]).topics;
    let mut console = Console::start(&broker.address().to_string(), &[], interest);
    console.until("group", |seen| seen.groups.contains_key("billing")).await;
    let first = &console.seen.groups["billing"];
    assert_eq!((first.produced_per_second, first.consumed_per_second), (None, None), "not before it was seen twice");
    broker.append("orders", 0, &records(1000, Duration::ZERO)).unwrap();
    broker.commit("billing", "orders", 0, 140);
    console
        .until("growing lag", |seen| seen.groups["billing"].growth_per_second().is_some_and(|growth| growth > 0.0))
        .await;
    let second = &console.seen.groups["billing"];
    assert_eq!(second.lag_records(), Some(960));
    let ratio = second.produced_per_second.unwrap() / second.consumed_per_second.unwrap();
    assert!((ratio - 10.0).abs() < 1e-6, "{ratio}");
    console.until("topic rate", |seen| seen.topics["orders"].records_per_second.is_some_and(|rate| rate > 0.0)).await;
    assert_eq!(console.seen.topics["orders"].records(), 1160);
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_in_time_is_read_from_the_record_itself() {
    let broker = Broker::start("test").await.unwrap();
    broker.create_topic("orders", 1);
    for minutes in (0..6).rev() {
        broker.append("orders", 0, &records(10, Duration::from_secs(minutes * 60))).unwrap();
    }
    broker.commit("billing", "orders", 0, 20);
    let mut console = Console::start(&broker.address().to_string(), &[], group("billing", &["orders"], true));
    console.until("age", |seen| seen.groups.get("billing").is_some_and(|group| group.behind_ms().is_some())).await;
    let age = console.seen.groups["billing"].behind_ms().unwrap();
    assert!((180_000..190_000).contains(&age), "{age}");
    // What comes now is known from looking.
    broker.append("orders", 0, &records(1, Duration::ZERO)).unwrap();
    broker.commit("billing", "orders", 0, 60);
    let young = |age: Option<u64>| age.is_some_and(|age| age < 10_000);
    console.until("young lag", |seen| young(seen.groups["billing"].behind_ms())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said() {
    let broker = broker().await;
    let mut interest = group("nobody", &["orders"], true);
    interest.topics = topics(&["orders", "no-such-topic"]).topics;
    let mut console = Console::start(&broker.address().to_string(), &[], interest);
    console.until("missing topic", |seen| seen.missing.contains_key("no-such-topic")).await;
    assert_eq!(console.seen.missing["no-such-topic"], "the cluster has no such topic");
    console.until("unknown group", |seen| seen.groups.contains_key("nobody")).await;
    let nobody = &console.seen.groups["nobody"];
    assert_eq!((&*nobody.state, nobody.members, nobody.lag_records()), ("Dead", 0, None));
    console.look_at(names());
    console.until("names", |seen| !seen.group_names.is_empty()).await;
    let listed: Vec<&str> = console.seen.topic_names.iter().map(|name| &**name).collect();
    assert_eq!(listed, ["orders"], "asking made no topic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_broker_is_noticed_and_comes_back() {
    let broker = broker().await;
    let mut console = Console::start(&broker.address().to_string(), &[], topics(&["orders"]));
    console.until("topic", |seen| seen.topics.contains_key("orders")).await;
    broker.stop();
    let noticed = console.until("down", |seen| seen.link().is_down()).await;
    assert!(noticed < Duration::from_secs(3), "{noticed:?}");
    console.until("reason", |seen| seen.down_with("connection refused by 127.0.0.1:")).await;
    let Link::Down { since, .. } = *console.seen.link() else { panic!("{:?}", console.seen.link()) };
    // Down long enough for the waits to be long.
    console.until("long wait", |seen| matches!(seen.link(), Link::Down { next_try, .. } if *next_try - Utc::now() > chrono::Duration::seconds(3))).await;
    let Link::Down { since: still, .. } = *console.seen.link() else { panic!("{:?}", console.seen.link()) };
    assert_eq!(since, still, "the outage keeps its beginning");
    broker.restart().await.unwrap();
    broker.append("orders", 0, &records(5, Duration::ZERO)).unwrap();
    let retry = Interest { retry: 1, ..topics(&["orders"]) };
    console.look_at(retry);
    let back = console.until("up again", Seen::is_up).await;
    assert!(back < Duration::from_secs(1), "retried at once, not after {back:?}");
    console.until("new data", |seen| seen.topics["orders"].records() == 165).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_groups_are_listed_fast_and_hold_nothing_up() {
    let broker = broker().await;
    for number in 0..900 {
        broker.commit(&format!("group-{number:05}"), "orders", 0, 7);
    }
    let mut interest = names();
    interest.groups = group("billing", &["orders"], false).groups;
    let begun = Instant::now();
    let mut console = Console::start(&broker.address().to_string(), &[], interest);
    console.until("names", |seen| seen.group_names.len() == 901).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(console.seen.group_names.iter().all(|(_, state)| &**state == "Empty"), "with their states");
    console.until("group", |seen| seen.groups.contains_key("billing")).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // And hundreds at once are as good as one.
    let many = (0..500).flat_map(|number| group(&format!("group-{number:05}"), &["orders"], true).groups).collect();
    console.look_at(Interest { groups: many, ..Interest::default() });
    let took = console.until("500 groups", |seen| seen.groups.len() >= 501).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(console.seen.groups["group-00499"].lag_records(), Some(93));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_addresses_are_named() {
    let mut console = Console::start("no-such-host.invalid:9092", &[], topics(&[]));
    console.until("host not found", |seen| seen.down_with("host no-such-host.invalid not found")).await;
    // A listener that answers, but not as a broker would.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _sent = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let mut console = Console::start(&address, &[], topics(&[]));
    console.until("not a broker", |seen| seen.down_with("does not answer as a Kafka broker")).await;
}

fn produce(bootstrap: &str, topic: &str, counts: &[usize]) {
    let config = ClientConfig::new().set("bootstrap.servers", bootstrap).clone();
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
    for (partition, count) in counts.iter().enumerate() {
        for _ in 0..*count {
            let record = BaseRecord::<(), str>::to(topic).partition(i32::try_from(partition).unwrap()).payload("x");
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
    }
    producer.flush(Duration::from_secs(10)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn three_brokers_are_asked_together() {
    let mock = MockCluster::new(3).unwrap();
    mock.create_topic("orders", 6, 3).unwrap();
    let bootstrap = mock.bootstrap_servers();
    let commits = [1, 2, 3, 4, 5, 6];
    tokio::task::block_in_place(|| {
        produce(&bootstrap, "orders", &[10, 20, 30, 40, 50, 60]);
        let config = ClientConfig::new().set("bootstrap.servers", &bootstrap).set("group.id", "billing").clone();
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        for (partition, offset) in commits.iter().enumerate() {
            list.add_partition_offset("orders", i32::try_from(partition).unwrap(), Offset::Offset(*offset)).unwrap();
        }
        consumer.commit(&list, CommitMode::Sync).unwrap();
    });
    let mut interest = group("billing", &["orders"], true);
    interest.topics = topics(&["orders"]).topics;
    let mut console = Console::start(&bootstrap, &[], interest);
    let all = |seen: &Seen| seen.groups.get("billing").is_some_and(|group| group.lag_records() == Some(210 - 21));
    console.until("lag of all six", all).await;
    assert_eq!(console.seen.topics["orders"].partitions.len(), 6);
    let age = console.seen.groups["billing"].behind_ms();
    assert!(age.is_some_and(|age| age < 60_000), "{age:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_broker_of_three_leaves_the_rest() {
    let mock = MockCluster::new(3).unwrap();
    mock.create_topic("orders", 3, 1).unwrap();
    for (partition, broker) in [(0, 1), (1, 2), (2, 3)] {
        mock.partition_leader("orders", partition, Some(broker)).unwrap();
    }
    let bootstrap = mock.bootstrap_servers();
    tokio::task::block_in_place(|| produce(&bootstrap, "orders", &[10, 10, 10]));
    let mut console = Console::start(&bootstrap, &[], topics(&["orders"]));
    console.until("topic", |seen| seen.topics.get("orders").is_some_and(|topic| topic.records() == 30)).await;
    mock.broker_down(3).unwrap();
    tokio::task::block_in_place(|| produce(&bootstrap, "orders", &[6, 6]));
    console.until("news of the other two alone", |seen| seen.topics["orders"].records() == 32).await;
    assert!(console.seen.is_up(), "{:?}", console.seen.links);
    mock.broker_up(3).unwrap();
    tokio::task::block_in_place(|| produce(&bootstrap, "orders", &[0, 0, 5]));
    console.until("news of all three", |seen| seen.topics["orders"].records() == 47).await;
}

/// Commits of a group without membership.
fn commit(bootstrap: &str, group: &str, offsets: &[i64]) {
    let config = ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", group).clone();
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    for (partition, offset) in (0..).zip(offsets) {
        list.add_partition_offset("orders", partition, Offset::Offset(*offset)).unwrap();
    }
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_commit_beside_an_old_end_is_no_lag() {
    let mock = MockCluster::new(3).unwrap();
    mock.create_topic("orders", 3, 1).unwrap();
    for (partition, broker) in [(0, 1), (1, 2), (2, 3)] {
        mock.partition_leader("orders", partition, Some(broker)).unwrap();
    }
    mock.coordinator(MockCoordinator::Group("billing".to_owned()), 1).unwrap();
    let bootstrap = mock.bootstrap_servers();
    tokio::task::block_in_place(|| {
        produce(&bootstrap, "orders", &[10, 10, 10]);
        commit(&bootstrap, "billing", &[4, 4, 4]);
    });
    let mut console = Console::start(&bootstrap, &[], group("billing", &["orders"], false));
    let lag = |seen: &Seen| seen.groups.get("billing").and_then(flowdeck::model::kafka::Group::lag_records);
    console.until("all lag", |seen| lag(seen) == Some(18)).await;
    mock.broker_down(3).unwrap();
    // The group itself still gets at the partition, whose end has moved on.
    tokio::task::block_in_place(|| commit(&bootstrap, "billing", &[5, 5, 9]));
    console.until("the lag that is known", |seen| lag(seen) == Some(10)).await;
    let known: Vec<_> = console.seen.groups["billing"].partitions.iter().map(|lag| lag.partition).collect();
    assert_eq!(known, [0, 1], "the end of the third is not known");
    mock.broker_up(3).unwrap();
    console.until("all lag again", |seen| lag(seen) == Some(11)).await;
}
