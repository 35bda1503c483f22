//! What stands around a pipeline's jobs, on screen: shown, edited a line at a time, and what stands against that.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck::app::Effect;
use flowdeck::event::{ChangeNews, Ending, Event};
use flowdeck::plan::dossier::Dossier;
use flowdeck::plan::intent::{Ask, Intent};
use flowdeck::plan::manage::Around;
use flowdeck::plan::manage::about::{About, Setting, Told};
use flowdeck::plan::manage::edit::Edit;
use flowdeck::plan::manage::identity::{Claim, Part};
use flowdeck::plan::manage::role::{AccountView, RightView};
use flowdeck::plan::manage::scaling::{Decision, Scaling, ScalingView};
use insta::assert_snapshot;

use super::bench::Bench;
use super::world;

fn opened(columns: u16, rows: u16) -> Bench {
    let bench = Bench::new(columns, rows).apply(world::healthy());
    bench.press("/").typed("prd sess").press("enter enter m")
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn around() -> Around {
    let told = Told {
        processor: "sessionization".into(),
        team: Some("streams".into()),
        expires: None,
        identity: BTreeMap::from([("owner", "third-party".to_owned())]),
        labels: map(&[("cost", "42")]),
        links: map(&[("Runbook", "https://wiki.example/runbook")]),
    };
    let decision =
        |at: &str, message: &str| Decision { at: at.into(), reason: "ScalingReport".into(), message: message.into() };
    let size = ScalingView {
        processor: "sessionization".into(),
        by: Some("operator"),
        least: Some(2),
        most: None,
        target_percent: Some(65),
        memory_percent: None,
        seen: None,
        settings: map(&[("enabled", "true")]),
        chosen: Some("a1:4".into()),
        decisions: vec![decision("2025-06-03T13:00:00Z", "2 -> 3"), decision("2025-06-03T14:00:00Z", "3 -> 4")],
    };
    let right = |what: &str, allowed| RightView { what: what.into(), used_for: "high availability", allowed };
    let account = AccountView {
        account: "k8s-sessionization".into(),
        exists: true,
        role: Some("arn:aws:iam::123456789012:role/flink-prd".into()),
        processors: vec!["sessionization".into()],
        rights: vec![right("create pods", Some(true)), right("update configmaps", Some(false))],
    };
    Around { about: Ok(vec![told]), scaling: Ok(vec![size]), accounts: Ok(vec![account]) }
}

fn told(bench: Bench, around: Result<Around, &str>) -> Bench {
    let asked = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Around(key) => Some(key.clone()),
        _ => None,
    });
    bench.send(Event::Around(asked.unwrap(), around.map(Arc::new).map_err(Into::into)))
}

fn planned(bench: &Bench) -> Vec<(u64, Intent)> {
    let asked = bench.effects.iter().filter_map(|effect| match effect {
        Effect::Plan(number, intent) => Some((*number, (**intent).clone())),
        _ => None,
    });
    asked.collect()
}

#[test]
fn each_state_of_it_is_worded() {
    assert_snapshot!("manage_asking", opened(80, 24).screen());
    assert_snapshot!("manage_80x24", told(opened(80, 24), Ok(around())).screen());
    assert_snapshot!("manage_200x60", told(opened(200, 60), Ok(around())).screen());
    assert_snapshot!("manage_ascii_40x8", told(opened(40, 8).ascii(), Ok(around())).screen());
    assert_snapshot!("manage_forbidden", told(opened(80, 24), Err("flinkdeployments is forbidden")).screen());
    let missing = AccountView { exists: false, role: None, rights: Vec::new(), ..around().accounts.unwrap().remove(0) };
    let scaling = Err("horizontalpodautoscalers is forbidden: User \"viewer\"".into());
    let bare = Told { team: None, labels: map(&[]), links: map(&[]), ..around().about.unwrap().remove(0) };
    let partly = Around { about: Ok(vec![bare]), scaling, accounts: Ok(vec![missing]) };
    assert_snapshot!("manage_partly", told(opened(80, 24), Ok(partly)).press("G k").screen());
}

#[test]
fn what_all_processors_have_in_common_is_said_once() {
    let mut around = around();
    let other =
        Told { processor: "counter".into(), labels: map(&[("cost", "7")]), ..around.about.clone().unwrap().remove(0) };
    around.about.as_mut().unwrap().push(other);
    let screen = told(opened(120, 40), Ok(around)).screen();
    let lines = |word: &str| screen.lines().filter(|line| line.contains(word)).count();
    assert_eq!((lines("team"), lines("label cost"), lines("link Runbook")), (2, 2, 1), "{screen}");
}

