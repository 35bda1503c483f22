//! One environment of the demo: its cluster's objects, its world, its logs.
//!
//! Lock order: the script, then the world, then the store or the logs; neither is held across an await.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::dice::{self, Dice};
use super::kubernetes::resources::{EVENTS, Resource};
use super::kubernetes::store::{Key, Store};
use super::logs::Logs;
use super::manifests::time;
use super::plan::{self, NodePlan};
use super::script::Script;
use super::world::{Moment, World};

/// Kubernetes events kept per environment; a real server forgets them after an hour.
const EVENT_LIMIT: usize = 250;

pub(crate) struct Environment {
    pub(crate) name: String,
    pub(crate) seed: u64,
    /// How much faster than life things happen.
    pub(crate) pace: f64,
    pub(crate) store: Store,
    pub(crate) logs: Logs,
    /// Bootstrap servers of its Kafka.
    pub(crate) kafka: String,
    pub(crate) nodes: Vec<NodePlan>,
    /// Cleared when the REST APIs of all Flink clusters are unplugged.
    pub(crate) flink_up: AtomicBool,
    world: Mutex<World>,
    script: Mutex<Script>,
    events: Mutex<VecDeque<Key>>,
}

/// What a Kubernetes event is about and says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notice<'a> {
    pub(crate) resource: &'static Resource,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) warning: bool,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    pub(crate) component: &'a str,
}

impl Environment {
    /// The environment with everything in it running, as if it had been for days.
    pub(crate) fn new(name: &str, kafka: &str, (seed, pace): (u64, f64)) -> Self {
        let environment = Self {
            name: name.to_owned(),
            kafka: kafka.to_owned(),
            seed,
            pace,
            store: Store::new(name),
            logs: Logs::default(),
            nodes: plan::nodes(name),
            flink_up: AtomicBool::new(true),
            world: Mutex::new(World::new(Dice::of(seed, name))),
            script: Mutex::new(Script::new(seed, Utc::now())),
            events: Mutex::default(),
        };
        let now = Utc::now();
        environment.world().populate(&environment, now);
        environment
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the world move on to `now`.
    pub(crate) fn tick(&self, now: DateTime<Utc>) {
        self.script().step(self, now);
        self.world().step(self, now);
    }

    /// A moment outside of the ticks, for what is done by hand.
    pub(crate) const fn moment(&self, now: DateTime<Utc>) -> Moment<'_> {
        Moment { environment: self, now, seconds: 0.0, free_cpu: 0 }
    }

    /// The kernel kills the container of a pod; false when there is no such pod.
    pub(crate) fn oom_kill(&self, pod: &str, now: DateTime<Utc>) -> bool {
        let moment = self.moment(now);
        let mut world = self.world();
        world.clusters.values_mut().any(|cluster| cluster.end_container(&moment, pod, "OOMKilled", 137))
    }

    /// Whether so many seconds of the demo's time have passed.
    pub(crate) fn passed(&self, since: DateTime<Utc>, now: DateTime<Utc>, seconds: i64) -> bool {
        self.elapsed(since, now) >= TimeDelta::seconds(seconds).as_seconds_f64()
    }

    /// Seconds of the demo's time since a moment.
    pub(crate) fn elapsed(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
        (now - since).as_seconds_f64() * self.pace
    }

    pub(crate) fn flink_is_up(&self) -> bool {
        self.flink_up.load(Ordering::Relaxed)
    }

    /// Emits a Kubernetes event; the same one again counts up.
    pub(crate) fn notify(&self, notice: Notice<'_>, now: DateTime<Utc>) {
        let Notice { resource, namespace, name, warning, reason, message, component } = notice;
        let hash = dice::stable(&[resource.kind, name, reason, message]);
        let key = Key::new(&EVENTS, namespace, &format!("{name}.{hash:016x}"));
        let repeated = self.store.update(&key, |event| {
            let count = event["count"].as_u64().unwrap_or(1) + 1;
            event["count"] = json!(count);
            event["lastTimestamp"] = json!(time(now));
        });
        if repeated.is_ok() {
            return;
        }
        let object = self.store.value(&Key::new(resource, namespace, name)).unwrap_or_default();
        let metadata = |field: &str| object.pointer(&format!("/metadata/{field}")).cloned().unwrap_or(Value::Null);
        let event = json!({
            "metadata": {"name": key.name, "namespace": namespace},
            "involvedObject": {
                "kind": resource.kind,
                "apiVersion": resource.api_version(),
                "namespace": namespace,
                "name": name,
                "uid": metadata("uid"),
                "resourceVersion": metadata("resourceVersion"),
            },
            "type": if warning { "Warning" } else { "Normal" },
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": time(now),
            "lastTimestamp": time(now),
            "eventTime": null,
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": "",
        });
        if self.store.create(&EVENTS, event).is_err() {
            return;
        }
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push_back(key);
        if events.len() > EVENT_LIMIT
            && let Some(oldest) = events.pop_front()
            && self.store.remove(&oldest).is_err()
        {
            tracing::debug!(name = oldest.name, "demo event was removed by somebody else");
        }
    }
}
