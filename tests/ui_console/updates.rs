//! Events in, effects and state out.

use chrono::Duration;
use flowdeck::action::Place;
use flowdeck::app::Effect;
use flowdeck::event::{Event, Notice};
use flowdeck::model::change::{Change, Fetched, ScopeState};
use flowdeck::model::interest::Depth;
use flowdeck::model::job::JobState;
use flowdeck::model::pod::{PodHealth, Role};

use super::bench::Bench;
use super::world;

fn healthy() -> Bench {
    let mut bench = Bench::new(80, 24).apply(world::healthy()).apply(world::incident());
    bench.effects.clear();
    bench
}

#[test]
fn keys_open_and_close_screens() {
    for (keys, place) in [
        ("", Place::Pipelines),
        ("enter", Place::Pipeline),
        ("enter enter", Place::Pod),
        ("enter J", Place::Job),
        ("enter J esc", Place::Pipeline),
        ("enter l", Place::Logs),
        ("enter Y", Place::Document),
        ("enter enter esc esc", Place::Pipelines),
        ("esc esc esc", Place::Pipelines),
        ("T", Place::Topics),
        ("T enter", Place::Topic),
        ("K", Place::Groups),
        ("K enter", Place::Group),
        ("V", Place::Events),
        ("V enter", Place::Pod),
        ("L", Place::Environments),
        ("T K V L H", Place::Pipelines),
        ("T T T esc", Place::Pipelines),
        ("?", Place::Help),
        ("? q", Place::Pipelines),
        ("? ?", Place::Pipelines),
        ("/", Place::Filter),
        ("/ esc", Place::Pipelines),
        (":", Place::Palette),
        (": esc", Place::Pipelines),
        (": t o p enter", Place::Topics),
        (": h e l p enter", Place::Help),
        (": j tab esc", Place::Pipelines),
        ("T : p o enter", Place::Pipelines),
        ("T : p o d s enter", Place::Pipelines),
        (": n s enter", Place::Pipelines),
        (": g o l d enter", Place::Pipeline),
        ("l", Place::Logs),
        ("x", Place::Exceptions),
        ("x l", Place::Logs),
        ("x l esc esc", Place::Exceptions),
        ("x l esc esc esc", Place::Pipelines),
        ("enter enter l", Place::Logs),
        (": j o b s enter", Place::Pipelines),
        ("enter tab p", Place::Pipeline),
    ] {
        assert_eq!(healthy().apply(world::kafka()).press(keys).state.place(), place, "{keys}");
    }
}

#[test]
fn effects_of_keys() {
    let fetches = |bench: &Bench| bench.effects.iter().filter(|it| matches!(it, Effect::Fetch(_))).count();
    assert_eq!(healthy().press("q").effects, [Effect::Quit]);
    assert_eq!(healthy().press("/ ctrl-c").effects, [Effect::Quit]);
    assert_eq!(healthy().press(": q enter").effects, [Effect::Quit]);
    assert_eq!(healthy().press("ctrl-z").effects, [Effect::Suspend]);
    assert_eq!(healthy().press("? q").effects, []);
    assert_eq!(healthy().press("y").effects, [Effect::Copy("expert-matching".into())]);
    assert_eq!(
        healthy().press("enter 3 y").effects,
        [Effect::Copy("https://dash.example/expert-matching".into())],
        "a link that is shown is what is copied"
    );
    assert_eq!(healthy().send(Event::Terminated).effects, [Effect::Quit]);
    let incident = || healthy().apply(world::incident());
    assert_eq!(fetches(&incident().press("enter enter Y")), 1);
    assert_eq!(fetches(&incident().press("enter enter Y r")), 2);
}

#[test]
fn each_wish_for_a_retry_counts() {
    let bench = healthy();
    let before = bench.state.interest().retry;
    let bench = bench.press("r").send(Event::Ticked(world::now() + Duration::seconds(1)));
    assert_eq!(bench.state.interest().retry, before + 1, "a source that is busy sees it afterwards");
    assert_eq!(bench.press("r").state.interest().retry, before + 2);
}

