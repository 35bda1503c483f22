//! How far an environment's list can be trusted: loading, live, stale, forbidden, unreachable.

use std::sync::Arc;

use crate::model::Time;
use crate::model::change::{Kind, Scope, ScopeState};
use crate::model::environment::{Backend, Link};
use crate::model::inventory::Inventory;

/// How one environment's watches stand, taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing has answered yet.
    Connecting,
    /// The first lists are on their way.
    Loading,
    /// Listed and followed.
    Live,
    /// Listed and followed, but some kinds may not be read: which, and the server's words.
    Partial(String, Arc<str>),
    /// What is shown is old: since when, why, and when the next try is due.
    Stale(Time, Arc<str>, Option<Time>),
    /// Nothing could be had so far: since when, why, and when the next try is due.
    Unreachable(Time, Arc<str>, Time),
    /// Nothing may be read: the server's words.
    Forbidden(Arc<str>),
}

impl Standing {
    /// Whether its rows are all there.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Live | Self::Partial(..) | Self::Stale(..))
    }

    /// Whether its rows are old.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        matches!(self, Self::Stale(..))
    }

    /// Whether an answer is still to come.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self, Self::Connecting | Self::Loading)
    }
}

/// An environment and how it stands.
pub type Standings = Vec<(Arc<str>, Standing)>;

/// How all environments stand with regard to some kinds.
#[must_use]
pub fn all(inventory: &Inventory, wanted: fn(Kind) -> bool) -> Standings {
    inventory.environments().map(|it| (it.name.clone(), of(inventory, &it.name, wanted))).collect()
}

/// The kinds that make pipelines.
#[must_use]
pub const fn makes_pipelines(kind: Kind) -> bool {
    matches!(kind, Kind::Pods | Kind::Declared(_))
}

/// The kind of the list of Kubernetes events.
#[must_use]
pub const fn is_event(kind: Kind) -> bool {
    matches!(kind, Kind::Events)
}

fn of(inventory: &Inventory, environment: &Arc<str>, wanted: fn(Kind) -> bool) -> Standing {
    let scopes: Vec<(&Scope, &ScopeState)> =
        inventory.scopes().filter(|(scope, _)| scope.environment == *environment && wanted(scope.kind)).collect();
    let listed = scopes.iter().any(|(_, state)| matches!(state, ScopeState::Live | ScopeState::Stale(..)));
    match inventory.link(environment, Backend::Kubernetes) {
        Link::Down { since, error, next_try } if listed => {
            return Standing::Stale(*since, error.clone(), Some(*next_try));
        }
        Link::Down { since, error, next_try } => return Standing::Unreachable(*since, error.clone(), *next_try),
        Link::Forbidden { error, .. } if !listed => return Standing::Forbidden(error.clone()),
        Link::Idle | Link::Connecting if scopes.is_empty() => return Standing::Connecting,
        _ => {}
    }
    if let Some((since, why)) = scopes.iter().find_map(|(_, state)| stale(state)) {
        return Standing::Stale(since, why, None);
    }
    if scopes.is_empty() || scopes.iter().any(|(_, state)| matches!(state, ScopeState::Loading)) {
        return Standing::Loading;
    }
    forbidden(&scopes, listed).unwrap_or(Standing::Live)
}

fn stale(state: &ScopeState) -> Option<(Time, Arc<str>)> {
    match state {
        ScopeState::Stale(since, why) | ScopeState::Failed(since, why) => Some((*since, why.clone())),
        _ => None,
    }
}

fn forbidden(scopes: &[(&Scope, &ScopeState)], listed: bool) -> Option<Standing> {
    let refused = || {
        scopes.iter().filter_map(|(scope, state)| match state {
            ScopeState::Forbidden(why) => Some((scope, why)),
            _ => None,
        })
    };
    let (_, why) = refused().next()?;
    if !listed {
        return Some(Standing::Forbidden(why.clone()));
    }
    let mut kinds: Vec<String> = refused()
        .map(|(scope, _)| match &scope.namespace {
            Some(namespace) => format!("{} in {namespace}", scope.kind.word()),
            None => scope.kind.word().to_owned(),
        })
        .collect();
    kinds.dedup();
    Some(Standing::Partial(kinds.join(", "), why.clone()))
}
