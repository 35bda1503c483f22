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

/// Where a HorizontalPodAutoscaler of ours says how busy pods should be.
const TARGET: &str = "/spec/metrics/0/resource/target/averageUtilization";

/// How the size of a processor is to be decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scaling {
    /// Whether something decides it.
    pub on: Option<bool>,
    /// Least parallelism of a vertex, or TaskManagers.
    pub least: Option<u32>,
    /// Most of them.
    pub most: Option<u32>,
    /// How busy they should be, percent.
    pub target_percent: Option<u32>,
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
        match (self.least, self.most, self.target_percent) {
            (Some(0), ..) => Some("the least must be 1 or more"),
            (Some(least), Some(most), _) if least > most => Some("the least is more than the most"),
            (_, _, Some(target)) if !(1..=100).contains(&target) => Some("the target is a share from 1 to 100 percent"),
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
        let target = number(self.target_percent, TARGET, 70);
        json!({
            "apiVersion": Kind::HorizontalPodAutoscaler.api_version(),
            "kind": Kind::HorizontalPodAutoscaler.word(),
            "metadata": {"name": workers.name, "namespace": workers.namespace,
                "labels": {PART_OF: pipeline, MANAGED_BY: MANAGER}},
            "spec": {
                "scaleTargetRef": {"apiVersion": workers.kind.api_version(), "kind": workers.kind.word(), "name": workers.name},
                "minReplicas": least,
                "maxReplicas": most,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": target}}}],
            },
        })
    }
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
        Self {
            processor: processor(workers),
            by: autoscaler.map(|_| "hpa"),
            least: small("/spec/minReplicas"),
            most: small("/spec/maxReplicas"),
            target_percent: small(TARGET),
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
    }
}
