//! The rows of all pipelines, kept up to date by what changed.
//!
//! A row is derived again when one of its processors was touched, and once a second while something about
//! it may change by the mere passing of time. What changed for the worse is remembered for a while,
//! so that somebody who looked away sees it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::marks::{Marks, differing};
use super::pipelines::PipelineColumn;
use super::standing::{self, Standing, Standings};
use crate::model::inventory::Inventory;
use crate::model::key::PipelineKey;
use crate::model::verdict::Condition;
use crate::model::view::{self, PipelineView};
use crate::model::{Time, human};

/// One pipeline with what lately became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineRow {
    /// What the model says.
    pub view: PipelineView,
    /// What changed in the last seconds.
    pub marks: Marks<PipelineColumn>,
    /// Place of its environment among all: protected ones first.
    pub environment_rank: usize,
}

/// How many pipelines are how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub all: usize,
    /// Failing.
    pub failing: usize,
    /// Degraded.
    pub degraded: usize,
    /// Deploying.
    pub deploying: usize,
}

/// All pipelines.
#[derive(Debug, Default)]
pub struct Overview {
    rows: BTreeMap<PipelineKey, Arc<PipelineRow>>,
    standings: Standings,
    environments: Vec<Arc<str>>,
}

impl Overview {
    /// Rows by key.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<PipelineRow>> {
        self.rows.values()
    }

    /// One row.
    #[must_use]
    pub fn row(&self, key: &PipelineKey) -> Option<&Arc<PipelineRow>> {
        self.rows.get(key)
    }

    /// Environments, protected ones first.
    #[must_use]
    pub fn environments(&self) -> &[Arc<str>] {
        &self.environments
    }

    /// How the environments stand.
    #[must_use]
    pub const fn standings(&self) -> &Standings {
        &self.standings
    }

    /// How one environment stands.
    #[must_use]
    pub fn standing(&self, environment: &str) -> Option<&Standing> {
        self.standings.iter().find(|(name, _)| **name == *environment).map(|(_, standing)| standing)
    }

    /// How many pipelines are how.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { all: self.rows.len(), ..Counts::default() };
        for row in self.rows.values() {
            match row.view.verdict.condition {
                Condition::Failing => counts.failing += 1,
                Condition::Degraded => counts.degraded += 1,
                Condition::Deploying => counts.deploying += 1,
                Condition::Unknown | Condition::Running | Condition::Stopped => {}
            }
        }
        counts
    }

    /// Takes in that environments, links or watches changed; says whether that shows.
    pub fn environments_changed(&mut self, inventory: &Inventory) -> bool {
        let mut environments: Vec<_> = inventory.environments().collect();
        environments.sort_by_key(|it| (std::cmp::Reverse(protection_rank(it.protection)), it.name.clone()));
        let environments: Vec<Arc<str>> = environments.into_iter().map(|it| it.name.clone()).collect();
        let standings = standing::all(inventory, standing::makes_pipelines);
        let changed = environments != self.environments || standings != self.standings;
        self.standings = standings;
        if environments != self.environments {
            self.environments = environments;
            let ranks: Vec<(PipelineKey, usize)> =
                self.rows.keys().map(|key| (key.clone(), self.rank(&key.environment))).collect();
            for (key, rank) in ranks {
                if let Some(row) = self.rows.get_mut(&key) {
                    Arc::make_mut(row).environment_rank = rank;
                }
            }
        }
        changed
    }

    /// Takes in that pipelines changed; says whether any row did.
    pub fn pipelines_changed(&mut self, inventory: &Inventory, keys: &HashSet<PipelineKey>, now: Time) -> bool {
        let mut changed = false;
        for key in keys {
            changed |= self.derive(inventory, key, now);
        }
        changed
    }

    /// Takes in that a second went by; says whether any row changed.
    pub fn second_passed(&mut self, inventory: &Inventory, now: Time) -> bool {
        let restless: HashSet<PipelineKey> =
            self.rows.iter().filter(|(_, row)| !is_calm(row)).map(|(key, _)| key.clone()).collect();
        self.pipelines_changed(inventory, &restless, now)
    }

    fn derive(&mut self, inventory: &Inventory, key: &PipelineKey, now: Time) -> bool {
        let Some(view) = view::pipeline(inventory, key, now) else { return self.rows.remove(key).is_some() };
        let before = self.rows.get(key);
        let mut row = PipelineRow { view, marks: Marks::default(), environment_rank: self.rank(&key.environment) };
        if let Some(before) = before {
            let settled = self.standing(&key.environment) == Some(&Standing::Live);
            remember(&mut row, before, settled, now);
        }
        if before.is_some_and(|before| **before == row) {
            return false;
        }
        self.rows.insert(key.clone(), Arc::new(row));
        true
    }

    fn rank(&self, environment: &Arc<str>) -> usize {
        self.environments.iter().position(|name| name == environment).unwrap_or(usize::MAX)
    }
}

const fn protection_rank(protection: crate::model::environment::Protection) -> u8 {
    use crate::model::environment::Protection;
    match protection {
        Protection::Open => 0,
        Protection::ReadOnly => 1,
        Protection::Protected => 2,
    }
}

fn is_calm(row: &PipelineRow) -> bool {
    matches!(row.view.verdict.condition, Condition::Running | Condition::Stopped)
        && row.view.verdict.why.is_empty()
        && row.marks.is_empty()
}

/// Carries marks over, and adds new ones once the first lists are complete.
fn remember(row: &mut PipelineRow, before: &PipelineRow, settled: bool, now: Time) {
    row.marks = before.marks.kept(now);
    if !settled {
        return;
    }
    let (old, new) = (&before.view, &row.view);
    let worse = new.verdict.condition < old.verdict.condition && view::needs_attention(new.verdict.condition);
    if worse || new.restarts > old.restarts {
        row.marks.worsened(now);
    }
    row.marks.note(changed_columns(old, new), now);
}

/// Columns whose cells read differently; ages change all the time and do not count.
fn changed_columns(old: &PipelineView, new: &PipelineView) -> impl Iterator<Item = PipelineColumn> + use<> {
    use PipelineColumn as C;
    differing([
        (C::State, old.verdict.condition != new.verdict.condition),
        (C::Pods, (old.pods_ready, old.pods_wanted) != (new.pods_ready, new.pods_wanted)),
        (C::Restarts, old.restarts != new.restarts),
        (C::Job, old.job != new.job),
        (C::Lag, old.lag_records.map(human::count) != new.lag_records.map(human::count)),
        (C::Revision, old.revision != new.revision),
        (C::Processors, old.processors.len() != new.processors.len()),
    ])
}
