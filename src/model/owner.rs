//! Which pipeline is behind a service, by its tag, else by its name; and how near that is to its limits.
//!
//! Why here: screens lead from a service to its pipeline, and alerts and health rules use what that tells of saturation.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::interest::{self, Depth, Interest};
use super::inventory::{Inventory, Processor};
use super::job::JobState;
use super::key::{PipelineKey, ProcessorKey};
use super::signal::{Saturation, ServiceNow, Signals};
use super::view::job_state;

/// The tag of an override that names a pipeline.
const TAG: &str = "pipeline";

/// Lag grows when so many times as much is written as read; what is read as it comes is no sign of a limit.
const GROWS: f64 = 1.05;

/// Saturation by service.
pub type Saturations = BTreeMap<Arc<str>, Saturation>;

/// The pipelines of an environment by the names that services may have.
#[derive(Debug)]
pub struct Owners<'a>(HashMap<&'a str, &'a PipelineKey>);

impl<'a> Owners<'a> {
    /// Those that are known now.
    #[must_use]
    pub fn new(inventory: &'a Inventory, environment: &str) -> Self {
        let pipelines = || inventory.pipelines().filter(|(pipeline, _)| *pipeline.environment == *environment);
        let mut names: HashMap<&str, &PipelineKey> =
            pipelines().map(|(pipeline, _)| (&*pipeline.name, pipeline)).collect();
        for (pipeline, processors) in pipelines() {
            for processor in processors {
                names.entry(&*processor.name).or_insert(pipeline);
            }
        }
        Self(names)
    }

    /// The pipeline of a service; `None` when nothing tells.
    #[must_use]
    pub fn of(&self, now: &ServiceNow) -> Option<&'a PipelineKey> {
        let tagged = now.tags.iter().find(|(name, _)| **name == *TAG).map(|(_, value)| value);
        match tagged {
            Some(name) => self.0.get(&**name),
            // The last part of a dotted name is most often what the pipeline is called too.
            None => self.0.get(&*now.service).or_else(|| self.0.get(now.service.rsplit('.').next()?)),
        }
        .copied()
    }
}

/// The pipeline of a service of an environment; `None` when nothing tells.
#[must_use]
pub fn of(inventory: &Inventory, environment: &str, now: &ServiceNow) -> Option<PipelineKey> {
    Owners::new(inventory, environment).of(now).cloned()
}

/// The pipeline of an environment that writes a topic, and the state of its job where that is known: of several one that runs.
#[must_use]
pub fn producer(inventory: &Inventory, environment: &str, topic: &str) -> Option<(PipelineKey, Option<JobState>)> {
    let all = inventory.pipelines().filter(|(pipeline, _)| *pipeline.environment == *environment);
    let writes = |processor: &Processor| {
        processor.notes().is_some_and(|notes| notes.outputs.iter().any(|output| **output == *topic))
    };
    let found = all.flat_map(|(pipeline, _)| {
        let mine = inventory.processors_of(pipeline).filter(|(_, processor)| writes(processor));
        mine.map(move |(_, processor)| (pipeline.clone(), job_state(processor)))
    });
    found.min_by_key(|(_, state)| *state != Some(JobState::Running))
}

/// How near the services of an environment are to their limits, by the pipelines behind them.
#[must_use]
pub fn saturations(inventory: &Inventory, environment: &str, signals: &Signals) -> Saturations {
    let owners = Owners::new(inventory, environment);
    let mut known: HashMap<&PipelineKey, Option<Saturation>> = HashMap::new();
    let of = |now: &ServiceNow| {
        let owner = owners.of(now)?;
        let saturation = known.entry(owner).or_insert_with(|| saturation(inventory, owner)).clone()?;
        Some((now.service.clone(), saturation))
    };
    signals.services.iter().filter_map(of).collect()
}

/// The same for all environments.
#[must_use]
pub fn all_saturations(inventory: &Inventory) -> Vec<(Arc<str>, Saturations)> {
    let signals = inventory.signals().iter();
    signals.map(|(name, signals)| (name.clone(), saturations(inventory, name, signals))).collect()
}

/// Asks for what the pipeline behind a service tells of its saturation.
pub fn want(inventory: &Inventory, pipeline: &PipelineKey, interest: &mut Interest) {
    interest.usage.insert(pipeline.environment.clone());
    for (key, _) in inventory.processors_of(pipeline) {
        interest.jobs.extend(interest::job_interest(inventory, key, Depth::Detail));
        interest.groups.extend(interest::group_interest(inventory, key, true));
    }
}

/// Asks for the saturation of all services of some environments.
pub fn want_all(inventory: &Inventory, interest: &mut Interest, is_wanted: impl Fn(&Signals) -> bool) {
    for (environment, signals) in inventory.signals().iter().filter(|(_, signals)| is_wanted(signals)) {
        let owners = Owners::new(inventory, environment);
        let pipelines: std::collections::BTreeSet<&PipelineKey> =
            signals.services.iter().filter_map(|now| owners.of(now)).collect();
        let already: std::collections::HashSet<ProcessorKey> =
            interest.jobs.iter().filter(|job| job.depth == Depth::Detail).map(|job| job.processor.clone()).collect();
        let mut more = Interest::default();
        pipelines.into_iter().for_each(|pipeline| want(inventory, pipeline, &mut more));
        interest.jobs.extend(more.jobs.into_iter().filter(|job| !already.contains(&job.processor)));
        interest.usage.extend(more.usage);
        interest.groups.extend(more.groups);
    }
}

/// The component of a pipeline that is nearest to its limit: CPU or memory of a pod, a busy or held back vertex, or
/// records written faster than they are read; `None` while nothing tells.
#[must_use]
pub fn saturation(inventory: &Inventory, pipeline: &PipelineKey) -> Option<Saturation> {
    let parts = inventory.processors_of(pipeline).flat_map(|(key, processor)| components(inventory, key, processor));
    let known = parts.map(|(component, percent)| Saturation { percent, component: component.into() });
    known.map(Some).fold(None, Saturation::nearer)
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
