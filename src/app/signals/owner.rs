//! Which pipeline a service belongs to: by its tag, else by its name.

use std::sync::Arc;

use crate::app::screen::World;
use crate::model::key::PipelineKey;
use crate::model::signal::ServiceNow;

/// The tag of an override that names a pipeline.
const TAG: &str = "pipeline";

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
