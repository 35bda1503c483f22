//! Fine-tuning: the form and the document over one draft, what is wrong while it is typed, and what others did.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck::app::Effect;
use flowdeck::event::{ChangeNews, Draft, Ending, Event, Opened};
use flowdeck::plan::dossier::{Dossier, Entry};
use flowdeck::plan::intent::{Ask, Intent};
use flowdeck::plan::object::{Id, Kind};
use flowdeck::plan::revision::State;
use insta::assert_snapshot;

use super::bench::Bench;
use super::changes::entry;
use super::world;

const MANIFEST: &str = include_str!("../../config/examples/sessionization.yaml");

fn revision(number: u64, state: State, manifest: &str) -> Entry {
    Entry { manifest: Some(manifest.into()), ..entry(number, state) }
}

pub fn dossier(newest: Option<&str>) -> Dossier {
    let mut revisions = vec![revision(12, State::Superseded, MANIFEST)];
    let state = if newest.is_some() { State::Superseded } else { State::Deployed };
    revisions.push(revision(13, state, MANIFEST));
    revisions.extend(newest.map(|manifest| revision(14, State::Deployed, manifest)));
    Dossier { revisions, objects: Vec::new(), editable: Vec::new(), against: BTreeMap::new() }
}

fn asked(columns: u16, rows: u16) -> Bench {
    let bench = Bench::new(columns, rows).apply(world::healthy()).apply(world::kafka());
    bench.press("/").typed("prd sess").press("enter e")
}

fn known(bench: Bench, dossier: Dossier, draft: Option<Draft>) -> Bench {
    let found = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Survey(key) => Some(key.clone()),
        _ => None,
    });
    let path = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Recall(path) => Some(path.clone()),
        _ => None,
    });
    let bench = bench.send(Event::Recalled(path.unwrap(), draft));
    bench.send(Event::Surveyed(found.unwrap(), Ok(Arc::new(dossier))))
}

fn editing(columns: u16, rows: u16) -> Bench {
    known(asked(columns, rows), dossier(None), None)
}

/// The draft that was kept last.
fn kept(bench: &Bench) -> Option<Draft> {
    let kept = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Keep(_, draft) => Some(draft.clone()),
        _ => None,
    });
    kept.unwrap()
}

fn planned(bench: &Bench) -> Vec<(u64, Intent)> {
    let planned = bench.effects.iter().filter_map(|effect| match effect {
        Effect::Plan(number, intent) => Some((*number, (**intent).clone())),
        _ => None,
    });
    planned.collect()
}

#[test]
fn the_form_and_the_document_are_one_screen() {
    assert_snapshot!("tune_asking", asked(80, 24).screen());
    assert_snapshot!("tune_80x24", editing(80, 24).screen());
    assert_snapshot!("tune_120x40", editing(120, 40).press("backtab").screen());
    assert_snapshot!("tune_40x8", editing(40, 8).screen());
    assert!(editing(80, 24).ascii().screen().is_ascii());
}

#[test]
fn what_is_wrong_is_said_while_it_is_typed_and_nothing_is_sent() {
    let bench = editing(80, 24).typed("2x");
    assert_snapshot!("tune_wrong_number", bench.screen());
    let bench = bench.press("f2");
    assert!(bench.screen().contains("nothing was sent: 1 error first"), "{}", bench.screen());
    let bench = bench.press("backspace").typed("0").press("backtab ctrl-f").typed("\"maxP").press("enter");
    let bench = bench.typed("\"parallelism\": 400, ");
    assert_snapshot!("tune_more_than_most", bench.screen());
    let bench = bench.press("f2");
    assert!(bench.screen().contains("nothing was sent"), "{}", bench.screen());
    assert_eq!(planned(&bench), []);
}

#[test]
fn what_was_changed_is_asked_for_with_the_revision_that_it_began_with() {
    let bench = editing(80, 24).typed("20").press("tab tab tab tab").press("f2");
    let [(1, Intent { ask: Ask::Apply { text, base: 13, .. }, .. })] = &planned(&bench)[..] else {
        panic!("{:?}", planned(&bench))
    };
    assert_eq!(**text, MANIFEST.replacen("replicas: 15", "replicas: 20", 1), "one line is another one");
    assert!(!editing(80, 24).press("f2").screen().contains("Asking"), "nothing differs");
}

#[test]
fn topics_of_the_cluster_are_offered() {
    let bench = editing(80, 24).press("tab tab tab tab").typed(", s");
    assert_snapshot!("tune_topics", bench.screen());
    let bench = bench.press("tab");
    assert!(bench.screen().contains("clickstream → clickstream, incidents"), "{}", bench.screen());
}

#[test]
fn a_draft_is_kept_with_every_key_and_comes_back() {
    let bench = editing(80, 24).typed("20").press("backtab ctrl-f").typed("600000").press("enter").typed("9");
    let draft = kept(&bench).unwrap();
    let again = known(asked(80, 24), dossier(None), Some(Draft { kept_at: world::ago(300), ..draft }));
    assert_snapshot!("tune_resumed", again.screen());
    let again = again.press("f4");
    assert!(again.screen().contains("F4 once more drops your 2 changes"), "{}", again.screen());
    assert!(again.screen().contains("→ 20"), "{}", again.screen());
    let again = again.press("f4");
    assert!(!again.screen().contains("→ 20") && !again.screen().contains("9600000"), "{}", again.screen());
    assert_eq!(kept(&again), None);
    // What cannot be read is no draft.
    let broken = Draft { base: None, text: "{".into(), kept_at: world::now() };
    assert!(known(asked(80, 24), dossier(None), Some(broken)).screen().contains("replicas 15"));
}

