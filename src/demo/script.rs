//! The incidents that keep the demo worth watching, and the rehearsals that tests ask for.
//!
//! Every few minutes something breaks in production the way it breaks in life, and recovers. The script only does the
//! damage; restarts, failed checkpoints, lag and events follow from the world's own rules. In the second environment
//! somebody deploys now and then.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dice::Dice;
use super::environment::{Environment, Notice};
use super::kubernetes::resources::{FLINK_DEPLOYMENTS, PODS};
use super::kubernetes::store::Key;
use super::world::cluster::Trouble;
use super::world::words;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// `vep-int-match-making`: the Kafka sink fails, a TaskManager runs out of memory, lag grows.
    SinkFailure,
    /// `sessionization`: a TaskManager is lost.
    LostTaskManager,
    /// `golden-signals`: one subtask cannot keep up and holds back everything before it.
    Skew,
}

const ORDER: [Incident; 3] = [Incident::SinkFailure, Incident::Skew, Incident::LostTaskManager];

/// Seconds of the demo's time until the first incident.
const FIRST: f64 = 20.0;
/// Seconds for which an incident lasts.
const LASTS: f64 = 150.0;
/// Seconds between the starts of two incidents.
const EVERY: f64 = 330.0;
/// Seconds between two deployments by somebody else.
const DEPLOY_EVERY: f64 = 420.0;

/// The processor whose sink fails.
const MATCH_MAKING: &str = "vep-int-match-making";

/// The script of one environment.
#[derive(Debug)]
pub(crate) struct Script {
    started: DateTime<Utc>,
    /// How many incidents have been started by the script.
    count: usize,
    deployments: u32,
    /// What goes on: the incident, its start, and the next of its steps.
    current: Option<(Incident, DateTime<Utc>, usize)>,
    dice: Dice,
}

impl Script {
    pub(crate) fn new(seed: u64, now: DateTime<Utc>) -> Self {
        Self { started: now, count: 0, deployments: 0, current: None, dice: Dice::of(seed, "script") }
    }

    /// Lets happen what is due.
    pub(crate) fn step(&mut self, environment: &Environment, now: DateTime<Utc>) {
        let age = environment.elapsed(self.started, now);
        if environment.name == "prd" {
            #[expect(clippy::cast_precision_loss, reason = "a handful of incidents")]
            let due = EVERY.mul_add(self.count as f64, FIRST);
            if age >= due && self.current.is_none() {
                let incident = ORDER.get(self.count % ORDER.len()).copied().unwrap_or(Incident::SinkFailure);
                self.count += 1;
                self.begin(environment, incident, now);
            }
        }
        if environment.name == "e2e" && age >= DEPLOY_EVERY * f64::from(self.deployments + 1) {
            self.deployments += 1;
            deploy(environment);
        }
        self.go_on(environment, now);
    }

    /// Starts an incident, whatever else goes on.
    pub(crate) fn begin(&mut self, environment: &Environment, incident: Incident, now: DateTime<Utc>) {
        self.end(environment);
        self.current = Some((incident, now, 0));
        self.go_on(environment, now);
    }

    /// Ends what goes on; the world recovers by itself.
    pub(crate) fn end(&mut self, environment: &Environment) {
        self.current = None;
        for cluster in environment.world().clusters.values_mut() {
            cluster.trouble = None;
        }
    }

    fn go_on(&mut self, environment: &Environment, now: DateTime<Utc>) {
        let Some((incident, since, step)) = self.current else { return };
        let age = environment.elapsed(since, now);
        if age >= LASTS {
            self.end(environment);
            return;
        }
        let steps: &[f64] = match incident {
            Incident::SinkFailure => &[0.0, 31.0, 34.0, 104.0],
            Incident::LostTaskManager => &[0.0, 70.0],
            Incident::Skew => &[0.0],
        };
        if steps.get(step).is_none_or(|due| age < *due) {
            return;
        }
        self.current = Some((incident, since, step + 1));
        match (incident, step) {
            (Incident::SinkFailure, 0) => set_trouble(environment, MATCH_MAKING, Trouble::SinkFails),
            (Incident::SinkFailure, 1) => fill_memory(environment, now),
            (Incident::SinkFailure, _) => {
                if let Some(pod) = fullest(environment) {
                    environment.oom_kill(&pod, now);
                }
            }
            (Incident::LostTaskManager, _) => self.lose(environment, now),
            (Incident::Skew, _) => set_trouble(environment, "golden-signals", Trouble::Skew(2)),
        }
    }

    /// A node takes one of the TaskManagers with it.
    fn lose(&mut self, environment: &Environment, now: DateTime<Utc>) {
        let ordinal = usize::try_from(self.dice.below(15)).unwrap_or(0);
        let world = environment.world();
        let found = world.clusters.values().find(|cluster| cluster.plan.name == "sessionization");
        let Some(cluster) = found else { return };
        let Some(name) = cluster.task_managers().nth(ordinal).map(|pod| pod.name.clone()) else { return };
        let namespace = cluster.plan.namespace.clone();
        drop(world);
        let notice = Notice {
            resource: &PODS,
            namespace: &namespace,
            name: &name,
            warning: false,
            reason: "TaintManagerEviction",
            message: &format!("Marking for deletion Pod {namespace}/{name}"),
            component: "taint-eviction-controller",
        };
        environment.notify(notice, now);
        let key = Key::new(&PODS, &namespace, &name);
        if environment.store.update(&key, super::kubernetes::write::mark_deleted).is_err() {
            tracing::debug!(name, "demo pod to lose is not there");
        }
    }
}

fn set_trouble(environment: &Environment, processor: &str, trouble: Trouble) {
    if let Some(cluster) = environment.world().named(processor) {
        cluster.trouble = Some(trouble);
    }
}

/// The last TaskManager of the failing processor.
fn fullest(environment: &Environment) -> Option<String> {
    let mut world = environment.world();
    let cluster = world.named(MATCH_MAKING)?;
    cluster.task_managers().max_by_key(|pod| pod.ordinal).map(|pod| pod.name.clone())
}

/// The heap runs full: the log says so before the kernel does.
fn fill_memory(environment: &Environment, now: DateTime<Utc>) {
    let Some(name) = fullest(environment) else { return };
    let moment = environment.moment(now);
    let mut world = environment.world();
    let Some(cluster) = world.named(MATCH_MAKING) else { return };
    for pod in cluster.pods.iter_mut().filter(|pod| pod.name == name) {
        pod.memory = 0.99;
        pod.cpu = 0.96;
    }
    words::out_of_memory(cluster, &moment, &name);
}

/// Somebody deploys the next revision of all processors of a pipeline.
fn deploy(environment: &Environment) {
    let (_, objects) = environment.store.list(&FLINK_DEPLOYMENTS, None);
    for object in objects {
        if object.labels.get("app.kubernetes.io/part-of").map(String::as_str) != Some("expert-matching") {
            continue;
        }
        let changed = environment.store.update(&object.key, |object| {
            let path = "/metadata/annotations/flowdeck.dev~1revision";
            let revision: u32 =
                object.pointer(path).and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(1);
            if let Some(place) = object.pointer_mut(path) {
                *place = json!((revision + 1).to_string());
            }
            object["spec"]["restartNonce"] = json!(revision + 1);
        });
        if changed.is_err() {
            tracing::debug!(name = object.key.name, "demo deployment went away");
        }
    }
}
