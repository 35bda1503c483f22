//! Changes from the screen: what can be done, what it would mean, the word that it is meant, and each step of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck::app::Effect;
use flowdeck::event::{ChangeNews, Ending, Event};
use flowdeck::model::key::PipelineKey;
use flowdeck::plan::difference::Difference;
use flowdeck::plan::dossier::{Dossier, Entry};
use flowdeck::plan::forecast::{Effect as Causes, Forecast};
use flowdeck::plan::guard::{Consent, Refusal};
use flowdeck::plan::intent::{Ask, Intent};
use flowdeck::plan::object::{Id, Kind};
use flowdeck::plan::proposal::{Proposal, Step};
use flowdeck::plan::remnants::{Remnant, Sweep};
use flowdeck::plan::restart::Restart;
use flowdeck::plan::revision::State;
use flowdeck::plan::room::{Finding, Need, Room, Weight};
use flowdeck::plan::topics::Resource;
use flowdeck::plan::verb::Verb;
use insta::assert_snapshot;

use super::bench::Bench;
use super::world;

fn on_sessionization(columns: u16, rows: u16) -> Bench {
    let bench = Bench::new(columns, rows).apply(world::healthy());
    bench.press("/").typed("prd sess").press("enter")
}

fn surveyed(bench: &Bench) -> PipelineKey {
    let asked = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Survey(key) => Some(key.clone()),
        _ => None,
    });
    asked.unwrap()
}

fn planned(bench: &Bench) -> (u64, Intent) {
    let asked = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Plan(number, intent) => Some((*number, (**intent).clone())),
        _ => None,
    });
    asked.unwrap()
}

fn agreed(bench: &Bench) -> Vec<Consent> {
    let asked = bench.effects.iter().filter_map(|effect| match effect {
        Effect::Agree(_, consent) => Some(consent.clone()),
        _ => None,
    });
    asked.collect()
}

pub fn entry(number: u64, state: State) -> Entry {
    Entry {
        number,
        state,
        verb: Verb::Apply,
        by: "ann".into(),
        at: world::ago(3_600 * (20 - i64::try_from(number).unwrap())),
        note: "".into(),
        manifest: Some("kind: Pipeline\n".into()),
    }
}

fn dossier() -> Dossier {
    let against = BTreeMap::from([
        ("adopt", Arc::from("it is managed already")),
        ("decommission", Arc::from("you may not delete flinkdeployments: no rule allows it")),
    ]);
    Dossier {
        revisions: vec![entry(12, State::Superseded), entry(13, State::Deployed)],
        objects: vec![Id::new(Kind::FlinkDeployment, "n", "sessionization")],
        editable: Vec::new(),
        against,
    }
}

fn id() -> Id {
    Id::new(Kind::FlinkDeployment, "n", "sessionization")
}

fn difference(path: &str, before: &str, after: &str) -> Difference {
    Difference { object: id(), path: path.into(), before: Some(before.into()), after: Some(after.into()) }
}

fn proposal(refusals: Vec<Refusal>) -> Box<Proposal> {
    Box::new(Proposal {
        revision: Some(14),
        differences: vec![
            difference("metadata.annotations.flowdeck.dev/revision", "13", "14"),
            difference("spec.job.parallelism", "15", "20"),
            difference("spec.taskManager.replicas", "15", "20"),
        ],
        forecasts: vec![Forecast {
            processor: "sessionization".into(),
            effect: Causes::RestartsFromSavepoint,
            because: vec!["FlinkDeployment sessionization: spec.taskManager.replicas: 15 → 20".into()],
            restart: None,
            seconds: Some(130),
        }],
        refusals,
        ..Proposal::empty("sessionization", Verb::Scale)
    })
}

fn protected() -> Refusal {
    Refusal::NotConfirmed { environment: "prd".into(), pipeline: "sessionization".into() }
}

fn scaled(columns: u16, rows: u16) -> Bench {
    on_sessionization(columns, rows).press("=").typed("20").press("enter")
}

fn news(bench: Bench, news: ChangeNews) -> Bench {
    let (number, _) = planned(&bench);
    bench.send(Event::ChangeWentOn(number, news))
}

