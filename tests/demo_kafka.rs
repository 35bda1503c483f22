//! The demonstration's broker as a real Kafka client sees it: librdkafka produces, consumes, rebalances, administers
//! and survives a restart; bare sockets send what no client should.
//!
//! Nothing sleeps: every wait is for a condition, with a deadline.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowdeck::demo::kafka::{Broker, Member, Record};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
const PARTITIONS: u32 = 6;

fn config(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", broker.address().to_string())
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "200")
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.wait.max.ms", "100");
    config
}

fn consumer(broker: &Broker, group: &str) -> BaseConsumer {
    config(broker)
        .set("group.id", group)
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "100")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap()
}

fn producer(broker: &Broker, settings: &[(&str, &str)]) -> ThreadedProducer<DefaultProducerContext> {
    let mut config = config(broker);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.set("linger.ms", "5").create().unwrap()
}

fn admin(broker: &Broker) -> AdminClient<DefaultClientContext> {
    config(broker).create().unwrap()
}

/// Calls `check` until it answers something, within the deadline.
fn wait_for<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}");
    }
}

fn record(value: &str, timestamp_ms: i64) -> Record {
    Record { key: None, value: Bytes::from(value.to_owned()), timestamp_ms, headers: Vec::new() }
}

fn everything(topic: &str, partitions: u32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, i32::try_from(partition).unwrap(), Offset::Beginning).unwrap();
    }
    list
}

/// Offsets by partition, in one list.
fn offsets(list: &TopicPartitionList) -> BTreeMap<i32, Offset> {
    list.elements().iter().map(|element| (element.partition(), element.offset())).collect()
}

/// Polls until `count` values have come.
fn consume(consumer: &BaseConsumer, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    wait_for(&format!("{count} records"), || {
        if let Some(Ok(message)) = consumer.poll(POLL) {
            values.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
        }
        (values.len() >= count).then_some(())
    });
    values.sort();
    values
}

