//! Which pods objects make, and what each of them asks for.
//!
//! Workloads say it themselves. The operator makes pods from `jobManager`, `taskManager` and the templates of a
//! `FlinkDeployment`; what those leave out is Flink's default.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::amounts::{self, Amounts};
use crate::model::quantity;
use crate::plan::object::{Id, Kind, label, option, scalar};

/// The container that the operator's pods run Flink in.
const FLINK_CONTAINER: &str = "flink-main-container";

/// What a pod is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It leads a job.
    JobManager,
    /// It works.
    TaskManager,
    /// Something else.
    Other,
}

impl Role {
    /// In Flink's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::JobManager => "JobManager",
            Self::TaskManager => "TaskManager",
            Self::Other => "pod",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// One container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it asks for.
    pub requests: Amounts,
    /// What it may use.
    pub limits: Amounts,
    /// Whether it ends before the others begin.
    pub is_init: bool,
}

/// A pod as it is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// Containers; init containers first, in their order.
    pub containers: Vec<Container>,
    /// What the whole pod says for itself, which wins.
    pub whole: (Amounts, Amounts),
    /// What its runtime class adds.
    pub overhead: Amounts,
    /// Its specification, as far as it says where the pod may run.
    pub place: Value,
}

impl Shape {
    /// What a pod's specification asks for.
    #[must_use]
    pub fn of(spec: &Value) -> Self {
        let list = |name: &str| spec.get(name).and_then(Value::as_array).into_iter().flatten();
        let sidecar = |it: &Value| it.get("restartPolicy").and_then(Value::as_str) == Some("Always");
        let init = list("initContainers").map(|it| Container { is_init: !sidecar(it), ..container(it) });
        Self {
            containers: init.chain(list("containers").map(container)).collect(),
            whole: (
                amounts::amounts(spec.pointer("/resources/requests")),
                amounts::amounts(spec.pointer("/resources/limits")),
            ),
            overhead: amounts::amounts(spec.get("overhead")),
            place: place(spec),
        }
    }

    /// What the scheduler counts.
    #[must_use]
    pub fn requests(&self) -> Amounts {
        self.sum(|it| &it.requests, &self.whole.0)
    }

    /// What it may use at most.
    #[must_use]
    pub fn limits(&self) -> Amounts {
        self.sum(|it| &it.limits, &self.whole.1)
    }

    /// Kubernetes' own sum: the containers together, or an init container with the sidecars before it, where that is
    /// more.
    fn sum(&self, of: fn(&Container) -> &Amounts, whole: &Amounts) -> Amounts {
        let (mut together, mut first) = (Amounts::new(), Amounts::new());
        for container in &self.containers {
            if container.is_init {
                let mut with_sidecars = together.clone();
                amounts::add(&mut with_sidecars, of(container));
                amounts::raise(&mut first, &with_sidecars);
            } else {
                amounts::add(&mut together, of(container));
            }
        }
        amounts::raise(&mut together, &first);
        together.extend(whole.iter().map(|(name, amount)| (name.clone(), *amount)));
        amounts::add(&mut together, &self.overhead);
        together
    }
}

fn container(value: &Value) -> Container {
    let limits = amounts::amounts(value.pointer("/resources/limits"));
    let mut requests = amounts::amounts(value.pointer("/resources/requests"));
    // The API server's own default.
    for (name, amount) in &limits {
        requests.entry(name.clone()).or_insert(*amount);
    }
    let name = value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    Container { name, requests, limits, is_init: false }
}

/// What of a pod's specification says where it may run.
fn place(spec: &Value) -> Value {
    let names = ["nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "priorityClassName"];
    let fields = names.iter().filter_map(|name| Some(((*name).to_owned(), spec.get(*name)?.clone())));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A pod that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The node that it is bound to.
    pub node: Option<String>,
    /// What it asks for.
    pub requests: Amounts,
    /// What it may use.
    pub limits: Amounts,
}

impl Pod {
    /// Reads a pod; `None` for one that has ended, which takes no room.
    #[must_use]
    pub fn of(pod: &Value) -> Option<Self> {
        let phase = pod.pointer("/status/phase").and_then(Value::as_str);
        if matches!(phase, Some("Succeeded" | "Failed")) {
            return None;
        }
        let labels = pod.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let shape = Shape::of(pod.get("spec")?);
        Some(Self {
            labels: labels.collect(),
            node: pod.pointer("/spec/nodeName").and_then(Value::as_str).map(str::to_owned),
            requests: shape.requests(),
            limits: shape.limits(),
        })
    }
}

/// How pods are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// The old ones go first.
    OldFirst,
    /// One by one, each old one before its new one; what is added comes first.
    OneByOne,
    /// So many new ones before the old ones go.
    NewFirst(usize),
}

