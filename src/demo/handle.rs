//! One environment in the hands of a test: pull plugs, break things, ask what is true.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use chrono::Utc;
use serde_json::{Value, json};

use super::environment::Environment;
use super::kafka::Record;
use super::kubernetes::request::reviewed;
use super::kubernetes::resources::{DEPLOYMENTS, FLINK_DEPLOYMENTS, FLINK_SESSION_JOBS, STATEFUL_SETS};
use super::kubernetes::store::Key;
use super::platform::Running;
use super::script::Incident;

/// A handle on one environment; clones are the same environment.
#[derive(Clone)]
pub struct Handle(Arc<Running>);

/// An object by the group and plural of its kind, its namespace and its name.
#[derive(Debug, Clone, Copy)]
pub struct ObjectName<'a> {
    /// Group of the API; empty for the core group.
    pub group: &'a str,
    /// Plural of the kind, such as `deployments`.
    pub plural: &'a str,
    /// Namespace; empty for objects of the cluster.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
}

impl Handle {
    pub(super) fn new(running: &Arc<Running>) -> Self {
        Self(Arc::clone(running))
    }

    fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// Refuses connections to the Kubernetes API and cuts those that are open.
    pub fn kill_kubernetes(&self) {
        self.0.kubernetes.kill();
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub async fn start_kubernetes(&self) -> io::Result<()> {
        self.0.kubernetes.revive().await
    }

    /// Stops the Kafka broker; topics and groups stay.
    pub fn kill_kafka(&self) {
        self.0.broker.stop();
    }

    /// Starts the Kafka broker again on its port.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub async fn start_kafka(&self) -> io::Result<()> {
        self.0.broker.restart().await
    }

    /// Refuses connections to the object store.
    pub fn kill_objects(&self) {
        self.0.objects.kill();
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub async fn start_objects(&self) -> io::Result<()> {
        self.0.objects.revive().await
    }

    /// Unplugs the REST APIs of all Flink clusters: the proxy answers 503.
    pub fn kill_flink(&self) {
        self.environment().flink_up.store(false, Ordering::Relaxed);
    }

    /// Plugs them in again.
    pub fn start_flink(&self) {
        self.environment().flink_up.store(true, Ordering::Relaxed);
    }

    /// Forgets the history of changes: every watch gets 410 Gone when it next looks.
    pub fn compact(&self) {
        self.environment().store.compact();
    }

    /// Starts an incident now, instead of what goes on.
    pub fn start_incident(&self, incident: Incident) {
        self.environment().script().begin(self.environment(), incident, Utc::now());
    }

    /// Ends the incident that goes on; the world recovers by itself.
    pub fn end_incident(&self) {
        self.environment().script().end(self.environment());
    }

    /// Kills the container of a pod as the kernel does; false when there is no such pod.
    #[must_use]
    pub fn oom_kill(&self, pod: &str) -> bool {
        self.environment().oom_kill(pod, Utc::now())
    }

    /// Asks for so many TaskManagers; false when there is no such processor.
    #[must_use]
    pub fn scale(&self, processor: &str, replicas: u32) -> bool {
        self.change(processor, |object, is_workload| {
            if is_workload {
                object["spec"]["replicas"] = json!(replicas);
                return;
            }
            let slots = object["spec"]["flinkConfiguration"]["taskmanager.numberOfTaskSlots"]
                .as_str()
                .and_then(|slots| slots.parse::<u32>().ok())
                .unwrap_or(1);
            if object["spec"]["taskManager"]["replicas"].is_number() || object["spec"]["job"].is_null() {
                object["spec"]["taskManager"]["replicas"] = json!(replicas);
            }
            if object["spec"]["job"].is_object() {
                object["spec"]["job"]["parallelism"] = json!(replicas * slots);
            }
        })
    }

    /// Stops a processor, as its owner would; false when there is no such processor.
    #[must_use]
    pub fn suspend(&self, processor: &str) -> bool {
        self.run(processor, false)
    }

    /// Starts a stopped processor again.
    #[must_use]
    pub fn resume(&self, processor: &str) -> bool {
        self.run(processor, true)
    }

    fn run(&self, processor: &str, runs: bool) -> bool {
        let world = self.environment().world();
        let wanted = world.clusters.values().find(|cluster| cluster.plan.name == processor);
        let workers = wanted.and_then(|cluster| cluster.jobs.first().map(|job| job.plan.parallelism)).unwrap_or(1);
        let namespace = wanted.map(|cluster| cluster.plan.namespace.clone());
        drop(world);
        let changed = self.change(processor, |object, is_workload| {
            if is_workload {
                object["spec"]["replicas"] = json!(if runs { workers } else { 0 });
            } else {
                object["spec"]["job"]["state"] = json!(if runs { "running" } else { "suspended" });
            }
        });
        // Without an operator the JobManager is stopped by its own Deployment.
        if let Some(namespace) = namespace {
            let store = &self.environment().store;
            let is_plain = store.get(&Key::new(&STATEFUL_SETS, &namespace, processor)).is_some();
            let manager = Key::new(&DEPLOYMENTS, &namespace, processor);
            if is_plain {
                let count = u32::from(runs);
                return store.update(&manager, |object| object["spec"]["replicas"] = json!(count)).is_ok() && changed;
            }
        }
        changed
    }

    /// Changes the object that says how many TaskManagers a processor has.
    fn change(&self, processor: &str, change: impl Fn(&mut Value, bool)) -> bool {
        let store = &self.environment().store;
        for (resource, is_workload) in
            [(&FLINK_DEPLOYMENTS, false), (&FLINK_SESSION_JOBS, false), (&STATEFUL_SETS, true)]
        {
            let (_, objects) = store.list(resource, None);
            if let Some(found) = objects.iter().find(|object| object.key.name == processor) {
                return store.update(&found.key, |object| change(object, is_workload)).is_ok();
            }
        }
        false
    }

    /// Merges a patch into an object, behind the back of the API; false when there is no such object.
    #[must_use]
    pub fn patch(&self, object: ObjectName<'_>, patch: &Value) -> bool {
        let Some(resource) = reviewed(object.group, object.plural) else { return false };
        let key = Key::new(resource, object.namespace, object.name);
        self.environment().store.update(&key, |value| super::kubernetes::merge_patch(value, patch)).is_ok()
    }

    /// Deletes an object, behind the back of the API; false when there is no such object.
    #[must_use]
    pub fn delete(&self, object: ObjectName<'_>) -> bool {
        let Some(resource) = reviewed(object.group, object.plural) else { return false };
        self.environment().store.remove(&Key::new(resource, object.namespace, object.name)).is_ok()
    }

    /// Puts an object into the bucket; false when the bucket is full.
    #[must_use]
    pub fn put_object(&self, key: &str, content: impl Into<Bytes>) -> bool {
        self.0.bucket.put(key, content.into())
    }

    /// Appends a record to a topic; `None` when there is no such partition.
    #[must_use]
    pub fn append(&self, topic: &str, partition: u32, value: impl Into<Bytes>) -> Option<u64> {
        let record =
            Record { key: None, value: value.into(), timestamp_ms: Utc::now().timestamp_millis(), headers: Vec::new() };
        self.0.broker.append(topic, partition, &[record])
    }

    /// The true lag of a group on a topic.
    #[must_use]
    pub fn lag(&self, group: &str, topic: &str) -> u64 {
        let broker = &self.0.broker;
        (0..)
            .map_while(|partition| Some((partition, broker.end_offset(topic, partition)?)))
            .map(|(partition, end)| end.saturating_sub(broker.committed(group, topic, partition).unwrap_or(end)))
            .sum()
    }
}