#[test]
fn only_what_is_visible_is_asked_for() {
    let bench = healthy();
    let interest = bench.state.interest();
    let explained = interest.jobs.iter().take_while(|job| job.depth == Depth::Detail).count();
    assert!(interest.jobs.iter().skip(explained).all(|job| job.depth == Depth::Summary), "trouble comes first");
    assert!((1..interest.jobs.len()).contains(&explained), "{explained}");
    assert_eq!(interest.jobs.first().map(|job| &*job.processor.name), Some("match-making"));
    assert!(interest.usage.is_empty() && interest.events.is_empty() && interest.topics.is_empty());

    let interest = bench.press("enter").state.interest();
    assert_eq!(interest.jobs.iter().filter(|job| job.depth == Depth::Detail).count(), 1);
    assert_eq!(interest.jobs.len(), 4);
    assert_eq!(interest.usage.len(), 1);
    assert_eq!(interest.accounts.len(), 1);
}

#[test]
fn many_rows_are_not_all_asked_for_at_once() {
    let mut changes = world::environments();
    let specs: Vec<world::Spec> = (0..200)
        .map(|index| {
            let name: &'static str = Box::leak(format!("pipeline-{index:03}").into_boxed_str());
            world::Spec { name, pipeline: name, ..world::spec("prd", "sessionization") }
        })
        .collect();
    changes.extend(specs.iter().map(|spec| Change::Declared(Box::new(spec.declaration()))));
    let bench = Bench::new(80, 24).apply(changes);
    assert!(bench.state.interest().jobs.is_empty(), "lists come first");
    let bench = bench.apply(world::scopes("prd", &ScopeState::Live));
    let first = bench.state.interest();
    assert!(first.jobs.len() < 40, "{}", first.jobs.len());
    let later = bench.send(Event::Ticked(world::now() + Duration::seconds(10))).state.interest();
    assert_ne!(first.jobs, later.jobs, "those out of sight take turns");
}

#[test]
fn selection_follows_its_row() {
    let bench = healthy().press("j j j");
    let name = |bench: &Bench| bench.screen().lines().find(|line| line.starts_with('▸')).unwrap_or("").to_owned();
    assert!(name(&bench).contains("sessionization"), "{}", name(&bench));
    let mut job = world::spec("prd", "sessionization").job();
    job.state = JobState::Failed;
    let key = world::spec("prd", "sessionization").key();
    let bench = bench.apply(vec![Change::Job(key, Fetched::Ready(Box::new(job)))]);
    assert!(name(&bench).contains("sessionization"));
    assert!(bench.screen().lines().take(5).any(|line| line.starts_with('▸')), "the row is among the worst now");
    let bench = bench.press("> > > >");
    assert!(name(&bench).contains("sessionization"), "{}", bench.screen());
}

#[test]
fn the_first_row_stays_chosen_until_the_user_moves() {
    let bench = Bench::new(80, 24).apply(world::healthy());
    let selected = |bench: &Bench| bench.screen().lines().find(|line| line.starts_with('▸')).unwrap_or("").to_owned();
    let before = selected(&bench);
    let bench = bench.apply(world::incident());
    assert_ne!(before, selected(&bench));
    assert!(selected(&bench).contains("FAILING"));
}

#[test]
fn a_filter_is_live_and_can_be_taken_back() {
    let bench = healthy().press("/").typed("GOLDEN");
    assert_eq!(bench.state.filtered(), Some(("golden", 2)));
    let bench = bench.press("backspace esc");
    assert_eq!(bench.state.filtered(), None);
    let bench = bench.press("/").typed("golden").press("enter");
    assert_eq!(bench.state.filtered(), Some(("golden", 2)));
    assert_eq!(bench.press("esc").state.filtered(), None);
    let bench = healthy().press("/").send(Event::Paste("golden\u{1b}[31m\n".into()));
    assert_eq!(bench.state.filtered(), Some(("golden[31m", 0)));
}