fn assert_all_ok<T: Debug, E: Debug>(results: &[Result<T, E>]) {
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_codec_passes_through_six_partitions() {
    let broker = Broker::start("demo").await.unwrap();
    broker.create_topic("orders", PARTITIONS);
    let mut expected = Vec::new();
    for codec in ["none", "gzip", "lz4", "snappy", "zstd"] {
        let idempotent = if codec == "gzip" { "true" } else { "false" };
        let producer = producer(&broker, &[("compression.type", codec), ("enable.idempotence", idempotent)]);
        for number in 0..300 {
            let value = format!("{codec}-{number:04}");
            let headers = OwnedHeaders::new().insert(Header { key: "codec", value: Some(codec) });
            let partition = number % i32::try_from(PARTITIONS).unwrap();
            let record = BaseRecord::to("orders").partition(partition).key("key").payload(&value).headers(headers);
            producer.send(record).map_err(|(error, _)| error).unwrap();
            expected.push(value);
        }
        producer.flush(PATIENCE).unwrap();
    }
    expected.sort();
    let consumer =
        config(&broker).set("group.id", "reader").set("check.crcs", "true").create::<BaseConsumer>().unwrap();
    consumer.assign(&everything("orders", PARTITIONS)).unwrap();
    assert_eq!(consume(&consumer, expected.len()), expected);
    let ends: u64 = (0..PARTITIONS).map(|partition| broker.end_offset("orders", partition).unwrap()).sum();
    assert_eq!(ends, 1_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn appended_records_arrive_with_key_headers_and_time() {
    let broker = Broker::start("demo").await.unwrap();
    broker.create_topic("orders", 1);
    let full = Record {
        key: Some(Bytes::from_static(b"key")),
        value: Bytes::from_static(b"value"),
        timestamp_ms: 1_700_000_000_123,
        headers: vec![("trace".to_owned(), Bytes::from_static(b"42"))],
    };
    assert_eq!(broker.append("orders", 0, &[record("first", 5), full]), Some(0));
    assert_eq!(broker.append("orders", 0, &[record("third", 6)]), Some(2));
    assert_eq!(broker.append("orders", 0, &[]), None);
    assert_eq!(broker.append("orders", 1, &[record("nowhere", 5)]), None);
    let consumer = consumer(&broker, "reader");
    consumer.assign(&everything("orders", 1)).unwrap();
    let mut seen = 0;
    wait_for("three records", || {
        if let Some(message) = consumer.poll(POLL).map(Result::unwrap) {
            assert_eq!(message.offset(), seen);
            if seen == 1 {
                assert_eq!((message.key(), message.payload()), (Some(&b"key"[..]), Some(&b"value"[..])));
                assert_eq!(message.timestamp().to_millis(), Some(1_700_000_000_123));
                let header = message.headers().unwrap().get(0);
                assert_eq!((header.key, header.value), ("trace", Some(&b"42"[..])));
            }
            seen += 1;
        }
        (seen == 3).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_ends_the_wait_of_a_fetch() {
    let broker = Broker::start("demo").await.unwrap();
    broker.create_topic("orders", PARTITIONS);
    broker.append("orders", 0, &[record("first", 1)]).unwrap();
    let patient: BaseConsumer =
        config(&broker).set("group.id", "reader").set("fetch.wait.max.ms", "5000").create().unwrap();
    patient.assign(&everything("orders", PARTITIONS)).unwrap();
    assert_eq!(consume(&patient, 1), ["first"]);
    for partition in (0..PARTITIONS).rev() {
        let began = Instant::now();
        broker.append("orders", partition, &[record("next", 2)]).unwrap();
        assert_eq!(consume(&patient, 1), ["next"]);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watermarks_and_times_are_true() {
    let broker = Broker::start("demo").await.unwrap();
    broker.create_topic("orders", 2);
    for batch in 0..10 {
        let records: Vec<Record> = (0..10).map(|place| record("x", 1_000 + batch * 100 + place * 10)).collect();
        broker.append("orders", 0, &records).unwrap();
    }
    let consumer = consumer(&broker, "reader");
    assert_eq!(consumer.fetch_watermarks("orders", 0, PATIENCE).unwrap(), (0, 100));
    assert_eq!(consumer.fetch_watermarks("orders", 1, PATIENCE).unwrap(), (0, 0));
    for (time, expected) in [
        (0, Offset::Offset(0)),
        (1_000, Offset::Offset(0)),
        (1_001, Offset::Offset(1)),
        (1_455, Offset::Offset(46)),
        (1_990, Offset::Offset(99)),
        (1_991, Offset::End),
    ] {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_offset("orders", 0, Offset::Offset(time)).unwrap();
        let found = consumer.offsets_for_times(asked, PATIENCE).unwrap();
        assert_eq!(offsets(&found)[&0], expected, "at {time}");
    }
    let mut from = TopicPartitionList::new();
    from.add_partition_offset("orders", 0, Offset::Offset(40)).unwrap();
    assert_all_ok(&[admin(&broker).delete_records(&from, &AdminOptions::new()).await]);
    assert_eq!(consumer.fetch_watermarks("orders", 0, PATIENCE).unwrap(), (40, 100));
    consumer.assign(&everything("orders", 2)).unwrap();
    assert_eq!(consume(&consumer, 60).len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_records_go_when_the_partition_is_full() {
    let broker = Broker::start("demo").await.unwrap();
    broker.create_topic("orders", 1);
    let large = "x".repeat(100_000);
    for _ in 0..200 {
        broker.append("orders", 0, &[record(&large, 5)]).unwrap();
    }
    let consumer = consumer(&broker, "reader");
    let (low, high) = consumer.fetch_watermarks("orders", 0, PATIENCE).unwrap();
    assert_eq!(high, 200);
    assert!((100..150).contains(&low), "{low}");
    consumer.assign(&everything("orders", 1)).unwrap();
    let kept = usize::try_from(high - low).unwrap();
    assert_eq!(consume(&consumer, kept).len(), kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_a_topic_and_commit() {
    let broker = Broker::start("demo").await.unwrap();
    broker.create_topic("orders", PARTITIONS);
    for partition in 0..PARTITIONS {
        broker.append("orders", partition, &[record("a", 1), record("b", 2)]).unwrap();
    }
    let members = [consumer(&broker, "sharers"), consumer(&broker, "sharers")];
    let began = Instant::now();
    members.iter().for_each(|member| member.subscribe(&["orders"]).unwrap());
    let mut read = 0;
    wait_for("equal shares and all records", || {
        for member in &members {
            if let Some(message) = member.poll(POLL).and_then(Result::ok) {
                member.store_offset_from_message(&message).unwrap();
                read += 1;
            }
        }
        let shares = members.iter().map(|member| member.assignment().unwrap().count());
        (shares.eq([3, 3]) && read >= 12).then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for member in &members {
        member.commit_consumer_state(CommitMode::Sync).unwrap();
    }
    for partition in 0..PARTITIONS {
        assert_eq!(broker.committed("sharers", "orders", partition), Some(2));
    }
    let list = members[0].fetch_group_list(Some("sharers"), PATIENCE).unwrap();
    let group = &list.groups()[0];
    assert_eq!((group.state(), group.protocol_type(), group.members().len()), ("Stable", "consumer", 2));
    assert!(group.members().iter().all(|member| member.client_id() == "rdkafka"));
    let [first, second] = members;
    drop(second);
    wait_for("the whole topic for the one left", || {
        first.poll(POLL);
        (first.assignment().unwrap().count() == 6).then_some(())
    });
    drop(first);
    let looker = consumer(&broker, "looker");
    wait_for("an empty group", || {
        let list = looker.fetch_group_list(Some("sharers"), PATIENCE).unwrap();
        (list.groups()[0].state() == "Empty").then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_group_shows_members_and_offsets() {
    let broker = Broker::start("demo").await.unwrap();
    broker.create_topic("orders", 2);
    broker.append("orders", 0, &[record("a", 1), record("b", 2)]).unwrap();
    broker.commit("pipeline", "orders", 0, 1);
    let member = Member {
        client_id: "worker-1".to_owned(),
        host: "/10.0.0.7".to_owned(),
        assignment: vec![("orders".to_owned(), vec![0, 1])],
    };
    broker.set_members("pipeline", vec![member]);
    let looker = consumer(&broker, "looker");
    let list = looker.fetch_group_list(None, PATIENCE).unwrap();
    let group = list.groups().iter().find(|group| group.name() == "pipeline").unwrap();
    let shown = &group.members()[0];
    assert_eq!((group.state(), shown.client_id(), shown.client_host()), ("Stable", "worker-1", "/10.0.0.7"));
    let assignment = shown.assignment().unwrap();
    assert!(assignment.windows(6).any(|bytes| bytes == b"orders"));
    let foreign = consumer(&broker, "pipeline");
    let mut asked = TopicPartitionList::new();
    asked.add_partition("orders", 0);
    asked.add_partition("orders", 1);
    let found = offsets(&foreign.committed_offsets(asked.clone(), PATIENCE).unwrap());
    assert_eq!(found, BTreeMap::from([(0, Offset::Offset(1)), (1, Offset::Invalid)]));
    asked.set_partition_offset("orders", 1, Offset::Offset(0)).unwrap();
    let refused = foreign.commit(&asked, CommitMode::Sync);
    assert!(refused.is_err(), "members own the group's offsets");
    broker.set_members("pipeline", Vec::new());
    foreign.commit(&asked, CommitMode::Sync).unwrap();
    assert_eq!(broker.committed("pipeline", "orders", 1), Some(0));
    assert_all_ok(&admin(&broker).delete_groups(&["pipeline"], &AdminOptions::new()).await.unwrap());
    assert_eq!(broker.committed("pipeline", "orders", 1), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_administered() {
    let broker = Broker::start("demo-cluster").await.unwrap();
    let admin = admin(&broker);
    let options = AdminOptions::new();
    let wanted = || NewTopic::new("orders", 3, TopicReplication::Fixed(1));
    assert_all_ok(&admin.create_topics(&[wanted()], &options).await.unwrap());
    let again = admin.create_topics(&[wanted()], &options).await.unwrap();
    assert_eq!(again, [Err(("orders".to_owned(), RDKafkaErrorCode::TopicAlreadyExists))]);
    let replicated = NewTopic::new("more", 1, TopicReplication::Fixed(3));
    let refused = admin.create_topics(&[replicated], &options).await.unwrap();
    assert_eq!(refused, [Err(("more".to_owned(), RDKafkaErrorCode::InvalidReplicationFactor))]);
    assert_all_ok(&admin.create_partitions(&[NewPartitions::new("orders", 5)], &options).await.unwrap());
    let consumer = consumer(&broker, "looker");
    let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
    assert_eq!(metadata.brokers()[0].id(), 1);
    let topics: Vec<_> = metadata.topics().iter().map(|topic| (topic.name(), topic.partitions().len())).collect();
    assert_eq!(topics, [("orders", 5)]);
    assert_eq!(consumer.client().fetch_cluster_id(PATIENCE).as_deref(), Some("demo-cluster"));
    let resources = [ResourceSpecifier::Topic("orders"), ResourceSpecifier::Broker(1)];
    let described = admin.describe_configs(&resources, &options).await.unwrap();
    let setting = |at: usize, name: &str| described[at].as_ref().unwrap().get(name).unwrap().value.clone();
    assert_eq!(setting(0, "retention.bytes").as_deref(), Some("8388608"));
    assert_eq!(setting(1, "broker.id").as_deref(), Some("1"));
    assert_all_ok(&admin.delete_topics(&["orders"], &options).await.unwrap());
    let gone = admin.delete_topics(&["orders"], &options).await.unwrap();
    assert_eq!(gone, [Err(("orders".to_owned(), RDKafkaErrorCode::UnknownTopicOrPartition))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_come_by_themselves_only_for_who_asks() {
    let broker = Broker::start("demo").await.unwrap();
    let consumer = consumer(&broker, "looker");
    let metadata = consumer.fetch_metadata(Some("absent"), PATIENCE).unwrap();
    assert!(metadata.topics()[0].error().is_some());
    assert_eq!(broker.end_offset("absent", 0), None);
    let producer = producer(&broker, &[]);
    producer.send(BaseRecord::<(), str>::to("wanted").payload("value")).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
    assert_eq!(broker.end_offset("wanted", 0), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_all_or_nothing_offsets_included() {
    let broker = Broker::start("demo").await.unwrap();
    ["orders", "bills"].into_iter().for_each(|topic| broker.create_topic(topic, 1));
    let consumer = consumer(&broker, "payments");
    consumer.subscribe(&["orders"]).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while consumer.assignment().unwrap().count() == 0 {
        assert!(consumer.poll(POLL).is_none() && Instant::now() < deadline);
    }
    let producer = producer(&broker, &[("transactional.id", "payments")]);
    producer.init_transactions(PATIENCE).unwrap();
    let send = |value: &str, offset: i64| {
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::<(), str>::to("bills").partition(0).payload(value)).map_err(|it| it.0).unwrap();
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("orders", 0, Offset::Offset(offset)).unwrap();
        let metadata = consumer.group_metadata().unwrap();
        producer.send_offsets_to_transaction(&offsets, &metadata, PATIENCE).unwrap();
        producer.flush(PATIENCE).unwrap();
    };
    send("given up", 7);
    assert_eq!((broker.end_offset("bills", 0), broker.committed("payments", "orders", 0)), (Some(0), None));
    producer.abort_transaction(PATIENCE).unwrap();
    assert_eq!((broker.end_offset("bills", 0), broker.committed("payments", "orders", 0)), (Some(0), None));
    send("kept", 8);
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!((broker.end_offset("bills", 0), broker.committed("payments", "orders", 0)), (Some(1), Some(8)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_transactional_id_fences_the_one_before() {
    let broker = Broker::start("demo").await.unwrap();
    broker.create_topic("bills", 1);
    let [zombie, successor] = [(), ()].map(|()| producer(&broker, &[("transactional.id", "payments")]));
    let send = |producer: &ThreadedProducer<DefaultProducerContext>| {
        producer.begin_transaction()?;
        let sent = producer.send(BaseRecord::<(), str>::to("bills").partition(0).payload("bill"));
        sent.map_err(|it| it.0)?;
        producer.flush(PATIENCE)
    };
    zombie.init_transactions(PATIENCE).unwrap();
    send(&zombie).unwrap();
    successor.init_transactions(PATIENCE).unwrap();
    let fenced = zombie.commit_transaction(PATIENCE).unwrap_err();
    assert_eq!(fenced.rdkafka_error_code(), Some(RDKafkaErrorCode::Fenced), "{fenced:?}");
    assert_eq!(broker.end_offset("bills", 0), Some(0));
    send(&successor).unwrap();
    successor.commit_transaction(PATIENCE).unwrap();
    assert_eq!(broker.end_offset("bills", 0), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_goes_on_after_a_restart() {
    let broker = Broker::start("demo").await.unwrap();
    broker.create_topic("orders", 2);
    let append = |value: &str| {
        for partition in 0..2 {
            broker.append("orders", partition, &[record(value, 1)]).unwrap();
        }
    };
    append("before");
    let member = consumer(&broker, "survivors");
    member.subscribe(&["orders"]).unwrap();
    assert_eq!(consume(&member, 2), ["before", "before"]);
    let address = broker.address();
    broker.stop();
    append("meanwhile");
    wait_for("a closed port", || TcpStream::connect(address).is_err().then_some(()));
    broker.restart().await.unwrap();
    assert_eq!(broker.address(), address);
    append("after");
    assert_eq!(consume(&member, 4), ["after", "after", "meanwhile", "meanwhile"]);
    member.commit_consumer_state(CommitMode::Sync).unwrap();
    assert_eq!(broker.committed("survivors", "orders", 0), Some(3));
    broker.restart().await.unwrap();
    append("again");
    assert_eq!(consume(&member, 2), ["again", "again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_client_should_send_closes_the_connection() {
    let broker = Broker::start("demo").await.unwrap();
    broker.create_topic("orders", 1);
    let hostile: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 0],
        &[0, 0, 0, 2, 0, 3],
        // Metadata version 1 with two thousand million topics.
        &[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
        // An API nobody knows, and a version of Metadata from the future.
        &[0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
        &[0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff],
    ];
    for bytes in hostile {
        let mut stream = TcpStream::connect(broker.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // A reset is as good as an orderly close.
        let closed = stream.read_to_end(&mut answer);
        assert!(closed.is_ok() || closed.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
        assert!(answer.is_empty(), "{bytes:?} was answered with {answer:?}");
    }
    // ApiVersions in an unknown version is answered in version 0 with the error UNSUPPORTED_VERSION.
    let mut stream = TcpStream::connect(broker.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff]).unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[4..], [0, 0, 0, 7, 0, 35]);
    assert_eq!(consumer(&broker, "looker").fetch_watermarks("orders", 0, PATIENCE).unwrap(), (0, 0));
}
