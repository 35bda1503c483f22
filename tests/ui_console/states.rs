//! What stands on screen while data are missing, old or refused.

use flowdeck::model::change::{Change, Kind, Scope, ScopeState};
use flowdeck::model::environment::{Backend, Link, Protection};
use insta::assert_snapshot;

use super::bench::Bench;
use super::world;

fn down() -> Link {
    Link::Down {
        since: world::ago(41),
        error: "connection refused (os error 111)".into(),
        next_try: world::now() + chrono::Duration::seconds(5),
    }
}

#[test]
fn loading() {
    let mut changes = world::environments();
    changes.extend(world::links("prd", &Link::Connecting));
    changes.extend(world::scopes("e2e", &ScopeState::Loading));
    assert_snapshot!("pipelines_loading", Bench::new(80, 24).apply(changes).screen());
}

#[test]
fn some_environments_loaded() {
    let mut changes = world::healthy();
    changes.extend(world::scopes("qal", &ScopeState::Loading));
    assert_snapshot!("pipelines_partly_loaded", Bench::new(80, 24).apply(changes).screen());
}

#[test]
fn empty() {
    let mut changes = vec![world::environment("dev", Protection::Open)];
    changes.extend(world::links("dev", &Link::Up { since: world::ago(5) }));
    changes.extend(world::scopes("dev", &ScopeState::Live));
    changes.push(Change::TopicNames("dev".into(), Vec::new()));
    let bench = Bench::new(80, 24).apply(changes);
    assert_snapshot!("pipelines_empty", bench.screen());
    let bench = bench.press("T");
    assert_snapshot!("topics_empty", bench.screen());
    assert_snapshot!("events_empty", bench.press("esc V").screen());
}

#[test]
fn forbidden() {
    let why = "pods is forbidden: User \"viewer\" cannot list resource \"pods\" in API group \"\" at the cluster scope";
    let mut changes = vec![world::environment("prd", Protection::Protected)];
    changes.extend(world::links("prd", &Link::Up { since: world::ago(5) }));
    changes.extend(world::scopes("prd", &ScopeState::Forbidden(why.into())));
    let bench = Bench::new(80, 24).apply(changes);
    assert_snapshot!("pipelines_forbidden", bench.screen());
    assert_snapshot!("environments_forbidden", bench.press("L").screen());
}

#[test]
fn partly_forbidden() {
    let mut changes = world::healthy();
    let scope = Scope { environment: "prd".into(), namespace: None, kind: Kind::Pods };
    changes.push(Change::Scope(scope, ScopeState::Forbidden("pods is forbidden: User \"viewer\"".into())));
    assert_snapshot!("pipelines_partly_forbidden", Bench::new(80, 24).apply(changes).screen());
}

#[test]
fn stale() {
    let mut changes = world::healthy();
    changes.push(Change::Link("prd".into(), Backend::Kubernetes, down()));
    changes.push(Change::Link("prd".into(), Backend::Kafka, down()));
    let bench = Bench::new(80, 24).apply(changes);
    assert_snapshot!("pipelines_stale", bench.screen());
    let bench = bench.press("enter");
    assert_snapshot!("pipeline_stale", bench.screen());
    assert_snapshot!("environments_down", bench.press("L").screen());
}

#[test]
fn a_connection_that_was_lost_a_moment_ago_is_told_by_its_sign() {
    let lost = |seconds| {
        let link = Link::Down { since: world::ago(seconds), error: "closed".into(), next_try: world::now() };
        let changes = world::healthy().into_iter().chain([Change::Link("prd".into(), Backend::Objects, link)]);
        Bench::new(80, 24).apply(changes.collect()).screen()
    };
    assert!(lost(1).contains("s3 ✖") && !lost(1).contains("down"), "{}", lost(1));
    assert!(lost(2).contains("prd s3 down 2s, next try in 0s"), "{}", lost(2));
}

#[test]
fn unreachable() {
    let mut changes = vec![world::environment("prd", Protection::Protected)];
    changes.push(Change::Link("prd".into(), Backend::Kubernetes, down()));
    let bench = Bench::new(80, 24).apply(changes);
    assert_snapshot!("pipelines_unreachable", bench.screen());
    assert_snapshot!("groups_connecting", bench.press("K").screen());
}

#[test]
fn gone() {
    let spec = world::spec("qal", "sessionization");
    let bench = Bench::new(80, 24).apply(world::healthy()).press("/").typed("qal sess").press("enter enter enter");
    let mut changes: Vec<Change> =
        vec![Change::Undeclared(flowdeck::model::declaration::Declarer::FlinkDeployment, spec.key())];
    let pods = (0..2).map(|index| spec.pod(flowdeck::model::pod::Role::TaskManager, index));
    let pods = pods.chain([spec.pod(flowdeck::model::pod::Role::JobManager, 0)]);
    changes.extend(pods.map(|pod| Change::PodGone(pod.key)));
    let bench = bench.apply(changes);
    assert_snapshot!("pod_gone", bench.screen());
    assert_snapshot!("pipeline_gone", bench.press("esc").screen());
}

#[test]
fn documents() {
    use flowdeck::event::Event;
    let mut bench = Bench::new(80, 24).apply(world::healthy()).apply(world::incident());
    bench.effects.clear();
    let bench = bench.press("enter enter Y");
    assert_snapshot!("yaml_fetching", bench.screen());
    let [flowdeck::app::Effect::Fetch(key)] = bench.effects.as_slice() else { panic!("{:?}", bench.effects) };
    let key = key.clone();
    let yaml: String = (0..60).map(|line| format!("  label-{line}: value {line} of the pod\n")).collect();
    let bench = bench.send(Event::Fetched(key.clone(), Ok(yaml.into()))).press("G");
    assert_snapshot!("yaml_end", bench.screen());
    let bench = bench.press("/").typed("value 5").press("enter");
    assert_snapshot!("yaml_searched", bench.screen());
    let bench = bench.press("N N");
    assert!(bench.screen().contains("match 11 of 11"), "{}", bench.screen());
    let bench = bench.press("n n n &");
    assert_snapshot!("yaml_matches_only", bench.screen());
    let bench = bench.press("&");
    assert!(bench.screen().contains("label-38:"), "{}", bench.screen());
    let bench = bench.press("esc n");
    assert!(!bench.screen().contains("match "), "{}", bench.screen());
    let bench = bench.send(Event::Fetched(key, Err("pods \"match-making\" is forbidden".into())));
    assert_snapshot!("yaml_failed", bench.screen());
}

#[test]
fn too_small() {
    for (columns, rows) in [(1, 1), (12, 3), (39, 24), (80, 7)] {
        let bench = Bench::new(columns, rows).apply(world::healthy());
        assert_snapshot!(format!("too_small_{columns}x{rows}"), bench.screen());
    }
    assert_snapshot!("smallest_40x8", Bench::new(40, 8).apply(world::healthy()).apply(world::incident()).screen());
    assert_snapshot!(
        "smallest_pipeline",
        Bench::new(40, 8).apply(world::healthy()).apply(world::incident()).press("enter").screen()
    );
}
