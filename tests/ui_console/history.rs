//! What a pipeline was and is made of: revisions, what differs between two, the way back; and its processors.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck::app::Effect;
use flowdeck::event::{DocumentKey, Event};
use flowdeck::model::change::Change;
use flowdeck::plan::dossier::{Dossier, Entry};
use flowdeck::plan::intent::{Ask, Intent};
use flowdeck::plan::revision::State;
use flowdeck::plan::tune;
use insta::assert_snapshot;

use super::bench::Bench;
use super::changes::entry;
use super::tune::dossier;
use super::world;

const SEVERAL: &str = include_str!("../../config/examples/expert-matching.yaml");

fn opened(key: &str, columns: u16, rows: u16) -> Bench {
    let bench = Bench::new(columns, rows).apply(world::healthy());
    bench.press("/").typed("prd sess").press("enter").press(key)
}

fn told(bench: Bench, dossier: Result<Dossier, &str>) -> Bench {
    let found = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Survey(key) => Some(key.clone()),
        _ => None,
    });
    bench.send(Event::Surveyed(found.unwrap(), dossier.map(Arc::new).map_err(Into::into)))
}

fn asked(bench: &Bench) -> Vec<Intent> {
    let asked = bench.effects.iter().filter_map(|effect| match effect {
        Effect::Plan(_, intent) => Some((**intent).clone()),
        _ => None,
    });
    asked.collect()
}

fn three() -> Dossier {
    let manifest = include_str!("../../config/examples/sessionization.yaml");
    dossier(Some(&manifest.replace("replicas: 15", "replicas: 20")))
}

fn none() -> Dossier {
    Dossier { revisions: Vec::new(), objects: Vec::new(), editable: Vec::new(), against: BTreeMap::new() }
}

#[test]
fn revisions_are_listed_and_compared() {
    assert_snapshot!("history_asking", opened("h", 80, 24).screen());
    let bench = told(opened("h", 80, 24), Ok(three()));
    assert_snapshot!("history_80x24", bench.screen());
    assert_snapshot!("history_120x40", told(opened("h", 120, 40), Ok(three())).screen());
    assert_snapshot!("history_none", told(opened("h", 80, 24), Ok(none())).screen());
    assert_snapshot!("history_forbidden", told(opened("h", 80, 24), Err("configmaps is forbidden")).screen());
    assert_snapshot!("history_40x8", told(opened("h", 40, 8), Ok(three())).screen());
    // The one before, or the marked one.
    let bench = bench.press("d");
    let key = bench.effects.iter().find_map(|effect| match effect {
        Effect::Fetch(key @ DocumentKey::RevisionDifference(_, 13, 14)) => Some(key.clone()),
        _ => None,
    });
    let text = "FlinkDeployment sessionization: spec.taskManager.replicas: 15 → 20\n";
    let bench = bench.send(Event::Fetched(key.unwrap(), Ok(text.into())));
    assert_snapshot!("history_difference", bench.screen());
    let bench = bench.press("esc G m g d");
    let marked = |effect: &Effect| matches!(effect, Effect::Fetch(DocumentKey::RevisionDifference(_, 12, 14)));
    assert!(bench.effects.iter().any(marked), "{:?}", bench.effects.last());
    let bench = bench.press("esc enter");
    assert!(bench.screen().contains("replicas: 20"), "{}", bench.screen());
}

#[test]
fn an_earlier_revision_is_deployed_again_from_here() {
    let bench = told(opened("h", 80, 24), Ok(three())).press("b");
    assert!(bench.screen().contains("this is the revision that runs"), "{}", bench.screen());
    let bench = bench.press("j b");
    assert!(matches!(&asked(&bench)[..], [Intent { ask: Ask::Rollback { to: Some(13) }, .. }]));
    let against = BTreeMap::from([("rollback", Arc::from("you may not patch flinkdeployments"))]);
    let bench = told(opened("h", 80, 24), Ok(Dossier { against, ..three() })).press("j b");
    assert!(bench.screen().contains("rollback cannot work: you may not"), "{}", bench.screen());
    assert_eq!(asked(&bench), []);
}

