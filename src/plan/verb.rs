//! What can be done to a pipeline.

use serde::{Deserialize, Serialize};

/// A verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Make what runs what the manifest says.
    Apply,
    /// Start what was deployed last.
    Deploy,
    /// Stop with a savepoint.
    Stop,
    /// Stop and start again, the same.
    Restart,
    /// Change the number of TaskManagers.
    Scale,
    /// Take a savepoint and go on.
    Savepoint,
    /// Deploy to the next environment what runs in one.
    Promote,
    /// Deploy an earlier revision.
    Rollback,
    /// Take everything away.
    Decommission,
    /// Manage what somebody else deployed.
    Adopt,
    /// Start it beside the other copy of its route, give it the traffic, and stop the other one.
    Rollout,
    /// Take such a rollout back.
    AbortRollout,
    /// Edit what stands around its jobs: labels, links, owners, expiry, autoscaling, roles.
    Manage,
}

impl Verb {
    /// Whether jobs run afterwards that may need something that is not there.
    #[must_use]
    pub const fn leads_to_running_jobs(self) -> bool {
        match self {
            Self::Apply
            | Self::Deploy
            | Self::Restart
            | Self::Scale
            | Self::Promote
            | Self::Rollback
            | Self::Rollout => true,
            Self::Stop | Self::Savepoint | Self::Decommission | Self::Adopt | Self::AbortRollout | Self::Manage => {
                false
            }
        }
    }

    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Deploy => "deploy",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Scale => "scale",
            Self::Savepoint => "savepoint",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Decommission => "decommission",
            Self::Adopt => "adopt",
            Self::Rollout => "rollout",
            Self::AbortRollout => "abort-rollout",
            Self::Manage => "manage",
        }
    }

    /// What it does, in a few words.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Apply => "edit its configuration and sizes, and apply them",
            Self::Deploy => "start it as it was deployed last",
            Self::Stop => "stop it with a savepoint",
            Self::Restart => "stop it with a savepoint and start it again, the same",
            Self::Scale => "another number of TaskManagers",
            Self::Savepoint => "take a savepoint now, and go on",
            Self::Promote => "deploy to another environment what runs here",
            Self::Rollback => "deploy an earlier revision",
            Self::Decommission => "take everything away that was deployed",
            Self::Adopt => "manage it from here from now on",
            Self::Rollout => "start it beside its other copy, give it the traffic by its route, stop the other one",
            Self::AbortRollout => "give the other copy the traffic back, and stop this one",
            Self::Manage => "labels, links, owners, last day, autoscaling, roles",
        }
    }
}
