//! Who writes the topics that a pipeline reads, and who else writes those that it writes.
//!
//! Why: a topic that exists but that nobody writes lets a job run for days on nothing; two writers of one topic mix what
//! its readers cannot tell apart.
//!
//! How: a topic has a writer when a processor that is known writes it, or when records came lately: whoever brought them
//! need not be a pipeline. Else it is a warning with what is known, never an error: somebody may begin tomorrow.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::{Access, Finding, Need, Weight};
use crate::model::Time;
use crate::model::human;
use crate::plan::remnants::{Others, Use, who};

/// Records that are older than this are no sign of somebody who writes: jobs that come once a day do.
const LATELY: TimeDelta = TimeDelta::hours(36);

/// What a topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tide {
    /// No record was ever written.
    Never,
    /// All records that there were are gone.
    Drained,
    /// When the newest record was written.
    Newest(Time),
    /// It holds records, of an age that nobody tells.
    Untimed,
}

/// What is to be warned of: topics that nobody writes, and topics that somebody else writes too. `known` are the
/// processors of all pipelines, this one among them.
#[must_use]
pub fn writers(
    needs: &[Need],
    (known, here): (&Others, &str),
    tides: &BTreeMap<String, Tide>,
    now: Time,
) -> Vec<Finding> {
    let own: BTreeSet<&str> = needs.iter().map(|it| it.processor.as_str()).collect();
    // What a processor did before this change does not count: it is among the needs as it will be.
    let elsewhere = |it: &&Use| it.namespace != here || !own.contains(it.processor.as_str());
    let others: Vec<&Use> = known.uses.iter().filter(elsewhere).collect();
    let mut findings = Vec::new();
    for need in needs {
        for (topic, access) in &need.topics {
            let message = match access {
                Access::Read => unwritten(needs, topic, (&others, known), tides.get(topic).copied(), now),
                Access::Write => others.iter().find(|it| it.writes.contains(topic)).map(|other| {
                    format!("writes topic {topic}, and so does {}: whoever reads it cannot tell them apart", who(other))
                }),
            };
            let processor = need.processor.clone();
            findings.extend(message.map(|message| Finding {
                weight: Weight::Warning,
                processor,
                message,
                command: None,
            }));
        }
    }
    findings
}

fn unwritten(
    needs: &[Need],
    topic: &str,
    (others, known): (&[&Use], &Others),
    tide: Option<Tide>,
    now: Time,
) -> Option<String> {
    let is_written = needs.iter().any(|it| it.topics.contains(&(topic.to_owned(), Access::Write)))
        || others.iter().any(|it| it.writes.contains(topic))
        || known.routes.contains_key(topic);
    let held = match tide.filter(|_| !is_written)? {
        Tide::Untimed => return None,
        Tide::Newest(at) if now - at <= LATELY => return None,
        Tide::Newest(at) => {
            format!("its newest record is of {}, {} ago", at.format("%Y-%m-%d %H:%M UTC"), human::age(at, now))
        }
        Tide::Never => "no record was ever written to it".to_owned(),
        Tide::Drained => "it holds no record any more".to_owned(),
    };
    let unseen = known.unseen.as_ref().map_or_else(String::new, |it| format!("; {it}"));
    Some(format!("reads topic {topic}, which nobody seems to write: no known pipeline does, and {held}{unseen}"))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    fn need(processor: &str, reads: &str, writes: &str) -> Need {
        let topics = [(reads.to_owned(), Access::Read), (writes.to_owned(), Access::Write)];
        Need { processor: processor.into(), topics: topics.into(), group: None, parallelism: None }
    }

    fn other(processor: &str, writes: &str) -> Use {
        Use {
            pipeline: "billing".into(),
            namespace: "team".into(),
            processor: processor.into(),
            reads: BTreeSet::new(),
            writes: BTreeSet::from([writes.to_owned()]),
            group: None,
        }
    }

    fn said(others: &Others, tides: &[(&str, Tide)]) -> Vec<String> {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(10);
        let tides = tides.iter().map(|(topic, tide)| ((*topic).to_owned(), *tide)).collect();
        let needs = [need("a", "orders", "sums"), need("b", "sums", "totals")];
        let found = writers(&needs, (others, "team"), &tides, now);
        assert!(found.iter().all(|it| it.weight == Weight::Warning));
        found.into_iter().map(|it| format!("{} {}", it.processor, it.message)).collect()
    }

    #[test]
    fn a_topic_without_a_writer_is_named_with_what_is_known_and_one_with_records_is_not() {
        let none = Others::default();
        let at = |hours: i64| Tide::Newest(DateTime::UNIX_EPOCH + TimeDelta::days(10) - TimeDelta::hours(hours));
        let never = "a reads topic orders, which nobody seems to write: no known pipeline does, and no record was ever written to it";
        assert_eq!(said(&none, &[("orders", Tide::Never), ("sums", Tide::Never)]), [never], "a writes sums itself");
        let old = said(&none, &[("orders", at(72))]);
        assert!(old[0].ends_with("its newest record is of 1970-01-08 00:00 UTC, 3d ago"), "{old:?}");
        assert!(said(&none, &[("orders", Tide::Drained)])[0].ends_with("it holds no record any more"));
        for tide in [at(0), at(36), Tide::Untimed] {
            assert_eq!(said(&none, &[("orders", tide)]), [""; 0], "{tide:?}: somebody writes it");
        }
        assert_eq!(said(&none, &[]), [""; 0], "what the broker does not tell is not called empty");
        let unseen = Others { unseen: Some("other namespaces could not be looked at".into()), ..Others::default() };
        assert!(said(&unseen, &[("orders", Tide::Never)])[0].ends_with("; other namespaces could not be looked at"));
    }

    #[test]
    fn writers_of_other_pipelines_count_for_what_is_read_and_against_what_is_written() {
        let known = Others { uses: vec![other("clerk", "orders")], ..Others::default() };
        assert_eq!(said(&known, &[("orders", Tide::Never)]), [""; 0]);
        let twice = Others { uses: vec![other("clerk", "totals")], ..Others::default() };
        let words =
            "b writes topic totals, and so does billing › clerk in team: whoever reads it cannot tell them apart";
        assert_eq!(said(&twice, &[]), [words]);
        // What is changed is not its own rival, as it was before.
        let itself = Others { uses: vec![other("b", "totals"), other("a", "orders")], ..Others::default() };
        assert_eq!(said(&itself, &[("orders", Tide::Never)]).len(), 1, "it writes orders no longer");
        let routed = Others { routes: BTreeMap::from([("orders".into(), "r".into())]), ..Others::default() };
        assert_eq!(said(&routed, &[("orders", Tide::Never)]), [""; 0]);
    }
}