fn step(bench: Bench, step: &str, message: &str) -> Bench {
    news(bench, ChangeNews::Stepped(Step { step: step.into(), message: message.into() }))
}

#[test]
fn what_cannot_work_says_so_before_it_is_tried() {
    let bench = on_sessionization(80, 24).press("v");
    assert_snapshot!("verbs_asking", bench.screen());
    let key = surveyed(&bench);
    let bench = bench.send(Event::Surveyed(key.clone(), Ok(Arc::new(dossier()))));
    assert_snapshot!("verbs_80x24", bench.screen());
    let bench = bench.press("G enter");
    assert!(bench.screen().contains("decommission cannot work: you may not delete"), "{}", bench.screen());
    assert!(!bench.effects.iter().any(|effect| matches!(effect, Effect::Plan(..))));
    let failed = bench.send(Event::Surveyed(key, Err("configmaps is forbidden: User \"viewer\"".into())));
    assert_snapshot!("verbs_forbidden", failed.screen());
    let wide = on_sessionization(120, 40).press("v");
    let key = surveyed(&wide);
    assert_snapshot!("verbs_120x40", wide.send(Event::Surveyed(key, Ok(Arc::new(dossier())))).screen());
}

#[test]
fn a_number_of_task_managers_is_asked_for() {
    let bench = on_sessionization(80, 24).press("=");
    assert_snapshot!("question_size", bench.screen());
    let bench = bench.typed("0").press("enter");
    assert!(bench.screen().contains("type a number from 1 to 10000"), "{}", bench.screen());
    let bench = bench.press("ctrl-u").typed("20").press("enter");
    let (_, intent) = planned(&bench);
    assert_eq!(intent.ask, Ask::Scale { processor: Some("sessionization".into()), replicas: 20 });
    assert_snapshot!("change_planning", bench.screen());
    // Nothing was changed, so nothing is left of it.
    let bench = bench.press("esc C");
    assert!(matches!(bench.effects.iter().rfind(|it| matches!(it, Effect::Cancel(_))), Some(Effect::Cancel(1))));
    assert_snapshot!("changes_none", bench.screen());
}

#[test]
fn a_pipeline_goes_to_another_environment() {
    let bench = on_sessionization(80, 24).press("P");
    assert_snapshot!("question_environment", bench.screen());
    let bench = bench.press("tab enter");
    let (_, intent) = planned(&bench);
    let Ask::Promote { to } = &intent.ask else { panic!("{intent:?}") };
    assert_ne!(to.environment, intent.pipeline.environment);
    assert_eq!(intent.subject(), to);
}

#[test]
fn what_goes_in_kafka_is_asked_for_and_nothing_does_unless_it_is_chosen() {
    let bench = on_sessionization(80, 24).press("v G enter");
    assert_snapshot!("question_sweep", bench.screen());
    // Who only says yes keeps everything.
    let plain = on_sessionization(80, 24).press("v G enter enter");
    assert_eq!(planned(&plain).1.ask, Ask::Decommission(Sweep::default()));
    let bench = bench.press("up enter");
    assert_eq!(planned(&bench).1.ask, Ask::Decommission(Sweep { topics: true, groups: true }));
    let remnant = |resource, goes, because: &str| Remnant { resource, goes, because: because.into() };
    let topic = |name: &str| Resource::Topic(name.into());
    let remnants = vec![
        remnant(topic("clickstream"), false, "sessionization only reads it: somebody else writes it"),
        remnant(topic("sessions"), true, "this pipeline writes it, and nobody else is known to read or write it"),
        remnant(Resource::Group("sessionization.v13".into()), true, "once the pods are gone: it has 2 members now"),
    ];
    let removed = Difference { object: id(), path: String::new(), before: Some("there".into()), after: None };
    let proposal =
        Proposal { differences: vec![removed], remnants, ..Proposal::empty("sessionization", Verb::Decommission) };
    assert_snapshot!("change_sweep", news(bench, ChangeNews::Planned(Box::new(proposal))).screen());
}

