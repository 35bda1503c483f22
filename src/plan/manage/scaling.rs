//! Who decides a processor's size while nobody looks: the operator's autoscaler, a HorizontalPodAutoscaler of plain
//! workloads, or a person.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::processor;
use crate::plan::object::{Id, Kind, MANAGED_BY, MANAGER, PART_OF, set};

/// The annotation of TaskManagers whose number somebody else decides.
pub const AUTOSCALED: &str = "flowdeck.dev/autoscaled";
/// Begins the operator's settings of its autoscaler, today's first.
const AUTOSCALER: [&str; 2] = ["job.autoscaler.", "kubernetes.operator.job.autoscaler."];

/// Where a metric says how much of a resource pods should use.
const TARGET: &str = "/resource/target/averageUtilization";
/// How busy the processors of pods should be that nobody said anything about, percent.
const USUAL_CPU: u64 = 70;

/// How the size of a processor is to be decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scaling {
    /// Whether something decides it.
    pub on: Option<bool>,
    /// Least parallelism of a vertex, or TaskManagers.
    pub least: Option<u32>,
    /// Most of them.
    pub most: Option<u32>,
    /// How busy they should be, percent; of plain workloads, of the cpu that they ask for.
    pub target_percent: Option<u32>,
    /// How much of the memory that they ask for plain workloads should use, percent; inner `None` takes that away.
    pub memory_percent: Option<Option<u32>>,
}

impl Scaling {
    /// Whether nothing is edited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        let targets = [self.target_percent, self.memory_percent.flatten()];
        match (self.least, self.most) {
            (Some(0), _) => Some("the least must be 1 or more"),
            (Some(least), Some(most)) if least > most => Some("the least is more than the most"),
            _ if targets.into_iter().flatten().any(|it| !(1..=100).contains(&it)) => {
                Some("the target is a share from 1 to 100 percent")
            }
            _ => None,
        }
    }

    /// The operator's settings that it means.
    #[must_use]
    pub fn patch(&self, live: &Value) -> Value {
        let mut patch = json!({});
        let settings = [
            ("enabled", self.on.map(|on| on.to_string())),
            ("vertex.min-parallelism", self.least.map(|it| it.to_string())),
            ("vertex.max-parallelism", self.most.map(|it| it.to_string())),
            ("utilization.target", self.target_percent.map(|it| format!("{:.2}", f64::from(it) / 100.0))),
        ];
        let there = live.pointer("/spec/flinkConfiguration");
        for (name, value) in settings.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            let [today, before] = AUTOSCALER.map(|prefix| format!("{prefix}{name}"));
            // The older name would say something else beside the newer one.
            if there.and_then(|it| it.get(&before)).is_some() {
                set(&mut patch, &["spec", "flinkConfiguration", &before], Value::Null);
            }
            set(&mut patch, &["spec", "flinkConfiguration", &today], json!(value));
        }
        patch
    }

    /// The HorizontalPodAutoscaler that decides the number of TaskManagers of plain workloads: as it was, with the edits.
    #[must_use]
    pub fn autoscaler(&self, workers: &Id, pipeline: &str, before: Option<&Value>) -> Value {
        let old = |path: &str| before.and_then(|it| it.pointer(path)).and_then(Value::as_u64);
        let number =
            |edit: Option<u32>, path: &str, default: u64| edit.map_or_else(|| old(path).unwrap_or(default), u64::from);
        let least = number(self.least, "/spec/minReplicas", 1);
        let most = number(self.most, "/spec/maxReplicas", least.max(4));
        json!({
            "apiVersion": Kind::HorizontalPodAutoscaler.api_version(),
            "kind": Kind::HorizontalPodAutoscaler.word(),
            "metadata": {"name": workers.name, "namespace": workers.namespace,
                "labels": {PART_OF: pipeline, MANAGED_BY: MANAGER}},
            "spec": {
                "scaleTargetRef": {"apiVersion": workers.kind.api_version(), "kind": workers.kind.word(), "name": workers.name},
                "minReplicas": least,
                "maxReplicas": most,
                "metrics": self.metrics(before),
            },
        })
    }

    /// What it goes by: as it was, with the edits. Metrics that are not ours stay.
    fn metrics(&self, before: Option<&Value>) -> Vec<Value> {
        let old = before.and_then(|it| it.pointer("/spec/metrics")).and_then(Value::as_array);
        let mut metrics = old.cloned().unwrap_or_default();
        let edits = [("cpu", self.target_percent.map(Some)), ("memory", self.memory_percent)];
        for (resource, edit) in edits.into_iter().filter_map(|(resource, edit)| Some((resource, edit?))) {
            let wanted = edit.map(|percent| utilization(resource, u64::from(percent)));
            let place = metrics.iter().position(|it| is_of(it, resource));
            match (place, wanted) {
                (Some(place), Some(wanted)) => metrics.splice(place..=place, [wanted]).for_each(drop),
                (Some(place), None) => drop(metrics.remove(place)),
                (None, wanted) => metrics.extend(wanted),
            }
        }
        // Without anything to go by there would be nothing to decide.
        if metrics.is_empty() {
            metrics.push(utilization("cpu", USUAL_CPU));
        }
        metrics
    }
}