fn several() -> Dossier {
    let revision = |number, state| Entry { manifest: Some(SEVERAL.into()), ..entry(number, state) };
    let older = Entry {
        manifest: Some(SEVERAL.replace("revision: 12", "revision: 11").into()),
        ..revision(12, State::Superseded)
    };
    Dossier { revisions: vec![older, revision(13, State::Deployed)], ..none() }
}

#[test]
fn processors_are_shown_as_the_manifest_has_them() {
    assert_snapshot!("compose_asking", opened("c", 80, 24).screen());
    let bench = told(opened("c", 80, 24), Ok(several()));
    assert_snapshot!("compose_80x24", bench.screen());
    assert_snapshot!("compose_120x40", told(opened("c", 120, 40), Ok(several())).screen());
    assert_snapshot!("compose_none", told(opened("c", 80, 24), Ok(none())).screen());
    let bench = bench.press("j X");
    // A wrong graph is named, and not sent.
    assert_snapshot!("compose_wrong", bench.screen());
    let bench = bench.press("f2");
    assert_eq!(asked(&bench), []);
    let bench = bench.press("u G X");
    assert!(bench.screen().contains("1 change, not deployed"), "{}", bench.screen());
    assert_eq!(asked(&bench), []);
    let bench = bench.press("f2");
    let [Intent { ask: Ask::Apply { text, base: 13, .. }, .. }] = &asked(&bench)[..] else {
        panic!("{:?}", asked(&bench))
    };
    let names: Vec<String> = tune::read(text).unwrap()["spec"]["processors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["vep-data-api", "vep-engagement", "match-making"]);
    // What is composed is not dropped by one key.
    let bench = bench.press("esc enter");
    assert!(bench.screen().contains("first what is composed"), "{}", bench.screen());
    let bench = bench.press("esc");
    assert!(bench.screen().contains("esc once more drops"), "{}", bench.screen());
    let bench = bench.press("u g j enter");
    assert!(bench.screen().contains("vep-engagement › edit"), "{}", bench.screen());
    let alone = told(opened("c", 80, 24), Ok(three())).press("X");
    assert!(alone.screen().contains("it is the only one"), "{}", alone.screen());
}

#[test]
fn processors_are_added_and_moved_before_anything_is_sent() {
    let bench = told(opened("c", 80, 24), Ok(several())).press("+");
    assert_snapshot!("compose_add", bench.screen());
    let bench = bench.typed("audit").press("tab").typed("nonsense");
    assert!(bench.screen().contains("group:artifact:version"), "{}", bench.screen());
    let bench = bench.press("enter").press("ctrl-u").typed("g:audit:1").press("tab tab tab tab tab");
    let bench = bench.typed("routed, incidents").press("enter");
    assert_snapshot!("compose_added", bench.screen());
    let known = vec!["clickstream".into()];
    let bench = bench.apply(vec![Change::TopicNames("prd".into(), known)]);
    assert!(!bench.screen().contains("nobody writes"), "{}", bench.screen());
    let bench = bench.apply(vec![Change::TopicNames("prd".into(), vec!["other".into()])]);
    assert!(bench.screen().contains("clickstream, which nobody writes"), "{}", bench.screen());
    let bench = bench.press("g ]");
    assert!(bench.screen().contains("2 changes, not deployed"), "{}", bench.screen());
    assert!(bench.screen().contains("reads no topic"), "{}", bench.screen());
    let bench = bench.press("u f2");
    let [Intent { ask: Ask::Apply { text, base: 13, .. }, .. }] = &asked(&bench)[..] else {
        panic!("{:?}", asked(&bench))
    };
    let manifest = tune::read(text).unwrap();
    assert!(SEVERAL.lines().all(|line| text.contains(line) || line.contains("order:")), "{text}");
    assert_eq!(manifest["spec"]["processors"][4]["inputs"], serde_json::json!(["routed", "incidents"]));
    // Once that revision runs nothing is composed any more.
    let deployed = Entry { manifest: Some(text.clone()), ..entry(14, State::Deployed) };
    let bench = bench.press("esc");
    let dossier = Dossier { revisions: vec![deployed], ..none() };
    assert!(!told(bench, Ok(dossier)).screen().contains("not deployed"));
}
