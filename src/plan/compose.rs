//! The processors of a pipeline as its manifest composes them, each with its step and the time of its last change.
//!
//! [`arrange`] composes a manifest otherwise.

pub mod arrange;

use serde_json::Value;

use super::dossier::Dossier;
use super::tune::{self, Spot, Tuning};
use crate::model::Time;

/// A processor of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Coordinates of its artifact.
    pub artifact: String,
    /// Revision of the processor, where it is numbered.
    pub revision: Option<u64>,
    /// Its sizes, topics and document.
    pub tuning: Tuning,
    /// When the oldest revision was made that has it as it is now; `None` while that is not deployed.
    pub updated: Option<Time>,
    /// The how manieth step it is, from 1; those side by side have the same one.
    pub step: usize,
}

impl Member {
    /// Revision and artifact; whose it is stands in the group before it, which all of a team have in common.
    #[must_use]
    pub fn description(&self) -> String {
        let revision = self.revision.map_or_else(String::new, |number| format!("rev {number}  "));
        let name = self.artifact.split_once(':').map_or(self.artifact.as_str(), |(_, name)| name);
        format!("{revision}{name}")
    }
}

/// The processors of the revision that runs, or of what is being composed from it, in the order of the manifest.
#[must_use]
pub fn members(dossier: &Dossier, environment: &str, composed: Option<&str>) -> Vec<Member> {
    let read = |text: Option<&str>| text.and_then(|text| tune::read(text).ok());
    let Some(current) = dossier.current() else { return Vec::new() };
    let Some(manifest) = read(composed.or(current.manifest.as_deref())) else { return Vec::new() };
    let places = arrange::places(&manifest);
    // From the newest that runs back to the oldest.
    let before = dossier.revisions.iter().rev().filter(|it| it.number <= current.number);
    let before: Vec<(Time, Option<Value>)> = before.map(|it| (it.at, read(it.manifest.as_deref()))).collect();
    let member = |step: &Value| {
        let name = step.get("name")?.as_str()?;
        let same = |(_, manifest): &&(Time, Option<Value>)| {
            let steps = manifest.as_ref().and_then(|it| it.pointer("/spec/processors")?.as_array());
            steps.is_some_and(|steps| steps.contains(step))
        };
        Some(Member {
            name: name.to_owned(),
            artifact: step.get("artifact").and_then(Value::as_str).unwrap_or_default().to_owned(),
            revision: step.get("revision").and_then(Value::as_u64),
            tuning: Tuning::of(&manifest, Spot { environment, processor: name })?,
            step: 1 + places.iter().position(|place| place.iter().any(|it| it == name)).unwrap_or(places.len()),
            updated: before.iter().take_while(same).last().map(|(at, _)| *at),
        })
    };
    let steps = manifest.pointer("/spec/processors").and_then(Value::as_array);
    steps.into_iter().flatten().filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::plan::dossier::Entry;
    use crate::plan::revision::State;
    use crate::plan::verb::Verb;

    const MANIFEST: &str = "\
spec:
  processors:
  - {name: a, artifact: g:a:1, revision: 7, replicas: 2, cpu: 1, memory: 1Gi}
  - {name: b, artifact: g:b:1, replicas: 1, cpu: 1, memory: 1Gi}
  order: [a, [b]]
  overrides: {prd: {b: {replicas: 9}}}
";

    fn entry(number: u64, manifest: &str) -> Entry {
        Entry {
            number,
            state: if number == 3 { State::Deployed } else { State::Superseded },
            verb: Verb::Apply,
            by: "ann".into(),
            at: DateTime::UNIX_EPOCH + TimeDelta::hours(i64::try_from(number).unwrap()),
            note: "".into(),
            manifest: Some(manifest.into()),
        }
    }

    #[test]
    fn each_has_the_time_of_its_own_last_change() {
        let older = MANIFEST.replace("replicas: 2", "replicas: 1");
        let revisions = vec![entry(1, &older), entry(2, MANIFEST), entry(3, MANIFEST)];
        let dossier = Dossier { revisions, objects: Vec::new(), editable: Vec::new(), against: BTreeMap::new() };
        let members = members(&dossier, "prd", None);
        let updated = |index: usize| members[index].updated.map(|at| (at - DateTime::UNIX_EPOCH).num_hours());
        assert_eq!((updated(0), updated(1)), (Some(2), Some(1)));
        assert_eq!(members[0].description(), "rev 7  a:1");
        assert_eq!(members[1].tuning.replicas(), Some(9));
        let composed = MANIFEST.replace("replicas: 2", "replicas: 3");
        let members = super::members(&dossier, "prd", Some(&composed));
        assert_eq!((members[0].updated, members[1].updated.is_some()), (None, true));
        assert_eq!((members[0].step, members[1].step), (1, 2));
    }
}
