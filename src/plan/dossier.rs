//! What is known of a pipeline before somebody asks for anything: who manages it, its revisions, and for each verb
//! whether it can work, or why not. So a verb that cannot work says so before it is tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::forecast::keeps_state;
use super::guard::{self, Place};
use super::object::{Id, Kind};
use super::revision::{Revision, State};
use super::verb::Verb;
use crate::model::Time;
use crate::model::environment::Protection;

/// The verbs in the order in which they are offered: what is done daily first, what cannot be taken back last.
pub const OFFERED: [Verb; 13] = [
    Verb::Apply,
    Verb::Deploy,
    Verb::Rollout,
    Verb::AbortRollout,
    Verb::Restart,
    Verb::Stop,
    Verb::Scale,
    Verb::Savepoint,
    Verb::Rollback,
    Verb::Promote,
    Verb::Manage,
    Verb::Adopt,
    Verb::Decommission,
];

/// A revision without its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// Where it is on its way.
    pub state: State,
    /// What made it.
    pub verb: Verb,
    /// Who.
    pub by: Arc<str>,
    /// When.
    pub at: Time,
    /// What for, or from where.
    pub note: Arc<str>,
    /// The manifest; none for a pipeline that was adopted.
    pub manifest: Option<Arc<str>>,
}

impl Entry {
    /// What is kept of a revision.
    #[must_use]
    pub fn of(revision: &Revision) -> Self {
        Self {
            number: revision.number,
            state: revision.state,
            verb: revision.verb,
            by: revision.by.as_str().into(),
            at: revision.at,
            note: revision.note.as_str().into(),
            manifest: revision.manifest.as_deref().map(Into::into),
        }
    }
}

/// What is known of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Dossier {
    /// Its revisions, oldest first; none when flowdeck did not deploy it.
    pub revisions: Vec<Entry>,
    /// The objects that make it.
    pub objects: Vec<Id>,
    /// Objects of somebody else's pipeline that can be edited in their own terms.
    pub editable: Vec<Id>,
    /// What stands against each verb; nothing when it can work.
    pub against: BTreeMap<&'static str, Arc<str>>,
}

impl Dossier {
    /// The revision that runs, else the one that is on its way.
    #[must_use]
    pub fn current(&self) -> Option<&Entry> {
        self.revisions.iter().rfind(|it| it.state == State::Deployed).or_else(|| self.revisions.last())
    }

    /// Why a verb cannot work.
    #[must_use]
    pub fn reason(&self, verb: Verb) -> Option<&Arc<str>> {
        self.against.get(verb.word())
    }
}

/// What a dossier is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The pipeline.
    pub pipeline: &'a str,
    /// Where it is.
    pub place: &'a Place,
    /// Its revisions, oldest first.
    pub revisions: &'a [Revision],
    /// The objects that make it.
    pub objects: &'a [(Id, Value)],
    /// What the server would not let us do, and its reason.
    pub forbidden: &'a BTreeMap<(&'static str, Kind), Arc<str>>,
    /// Why its jobs cannot be asked for a savepoint.
    pub shut: Option<&'a str>,
}

