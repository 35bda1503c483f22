//! Swimlanes of events: the spec's expression, or that of a service's owner.
//!
//! Why apart from [`Rules`](super::Rules): health is judged when a window closes, a swimlane is told while it fills. So a set
//! of overrides holds from the first window on in which no event was counted yet, and no window is split between two.
//!
//! How: what an expression gave is remembered by service and values, because evaluating it costs more than all else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::Overrides;
use crate::engine::expression::{Problem, SwimlaneExpression, Value};
use crate::engine::spec::{Spec, SpecError};

/// Sets kept for windows that still get late events.
const SETS: usize = 4;
/// Swimlanes remembered; then all are forgotten.
const LANE_LIMIT: usize = 20_000;
/// Bytes of the name of a swimlane.
pub const LANE_NAME_LIMIT: usize = 128;

/// The swimlane expressions in force.
#[derive(Clone, Debug)]
pub struct Lanes {
    window_ms: i64,
    own: Option<Arc<SwimlaneExpression>>,
    /// Each from the start of a window on, the newest last.
    sets: Vec<(i64, Arc<Overrides>)>,
    /// The greatest start of a window whose events were asked for.
    newest: Option<i64>,
    /// Whether anybody has an expression.
    in_use: bool,
    faults: u64,
    last_fault: Option<Arc<str>>,
    known: HashMap<Box<[u8]>, Arc<str>, foldhash::quality::RandomState>,
    /// Room for a key of `known`.
    key: Vec<u8>,
}

impl Lanes {
    /// The spec's expression alone.
    ///
    /// # Errors
    ///
    /// When it cannot be used.
    pub fn new(spec: &Spec) -> Result<Self, SpecError> {
        let names = spec.dimension_names();
        let own = spec.expressions.swimlane.as_deref().map(|source| SwimlaneExpression::compile(source, &names));
        let refuse = |problem: Problem| SpecError::Expression { key: "expressions.swimlane", problem };
        let own = own.transpose().map_err(refuse)?.map(Arc::new);
        Ok(Self {
            window_ms: spec.window.size.millis(),
            in_use: own.is_some(),
            own,
            sets: Vec::new(),
            newest: None,
            faults: 0,
            last_fault: None,
            known: HashMap::default(),
            key: Vec::new(),
        })
    }

    /// Takes a set in, unless it is the one in force.
    pub fn apply(&mut self, overrides: &Arc<Overrides>) {
        if self.sets.last().is_some_and(|(_, newest)| Arc::ptr_eq(newest, overrides)) {
            return;
        }
        let from = self.newest.map_or(i64::MIN, |newest| newest.saturating_add(self.window_ms));
        self.sets.retain(|(other, _)| *other != from);
        self.sets.push((from, overrides.clone()));
        if self.sets.len() > SETS {
            self.sets.remove(0);
        }
        let says = |set: &Overrides| set.iter().any(|(_, one)| one.swimlane.is_some());
        self.in_use = self.own.is_some() || self.sets.iter().any(|(_, set)| says(set));
        self.known.clear();
    }

