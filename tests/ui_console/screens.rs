//! Every screen with data, as it looks during the incident.

use insta::assert_snapshot;

use super::bench::Bench;
use super::world;

fn incident(columns: u16, rows: u16) -> Bench {
    Bench::new(columns, rows).apply(world::healthy()).apply(world::incident()).apply(world::kafka())
}

#[test]
fn one_pipeline() {
    assert_snapshot!("pipeline_80x24", incident(80, 24).press("enter").screen());
    assert_snapshot!("pipeline_120x40", incident(120, 40).press("enter").screen());
    assert_snapshot!("pipeline_200x60", incident(200, 60).press("enter").screen());
    assert_snapshot!("pipeline_next_processor", incident(80, 24).press("enter tab").screen());
    assert_snapshot!("pipeline_link", incident(80, 24).press("enter 2").screen());
    assert_snapshot!("pipeline_ascii", incident(80, 24).ascii().press("enter").screen());
    assert_snapshot!("pipeline_low", incident(80, 12).press("enter").screen());
}

#[test]
fn sixteen_pods_scroll() {
    let bench = incident(80, 24).press("/").typed("prd sess").press("enter enter");
    assert_snapshot!("pipeline_sessionization", bench.press("G").screen());
}

#[test]
fn one_pod() {
    assert_snapshot!("pod_80x24", incident(80, 24).press("enter enter").screen());
    assert_snapshot!("pod_120x40", incident(120, 40).press("enter enter").screen());
}

#[test]
fn one_job() {
    assert_snapshot!("job_80x24", incident(80, 24).press("enter J").screen());
    assert_snapshot!("job_120x40", incident(120, 40).press("enter J tab").screen());
    assert_snapshot!("job_trace", incident(80, 24).press("enter J tab enter").screen());
}

#[test]
fn topics_and_groups() {
    assert_snapshot!("topics_80x24", incident(80, 24).press("T").screen());
    assert_snapshot!("topic_80x24", incident(80, 24).press("T enter").screen());
    assert_snapshot!("groups_80x24", incident(80, 24).press("K").screen());
    assert_snapshot!("groups_120x40", incident(120, 40).press("K").screen());
    assert_snapshot!("group_80x24", incident(80, 24).press("K enter").screen());
}

#[test]
fn events_and_environments() {
    assert_snapshot!("events_80x24", incident(80, 24).press("V").screen());
    assert_snapshot!("events_warnings", incident(120, 40).press("V w").screen());
    assert_snapshot!("environments_80x24", incident(80, 24).press("L").screen());
}

#[test]
fn help_palette_filter() {
    assert_snapshot!("help_80x24", incident(80, 24).press("?").screen());
    assert_snapshot!("help_end", incident(80, 24).press("enter ? G").screen());
    assert_snapshot!("palette_empty", incident(80, 24).press(":").screen());
    assert_snapshot!("palette_typed", incident(80, 24).press(":").typed("exp").screen());
    assert_snapshot!("palette_nothing", incident(80, 24).press(":").typed("zzz").press("enter").screen());
    assert_snapshot!("filter_typed", incident(80, 24).press("/").typed("sess").screen());
    assert_snapshot!("filter_nothing", incident(80, 24).press("/").typed("zzz").press("enter").screen());
}