#[test]
fn plain_workloads_go_by_cpu_and_memory_and_the_operator_by_neither_name() {
    let mut pods = around();
    let sizes = pods.scaling.as_mut().unwrap();
    sizes[0].by = Some("hpa");
    sizes[0].memory_percent = Some(80);
    sizes[0].seen = Some("cpu 41 percent, memory 91 percent".into());
    let bench = told(opened(120, 40), Ok(pods));
    let screen = bench.screen();
    for (word, value) in [("cpu, percent", "65"), ("memory, percent", "80"), ("now", "memory 91 percent")] {
        assert!(screen.lines().any(|line| line.contains(word) && line.contains(value)), "{word}: {screen}");
    }
    let bench = bench.press("/").typed("memory, percent").press("enter enter").typed("75").press("enter");
    let scaling = Scaling { memory_percent: Some(Some(75)), ..Scaling::default() };
    let wanted = Edit::Scaling { processor: Some("sessionization".into()), scaling };
    assert_eq!(planned(&bench).pop().map(|(_, intent)| intent.ask), Some(Ask::Manage(wanted)));
    let operator = told(opened(120, 40), Ok(around())).screen();
    assert!(!operator.contains("memory, percent") && operator.contains("busy, percent"), "{operator}");
}

#[test]
fn whose_it_is_is_edited_where_it_is_shown() {
    let bench = told(opened(80, 24), Ok(around())).press("/").typed("owner").press("enter");
    assert!(bench.screen().contains("third-party"), "{}", bench.screen());
    let bench = bench.press("enter").typed("mine").press("enter");
    assert!(bench.screen().contains("type own or third-party"), "{}", bench.screen());
    assert_eq!(planned(&bench), []);
    let bench = bench.press("ctrl-u").typed("own").press("enter");
    let claim = Claim { part: Part::Owner, value: None };
    assert_eq!(planned(&bench).pop().map(|(_, it)| it.ask), Some(Ask::Manage(Edit::Identity(vec![claim]))));
}

#[test]
fn a_line_is_edited_by_the_way_of_all_changes() {
    let bench = told(opened(80, 24), Ok(around())).press("/").typed("label cost").press("enter enter");
    assert_snapshot!("manage_question", bench.screen());
    let bench = bench.typed("a b");
    assert!(bench.screen().contains("letters, digits, dots"), "{}", bench.screen());
    let bench = bench.press("enter");
    assert_eq!(planned(&bench), []);
    let bench = bench.press("ctrl-u").typed("43").press("enter");
    let setting = Setting { name: "cost".into(), value: Some("43".into()) };
    let edit = Edit::About(About { labels: vec![setting], ..About::default() });
    let [(number, intent)] = &planned(&bench)[..] else { panic!("{:?}", bench.effects) };
    assert_eq!(intent.ask, Ask::Manage(edit));
    // Once it is done the list is asked for again.
    let (number, before) = (*number, bench.effects.len());
    let bench = bench.send(Event::ChangeWentOn(number, ChangeNews::Ended(Ending::Done("done".into()))));
    assert!(bench.effects[before..].iter().any(|effect| matches!(effect, Effect::Around(_))));
    let bench = told(bench.press("esc"), Ok(around())).press("esc / ").typed("decided").press("enter e enter");
    let off = Scaling { on: Some(false), ..Scaling::default() };
    let asked = Edit::Scaling { processor: Some("sessionization".into()), scaling: off };
    assert_eq!(planned(&bench).last().unwrap().1.ask, Ask::Manage(asked));
}

#[test]
fn what_cannot_be_edited_says_so() {
    let bench = told(opened(80, 24), Ok(around())).press("G enter");
    assert!(bench.screen().contains("nothing to edit"), "{}", bench.screen());
    let survey = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Survey(key) => Some(key.clone()),
        _ => None,
    });
    let against = BTreeMap::from([("manage", Arc::from("you may not patch flinkdeployments: no rule allows it"))]);
    let dossier = Dossier { revisions: Vec::new(), objects: Vec::new(), editable: Vec::new(), against };
    let bench = bench.send(Event::Surveyed(survey.unwrap(), Ok(Arc::new(dossier)))).press("g enter");
    assert!(bench.screen().contains("it cannot be edited: you may not patch"), "{}", bench.screen());
    assert_eq!(planned(&bench), []);
}
