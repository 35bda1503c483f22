//! A world shaped like a company's: three environments, twelve pipelines, one incident.

use std::sync::Arc;

use chrono::{Duration, TimeZone, Utc};
use flowdeck::model::Time;
use flowdeck::model::change::{Change, Fetched, Kind, Scope, ScopeState};
use flowdeck::model::cluster_event::ClusterEvent;
use flowdeck::model::declaration::{Declaration, Declarer, Notes, OperatorStatus};
use flowdeck::model::environment::{Backend, Environment, Link, Protection};
use flowdeck::model::exception::Throwable;
use flowdeck::model::job::{Checkpoint, Checkpoints, Failure, Job, JobState, Vertex};
use flowdeck::model::kafka::{Group, PartitionEnds, PartitionLag, Topic};
use flowdeck::model::key::{KafkaKey, ObjectKey, ProcessorKey};
use flowdeck::model::pod::{Pod, PodHealth, Role, Termination, Usage};

/// The moment at which the tests look.
pub fn now() -> Time {
    Utc.with_ymd_and_hms(2025, 6, 3, 14, 2, 31).unwrap()
}

/// A moment before it.
pub fn ago(seconds: i64) -> Time {
    now() - Duration::seconds(seconds)
}

/// What makes one processor.
#[derive(Clone)]
pub struct Spec {
    pub environment: &'static str,
    pub namespace: &'static str,
    pub pipeline: &'static str,
    pub name: &'static str,
    pub task_managers: u32,
    pub inputs: &'static [&'static str],
    pub outputs: &'static [&'static str],
    pub revision: &'static str,
}

impl Spec {
    pub fn key(&self) -> ProcessorKey {
        ObjectKey::new(self.environment, self.namespace, self.name)
    }

    pub fn declaration(&self) -> Declaration {
        Declaration {
            declarer: Declarer::FlinkDeployment,
            object: self.key(),
            processor: self.key(),
            pipeline: Some(self.pipeline.into()),
            created_at: Some(ago(453_600)),
            task_managers: Some(self.task_managers),
            job_managers: Some(1),
            cpu_millis: Some(4_000),
            memory_bytes: Some(4 << 30),
            image: Some("registry.example/streams/flink:1.20".into()),
            service_account: Some(format!("k8s-{}", self.pipeline).into()),
            pod_labels: std::collections::BTreeMap::default(),
            notes: Notes {
                inputs: self.inputs.iter().map(|&name| name.into()).collect(),
                outputs: self.outputs.iter().map(|&name| name.into()).collect(),
                group: Some(self.name.into()),
                revision: Some(self.revision.into()),
                offset_version: Some("1".into()),
                artifact: Some(format!("com.example.streams:{}:1.4.2", self.name).into()),
                team: Some("streams".into()),
            },
            operator: Some(OperatorStatus {
                lifecycle: Some("STABLE".into()),
                job_manager: Some("READY".into()),
                job: Some(JobState::Running),
                flink_version: Some("v1_20".into()),
                ..OperatorStatus::default()
            }),
        }
    }

    pub fn pod(&self, role: Role, index: u32) -> Pod {
        let name = match role {
            Role::JobManager => format!("{}-7548bc9d5f-bc5zk", self.name),
            Role::TaskManager => format!("{}-taskmanager-1-{index}", self.name),
        };
        Pod {
            key: ObjectKey::new(self.environment, self.namespace, name),
            processor: self.key(),
            pipeline: Some(self.pipeline.into()),
            role,
            status: "Running".into(),
            message: None,
            health: PodHealth::Ready,
            ready: 2,
            containers: vec!["flink-main-container".into(), "istio-proxy".into()],
            restarts: 0,
            last_termination: None,
            node: Some(format!("ip-10-0-{index}-17.us-west-2").into()),
            address: Some(format!("10.0.{index}.17").into()),
            created_at: Some(ago(453_600)),
            cpu_limit_millis: Some(4_000),
            memory_limit_bytes: Some(4 << 30),
        }
    }

    pub fn job(&self) -> Job {
        Job {
            id: "a1b2c3d4e5f60718293a4b5c6d7e8f90".into(),
            name: self.name.into(),
            state: JobState::Running,
            started_at: ago(453_000),
            state_since: Some(ago(453_000)),
            restarts: Some(0),
            tasks: (self.task_managers * 3, self.task_managers * 3),
            checkpoints: Some(Checkpoints {
                completed: 7_412,
                failed: 2,
                in_progress: 0,
                last: Some(Checkpoint {
                    id: 7_414,
                    completed_at: ago(41),
                    duration_ms: 812,
                    size_bytes: 1_288_490_188,
                    path: Some("s3://checkpoints/7414".into()),
                }),
                last_failure: None,
                failed_in_a_row: 0,
            }),
            failures: Vec::new(),
            vertices: self.vertices(),
            observed_at: ago(2),
        }
    }