    /// The swimlane of an event whose window starts at `start`; "" is what the expression says of none, and `None` that
    /// there is no expression for its service. Dimensions in the spec's order, "" where the event has none.
    pub fn lane(&mut self, start: i64, service: &str, dimensions: &[Cow<'_, str>]) -> Option<Arc<str>> {
        self.newest = Some(self.newest.map_or(start, |newest| newest.max(start)));
        if !self.in_use {
            return None;
        }
        let set = self.sets.iter().rev().find(|(from, _)| *from <= start).map(|(_, set)| set);
        let own = set.and_then(|set| set.get(service));
        let expression = own.and_then(|own| own.swimlane.as_ref()).or(self.own.as_ref())?;
        self.key.clear();
        self.key.extend_from_slice(&set.map_or(0, |set| Arc::as_ptr(set).addr()).to_ne_bytes());
        for part in std::iter::once(service).chain(dimensions.iter().map(|value| &**value)) {
            self.key.extend_from_slice(&part.len().to_ne_bytes());
            self.key.extend_from_slice(part.as_bytes());
        }
        if let Some(lane) = self.known.get(self.key.as_slice()) {
            return Some(lane.clone());
        }
        let nothing = Value::tags([]);
        let tags = own.map_or(&nothing, |own| &own.tags_value);
        let values: Vec<&str> = dimensions.iter().map(|value| &**value).collect();
        let lane = expression.lane(service, tags, &values).and_then(|lane| match lane.len() {
            length if length > LANE_NAME_LIMIT => {
                Err(format!("it gives a name of {length} bytes, and at most {LANE_NAME_LIMIT} are used"))
            }
            // Keys of rows are parted by it.
            _ if lane.contains('|') => Err("it gives a name with a |, which parts the keys of rows".to_owned()),
            _ => Ok(lane),
        });
        let lane = lane.unwrap_or_else(|reason| {
            self.faults = self.faults.saturating_add(1);
            self.last_fault = Some(format!("{service}: swimlane: {reason}").into());
            "".into()
        });
        if self.known.len() >= LANE_LIMIT {
            self.known.clear();
        }
        self.known.insert(self.key.as_slice().into(), lane.clone());
        Some(lane)
    }

    /// How often an expression had no answer, and the last time's reason. The same question is asked once.
    pub const fn faults(&self) -> (u64, Option<&Arc<str>>) {
        (self.faults, self.last_fault.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Context;
    use super::*;
    use crate::model::document::Document;

    fn spec(text: &str) -> Spec {
        let example = include_str!("../../../config/examples/golden-signals.toml");
        Spec::parse(&format!("{example}\n[[dimensions]]\nname = \"svcHost\"\nfield = \"host\"\n{text}")).unwrap()
    }

    fn set(lane: &str) -> Arc<Overrides> {
        let file = serde_json::json!({ "services": { "a": { "swimlane": lane } } }).to_string();
        let context = Context { dimensions: &["svcHost".into()], slo_percent: None };
        let document = Document { name: "o.json".into(), content: file.into_bytes().into() };
        let (overrides, refusals) = Overrides::read(&[document], &Overrides::default(), &context);
        assert_eq!(refusals, []);
        overrides.into()
    }

    fn lane(lanes: &mut Lanes, start: i64, service: &str, host: &str) -> Option<String> {
        lanes.lane(start, service, &[host.into()]).map(|lane| lane.to_string())
    }

    #[test]
    fn the_owner_then_the_spec_then_nobody() {
        let mut lanes = Lanes::new(&spec("")).unwrap();
        assert_eq!(lane(&mut lanes, 0, "a", "h1"), None);
        let mut lanes = Lanes::new(&spec("")).unwrap();
        lanes.apply(&set(r#"svcHost in ['h1', 'h2'] ? "ec2" : """#));
        assert_eq!(lane(&mut lanes, 0, "a", "h1").as_deref(), Some("ec2"));
        assert_eq!(lane(&mut lanes, 0, "a", "h3").as_deref(), Some(""));
        assert_eq!(lane(&mut lanes, 0, "b", "h1"), None);
        let mut lanes = Lanes::new(&spec("[expressions]\nswimlane = \"svcHost\"")).unwrap();
        lanes.apply(&set("'own'"));
        assert_eq!(lane(&mut lanes, 0, "a", "h1").as_deref(), Some("own"));
        assert_eq!(lane(&mut lanes, 0, "b", "h1").as_deref(), Some("h1"));
    }

    #[test]
    fn no_window_is_split_between_two_sets() {
        let mut lanes = Lanes::new(&spec("")).unwrap();
        let of = |lanes: &mut Lanes, start| lane(lanes, start, "a", "h");
        assert_eq!(of(&mut lanes, 20_000), None);
        let first = set("'one'");
        lanes.apply(&first);
        lanes.apply(&first);
        assert_eq!([10_000, 20_000].map(|start| of(&mut lanes, start)), [None, None]);
        assert_eq!(of(&mut lanes, 30_000).as_deref(), Some("one"));
        lanes.apply(&set("'two'"));
        assert_eq!(
            [20_000, 30_000, 40_000].map(|start| of(&mut lanes, start)),
            [None, Some("one".into()), Some("two".into())]
        );
        // Taken back before any window was asked for under it.
        lanes.apply(&set("'three'"));
        lanes.apply(&set("'four'"));
        assert_eq!(of(&mut lanes, 50_000).as_deref(), Some("four"));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_fault_is_none() {
        let mut lanes = Lanes::new(&spec("[expressions]\nswimlane = \"svcHost\"")).unwrap();
        for number in 0..LANE_LIMIT * 2 {
            let host = number.to_string();
            assert_eq!(lane(&mut lanes, 0, "a", &host), Some(host));
        }
        assert!(lanes.known.len() <= LANE_LIMIT);
        assert_eq!(lanes.faults().0, 0);
        assert_eq!(lane(&mut lanes, 0, "a", &"x".repeat(129)).as_deref(), Some(""));
        assert!(lanes.faults().1.unwrap().contains("a: swimlane: it gives a name of 129 bytes"));
        assert_eq!(lane(&mut lanes, 0, "a", "x|y").as_deref(), Some(""));
        assert_eq!(lanes.faults().0, 2);
    }
}