#[test]
fn what_the_pods_need_and_who_refuses_them_is_said_before_it_is_agreed_to() {
    let mut proposal = proposal(Vec::new());
    let measured = "its start of 2026-06-01 12:00:00Z took 31 s";
    proposal.forecasts[0].restart = Some(Restart { seconds: 31, measured: Some(measured.into()) });
    let words = "sessionization needs 5 more pods (TaskManager) of 2 cpu, 4 GiB";
    let finding = |weight, message: &str| Finding { weight, message: message.into() };
    let warned = "reads topic clickstream, which nobody seems to write: no known pipeline does, and it holds no record";
    proposal.topics = vec![flowdeck::plan::topics::Finding {
        weight: flowdeck::plan::topics::Weight::Warning,
        processor: "sessionization".into(),
        message: warned.into(),
        command: None,
    }];
    proposal.room = Room {
        needs: vec![Need {
            processor: "sessionization".into(),
            role: "TaskManager",
            pods_now: 15,
            pods_wanted: 20,
            replaced: true,
            each: BTreeMap::from([("cpu".to_owned(), 2_000)]),
            words: words.into(),
        }],
        findings: vec![
            finding(Weight::Refused, "quota team has room for 3 of the 5 more pods"),
            finding(Weight::Unknown, "whether nodes have room: nodes is forbidden"),
        ],
    };
    let screen = news(scaled(120, 40), ChangeNews::Planned(proposal)).screen();
    for said in [
        &format!("it is down for about 31 s: {measured}"),
        "what it needs",
        "what to know of its topics",
        "sessionization reads topic clickstream, which nobody seems to write",
        words,
        "no room: quota team has room for 3 of the 5 more pods",
        "not known: whether nodes have room: nodes is forbidden",
    ] {
        assert!(screen.contains(said), "{said}: {screen}");
    }
    let silent = news(scaled(120, 40), ChangeNews::Planned(super::changes::proposal(Vec::new()))).screen();
    assert!(!silent.contains("what it needs"), "{silent}");
}

#[test]
fn a_protected_environment_wants_the_name_and_nothing_less() {
    let bench = news(scaled(80, 24), ChangeNews::Planned(proposal(vec![protected()])));
    assert_snapshot!("change_planned_protected", bench.screen());
    let bench = bench.typed("y").press("enter").typed("sessionizatio").press("enter");
    assert_eq!(agreed(&bench), []);
    assert!(bench.screen().contains("type sessionization to say that you mean it"), "{}", bench.screen());
    let bench = bench.press("ctrl-u").typed("sessionization").press("enter");
    assert_eq!(agreed(&bench), [Consent { typed: Some("sessionization".into()), ..Consent::default() }]);
    // Pressed twice, it is made once.
    assert_eq!(agreed(&bench.press("enter")).len(), 1);
}

#[test]
fn an_open_environment_wants_a_yes() {
    let bench = news(scaled(120, 40), ChangeNews::Planned(proposal(Vec::new())));
    assert_snapshot!("change_planned_120x40", bench.screen());
    assert_eq!(agreed(&bench.press("enter y")), [Consent::default()]);
}

#[test]
fn what_is_forbidden_cannot_be_agreed_to() {
    let mut forbidden = proposal(vec![protected()]);
    forbidden.forbidden = vec!["may not patch flinkdeployments in n: no rule allows it".into()];
    let bench = news(scaled(80, 24), ChangeNews::Planned(forbidden));
    assert_snapshot!("change_forbidden", bench.screen());
    assert_eq!(agreed(&bench.typed("sessionization").press("y enter")), []);
    let temporary = Refusal::Temporary { pipeline: "sessionization".into(), environment: "prd".into() };
    let bench = news(scaled(80, 24), ChangeNews::Planned(proposal(vec![temporary])));
    assert!(bench.screen().contains("nothing temporary goes to production"), "{}", bench.screen());
    assert_eq!(agreed(&bench.press("y enter")), []);
}

