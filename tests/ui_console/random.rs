//! Whatever comes in, nothing panics and nothing but harmless text is drawn.

use chrono::Duration;
use flowdeck::action::ACTIONS;
use flowdeck::event::{DocumentKey, Event, Notice};
use flowdeck::keymap::Chord;
use flowdeck::model::change::{Change, Fetched, ScopeState};
use flowdeck::model::environment::{Backend, Link};
use flowdeck::model::pod::Role;
use flowdeck::ui::{Colours, Theme};
use proptest::prelude::*;

use super::bench::Bench;
use super::world;

const NASTY: &[&str] = &[
    "\u{1b}]52;c;aGk=\u{7}",
    "\u{1b}[2J\u{1b}[31mred",
    "a\u{202e}b\u{2066}c",
    "zero\u{200b}width\u{feff}",
    "new\nline\r\ttab",
    "漢字かな交じり文の長い名前",
    "e\u{301}\u{301}\u{301}\u{301}",
    "\u{9b}31m\u{85}",
    "👩‍👩‍👧‍👦 family",
    "",
];

fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(NASTY).prop_map(str::to_owned), ".{0,30}"]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let index = 0..12_usize;
    prop_oneof![
        Just(world::healthy()),
        Just(world::incident()),
        Just(world::kafka()),
        (index.clone(), nasty()).prop_map(|(index, text)| {
            let spec = &world::specs()[index];
            let mut pod = spec.pod(Role::TaskManager, 1);
            pod.status = text.as_str().into();
            pod.message = Some(text.as_str().into());
            pod.node = Some(text.as_str().into());
            vec![Change::Pod(Box::new(pod))]
        }),
        (index.clone(), nasty()).prop_map(|(index, text)| {
            let mut declaration = world::specs()[index].declaration();
            declaration.notes.outputs = vec![text.as_str().into(), "x".into()];
            declaration.notes.inputs = vec![text.as_str().into()];
            declaration.notes.revision = Some(text.as_str().into());
            declaration.pipeline = Some(text.as_str().into());
            vec![Change::Declared(Box::new(declaration))]
        }),
        (index.clone(), nasty()).prop_map(|(index, text)| {
            let spec = &world::specs()[index];
            vec![Change::Job(spec.key(), Fetched::Failed(world::ago(9), text.as_str().into()))]
        }),
        (index, nasty()).prop_map(|(index, text)| {
            let spec = &world::specs()[index];
            let mut job = spec.job();
            for vertex in &mut job.vertices {
                vertex.name = text.as_str().into();
                vertex.busy_max = Some(f64::NAN);
            }
            vec![Change::Job(spec.key(), Fetched::Ready(Box::new(job)))]
        }),
        nasty().prop_map(|text| {
            let next_try = world::now();
            let link = Link::Down { since: world::ago(-5), error: text.as_str().into(), next_try };
            vec![Change::Link("prd".into(), Backend::Kafka, link)]
        }),
        nasty().prop_map(|text| world::scopes("e2e", &ScopeState::Forbidden(text.as_str().into()))),
        nasty().prop_map(|text| {
            let mut event = world::cluster_event(&text, true);
            event.message = text.as_str().into();
            vec![Change::ClusterEvent(Box::new(event)), Change::TopicNames("prd".into(), vec![text.as_str().into()])]
        }),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let keys: Vec<&str> = ACTIONS.iter().flat_map(|definition| definition.keys).copied().collect();
    let key = |key: &str| Event::Key(Chord::parse(key).unwrap().event());
    prop_oneof![
        8 => prop::sample::select(keys).prop_filter("leaving is no fun", |key| *key != "ctrl-z").prop_map(key),
        3 => "[a-z0-9 ]".prop_map(move |letter| key(if letter == " " { "space" } else { &letter })),
        4 => changes().prop_map(Event::Changed),
        1 => (0..260_u16, 0..80_u16).prop_map(|(columns, rows)| Event::Resized(columns, rows)),
        1 => (-100..10_000_i64).prop_map(|seconds| Event::Ticked(world::now() + Duration::seconds(seconds))),
        1 => nasty().prop_map(Event::Paste),
        1 => nasty().prop_map(|text| Event::Noticed(Notice::Failed(text.as_str().into()))),
        1 => (0..12_usize, nasty()).prop_map(|(index, text)| {
            let pod = world::specs()[index].pod(Role::JobManager, 0);
            let key = DocumentKey::PodYaml(pod.key);
            Event::Fetched(key, Ok(text.repeat(20).as_str().into()))
        }),
        1 => Just(Event::Resumed),
    ]
}

fn themes() -> impl Strategy<Value = Theme> {
    (prop::sample::select(vec![Colours::None, Colours::Sixteen, Colours::Full]), any::<bool>())
        .prop_map(|(colours, ascii)| Theme::new(colours, ascii))
}

fn is_harmless(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_nothing_escapes(
        theme in themes(),
        size in (0..220_u16, 0..70_u16),
        events in prop::collection::vec(events(), 1..60),
    ) {
        let mut bench = Bench::new(size.0, size.1).apply(world::healthy());
        bench.theme = theme;
        for event in events {
            bench = bench.send(event);
            let _interest = bench.state.interest();
            let buffer = bench.buffer();
            for cell in &buffer.content {
                prop_assert!(cell.symbol().chars().all(is_harmless), "{:?}", cell.symbol());
                if theme.charset() == flowdeck::ui::text::Charset::Ascii {
                    prop_assert!(cell.symbol().is_ascii(), "{:?}", cell.symbol());
                }
            }
        }
    }
}

#[test]
fn every_screen_is_ascii_where_it_must_be() {
    for keys in [
        "",
        "enter",
        "enter enter",
        "enter J",
        "enter J tab enter",
        "T",
        "T enter",
        "K",
        "K enter",
        "V",
        "L",
        "?",
        ": e",
        "/ z",
        "> -",
        "enter 1",
    ] {
        for size in [(80, 24), (200, 60), (40, 8)] {
            let bench = Bench::new(size.0, size.1)
                .ascii()
                .apply(world::healthy())
                .apply(world::incident())
                .apply(world::kafka())
                .press(keys);
            assert!(bench.screen().is_ascii(), "{keys} at {size:?}:\n{}", bench.screen());
        }
    }
}

#[test]
fn without_colours_no_cell_has_one() {
    let bench = Bench::new(120, 40).ascii().apply(world::healthy()).apply(world::incident()).press("enter");
    for cell in &bench.buffer().content {
        assert_eq!(cell.fg, ratatui::style::Color::Reset);
        assert_eq!(cell.bg, ratatui::style::Color::Reset);
    }
}