/// Pods of one kind, as they will be.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// The processor.
    pub processor: String,
    /// What they are for.
    pub role: Role,
    /// How many.
    pub count: usize,
    /// How many the object wanted before.
    pub before: usize,
    /// What each asks for.
    pub shape: Shape,
    /// Labels by which they are found.
    pub selector: BTreeMap<String, String>,
    /// Whether those that are there are replaced.
    pub replaced: bool,
    /// How.
    pub replacement: Replacement,
}

impl Fleet {
    pub(super) fn selects(&self, pod: &Pod) -> bool {
        !self.selector.is_empty() && self.selector.iter().all(|(name, value)| pod.labels.get(name) == Some(value))
    }
}

/// An object as it is and as it will be.
pub type Change<'a> = (&'a Id, Option<&'a Value>, Option<&'a Value>);

/// The pods that an object makes. `restarts` says whether a job that the operator runs is stopped and started again.
#[must_use]
pub fn fleets((id, before, after): Change<'_>, restarts: bool) -> Vec<Fleet> {
    let Some(after) = after else { return Vec::new() };
    match id.kind {
        Kind::Deployment | Kind::StatefulSet => vec![workload(id, before, after)],
        Kind::FlinkDeployment => [Role::JobManager, Role::TaskManager]
            .into_iter()
            .map(|role| operated(id, (before, after), role, restarts))
            .collect(),
        Kind::ConfigMap
        | Kind::Service
        | Kind::FlinkStateSnapshot
        | Kind::ServiceAccount
        | Kind::HorizontalPodAutoscaler => Vec::new(),
    }
}

fn workload(id: &Id, before: Option<&Value>, after: &Value) -> Fleet {
    let count = |object: &Value| number(object.pointer("/spec/replicas")).unwrap_or(1);
    let template = |object: &Value| object.pointer("/spec/template").cloned();
    let role = after
        .pointer("/spec/template/metadata/labels/component")
        .or_else(|| after.pointer("/metadata/labels/component"));
    let role = match role.and_then(Value::as_str) {
        Some("jobmanager") => Role::JobManager,
        Some("taskmanager") => Role::TaskManager,
        _ => Role::Other,
    };
    let selector = after.pointer("/spec/selector/matchLabels").and_then(Value::as_object).into_iter().flatten();
    let selector = selector.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let count = (before.map_or(0, count), count(after));
    Fleet {
        processor: label(after, "app.kubernetes.io/instance")
            .unwrap_or_else(|| id.name.trim_end_matches("-jobmanager").trim_end_matches("-taskmanager"))
            .to_owned(),
        role,
        count: count.1,
        before: count.0,
        shape: Shape::of(after.pointer("/spec/template/spec").unwrap_or(&Value::Null)),
        selector: selector.collect(),
        replaced: before.is_some_and(|before| template(before) != template(after)),
        replacement: replacement(id.kind, after, count.1),
    }
}

fn replacement(kind: Kind, object: &Value, count: usize) -> Replacement {
    if kind == Kind::StatefulSet {
        return Replacement::OneByOne;
    }
    if object.pointer("/spec/strategy/type").and_then(Value::as_str) == Some("Recreate") {
        return Replacement::OldFirst;
    }
    let surge = object.pointer("/spec/strategy/rollingUpdate/maxSurge").and_then(scalar);
    let surge = surge.unwrap_or_else(|| "25%".to_owned());
    let surge = match surge.strip_suffix('%') {
        Some(percent) => percent.parse::<usize>().map_or(0, |percent| (count * percent).div_ceil(100)),
        None => surge.parse().unwrap_or(0),
    };
    Replacement::NewFirst(surge)
}

fn number(value: Option<&Value>) -> Option<usize> {
    scalar(value?)?.parse().ok()
}

/// The pods of a `FlinkDeployment`: the operator takes a cluster down before it starts the next one.
fn operated(id: &Id, (before, after): (Option<&Value>, &Value), role: Role, restarts: bool) -> Fleet {
    let component = if role == Role::JobManager { "jobmanager" } else { "taskmanager" };
    let selector = [("app", id.name.as_str()), ("component", component)];
    Fleet {
        processor: label(after, "app.kubernetes.io/instance").unwrap_or(&id.name).to_owned(),
        role,
        count: managers(after, role),
        before: before.map_or(0, |before| managers(before, role)),
        shape: manager(after, role),
        selector: selector.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        replaced: restarts,
        replacement: Replacement::OldFirst,
    }
}