fn utilization(resource: &str, percent: u64) -> Value {
    json!({"type": "Resource", "resource": {"name": resource,
        "target": {"type": "Utilization", "averageUtilization": percent}}})
}

fn is_of(metric: &Value, resource: &str) -> bool {
    metric.pointer("/resource/name").and_then(Value::as_str) == Some(resource)
}

/// A share of what pods ask for, in a list of metrics.
fn share(object: Option<&Value>, list: &str, (resource, value): (&str, &str)) -> Option<u32> {
    let metrics = object?.pointer(list)?.as_array()?;
    let percent = metrics.iter().find(|it| is_of(it, resource))?.pointer(value)?.as_u64()?;
    u32::try_from(percent).ok()
}

/// A patch that says whether something else decides the number of TaskManagers.
#[must_use]
pub fn autoscaled(on: bool) -> Value {
    let mut patch = json!({});
    set(&mut patch, &["metadata", "annotations", AUTOSCALED], if on { json!("true") } else { Value::Null });
    patch
}

/// The operator's autoscaler settings of a deployment, by their names of today, without the prefix.
#[must_use]
pub fn autoscaler_settings(object: &Value) -> BTreeMap<String, String> {
    let options = object.pointer("/spec/flinkConfiguration").and_then(Value::as_object);
    let mut found = BTreeMap::new();
    for (name, value) in options.into_iter().flatten() {
        let short = AUTOSCALER.iter().find_map(|prefix| name.strip_prefix(prefix));
        if let Some(short) = short {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            found.insert(short.to_owned(), text);
        }
    }
    found
}

/// How the size of a processor is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScalingView {
    /// The processor.
    pub processor: String,
    /// What decides: `operator`, `hpa`, or nothing.
    pub by: Option<&'static str>,
    /// The least that it may choose.
    pub least: Option<u32>,
    /// The most that it may choose.
    pub most: Option<u32>,
    /// How busy it should be, percent.
    pub target_percent: Option<u32>,
    /// How much of its memory it should use, percent.
    pub memory_percent: Option<u32>,
    /// How busy it is and how much of its memory it uses, as what decides sees it.
    pub seen: Option<String>,
    /// All of its settings, by their own names.
    pub settings: BTreeMap<String, String>,
    /// Parallelism by vertex that it chose.
    pub chosen: Option<String>,
    /// What it decided lately, newest last: when, and in its own words.
    pub decisions: Vec<Decision>,
}

impl ScalingView {
    /// What the operator's settings of a deployment say.
    #[must_use]
    pub fn of_operator(object: &Value) -> Self {
        let settings = autoscaler_settings(object);
        let is_on = settings.get("enabled").is_some_and(|it| it == "true");
        let number = |name: &str| settings.get(name).and_then(|it| it.parse().ok());
        let share: Option<f64> = settings.get("utilization.target").and_then(|it| it.parse().ok());
        Self {
            processor: processor(object),
            by: is_on.then_some("operator"),
            least: number("vertex.min-parallelism"),
            most: number("vertex.max-parallelism"),
            target_percent: share.and_then(percent),
            memory_percent: None,
            seen: None,
            settings,
            chosen: None,
            decisions: Vec::new(),
        }
    }

