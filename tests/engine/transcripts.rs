//! The cases of Beam's trigger transcripts that concern fixed windows, round by round.

use flowdeck::engine::spec::Accumulation;
use flowdeck::engine::window::Timing;
use flowdeck::engine::{Batch, Engine, NO_CLOCK};
use serde::Deserialize;

use super::spec;

#[derive(Deserialize)]
struct Transcripts {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    lateness: u32,
    mode: Accumulation,
    rounds: Vec<Round>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Round {
    #[serde(default)]
    input: Vec<i64>,
    watermark: Option<i64>,
    #[serde(default)]
    expected: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    start: i64,
    values: Vec<u64>,
    index: u32,
    late: bool,
}

/// A window lasts at least 100 ms, so the transcripts' units are tens of milliseconds.
const UNIT: i64 = 10;

fn play(case: &Case) {
    let mut engine = Engine::new(&spec(100, case.lateness * UNIT as u32, case.mode)).unwrap();
    let mut batch = Batch::default();
    for round in &case.rounds {
        for value in &round.input {
            let time = value * UNIT;
            engine.count(0, &format!(r#"{{"ts":{time},"svc":"key","status":200,"lat_us":{value}}}"#), NO_CLOCK);
        }
        batch.clear();
        engine.ingest(0, &batch, NO_CLOCK);
        if let Some(watermark) = round.watermark {
            engine.raise(0, watermark * UNIT, NO_CLOCK);
        }
        let panes = engine.take_panes();
        assert_eq!(panes.len(), round.expected.len(), "{}: {panes:?}", case.name);
        for (pane, expected) in panes.iter().zip(&round.expected) {
            let place = (pane.start, pane.index, pane.timing == Timing::Late);
            assert_eq!(place, (expected.start * UNIT, expected.index, expected.late), "{}", case.name);
            let mut values = flowdeck::engine::totals::Totals::default();
            expected.values.iter().for_each(|value| values.add(false, *value));
            assert_eq!(pane.totals, values, "{}", case.name);
        }
    }
}

#[test]
fn fixed_windows_do_as_beams_transcripts_say() {
    let transcripts: Transcripts = toml::from_str(include_str!("transcripts.toml")).unwrap();
    assert_eq!(transcripts.case.len(), 6);
    transcripts.case.iter().for_each(play);
}
