//! Rows of golden signals that lanes write: whether two lanes count the same, and how well a service is.
//!
//! A [`Sheet`] keeps the last windows of one topic. Two of them are [`compare`]d by windows that are over in both: counts
//! must be equal, quantiles within what two sketches of the same events may differ by. [`judge`] asks the spec's rule of
//! health. What cannot be known yet is unknown: a copy that began in the middle of a window, or writes nothing any more,
//! is not one that counts the same.
//!
//! It must not read anything itself, nor grow without bound.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;

use crate::engine::contract::Row;
use crate::engine::expression::Inputs;
use crate::engine::overrides::Rules;
use crate::engine::totals::Totals;
use crate::model::route::record::{Comparison, Health};
use crate::model::signal::{Health as Level, Latency, Point};

/// Windows that are kept of a topic.
const WINDOWS: usize = 64;
/// Rows that are kept of a window.
const ROWS: usize = 20_000;
/// Differences that are told.
const TOLD: usize = 3;
/// How far quantiles of the same events may be apart: each is right within a hundredth.
const APART: f64 = 0.02;
/// The quantiles that are compared.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// Service and swimlane.
type Name = (String, String);
/// Parts of a count, with the revision of each: one from each partition that was counted by itself.
type Parts = BTreeMap<String, (u32, Totals)>;

/// The last windows of a topic.
#[derive(Debug, Default)]
pub struct Sheet {
    windows: BTreeMap<i64, BTreeMap<Name, Parts>>,
    doubts: u64,
    /// Why a row could not be believed, the last time.
    doubt: Option<String>,
}

impl Sheet {
    /// Takes a row in. Only those count that no later event can change.
    pub fn take(&mut self, row: Row<'_>) {
        if !row.is_final {
            return;
        }
        let oldest = self.windows.keys().next().copied();
        if self.windows.len() >= WINDOWS && oldest.is_some_and(|oldest| row.start < oldest) {
            return;
        }
        let window = self.windows.entry(row.start).or_default();
        let name = (row.service.into_owned(), row.swimlane.into_owned());
        if window.len() >= ROWS && !window.contains_key(&name) {
            return;
        }
        let part = window.entry(name).or_default().entry(row.part.into_owned());
        let kept = part.or_insert_with(|| (row.revision, row.totals.clone()));
        if row.revision > kept.0 {
            *kept = (row.revision, row.totals);
        }
        while self.windows.len() > WINDOWS {
            self.windows.pop_first();
        }
    }

    /// A record that is no row that can be believed.
    pub fn doubt(&mut self, why: String) {
        self.doubts += 1;
        self.doubt = Some(why);
    }

    /// Windows that are over: a later one has a final row.
    fn over(&self) -> impl DoubleEndedIterator<Item = i64> {
        let newest = self.newest();
        self.windows.keys().copied().filter(move |start| newest.is_some_and(|newest| *start < newest))
    }

    fn newest(&self) -> Option<i64> {
        self.windows.keys().next_back().copied()
    }

    fn counts(&self, start: i64) -> BTreeMap<&Name, Totals> {
        let merged = |parts: &Parts| {
            let mut sum = Totals::default();
            parts.values().for_each(|(_, totals)| sum.merge(totals));
            sum
        };
        let window = self.windows.get(&start);
        window.into_iter().flatten().map(|(name, parts)| (name, merged(parts))).collect()
    }
}

/// Compares what the active lane and the other one say of the last `wanted` windows.
#[must_use]
pub fn compare(active: (&str, &Sheet), other: (&str, &Sheet), wanted: usize) -> Comparison {
    let unknown = |words: String| Comparison { health: Health::Unknown, windows: 0, words };
    for (name, sheet) in [active, other] {
        if let Some(why) = sheet.doubt.as_ref().filter(|_| sheet.windows.is_empty()) {
            return unknown(format!("{} records of {name} are no rows that can be compared: {why}", sheet.doubts));
        }
    }
    let (Some(newest), Some(reached)) = (active.1.newest(), other.1.newest()) else {
        let silent = if active.1.newest().is_none() { active.0 } else { other.0 };
        return unknown(format!("{silent} has written no window yet"));
    };
    // One more than wanted: a copy that began in the middle of a window has none before it.
    let over: BTreeSet<i64> =
        active.1.over().chain(other.1.over()).filter(|start| *start < reached.min(newest)).collect();
    let windows: Vec<i64> = over.into_iter().rev().take(wanted + 1).collect();
    if windows.len() <= wanted {
        let words = format!("{} of {} windows are over in both lanes", windows.len().saturating_sub(1), wanted);
        return unknown(words);
    }
    let behind = active.1.windows.keys().filter(|start| (reached..newest).contains(start)).count();
    if behind > wanted {
        return unknown(format!("{} is {behind} windows behind {}", other.0, active.0));
    }
    let there = windows.iter().filter(|start| other.1.windows.contains_key(start)).count();
    if there < windows.len() {
        let words = format!("{} has {there} of the last {} windows of {}", other.0, windows.len(), active.0);
        return unknown(words);
    }
    let compared = windows.get(..wanted).unwrap_or_default();
    let (mut rows, mut differences) = (0, Vec::new());
    for start in compared.iter().rev() {
        let (left, right) = (active.1.counts(*start), other.1.counts(*start));
        let names: BTreeSet<&&Name> = left.keys().chain(right.keys()).collect();
        rows += names.len();
        let nothing = Totals::default();
        let differs = |name: &&&Name| {
            let of = |counts: &BTreeMap<&Name, Totals>| counts.get(**name).unwrap_or(&nothing).clone();
            difference((active.0, &of(&left)), (other.0, &of(&right))).map(|words| told(name, *start, &words))
        };
        differences.extend(names.iter().filter_map(differs));
    }
    verdict(wanted, rows, &differences)
}