    fn vertices(&self) -> Vec<Vertex> {
        let chain =
            [("Source: Read", 0.31, 0.0), ("Sessionize", 0.42, 0.04), ("Match", 0.38, 0.0), ("KafkaWriter", 0.12, 0.0)];
        let mut vertices: Vec<Vertex> = Vec::new();
        for (index, (name, busy, pressed)) in chain.into_iter().enumerate() {
            let inputs = vertices.last().map(|before| before.id.clone()).into_iter().collect();
            vertices.push(Vertex {
                id: format!("v{index}").into(),
                name: name.into(),
                inputs,
                parallelism: self.task_managers,
                max_parallelism: Some(360),
                status: "RUNNING".into(),
                running: self.task_managers,
                busy_max: Some(busy),
                busy_mean: Some(busy * 0.9),
                backpressure_max: Some(pressed),
                records_in_per_second: Some(10_400.0),
                records_out_per_second: Some(10_380.0),
                watermark: (index > 0).then(|| ago(4)),
                busiest_subtask: Some(1),
            });
        }
        vertices
    }

    pub fn group(&self, lag: i64, behind_ms: u64) -> Group {
        let topic: Arc<str> = self.inputs.first().copied().unwrap_or("events").into();
        let partitions = (0..3_i64)
            .map(|partition| PartitionLag {
                topic: topic.clone(),
                partition: i32::try_from(partition).unwrap(),
                committed: Some(1_000_000 - if partition == 2 { lag } else { 0 }),
                low: 0,
                high: 1_000_000,
                behind_ms: Some(if partition == 2 { behind_ms } else { 0 }),
            })
            .collect();
        Group {
            key: KafkaKey::new(self.environment, self.name),
            state: "Stable".into(),
            members: self.task_managers,
            partitions,
            consumed_per_second: Some(10_000.0),
            produced_per_second: Some(10_100.0),
            observed_at: ago(2),
        }
    }

    /// Everything about it, in good order.
    pub fn healthy(&self) -> Vec<Change> {
        let mut changes = vec![Change::Declared(Box::new(self.declaration()))];
        changes.push(Change::Pod(Box::new(self.pod(Role::JobManager, 0))));
        changes.extend((0..self.task_managers).map(|index| Change::Pod(Box::new(self.pod(Role::TaskManager, index)))));
        changes.push(Change::Job(self.key(), Fetched::Ready(Box::new(self.job()))));
        changes.push(Change::Groups(vec![self.group(12, 1_000)]));
        changes
    }
}

pub const PRD: &str = "data-processing-expert-usw2-prd";

/// The processors of all pipelines.
pub fn specs() -> Vec<Spec> {
    let spec = |environment, namespace, pipeline, name, task_managers| Spec {
        environment,
        namespace,
        pipeline,
        name,
        task_managers,
        inputs: &["clickstream"],
        outputs: &["sessions"],
        revision: "13",
    };
    let flow = |spec: Spec, inputs, outputs, revision| Spec { inputs, outputs, revision, ..spec };
    vec![
        flow(spec("prd", PRD, "expert-matching", "vep-data-api", 2), &["clickstream"], &["api.v1"], "44"),
        flow(spec("prd", PRD, "expert-matching", "vep-engagement", 3), &["api.v1"], &["matches.v2", "was.v1"], "44"),
        flow(spec("prd", PRD, "expert-matching", "match-making", 3), &["matches.v2"], &["routed"], "46"),
        flow(spec("prd", PRD, "expert-matching", "was-incident", 1), &["was.v1"], &["incidents"], "44"),
        flow(spec("prd", "golden-usw2-prd", "golden-signals", "golden-signals", 6), &["rum"], &["signals"], "21"),
        spec("prd", "clickstream-usw2-prd", "sessionization", "sessionization", 15),
        flow(spec("prd", PRD, "incident-stream", "incident-stream", 3), &["incidents"], &["pages"], "9"),
        spec("e2e", "expert-e2e", "expert-matching", "vep-data-api", 2),
        spec("e2e", "clickstream-e2e", "sessionization", "sessionization", 5),
        spec("qal", "clickstream-qal", "sessionization", "sessionization", 2),
        spec("qal", "golden-qal", "golden-signals", "golden-signals", 2),
        spec("qal", "expert-qal", "profile-enrichment", "profile-enrichment", 2),
    ]
}

