//! What somebody asks for, before anything is known of what it takes. Screens and commands ask in these words.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::forecast::Load;
use super::manage::edit::Edit;
use super::object::Id;
use super::remnants::Sweep;
use super::verb::Verb;
use crate::model::key::PipelineKey;

/// What is to be done to a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Start what was deployed last.
    Deploy,
    /// Stop with a savepoint.
    Stop,
    /// Stop and start again, the same.
    Restart,
    /// Another number of TaskManagers.
    Scale {
        /// Of which processor; not needed where there is one.
        processor: Option<String>,
        /// How many.
        replicas: u32,
    },
    /// Take a savepoint and go on.
    Savepoint,
    /// Deploy what runs in this environment to another one.
    Promote {
        /// The pipeline there.
        to: PipelineKey,
    },
    /// Deploy an earlier revision.
    Rollback {
        /// Which; else the one before.
        to: Option<u64>,
    },
    /// Take everything away, and in Kafka what is asked for.
    Decommission(Sweep),
    /// Manage what somebody else deployed.
    Adopt,
    /// Give it the traffic of its route.
    Rollout,
    /// Take that back.
    AbortRollout,
    /// Edit what stands around its jobs.
    Manage(Edit),
    /// Another manifest.
    Apply {
        /// Its text.
        text: Arc<str>,
        /// The revision that it was edited from.
        base: u64,
        /// The draft that is no longer needed once it is deployed.
        draft: Option<Arc<Path>>,
    },
    /// Other fields of somebody else's object.
    Edit {
        /// The object.
        id: Id,
        /// Its text as it was when the edit began.
        base: Arc<str>,
        /// Its text as it is wanted.
        mine: Arc<str>,
        /// The draft that is no longer needed once it is made.
        draft: Arc<Path>,
    },
}

impl Ask {
    /// The draft that is no longer needed once it is done.
    #[must_use]
    pub const fn draft(&self) -> Option<&Arc<Path>> {
        match self {
            Self::Apply { draft, .. } => draft.as_ref(),
            Self::Edit { draft, .. } => Some(draft),
            _ => None,
        }
    }

    /// The verb.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Deploy => Verb::Deploy,
            Self::Stop => Verb::Stop,
            Self::Restart => Verb::Restart,
            Self::Scale { .. } => Verb::Scale,
            Self::Savepoint => Verb::Savepoint,
            Self::Promote { .. } => Verb::Promote,
            Self::Rollback { .. } => Verb::Rollback,
            Self::Decommission(_) => Verb::Decommission,
            Self::Adopt => Verb::Adopt,
            Self::Rollout => Verb::Rollout,
            Self::AbortRollout => Verb::AbortRollout,
            Self::Manage(_) => Verb::Manage,
            Self::Apply { .. } | Self::Edit { .. } => Verb::Apply,
        }
    }
}

/// Somebody asks for something.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The pipeline.
    pub pipeline: PipelineKey,
    /// What is to be done.
    pub ask: Ask,
    /// How hard its processors work, by name, as far as it is known.
    pub loads: BTreeMap<String, Load>,
}

impl Intent {
    /// The pipeline that changes: the other one when it is promoted.
    #[must_use]
    pub const fn subject(&self) -> &PipelineKey {
        match &self.ask {
            Ask::Promote { to } => to,
            _ => &self.pipeline,
        }
    }

    /// In words, such as `scale sessionization to 20 TaskManagers`.
    #[must_use]
    pub fn words(&self) -> String {
        let (name, verb) = (&self.pipeline.name, self.ask.verb().word());
        match &self.ask {
            Ask::Scale { processor, replicas } => {
                let which = processor.as_deref().filter(|it| *it != &**name).map(|it| format!(" › {it}"));
                format!("scale {name}{} to {replicas} TaskManagers", which.unwrap_or_default())
            }
            Ask::Apply { .. } => format!("apply the edited {name}"),
            Ask::Edit { id, .. } => format!("change {id}"),
            Ask::Manage(edit) => format!("edit {name}: {}", edit.words()),
            Ask::Savepoint => format!("take a savepoint of {name}"),
            Ask::Promote { to } => format!("promote {name} from {} to {}", self.pipeline.environment, to.environment),
            Ask::Rollback { to: Some(number) } => format!("roll {name} back to revision {number}"),
            Ask::Rollout => format!("roll {name} out through its route"),
            Ask::AbortRollout => format!("take the rollout of {name} back"),
            Ask::Rollback { to: None } => format!("roll {name} back to the revision before"),
            _ => format!("{verb} {name}"),
        }
    }
}
