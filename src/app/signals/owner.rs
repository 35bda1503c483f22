//! Which pipeline a service belongs to, by its tag, else by its name; and how near that is to its limits.

use std::sync::Arc;

use crate::app::screen::World;
use crate::model::inventory::{Inventory, Processor};
use crate::model::key::{PipelineKey, ProcessorKey};
use crate::model::signal::{Saturation, ServiceNow};

/// The tag of an override that names a pipeline.
const TAG: &str = "pipeline";

/// Lag grows when so many times as much is written as read; what is read as it comes is no sign of a limit.
const GROWS: f64 = 1.05;

/// The pipeline of a service of an environment; `None` when nothing tells.
#[must_use]
pub fn of(world: &World<'_>, environment: &Arc<str>, now: &ServiceNow) -> Option<PipelineKey> {
    let tagged = now.tags.iter().find(|(name, _)| **name == *TAG).map(|(_, value)| value);
    match tagged {
        Some(name) => named(world, environment, name),
        // The last part of a dotted name is most often what the pipeline is called too.
        None => named(world, environment, &now.service)
            .or_else(|| named(world, environment, now.service.rsplit('.').next()?)),
    }
}

/// The pipeline that is called so, or has a processor that is.
fn named(world: &World<'_>, environment: &Arc<str>, name: &str) -> Option<PipelineKey> {
    let pipelines = || world.inventory.pipelines().filter(|(pipeline, _)| pipeline.environment == *environment);
    let found = pipelines().find(|(pipeline, _)| *pipeline.name == *name);
    let found = found.or_else(|| pipelines().find(|(_, processors)| processors.iter().any(|it| *it.name == *name)));
    found.map(|(pipeline, _)| pipeline.clone())
}

/// The component of a pipeline that is nearest to its limit: CPU or memory of a pod, a busy or held back vertex, or
/// records written faster than they are read; `None` while nothing tells.
#[must_use]
pub fn saturation(inventory: &Inventory, pipeline: &PipelineKey) -> Option<Saturation> {
    let parts = inventory.processors_of(pipeline).flat_map(|(key, processor)| components(inventory, key, processor));
    let worst = parts.filter(|(_, percent)| percent.is_finite()).max_by(|left, right| left.1.total_cmp(&right.1));
    worst.map(|(component, percent)| Saturation { percent, component: component.into() })
}

#[expect(clippy::cast_precision_loss, reason = "thousandths of cores, and bytes of a pod")]
fn components(inventory: &Inventory, key: &ProcessorKey, processor: &Processor) -> Vec<(&'static str, f64)> {
    let mut parts = Vec::new();
    let share = |used: u64, limit: Option<u64>| {
        limit.filter(|limit| *limit > 0).map(|limit| used as f64 * 100.0 / limit as f64)
    };
    for pod in inventory.pods_of(key) {
        let Some(usage) = inventory.usage(&pod.key) else { continue };
        parts.extend(share(usage.cpu_millis, pod.cpu_limit_millis).map(|percent| ("cpu", percent)));
        parts.extend(share(usage.memory_bytes, pod.memory_limit_bytes).map(|percent| ("mem", percent)));
    }
    for vertex in processor.job().map(|job| job.vertices.as_slice()).unwrap_or_default() {
        parts.extend(vertex.busy_max.map(|busy| ("busy", busy * 100.0)));
        parts.extend(vertex.backpressure_max.map(|held| ("held", held * 100.0)));
    }
    if let Some(group) = inventory.group_of(key)
        && let (Some(written), Some(read)) = (group.produced_per_second, group.consumed_per_second)
        && read > 0.0
        && written > read * GROWS
    {
        parts.push(("lag", written * 100.0 / read));
    }
    parts
}
