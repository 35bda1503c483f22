//! Resources of the Flink Kubernetes operator: what they want and what the operator says of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use serde_json::Value;

use super::{Mapper, names, notes};
use crate::model::Time;
use crate::model::declaration::{Declaration, Declarer, OperatorStatus};
use crate::model::job::JobState;
use crate::model::quantity;
use crate::plan::object::option;
use crate::source::kube::trouble::cut;
use crate::source::kube::wire::flink::{FlinkSpec, FlinkStatus, Managers};
use crate::source::kube::wire::meta::Meta;
use crate::source::kube::wire::{integer, text};

/// What a `FlinkDeployment` declares.
pub fn deployment(mapper: &mut Mapper, meta: &Meta, spec: &FlinkSpec, status: Option<&FlinkStatus>) -> Declaration {
    let operator = operator(mapper, meta, spec, status);
    let suspended = operator.suspended;
    let (cpu_millis, memory_bytes) = resources(&spec.task_manager);
    let mut declaration = base(mapper, meta, spec, operator);
    declaration.task_managers = if suspended { Some(0) } else { wanted_task_managers(spec, status) };
    declaration.job_managers = if suspended { Some(0) } else { Some(count(&spec.job_manager.replicas).unwrap_or(1)) };
    declaration.cpu_millis = cpu_millis;
    declaration.memory_bytes = memory_bytes;
    declaration.pod_labels = job_manager_labels(mapper, meta, spec);
    declaration
}

/// What a `FlinkSessionJob` declares: a job in the pods of another resource.
pub fn session_job(mapper: &mut Mapper, meta: &Meta, spec: &FlinkSpec, status: Option<&FlinkStatus>) -> Declaration {
    let mut operator = operator(mapper, meta, spec, status);
    operator.session = mapper.strings.share_some(text(&spec.deployment_name).as_deref());
    operator.session_cluster = false;
    Declaration { declarer: Declarer::FlinkSessionJob, ..base(mapper, meta, spec, operator) }
}

fn base(mapper: &mut Mapper, meta: &Meta, spec: &FlinkSpec, operator: OperatorStatus) -> Declaration {
    let object = mapper.key(meta);
    Declaration {
        declarer: Declarer::FlinkDeployment,
        processor: object.clone(),
        object,
        pipeline: mapper.strings.share_some(names::pipeline(&meta.labels)),
        created_at: meta.created_at,
        task_managers: None,
        job_managers: None,
        cpu_millis: None,
        memory_bytes: None,
        image: mapper.strings.share_some(text(&spec.image).as_deref()),
        service_account: mapper.strings.share_some(text(&spec.service_account).as_deref()),
        pod_labels: BTreeMap::new(),
        notes: notes::notes(mapper, &meta.annotations),
        operator: Some(operator),
    }
}

/// The labels that the operator and Flink give to JobManager pods.
fn job_manager_labels(mapper: &mut Mapper, meta: &Meta, spec: &FlinkSpec) -> BTreeMap<Arc<str>, Arc<str>> {
    let standalone = text(&spec.mode).is_some_and(|mode| mode.eq_ignore_ascii_case("standalone"));
    let made_by = if standalone { "flink-standalone-kubernetes" } else { "flink-native-kubernetes" };
    [("type", made_by), ("app", meta.name.as_str()), ("component", "jobmanager")]
        .map(|(name, value)| (mapper.strings.share(name), mapper.strings.share(value)))
        .into()
}