/// One of them.
pub fn spec(environment: &str, name: &str) -> Spec {
    specs().into_iter().find(|spec| spec.environment == environment && spec.name == name).unwrap()
}

/// An environment before anything was fetched from it.
pub fn environment(name: &str, protection: Protection) -> Change {
    Change::Environment(Box::new(Environment {
        name: name.into(),
        context: format!("{name}-usw2").into(),
        server: format!("https://{name}.k8s.example:6443").into(),
        namespaces: Vec::new(),
        protection,
        kafka: Some(format!("kafka.{name}.example:9093").into()),
        objects: Some("https://s3.example/state".into()),
        links: vec![
            ("Flink UI".into(), "https://flink.example/{namespace}/{processor}".into()),
            ("Logs".into(), "https://logs.example/search?q={namespace}".into()),
            ("Dashboard".into(), "https://dash.example/{pipeline}".into()),
            ("Cost".into(), "https://cost.example/{namespace}".into()),
        ],
    }))
}

pub fn environments() -> Vec<Change> {
    vec![
        environment("prd", Protection::Protected),
        environment("e2e", Protection::Open),
        environment("qal", Protection::Open),
    ]
}

pub const KINDS: [Kind; 7] = [
    Kind::Pods,
    Kind::Declared(Declarer::FlinkDeployment),
    Kind::Declared(Declarer::FlinkSessionJob),
    Kind::Declared(Declarer::Deployment),
    Kind::Declared(Declarer::StatefulSet),
    Kind::Declared(Declarer::Job),
    Kind::Events,
];

pub fn scopes(environment: &str, state: &ScopeState) -> Vec<Change> {
    let scope = |kind| Scope { environment: environment.into(), namespace: None, kind };
    KINDS.into_iter().map(|kind| Change::Scope(scope(kind), state.clone())).collect()
}

pub fn links(environment: &str, link: &Link) -> Vec<Change> {
    Backend::ALL.into_iter().map(|backend| Change::Link(environment.into(), backend, link.clone())).collect()
}

/// All environments up and listed, all pipelines in good order.
pub fn healthy() -> Vec<Change> {
    let mut changes = environments();
    for name in ["prd", "e2e", "qal"] {
        changes.extend(links(name, &Link::Up { since: ago(3_600) }));
        changes.extend(scopes(name, &ScopeState::Live));
    }
    changes.extend(specs().iter().flat_map(Spec::healthy));
    changes
}

/// What went wrong in production.
pub fn incident() -> Vec<Change> {
    let broken = spec("prd", "match-making");
    let mut pod = broken.pod(Role::TaskManager, 2);
    pod.status = "OOMKilled".into();
    pod.health = PodHealth::Bad;
    pod.ready = 0;
    pod.restarts = 3;
    pod.created_at = Some(ago(31));
    pod.last_termination = Some(Termination {
        container: "flink-main-container".into(),
        reason: "OOMKilled".into(),
        exit_code: 137,
        finished_at: Some(ago(31)),
    });
    let mut manager = broken.pod(Role::JobManager, 0);
    manager.restarts = 8;
    manager.last_termination = Some(Termination {
        container: "flink-main-container".into(),
        reason: "Error".into(),
        exit_code: 239,
        finished_at: Some(ago(86_400)),
    });
    let behind = spec("prd", "golden-signals");
    let mut lag = behind.group(88_000, 42_000);
    lag.produced_per_second = Some(12_000.0);
    let mut stopped = spec("qal", "sessionization").declaration();
    stopped.operator = Some(OperatorStatus { suspended: true, ..OperatorStatus::default() });
    let mut deploying = spec("e2e", "vep-data-api").job();
    deploying.state = JobState::Created;
    deploying.state_since = Some(ago(20));
    vec![
        Change::Pod(Box::new(pod)),
        Change::Pod(Box::new(manager)),
        Change::Job(broken.key(), Fetched::Ready(Box::new(broken_job(&broken)))),
        Change::Groups(vec![broken.group(1_200_000, 240_000), lag]),
        Change::Declared(Box::new(stopped)),
        Change::Job(spec("e2e", "vep-data-api").key(), Fetched::Ready(Box::new(deploying))),
        Change::Usage("prd".into(), usage()),
        Change::IamRole(
            ObjectKey::new("prd", PRD, "k8s-expert-matching"),
            Some("arn:aws:iam::123456789012:role/k8s-expert-usw2-prd".into()),
        ),
        Change::ClusterEvent(Box::new(cluster_event("match-making-taskmanager-1-2", true))),
        Change::ClusterEvent(Box::new(cluster_event("match-making-taskmanager-1-0", false))),
    ]
}

