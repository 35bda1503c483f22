//! The Kafka source against a real Apache Kafka; `tests/live/run` starts it and runs this.
//! Without it every test here fails: a live test that quietly does not run proves nothing.
//! Nothing sleeps: every wait is for a condition, with a deadline.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]
#![expect(clippy::print_stdout, reason = "measurements")]

mod source_kafka {
    pub mod console;
}

use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use self::source_kafka::console::{Console, Seen, group, names, topics};

const PARTITIONS: i32 = 4;

/// The real broker, with names that no other run used.
struct Stack {
    plain: String,
    sasl: String,
    user: String,
    password: String,
    topic: String,
    group: String,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start the stack with tests/live/run"))
}

impl Stack {
    /// The stack that runs.
    fn find(test: &str) -> Self {
        let unique = format!("{test}-{}", std::process::id());
        Self {
            plain: variable("STACK_KAFKA"),
            sasl: variable("STACK_KAFKA_SASL"),
            user: variable("STACK_KAFKA_SASL_USER"),
            password: variable("STACK_KAFKA_SASL_PASSWORD"),
            topic: format!("{unique}-topic"),
            group: format!("{unique}-group"),
        }
    }

    fn config(&self) -> ClientConfig {
        ClientConfig::new().set("bootstrap.servers", &self.plain).clone()
    }