fn operator(mapper: &mut Mapper, meta: &Meta, spec: &FlinkSpec, status: Option<&FlinkStatus>) -> OperatorStatus {
    let mut share = |value: &Value| mapper.strings.share_some(text(value).as_deref());
    let told = status.cloned().unwrap_or_default();
    let version = told.cluster_info.get("flink-version").and_then(text).or_else(|| {
        let wanted = text(&spec.flink_version)?;
        Some(wanted.strip_prefix('v').unwrap_or(&wanted).replace('_', "."))
    });
    OperatorStatus {
        suspended: spec.job.as_ref().and_then(|job| text(&job.state)).is_some_and(|state| state == "suspended"),
        session_cluster: spec.job.is_none(),
        session: None,
        lifecycle: share(&told.lifecycle_state),
        job_manager: share(&told.job_manager_deployment_status),
        job: text(&told.job_status.state).map(|word| JobState::parse(&word)),
        job_id: text(&told.job_status.job_id).map(Into::into),
        started_at: epoch_millis(&told.job_status.start_time),
        error: text(&told.error).and_then(|error| first_line(&error)),
        upgrade_mode: spec.job.as_ref().and_then(|job| share(&job.upgrade_mode)),
        flink_version: mapper.strings.share_some(version.as_deref()),
        // Operators before 1.3 do not say which spec they saw; a resource without any status was not seen at all.
        behind: match (status, integer(&told.observed_generation)) {
            (None, _) => true,
            (Some(_), Some(seen)) => meta.generation > seen,
            (Some(_), None) => false,
        },
    }
}

/// The operator's error is JSON in a string, cut at 2 KB, or sometimes plain text.
fn first_line(error: &str) -> Option<Arc<str>> {
    let parsed: Option<Value> = serde_json::from_str(error).ok();
    let words = parsed.as_ref().filter(|value| value.is_object()).and_then(|value| {
        let thrown = value.get("throwableList").and_then(Value::as_array).and_then(|list| list.last());
        let said = |value: &Value| value.get("message").and_then(text);
        let outer = said(value);
        let inner =
            thrown.and_then(said).filter(|inner| !outer.as_deref().unwrap_or_default().contains(inner.as_str()));
        match (outer, inner) {
            (Some(outer), Some(inner)) => Some(format!("{}: {inner}", outer.lines().next().unwrap_or_default())),
            (None, None) => value.get("type").and_then(text),
            (outer, inner) => outer.or(inner),
        }
    });
    Some(cut(words.as_deref().unwrap_or(error))).filter(|line| !line.is_empty())
}

/// Wanted TaskManagers: as set, else as many as the job's slots need. With the autoscaler on, the number that the
/// operator wrote down is the truer one: it deploys another parallelism than the spec's.
fn wanted_task_managers(spec: &FlinkSpec, status: Option<&FlinkStatus>) -> Option<u32> {
    if let Some(set) = count(&spec.task_manager.replicas) {
        return Some(set);
    }
    let parallelism = count(&spec.job.as_ref()?.parallelism);
    let scaled = ["job.autoscaler.enabled", "kubernetes.operator.job.autoscaler.enabled"]
        .iter()
        .any(|key| option(&spec.flink_configuration, key).as_deref() == Some("true"));
    let told = status.and_then(|status| count(status.task_manager.get("replicas")?)).filter(|told| *told > 0);
    if scaled && told.is_some() {
        return told;
    }
    let parallelism = parallelism
        .or_else(|| option(&spec.flink_configuration, "parallelism.default")?.parse().ok())
        .or(told)
        .unwrap_or(1);
    let slots: u32 = option(&spec.flink_configuration, "taskmanager.numberOfTaskSlots")
        .and_then(|slots| slots.parse().ok())
        .filter(|slots| *slots > 0)
        .unwrap_or(1);
    Some(parallelism.div_ceil(slots))
}

fn count(value: &Value) -> Option<u32> {
    integer(value).and_then(|number| u32::try_from(number).ok())
}

fn resources(managers: &Managers) -> (Option<u64>, Option<u64>) {
    let newer = |name: &str| {
        let of = |kind: &str| managers.resources.get(kind)?.get(name).and_then(text);
        of("limits").or_else(|| of("requests"))
    };
    let cpu = text(&managers.resource.cpu).or_else(|| newer("cpu")).and_then(|cpu| quantity::cpu_millis(&cpu));
    let memory = text(&managers.resource.memory).or_else(|| newer("memory"));
    (cpu, memory.and_then(|memory| quantity::flink_bytes(&memory)))
}

fn epoch_millis(value: &Value) -> Option<Time> {
    integer(value).filter(|millis| *millis > 0).and_then(DateTime::from_timestamp_millis)
}

#[cfg(test)]
#[path = "operator_tests.rs"]
mod tests;