#[test]
fn what_another_did_meanwhile_is_neither_lost_nor_written_over() {
    let draft = kept(&editing(80, 24).typed("20")).unwrap();
    let theirs = MANIFEST.replace("replicas: 15", "replicas: 18").replace("cpu: 3", "cpu: 4");
    let bench = known(asked(80, 24), dossier(Some(&theirs)), Some(draft));
    assert_snapshot!("tune_behind", bench.screen());
    // Asked as it is, the cluster merges or names the field.
    let asked = bench.press("f2");
    assert!(matches!(planned(&asked)[0].1.ask, Ask::Apply { base: 13, .. }));
    let why = "ravi changed the same in revision 14: spec.processors.sessionization.replicas: 20 here, 18 there";
    let refused = asked.send(Event::ChangeWentOn(1, ChangeNews::Ended(Ending::Failed(why.into()))));
    assert!(refused.screen().contains("20 here, 18 there"), "{}", refused.screen());
    // Laid over the newest by a key, in sight: only what was changed here differs from it.
    let over = refused.press("esc f8");
    assert!(over.screen().contains("18 → 20") && over.screen().contains("cpu 4"), "{}", over.screen());
    assert!(matches!(planned(&over.press("f2")).last().unwrap().1.ask, Ask::Apply { base: 14, .. }));
}

#[test]
fn what_was_applied_needs_no_draft() {
    let bench = editing(80, 24).typed("20").press("f2");
    let bench = bench.send(Event::ChangeWentOn(1, ChangeNews::Ended(Ending::Done("done: revision 14".into()))));
    assert_eq!(kept(&bench), None);
    let bench = bench.press("esc");
    assert!(bench.screen().contains("9 pipelines"), "{}", bench.screen());
}

#[test]
fn what_cannot_be_edited_here_says_why() {
    let none = Dossier { revisions: Vec::new(), objects: Vec::new(), editable: Vec::new(), against: BTreeMap::new() };
    assert_snapshot!("tune_unmanaged", known(asked(80, 24), none, None).screen());
    let against = BTreeMap::from([("apply", Arc::from("FlinkDeployment sessionization belongs to Argo CD (shop)"))]);
    let owned = known(asked(80, 24), Dossier { against, ..dossier(None) }, None).typed("20").press("f2");
    assert!(
        owned.screen().contains("it cannot be applied: FlinkDeployment sessionization belongs"),
        "{}",
        owned.screen()
    );
    assert_eq!(planned(&owned), []);
}

#[test]
fn letters_are_never_commands_here() {
    let bench = editing(80, 24).press("backtab").typed("q?/:");
    assert!(bench.screen().contains("q?/:{"), "{}", bench.screen());
    assert!(!bench.effects.contains(&Effect::Quit));
}

const OBJECT: &str = "\
apiVersion: flink.apache.org/v1beta1
kind: FlinkDeployment
metadata:
  name: sessionization
spec:
  job:
    parallelism: 15
";

/// Somebody else's pipeline, of which one object was chosen.
fn chosen(answer: Result<Arc<str>, Arc<str>>, draft: Option<Draft>) -> Bench {
    let editable = ["sessionization", "other"].map(|name| Id::new(Kind::FlinkDeployment, "n", name)).to_vec();
    let found = Dossier { revisions: Vec::new(), objects: Vec::new(), editable, against: BTreeMap::new() };
    let bench = known(asked(80, 24), found, None);
    assert_snapshot!("tune_found", bench.screen());
    let bench = bench.press("down up enter");
    let opened = bench.effects.iter().find_map(|effect| match effect {
        Effect::Open(key, id, path) => Some((key.clone(), id.clone(), path.clone())),
        _ => None,
    });
    let (key, id, path) = opened.unwrap();
    assert_eq!(id.name, "sessionization");
    bench.send(Event::Opened(Box::new(Opened { key, id, path, text: answer, draft })))
}

#[test]
fn what_somebody_else_deployed_is_edited_in_its_own_terms() {
    let bench = chosen(Ok(OBJECT.into()), None);
    assert_snapshot!("object_80x24", bench.screen());
    assert!(bench.effects.iter().all(|effect| !matches!(effect, Effect::Plan(..))));
    let bench = bench.press("ctrl-f").typed("15").press("enter").typed("1");
    let draft = kept(&bench).unwrap();
    let bench = bench.press("f2");
    let mine = OBJECT.replace("15", "115");
    let [(1, Intent { ask: Ask::Edit { base, mine: asked, .. }, .. })] = &planned(&bench)[..] else {
        panic!("{:?}", planned(&bench))
    };
    assert_eq!((&**base, &**asked), (OBJECT, mine.as_str()));
    // What it began with goes with the draft, so that what others did since is merged and not written over.
    let theirs = OBJECT.replace("spec:", "spec:\n  image: other");
    let again = chosen(Ok(theirs.into()), Some(Draft { kept_at: world::ago(300), ..draft }));
    assert!(again.screen().contains("the object changed meanwhile") && again.screen().contains("115"));
    let again = again.press("f2");
    assert!(matches!(&planned(&again)[0].1.ask, Ask::Edit { base, .. } if **base == *OBJECT));
    let done = again.send(Event::ChangeWentOn(1, ChangeNews::Ended(Ending::Done("done".into()))));
    assert_eq!(kept(&done), None);
}

#[test]
fn an_object_that_is_none_is_not_sent_and_one_with_a_secret_is_not_shown() {
    let bench = chosen(Ok(OBJECT.into()), None).typed("[").press("f2");
    assert!(bench.screen().contains("nothing was sent"), "{}", bench.screen());
    assert_eq!(planned(&bench), []);
    let refused = chosen(Err("it holds what must not be shown (data.p.password)".into()), None);
    assert!(refused.screen().contains("it holds what must not be shown"), "{}", refused.screen());
}