#[test]
fn state_is_lost_only_when_that_is_typed() {
    let loss = Refusal::StateLoss {
        processor: "sessionization".into(),
        effect: Causes::CannotRestore.words(),
        because: "maxParallelism changes (360 → 720)".into(),
    };
    let bench = news(scaled(80, 24), ChangeNews::Planned(proposal(vec![protected(), loss])));
    assert_snapshot!("change_loses_state", bench.screen());
    let bench = bench.typed("sessionization").press("enter");
    assert_eq!(agreed(&bench), []);
    let bench = bench.typed("lose state").press("enter");
    assert!(agreed(&bench).iter().all(|it| it.accepts_state_loss) && agreed(&bench).len() == 1);
}

#[test]
fn steps_are_shown_and_the_change_can_be_left_and_found_again() {
    let bench = news(scaled(80, 24), ChangeNews::Planned(proposal(Vec::new()))).press("y");
    let bench = step(step(bench, "keep revision 14", ""), "apply FlinkDeployment sessionization", "");
    assert_snapshot!("change_making", bench.screen());
    // Nobody leaves a half made change by accident.
    let bench = bench.press("q");
    assert!(!bench.effects.contains(&Effect::Quit));
    assert!(bench.screen().contains("is half made; q once more leaves it so"), "{}", bench.screen());
    let bench = step(news(bench, ChangeNews::Made), "FlinkDeployment sessionization", "UPGRADING, READY, SUSPENDED");
    let bench = step(bench, "FlinkDeployment sessionization", "DEPLOYED, DEPLOYING");
    assert_snapshot!("change_settling", bench.screen());
    let bench = bench.press("esc esc C");
    assert_snapshot!("changes_80x24", bench.screen());
    let bench = bench.press("enter");
    assert!(bench.screen().contains("DEPLOYED, DEPLOYING") && !bench.screen().contains("UPGRADING"));
    let bench = news(bench.press("esc"), ChangeNews::Ended(Ending::Done("done: revision 14".into())));
    assert!(bench.screen().contains("to 20 TaskManagers: done: revision 14"), "{}", bench.screen());
    assert_snapshot!("change_done", bench.press("enter").screen());
}

#[test]
fn a_change_that_fails_says_why_and_can_be_asked_for_again() {
    let bench = news(scaled(80, 24), ChangeNews::Planned(proposal(Vec::new()))).press("y");
    let bench = step(bench, "keep revision 14", "");
    let why = "FlinkDeployment sessionization is not there after 900 s: DEPLOYING; pods: ErrImagePull";
    let bench = news(bench, ChangeNews::Ended(Ending::Failed(why.into())));
    assert_snapshot!("change_failed", bench.screen());
    let bench = bench.press("r");
    assert_eq!(planned(&bench).0, 2);
    assert!(bench.screen().contains("Asking the cluster"), "{}", bench.screen());
}

#[test]
fn a_change_is_stopped_where_it_is() {
    let bench = news(scaled(80, 24), ChangeNews::Planned(proposal(Vec::new()))).press("y X");
    assert!(bench.effects.contains(&Effect::Cancel(1)));
    let words = "stopped after: keep revision 14. What was done stays";
    let bench = news(bench, ChangeNews::Ended(Ending::Cancelled(words.into())));
    assert!(bench.screen().contains(words), "{}", bench.screen());
}

#[test]
fn what_changed_meanwhile_is_looked_at_again() {
    let bench = news(scaled(80, 24), ChangeNews::Planned(proposal(Vec::new()))).press("y");
    let bench = news(bench, ChangeNews::Overtaken(proposal(Vec::new())));
    assert!(bench.screen().contains("look again"), "{}", bench.screen());
    assert_eq!(agreed(&bench.press("y")).len(), 2);
}

#[test]
fn small_terminals_and_hostile_words() {
    let mut nasty = proposal(vec![protected()]);
    nasty.problems = vec!["\u{1b}[31mred\u{7}\nline\u{202e}".into()];
    let bench = news(scaled(40, 8), ChangeNews::Planned(nasty));
    assert_snapshot!("change_40x8", bench.screen());
    assert_snapshot!("verbs_40x8", on_sessionization(40, 8).press("v").screen());
    assert_snapshot!("change_too_small", scaled(39, 24).screen());
    let ascii = news(scaled(80, 24), ChangeNews::Planned(proposal(vec![protected()]))).ascii();
    assert!(ascii.screen().is_ascii(), "{}", ascii.screen());
}