#[test]
fn a_kept_filter_is_replaced_by_typing_and_edited_after_an_arrow() {
    let kept = || healthy().press("/").typed("golden").press("enter /");
    assert_eq!(kept().typed("sess").state.filtered().map(|it| it.0), Some("sess"));
    assert_eq!(kept().press("left").typed("x").state.filtered().map(|it| it.0), Some("goldexn"));
    assert_eq!(kept().press("enter").state.filtered().map(|it| it.0), Some("golden"));
}

#[test]
fn a_row_that_got_worse_is_marked_for_a_while() {
    let spec = world::spec("prd", "sessionization");
    let mut pod = spec.pod(Role::TaskManager, 3);
    pod.restarts = 1;
    let row = |bench: &Bench| bench.screen().lines().find(|line| line.contains("16/16")).unwrap_or("").to_owned();
    let bench = Bench::new(80, 24).apply(world::healthy());
    assert!(!row(&bench).contains('↓'));
    let bench = bench.apply(vec![Change::Pod(Box::new(pod))]);
    assert!(row(&bench).contains('↓'));
    let bench = bench.send(Event::Ticked(world::now() + Duration::seconds(29)));
    assert!(row(&bench).contains('↓'));
    let bench = bench.send(Event::Ticked(world::now() + Duration::seconds(31)));
    assert!(!row(&bench).contains('↓'));
}

#[test]
fn the_bell_rings_when_a_pipeline_starts_to_fail() {
    let bench = Bench::new(80, 24).apply(world::healthy());
    assert_eq!(bench.effects, [], "not while the first lists come in");
    let bench = bench.apply(world::incident());
    let alarm = [Effect::Alarm("a pipeline has started to fail".into())];
    assert_eq!(bench.effects, alarm);
    assert_eq!(bench.apply(world::incident()).effects, alarm, "and not again");
}

fn event_elsewhere() -> Change {
    Change::ClusterEvent(Box::new(world::cluster_event("some-pod", true)))
}

#[test]
fn what_is_not_on_screen_draws_nothing() {
    let quiet: Vec<(&str, Event)> = vec![
        (
            "the same fact",
            Event::Changed(vec![Change::Pod(Box::new(world::spec("prd", "sessionization").pod(Role::TaskManager, 1)))]),
        ),
        ("a topic", Event::Changed(world::kafka())),
        ("an event", Event::Changed(vec![event_elsewhere()])),
        ("a key without meaning", Event::Key(flowdeck::keymap::Chord::parse("@").unwrap().event())),
        ("the same second", Event::Ticked(world::now() + Duration::milliseconds(250))),
    ];
    for (what, event) in quiet {
        let mut bench = Bench::new(80, 24).apply(world::healthy());
        bench.state.drawn();
        let bench = bench.send(event);
        assert!(!bench.state.needs_draw(), "{what}");
    }
    let mut moved = world::spec("prd", "sessionization").pod(Role::TaskManager, 1);
    moved.health = PodHealth::Bad;
    let loud: Vec<(&str, Event)> = vec![
        ("a pod that fails", Event::Changed(vec![Change::Pod(Box::new(moved))])),
        ("the next second", Event::Ticked(world::now() + Duration::seconds(1))),
        ("a notice", Event::Noticed(Notice::Done("done".into()))),
        ("a new size", Event::Resized(100, 30)),
        ("a movement", Event::Key(flowdeck::keymap::Chord::parse("j").unwrap().event())),
        ("coming back", Event::Resumed),
    ];
    for (what, event) in loud {
        let mut bench = Bench::new(80, 24).apply(world::healthy());
        bench.state.drawn();
        assert!(bench.send(event).state.needs_draw(), "{what}");
    }
}

#[test]
fn pods_of_other_pipelines_do_not_redraw_one_pipeline() {
    let mut bench = healthy().press("enter");
    bench.state.drawn();
    let mut pod = world::spec("qal", "profile-enrichment").pod(Role::TaskManager, 1);
    pod.restarts = 4;
    assert!(!bench.apply(vec![Change::Pod(Box::new(pod))]).state.needs_draw());
}