fn verdict(windows: usize, rows: usize, differences: &[String]) -> Comparison {
    let (health, words) = if differences.is_empty() {
        (Health::Well, format!("{rows} rows of {windows} windows say the same"))
    } else {
        let first = differences.get(..TOLD.min(differences.len())).unwrap_or_default().join("; ");
        (Health::Unwell, format!("{} of {rows} rows of {windows} windows differ: {first}", differences.len()))
    };
    Comparison { health, windows: windows as u64, words }
}

fn told((service, swimlane): &Name, start: i64, words: &str) -> String {
    let at = DateTime::from_timestamp_millis(start).map_or_else(|| start.to_string(), |at| at.format("%T").to_string());
    let lane = if swimlane.is_empty() { String::new() } else { format!(" {swimlane}") };
    format!("{service}{lane} {at}: {words}")
}

/// How two counts differ; `None` when they say the same.
fn difference((one, left): (&str, &Totals), (other, right): (&str, &Totals)) -> Option<String> {
    if left.requests != right.requests {
        return Some(format!("{} requests in {one}, {} in {other}", left.requests, right.requests));
    }
    if left.errors != right.errors {
        return Some(format!("{} errors in {one}, {} in {other}", left.errors, right.errors));
    }
    let far = |quantile: f64| {
        let (left, right) = (left.quantile_us(quantile)?, right.quantile_us(quantile)?);
        let is_far = (left - right).abs() > left.max(right) * APART;
        is_far.then(|| {
            let (percent, left, right) = (quantile * 100.0, left / 1_000.0, right / 1_000.0);
            format!("p{percent:.0} {left:.1} ms in {one}, {right:.1} ms in {other}")
        })
    };
    QUANTILES.into_iter().find_map(far)
}

/// How well a service is by its last `wanted` windows: unwell when the rule gives `level` or worse for each of them.
#[must_use]
pub fn judge(
    sheet: &Sheet,
    rules: &mut Rules,
    (service, window_ms): (&str, i64),
    (level, wanted): (u8, usize),
) -> (Health, String) {
    let name = (service.to_owned(), String::new());
    let of = |start: &i64| Some((*start, sheet.counts(*start).remove(&name).filter(|totals| totals.requests > 0)?));
    let last: Vec<(i64, Totals)> = sheet.windows.keys().rev().filter_map(of).take(wanted).collect();
    let Some((start, newest)) = last.first().filter(|_| last.len() == wanted) else {
        let why = sheet
            .doubt
            .as_ref()
            .map_or_else(String::new, |why| format!(" ({} records are no rows: {why})", sheet.doubts));
        return (Health::Unknown, format!("{} of {wanted} windows of {service} were seen{why}", last.len()));
    };
    let levels: Vec<Level> = last
        .iter()
        .map(|(start, totals)| {
            rules.health(*start, &Inputs::of(&point(*start, totals), service.into(), window_ms)).health
        })
        .collect();
    let worst = levels.iter().map(|level| level.level()).min().unwrap_or(0);
    let at = DateTime::from_timestamp_millis(*start).map_or_else(String::new, |at| at.format("%T").to_string());
    let availability = newest.availability_percent().unwrap_or(100.0);
    let newest = levels.first().map_or(0, |level| level.level());
    let words = format!("{service} is {newest} of 3, {availability:.2} % available at {at}");
    if worst >= level {
        return (Health::Unwell, format!("{words}; {worst} or worse in {wanted} windows"));
    }
    (Health::Well, words)
}

fn point(start: i64, totals: &Totals) -> Point {
    let [p50_us, p90_us, p95_us, p99_us] = totals.quantiles_us([0.5, 0.9, 0.95, 0.99]).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "microseconds of an hour at most")]
    let max_us = totals.max_us as f64;
    Point {
        start: DateTime::from_timestamp_millis(start).unwrap_or_default(),
        requests: totals.requests,
        errors: totals.errors,
        latency: Latency { p50_us, p90_us, p95_us, p99_us, max_us },
        health: Level::WELL,
        saturation: None,
    }
}

#[cfg(test)]
mod tests;