pub fn cluster_event(pod: &str, warning: bool) -> ClusterEvent {
    let (reason, message) = if warning {
        ("BackOff", "Back-off restarting failed container flink-main-container")
    } else {
        ("Scheduled", "Successfully assigned the pod to ip-10-0-1-17.us-west-2")
    };
    ClusterEvent {
        key: ObjectKey::new("prd", PRD, format!("{pod}.17f")),
        kind: "Pod".into(),
        object: pod.into(),
        warning,
        reason: reason.into(),
        message: message.into(),
        count: if warning { 14 } else { 1 },
        first_at: Some(ago(900)),
        last_at: Some(ago(if warning { 12 } else { 900 })),
        reporter: "kubelet".into(),
    }
}

fn usage() -> Vec<(ObjectKey, Usage)> {
    let broken = spec("prd", "match-making");
    let of = |role, index, cpu_millis, mebibytes: u64| {
        (broken.pod(role, index).key, Usage { cpu_millis, memory_bytes: mebibytes << 20 })
    };
    vec![
        of(Role::JobManager, 0, 480, 2_500),
        of(Role::TaskManager, 0, 3_840, 3_200),
        of(Role::TaskManager, 1, 3_520, 3_100),
    ]
}

fn broken_job(spec: &Spec) -> Job {
    let mut job = spec.job();
    job.state = JobState::Restarting;
    job.state_since = Some(ago(240));
    job.restarts = Some(8);
    job.tasks = (5, 9);
    if let Some(checkpoints) = &mut job.checkpoints {
        checkpoints.failed_in_a_row = 4;
        checkpoints.failed = 6;
        checkpoints.last_failure = Some((ago(61), "Checkpoint expired before completing.".into()));
        if let Some(last) = &mut checkpoints.last {
            last.completed_at = ago(540);
        }
    }
    if let Some(sessionize) = job.vertices.get_mut(1) {
        sessionize.backpressure_max = Some(0.87);
    }
    if let Some(matching) = job.vertices.get_mut(2) {
        matching.busy_max = Some(0.98);
        matching.busy_mean = Some(0.6);
    }
    job.failures = (0..4)
        .map(|index| Failure {
            at: ago(20 + index * 60),
            class: "org.apache.flink.runtime.taskmanager.AsynchronousException".into(),
            root: Throwable {
                class: "java.io.IOException".into(),
                message: "KafkaWriter : failed to send 1 records (since last report)".into(),
            },
            task: Some("Match (2/3)".into()),
            task_manager: Some("match-making-taskmanager-1-2".into()),
            trace: TRACE.into(),
        })
        .collect();
    job
}

pub const TRACE: &str =
    "org.apache.flink.runtime.taskmanager.AsynchronousException: Caught exception while processing repeated timer task.
\tat org.apache.flink.streaming.runtime.tasks.StreamTask.handleAsyncException(StreamTask.java:1500)
Caused by: TimerException{java.lang.RuntimeException}
\t... 12 more
Caused by: java.io.IOException: KafkaWriter : failed to send 1 records (since last report)
\tat org.apache.beam.sdk.io.kafka.KafkaWriter.checkForFailures(KafkaWriter.java:124)
\tat org.apache.beam.sdk.io.kafka.KafkaWriter$DoFnInvoker.invokeFinishBundle(Unknown Source)
";

/// Topics and groups of production.
pub fn kafka() -> Vec<Change> {
    let topics: Vec<Arc<str>> = ["api.v1", "clickstream", "incidents", "matches.v2", "routed", "was.v1"]
        .iter()
        .map(|&name| name.into())
        .collect();
    let groups = ["match-making", "vep-data-api", "vep-engagement", "console-consumer-123"];
    vec![
        Change::TopicNames("prd".into(), topics),
        Change::GroupNames("prd".into(), groups.iter().map(|&name| (name.into(), "Stable".into())).collect()),
        Change::Topics(vec![topic("clickstream", 6, 1_040.0), topic("matches.v2", 3, 310.0)]),
        Change::TopicMissing(KafkaKey::new("prd", "was.v1"), "not authorized to describe was.v1".into()),
    ]
}

fn topic(name: &str, partitions: i32, rate: f64) -> Topic {
    let ends = |partition| PartitionEnds { partition, low: 400, high: 120_400 + i64::from(partition) };
    Topic {
        key: KafkaKey::new("prd", name),
        partitions: (0..partitions).map(ends).collect(),
        leaderless: u32::from(name == "matches.v2"),
        records_per_second: Some(rate),
        observed_at: ago(2),
    }
}
