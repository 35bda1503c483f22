//! The list of pipelines.

use insta::assert_snapshot;

use super::bench::Bench;
use super::world;

#[test]
fn an_incident_is_on_top() {
    let bench = Bench::new(80, 24).apply(world::healthy()).apply(world::incident());
    assert_snapshot!("pipelines_80x24", bench.screen());
    let bench = Bench::new(120, 40).apply(world::healthy()).apply(world::incident());
    assert_snapshot!("pipelines_120x40", bench.screen());
    let bench = Bench::new(200, 60).apply(world::healthy()).apply(world::incident());
    assert_snapshot!("pipelines_200x60", bench.screen());
}

#[test]
fn before_anything_is_known() {
    assert_snapshot!("pipelines_connecting", Bench::new(80, 24).screen());
}