    /// Makes the topic with so many records in each partition, `age` old.
    async fn fill(&self, records: usize, age: Duration) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let topic = NewTopic::new(&self.topic, PARTITIONS, TopicReplication::Fixed(1));
        admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
        tokio::task::block_in_place(|| self.produce(records, age));
    }

    fn produce(&self, records: usize, age: Duration) {
        let producer: ThreadedProducer<DefaultProducerContext> = self.config().create().unwrap();
        let time = chrono::Utc::now().timestamp_millis() - i64::try_from(age.as_millis()).unwrap();
        for partition in 0..PARTITIONS {
            for _ in 0..records {
                let record = BaseRecord::<(), str>::to(&self.topic).partition(partition).payload("x").timestamp(time);
                producer.send(record).map_err(|(error, _)| error).unwrap();
            }
        }
        producer.flush(Duration::from_secs(10)).unwrap();
    }

    /// Commits `10 * (partition + 1)` in each partition.
    fn commit(&self, group: &str) {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let offset = Offset::Offset(10 * i64::from(partition + 1));
            list.add_partition_offset(&self.topic, partition, offset).unwrap();
        }
        consumer.commit(&list, CommitMode::Sync).unwrap();
    }

    fn run(program: &str, arguments: &[&str]) -> String {
        let path = format!("{}/tests/stack/{program}", env!("CARGO_MANIFEST_DIR"));
        let output = Command::new(path).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Lag of each partition as Kafka's own tool prints it.
    fn tool_lag(&self) -> Vec<(i32, u64)> {
        let arguments =
            ["ConsumerGroupCommand", "--bootstrap-server", &self.plain, "--describe", "--group", &self.group];
        let mut lags: Vec<(i32, u64)> = Self::run("kafka-tool", &arguments)
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.get(1) == Some(&self.topic.as_str()))
            .map(|words| (words[2].parse().unwrap(), words[5].parse().unwrap()))
            .collect();
        lags.sort_unstable();
        lags
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_equals_what_kafkas_own_tool_prints() {
    let stack = Stack::find("lag");
    stack.fill(100, Duration::from_mins(10)).await;
    tokio::task::block_in_place(|| stack.commit(&stack.group));
    let mut console = Console::start(&stack.plain, &[], group(&stack.group, &[], true));
    console.until("age", |seen| seen.groups.get(&stack.group).is_some_and(|group| group.behind_ms().is_some())).await;
    let seen = &console.seen.groups[&stack.group];
    let lags: Vec<(i32, u64)> = seen.partitions.iter().map(|lag| (lag.partition, lag.records().unwrap())).collect();
    assert_eq!(lags, stack.tool_lag());
    assert_eq!((&*seen.state, seen.members), ("Empty", 0));
    let age = seen.behind_ms().unwrap();
    assert!((600_000..620_000).contains(&age), "{age}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_work_and_wrong_ones_are_explained() {
    let stack = Stack::find("login");
    stack.fill(20, Duration::ZERO).await;
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let with = |password| {
            [
                ("security.protocol", "SASL_PLAINTEXT"),
                ("sasl.mechanisms", mechanism),
                ("sasl.username", &stack.user),
                ("sasl.password", password),
            ]
        };
        let mut console = Console::start(&stack.sasl, &with(&stack.password), topics(&[]));
        console.until("login", Seen::is_up).await;
        let mut console = Console::start(&stack.sasl, &with("sesame"), topics(&[]));
        let words = format!("wrong user or password for {mechanism}");
        console.until("wrong password", |seen| seen.down_with(&words)).await;
    }
    let mut console = Console::start(&stack.sasl, &[], topics(&[]));
    console.until("login needed", |seen| seen.down_with("security.protocol")).await;
    let mut console = Console::start(&stack.plain, &[("security.protocol", "SSL")], topics(&[]));
    console.until("no TLS", |seen| seen.down_with("does not speak TLS")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_counted_in_both_group_protocols() {
    let stack = Stack::find("members");
    stack.fill(20, Duration::ZERO).await;
    for protocol in ["classic", "consumer"] {
        let name = format!("{}-{protocol}", stack.group);
        let consumer: BaseConsumer =
            stack.config().set("group.id", &name).set("group.protocol", protocol).create().unwrap();
        consumer.subscribe(&[&stack.topic]).unwrap();
        let begun = Instant::now();
        tokio::task::block_in_place(|| {
            while consumer.assignment().unwrap().count() == 0 {
                assert!(begun.elapsed() < Duration::from_secs(20), "no assignment");
                let _message = consumer.poll(Duration::from_millis(100));
            }
        });
        let mut console = Console::start(&stack.plain, &[], group(&name, &[&stack.topic], false));
        let stable =
            |seen: &Seen| seen.groups.get(&name).is_some_and(|group| &*group.state == "Stable" && group.members == 1);
        console.until("one member", stable).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_user_may_not_see_is_said() {
    let stack = Stack::find("acl");
    stack.fill(20, Duration::ZERO).await;
    let user = format!("User:{}", stack.user);
    for resource in [["--topic", &stack.topic], ["--group", &stack.group]] {
        let add = [
            "AclCommand",
            "--bootstrap-server",
            &stack.plain,
            "--add",
            "--deny-principal",
            &user,
            "--operation",
            "All",
        ];
        Stack::run("kafka-tool", &[add.as_slice(), resource.as_slice()].concat());
    }
    let properties = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanisms", "SCRAM-SHA-512"),
        ("sasl.username", &stack.user),
        ("sasl.password", &stack.password),
    ];
    let mut interest = group(&stack.group, &[], false);
    interest.topics = topics(&[&stack.topic]).topics;
    let mut console = Console::start(&stack.sasl, &properties, interest);
    console.until("topic", |seen| seen.missing.get(&stack.topic).is_some_and(|words| words.contains("Describe"))).await;
    console
        .until("group", |seen| seen.groups.get(&stack.group).is_some_and(|group| &*group.state == "Forbidden"))
        .await;
    assert!(console.seen.is_up());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_groups_are_listed_within_two_seconds() {
    let stack = Stack::find("many");
    stack.fill(50, Duration::ZERO).await;
    let count = std::env::var("FLOWDECK_TEST_GROUPS").map_or(200, |count| count.parse().unwrap());
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            for lane in 0..8 {
                let stack = &stack;
                scope.spawn(move || {
                    for number in (lane..count).step_by(8) {
                        stack.commit(&format!("{}-{number:05}", stack.group));
                    }
                });
            }
        });
    });
    let ours = |seen: &Seen| seen.group_names.iter().filter(|(name, _)| name.starts_with(&stack.group)).count();
    let begun = Instant::now();
    let mut console = Console::start(&stack.plain, &[], names());
    console.until("names", |seen| ours(seen) == count).await;
    println!("{count} groups listed in {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let mut interest = names();
    interest.groups = (0..count.min(500))
        .flat_map(|number| group(&format!("{}-{number:05}", stack.group), &[], true).groups)
        .collect();
    let begun = Instant::now();
    console.look_at(interest);
    console.until("lags", |seen| seen.groups.len() == count.min(500)).await;
    println!("{} groups with lag in {:?}", count.min(500), begun.elapsed());
    assert!(console.seen.groups.values().all(|group| group.lag_records() == Some(100)));
}

/// Kills the broker that all tests share, which is why they run one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_is_noticed_and_comes_back() {
    let stack = Stack::find("kill");
    stack.fill(10, Duration::ZERO).await;
    let mut console = Console::start(&stack.plain, &[], topics(&[&stack.topic]));
    console.until("topic", |seen| seen.topics.get(&stack.topic).is_some_and(|topic| topic.records() == 40)).await;
    Stack::run("ctl", &["kafka", "kill"]);
    let noticed = console.until("down", |seen| seen.link().is_down()).await;
    println!("noticed after {noticed:?}: {:?}", console.seen.link());
    assert!(noticed < Duration::from_secs(3), "{noticed:?}");
    tokio::task::block_in_place(|| Stack::run("ctl", &["kafka", "start"]));
    let back = console.until("up again", Seen::is_up).await;
    println!("up {back:?} after the broker was");
    tokio::task::block_in_place(|| stack.produce(5, Duration::ZERO));
    console.until("new data", |seen| seen.topics[&stack.topic].records() == 60).await;
    Stack::run("ctl", &["kafka", "stop"]);
    let noticed = console.until("frozen", |seen| seen.link().is_down()).await;
    println!("frozen broker noticed after {noticed:?}: {:?}", console.seen.link());
    Stack::run("ctl", &["kafka", "cont"]);
    console.until("thawed", Seen::is_up).await;
}