/// How many pods of a role the operator makes.
fn managers(object: &Value, role: Role) -> usize {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    if spec.pointer("/job/state").and_then(Value::as_str) == Some("suspended") {
        return 0;
    }
    if role == Role::JobManager {
        return number(spec.pointer("/jobManager/replicas")).unwrap_or(1);
    }
    if let Some(replicas) = number(spec.pointer("/taskManager/replicas")) {
        return replicas;
    }
    let configuration = spec.get("flinkConfiguration").unwrap_or(&Value::Null);
    let set = |name: &str| option(configuration, name)?.parse::<usize>().ok();
    let slots = set("taskmanager.numberOfTaskSlots").filter(|slots| *slots > 0).unwrap_or(1);
    match spec.get("job") {
        Some(job) => {
            let parallelism = number(job.get("parallelism")).or_else(|| set("parallelism.default")).unwrap_or(1);
            parallelism.div_ceil(slots)
        }
        // A session cluster gets as many as its jobs need, when they come.
        None => usize::from(spec.get("mode").and_then(Value::as_str) == Some("standalone")),
    }
}

/// A pod that the operator makes.
fn manager(object: &Value, role: Role) -> Shape {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let own = spec.get(if role == Role::JobManager { "jobManager" } else { "taskManager" }).unwrap_or(&Value::Null);
    let templates = [own.pointer("/podTemplate/spec"), spec.pointer("/podTemplate/spec")];
    let mut shape = Shape::default();
    let mut places = Map::new();
    for template in templates.into_iter().flatten() {
        let part = Shape::of(template);
        // What is nearer wins: a container of the same name is the same container.
        for container in part.containers {
            if container.name != FLINK_CONTAINER && shape.containers.iter().all(|it| it.name != container.name) {
                shape.containers.push(container);
            }
        }
        if let Value::Object(fields) = part.place {
            for (name, value) in fields {
                places.entry(name).or_insert(value);
            }
        }
    }
    shape.containers.sort_by_key(|it| !it.is_init);
    shape.containers.push(flink_container(spec, own, role));
    shape.place = Value::Object(places);
    shape
}

fn flink_container(spec: &Value, own: &Value, role: Role) -> Container {
    let configuration = spec.get("flinkConfiguration").unwrap_or(&Value::Null);
    let word = if role == Role::JobManager { "jobmanager" } else { "taskmanager" };
    let set = |name: &str| option(configuration, name);
    let memory = |value: &Value| scalar(value).and_then(|text| quantity::flink_bytes(&text));
    let cpu = |value: &Value| scalar(value).and_then(|text| quantity::cpu_millis(&text));
    let slots = || set("taskmanager.numberOfTaskSlots").and_then(|it| quantity::cpu_millis(&it));
    let default_cpu = || if role == Role::JobManager { Some(1_000) } else { slots().or(Some(1_000)) };
    let configured_cpu = || {
        let names = [format!("kubernetes.{word}.cpu.amount"), format!("kubernetes.{word}.cpu")];
        names.iter().find_map(|name| set(name).and_then(|it| quantity::cpu_millis(&it)))
    };
    let configured_memory = || set(&format!("{word}.memory.process.size")).and_then(|it| quantity::flink_bytes(&it));
    let default_memory = if role == Role::JobManager { 1_600_u64 << 20 } else { 1_728 << 20 };
    let of = |kind: &str| {
        let newer = |name: &str| own.pointer(&format!("/resources/{kind}/{name}"));
        (newer("cpu").and_then(cpu), newer("memory").and_then(memory))
    };
    let (asked, most) = (of("requests"), of("limits"));
    let cpu_asked = asked.0.or(most.0).or_else(|| own.pointer("/resource/cpu").and_then(cpu));
    let memory_asked = asked.1.or(most.1).or_else(|| own.pointer("/resource/memory").and_then(memory));
    let cpu_asked = cpu_asked.or_else(configured_cpu).or_else(default_cpu).unwrap_or_default();
    let memory_asked = memory_asked.or_else(configured_memory).unwrap_or(default_memory);
    let factor = |resource: &str| set(&format!("kubernetes.{word}.{resource}.limit-factor"));
    let limit = |resource: &str, amount: u64| factor(resource).map_or(amount, |factor| times(amount, &factor));
    let requests = [("cpu".to_owned(), cpu_asked), ("memory".to_owned(), memory_asked)].into();
    let limits = [
        ("cpu".to_owned(), most.0.unwrap_or_else(|| limit("cpu", cpu_asked))),
        ("memory".to_owned(), most.1.unwrap_or_else(|| limit("memory", memory_asked))),
    ];
    Container { name: FLINK_CONTAINER.to_owned(), requests, limits: limits.into(), is_init: false }
}

/// An amount by a factor as Flink's options write one; one below 1 counts as 1.
fn times(amount: u64, factor: &str) -> u64 {
    let thousandths = quantity::cpu_millis(factor).unwrap_or(1_000).max(1_000);
    let product = u128::from(amount) * u128::from(thousandths) / 1_000;
    u64::try_from(product).unwrap_or(u64::MAX)
}