impl Evidence<'_> {
    /// The dossier.
    #[must_use]
    pub fn dossier(&self) -> Dossier {
        let against = OFFERED.iter().filter_map(|verb| Some((verb.word(), self.against(*verb)?.into()))).collect();
        Dossier {
            revisions: self.revisions.iter().map(Entry::of).collect(),
            objects: self.objects.iter().map(|(id, _)| id.clone()).collect(),
            editable: Vec::new(),
            against,
        }
    }

    fn against(&self, verb: Verb) -> Option<String> {
        self.shape(verb)
            .or_else(|| self.protection())
            .or_else(|| self.owners(verb))
            .or_else(|| self.rights(verb))
            .or_else(|| self.way(verb))
    }

    /// What the pipeline itself does not give.
    fn shape(&self, verb: Verb) -> Option<String> {
        let managed = !self.revisions.is_empty();
        let has_manifest = self.revisions.last().is_some_and(|it| it.manifest.is_some());
        let earlier = self.revisions.iter().rev().skip(1).any(|it| it.state != State::Failed);
        let words = match verb {
            Verb::Rollback | Verb::Promote | Verb::Decommission if !managed => {
                "flowdeck did not deploy it: adopt it first"
            }
            Verb::Rollback if !earlier => "there is no earlier revision",
            Verb::Promote | Verb::Scale if managed && !has_manifest => {
                "it was adopted without a manifest: change it where it is written"
            }
            Verb::Adopt if managed => "it is managed already",
            _ => return None,
        };
        Some(words.to_owned())
    }

    fn protection(&self) -> Option<String> {
        let environment = self.place.environment.clone();
        (self.place.protection == Protection::ReadOnly).then(|| guard::Refusal::ReadOnly { environment }.to_string())
    }

    /// A savepoint changes no object, and a promotion those of another environment.
    fn owners(&self, verb: Verb) -> Option<String> {
        if matches!(verb, Verb::Savepoint | Verb::Promote) {
            return None;
        }
        let objects = self.objects.iter().map(|(id, object)| (id, object));
        guard::objects(objects, self.pipeline).first().map(ToString::to_string)
    }

    /// The way to its jobs: a savepoint goes by it, and so does the stop of a plain job that keeps its state. The
    /// operator goes its own way.
    fn way(&self, verb: Verb) -> Option<String> {
        let why = self.shut?;
        let keeps = |(id, object): &(Id, Value)| id.kind == Kind::Deployment && keeps_state(object);
        match verb {
            Verb::Savepoint => Some(format!("its job cannot be asked for a savepoint: {why}")),
            Verb::Apply | Verb::Stop | Verb::Restart | Verb::Scale | Verb::Rollback
                if self.objects.iter().any(keeps) =>
            {
                Some(format!("its job could not be stopped with a savepoint first: {why}"))
            }
            _ => None,
        }
    }

    fn rights(&self, verb: Verb) -> Option<String> {
        let own = |verb: &'static str| self.objects.iter().map(move |(id, _)| (verb, id.kind));
        let revision = [("create", Kind::ConfigMap), ("patch", Kind::ConfigMap)];
        let needed: Vec<(&'static str, Kind)> = match verb {
            Verb::Deploy | Verb::Stop | Verb::Restart | Verb::Manage => own("patch").collect(),
            Verb::Scale if self.revisions.is_empty() => own("patch").collect(),
            Verb::Apply | Verb::Scale | Verb::Rollback | Verb::Adopt | Verb::Rollout | Verb::AbortRollout => {
                own("patch").chain(revision).collect()
            }
            Verb::Decommission => own("delete").collect(),
            Verb::Savepoint | Verb::Promote => Vec::new(),
        };
        let mut refused = needed.iter().filter_map(|right| Some((right, self.forbidden.get(right)?)));
        refused.next().map(|((verb, kind), reason)| format!("you may not {verb} {}: {reason}", kind.plural()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(place: &Place, objects: &[(Id, Value)], revisions: &[Revision]) -> Dossier {
        let forbidden = BTreeMap::from([(("delete", Kind::FlinkDeployment), Arc::from("no rule allows it"))]);
        Evidence { pipeline: "em", place, revisions, objects, forbidden: &forbidden, shut: None }.dossier()
    }

    fn revision(number: u64, state: State) -> Revision {
        Revision {
            number,
            pipeline: "em".into(),
            namespace: "n".into(),
            state,
            verb: Verb::Apply,
            by: "ann".into(),
            at: chrono::DateTime::UNIX_EPOCH,
            note: String::new(),
            manifest: Some("kind: Pipeline".into()),
            objects: Vec::new(),
        }
    }

    #[test]
    fn without_a_way_to_the_job_nothing_that_needs_a_savepoint_is_offered() {
        let place = Place { environment: "qal".into(), ..Place::default() };
        let (forbidden, revisions) = (BTreeMap::new(), [revision(1, State::Superseded), revision(2, State::Deployed)]);
        let judge = |kind: Kind, keeps: &str| {
            let object = json!({"metadata": {"annotations": {"flowdeck.dev/keeps-state": keeps}}});
            let objects = [(Id::new(kind, "n", "em"), object)];
            let shut = Some("you may not create services/proxy");
            let evidence = Evidence {
                pipeline: "em",
                place: &place,
                revisions: &revisions,
                objects: &objects,
                forbidden: &forbidden,
                shut,
            };
            let dossier = evidence.dossier();
            [Verb::Savepoint, Verb::Stop, Verb::Rollback, Verb::Deploy, Verb::Decommission]
                .map(|verb| dossier.reason(verb).is_some_and(|why| why.ends_with("you may not create services/proxy")))
        };
        assert_eq!(judge(Kind::Deployment, "true"), [true, true, true, false, false]);
        assert_eq!(judge(Kind::Deployment, "false"), [true, false, false, false, false], "it has nothing to keep");
        assert_eq!(
            judge(Kind::FlinkDeployment, "true"),
            [true, false, false, false, false],
            "the operator takes its own"
        );
    }

    #[test]
    fn each_verb_says_why_it_cannot_work() {
        let object = |extra: Value| vec![(Id::new(Kind::FlinkDeployment, "n", "em"), extra)];
        let said = |dossier: &Dossier, verb: Verb| dossier.reason(verb).map(ToString::to_string).unwrap_or_default();
        let open = Place { environment: "qal".into(), ..Place::default() };
        let found = judged(&open, &object(json!({})), &[]);
        assert_eq!((said(&found, Verb::Stop), said(&found, Verb::Scale)), (String::new(), String::new()));
        assert!(said(&found, Verb::Rollback).contains("adopt it first"));
        let revisions = [revision(1, State::Superseded), revision(2, State::Deployed)];
        let managed = judged(&open, &object(json!({})), &revisions);
        assert_eq!((said(&managed, Verb::Rollback), said(&managed, Verb::Promote)), (String::new(), String::new()));
        assert!(said(&managed, Verb::Adopt).contains("managed already"));
        assert_eq!(said(&managed, Verb::Decommission), "you may not delete flinkdeployments: no rule allows it");
        assert_eq!(managed.current().map(|it| it.number), Some(2));
        let argo = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "em"}}});
        let owned = judged(&open, &object(argo), &[]);
        assert!(said(&owned, Verb::Stop).contains("belongs to Argo CD") && said(&owned, Verb::Savepoint).is_empty());
        let shut = Place { protection: Protection::ReadOnly, ..open };
        assert!(said(&judged(&shut, &object(json!({})), &[]), Verb::Savepoint).contains("read-only"));
    }
}