    /// What a HorizontalPodAutoscaler of TaskManagers says, where there is one.
    #[must_use]
    pub fn of_pods(workers: &Value, autoscaler: Option<&Value>) -> Self {
        let number = |path: &str| autoscaler.and_then(|it| it.pointer(path)).and_then(Value::as_u64);
        let small = |path: &str| number(path).and_then(|it| u32::try_from(it).ok());
        let chosen = number("/status/desiredReplicas");
        let now = |resource: &'static str| {
            let place = (resource, "/resource/current/averageUtilization");
            Some(format!("{resource} {} percent", share(autoscaler, "/status/currentMetrics", place)?))
        };
        let seen: Vec<String> = ["cpu", "memory"].into_iter().filter_map(now).collect();
        Self {
            processor: processor(workers),
            by: autoscaler.map(|_| "hpa"),
            least: small("/spec/minReplicas"),
            most: small("/spec/maxReplicas"),
            target_percent: share(autoscaler, "/spec/metrics", ("cpu", TARGET)),
            memory_percent: share(autoscaler, "/spec/metrics", ("memory", TARGET)),
            seen: (!seen.is_empty()).then(|| seen.join(", ")),
            settings: BTreeMap::new(),
            chosen: chosen.map(|count| format!("{count} TaskManagers")),
            decisions: Vec::new(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 100")]
fn percent(share: f64) -> Option<u32> {
    (0.0..=1.0).contains(&share).then(|| (share * 100.0).round() as u32)
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// When, as the event says it.
    pub at: String,
    /// What kind.
    pub reason: String,
    /// In the operator's words.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_older_names_go_when_the_newer_are_set() {
        let live = json!({"spec": {"flinkConfiguration": {"kubernetes.operator.job.autoscaler.enabled": "false", "job.autoscaler.metrics.window": "5 m"}}});
        let scaling = Scaling { on: Some(true), target_percent: Some(65), ..Scaling::default() };
        let patch = scaling.patch(&live);
        assert_eq!(
            patch["spec"]["flinkConfiguration"],
            json!({"kubernetes.operator.job.autoscaler.enabled": null, "job.autoscaler.enabled": "true",
                "job.autoscaler.utilization.target": "0.65"})
        );
        let settings = autoscaler_settings(&live);
        assert_eq!(settings["enabled"], "false");
        assert_eq!(settings["metrics.window"], "5 m");
    }

    #[test]
    fn an_autoscaler_keeps_what_is_not_edited() {
        let workers = Id::new(Kind::StatefulSet, "n", "a-taskmanager");
        let first = Scaling { least: Some(2), most: Some(9), ..Scaling::default() }.autoscaler(&workers, "p", None);
        let second = Scaling { target_percent: Some(50), ..Scaling::default() }.autoscaler(&workers, "p", Some(&first));
        assert_eq!((&second["spec"]["minReplicas"], &second["spec"]["maxReplicas"]), (&json!(2), &json!(9)));
        assert_eq!(second["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 50);
        assert!(Scaling { least: Some(5), most: Some(2), ..Scaling::default() }.problem().is_some());
        assert!(Scaling { memory_percent: Some(Some(0)), ..Scaling::default() }.problem().is_some());
    }

    #[test]
    fn memory_is_gone_by_beside_the_cpu_and_metrics_of_others_stay() {
        let workers = Id::new(Kind::StatefulSet, "n", "a-taskmanager");
        let edited = |scaling: Scaling, before: Option<&Value>| scaling.autoscaler(&workers, "p", before);
        let view = |autoscaler: &Value| {
            let view = ScalingView::of_pods(&json!({"metadata": {"name": "a-taskmanager"}}), Some(autoscaler));
            (view.target_percent, view.memory_percent)
        };
        let first = edited(Scaling { memory_percent: Some(Some(80)), ..Scaling::default() }, None);
        assert_eq!(view(&first), (None, Some(80)), "who asks for memory alone gets that alone");
        let mut both = edited(Scaling { target_percent: Some(60), ..Scaling::default() }, Some(&first));
        assert_eq!(view(&both), (Some(60), Some(80)));
        let lag = json!({"type": "External", "external": {"metric": {"name": "lag"}}});
        both["spec"]["metrics"].as_array_mut().unwrap().insert(0, lag.clone());
        both["status"] = json!({"currentMetrics": [{"type": "Resource", "resource": {"name": "memory", "current": {"averageUtilization": 91}}}]});
        let last = edited(Scaling { memory_percent: Some(None), ..Scaling::default() }, Some(&both));
        assert_eq!((view(&last), &last["spec"]["metrics"][0]), ((Some(60), None), &lag));
        let seen = ScalingView::of_pods(&json!({}), Some(&both)).seen;
        assert_eq!(seen.as_deref(), Some("memory 91 percent"));
        let none = edited(Scaling { memory_percent: Some(None), ..Scaling::default() }, Some(&first));
        assert_eq!(view(&none), (Some(70), None), "it goes by something");
    }
}
