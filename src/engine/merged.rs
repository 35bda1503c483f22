//! Rows that others counted, put together to the panes of services.
//!
//! Why: a service's window may come in several rows, by swimlane, or by partition where several runs share a topic, and
//! a row may come again: revised, after a restart, or from another writer who took over.
//!
//! How: of rows of one key the one with the highest revision holds, and of those the last, as compaction has it. What
//! holds is added up and told as one pane; the rows of a moment are waited for, so that a service is judged once and
//! whole. Windows are kept for as long as they may be revised, counted from the partition that is farthest back: a job that
//! catches up writes some of them minutes before others.
//!
//! It must not hold more rows than the spec's limit of cells, but for those of a batch, nor count a row twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::NO_CLOCK;
use super::contract::Row;
use super::rejects::Reason;
use super::services::ServiceId;
use super::slices::{SWIMLANE, Slice};
use super::spec::Spec;
use super::totals::Totals;
use super::watermark::BEGINNING;
use super::window::{Pane, Timing};

/// Rows of a window come one after the other: it is told so long after the first of them, in milliseconds.
const HOLD_MS: i64 = 1_000;
/// Writers that are told of.
const MOST_WRITERS: usize = 8;
/// Windows of which rows are kept beside those that may still change.
const KEPT_WINDOWS: i64 = 6;

/// Whose a row is within a service's window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Whose {
    swimlane: Arc<str>,
    part: Arc<str>,
    /// The name itself, of services that are counted together.
    beyond: Option<Arc<str>>,
}

/// A row that holds.
#[derive(Clone, Debug)]
struct Held {
    revision: u32,
    engine: Arc<str>,
    totals: Totals,
}

/// A service in a window.
#[derive(Clone, Debug, Default)]
struct Cell {
    /// In order, and most often one alone: there are very many cells, and a map would have room for eleven in each.
    rows: Vec<(Whose, Held)>,
    /// How often it was told.
    told: u32,
}

impl Cell {
    fn find(&self, whose: &Whose) -> Result<usize, usize> {
        self.rows.binary_search_by(|(known, _)| known.cmp(whose))
    }

    fn get(&self, whose: &Whose) -> Option<&Held> {
        self.find(whose).ok().and_then(|place| self.rows.get(place)).map(|(_, held)| held)
    }

    fn put(&mut self, whose: Whose, held: Held) {
        match self.find(&whose) {
            Ok(place) => {
                if let Some((_, known)) = self.rows.get_mut(place) {
                    *known = held;
                }
            }
            Err(place) => {
                // The first asks for its own room alone; whoever has several has many.
                if self.rows.is_empty() {
                    self.rows.reserve_exact(1);
                }
                self.rows.insert(place, (whose, held));
            }
        }
    }

    /// Whether a row counts: one of a partition does not beside one of all of them, from a writer who took over.
    fn counts(&self, whose: &Whose) -> bool {
        whose.part.is_empty() || self.get(&Whose { part: "".into(), ..whose.clone() }).is_none()
    }
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It holds, and is the first of its key.
    New,
    /// It holds in place of one that was told before.
    Revised,
    /// It holds in place of one with the same revision that another writer wrote and that says something else.
    Contested,
    /// One with a higher revision holds, or it says what is known.
    Known,
}

/// Rows by window and service.
#[derive(Clone, Debug)]
pub struct Merged {
    window_ms: i64,
    keep_ms: i64,
    limit: usize,
    cells: BTreeMap<(i64, ServiceId), Cell>,
    rows: usize,
    /// What has changed since it was told, and since when the first of it waits.
    due: BTreeSet<(i64, ServiceId)>,
    since: Option<i64>,
    newest: i64,
    /// How far all partitions have come.
    watermark: i64,
    /// Windows before this one are no longer kept.
    floor: i64,
    /// Whether there was no room for a row, but windows that only a partition that is far back could revise.
    is_crowded: bool,
    /// Names that rows share.
    names: BTreeSet<Arc<str>>,
    /// How many rows two writers disagreed on.
    contested: u64,
    /// Who wrote rows, and the newest window of each.
    writers: BTreeMap<Arc<str>, i64>,
}

impl Merged {
    /// No rows yet.
    pub fn new(spec: &Spec) -> Self {
        let window_ms = spec.window.size.millis();
        Self {
            window_ms,
            keep_ms: spec.window.allowed_lateness.millis().saturating_add(window_ms * KEPT_WINDOWS),
            limit: usize::try_from(spec.limits.cells).unwrap_or(usize::MAX),
            cells: BTreeMap::new(),
            rows: 0,
            due: BTreeSet::new(),
            since: None,
            newest: BEGINNING,
            watermark: BEGINNING,
            floor: BEGINNING,
            is_crowded: false,
            names: BTreeSet::new(),
            contested: 0,
            writers: BTreeMap::new(),
        }
    }

    /// Takes a row in. The service's number is [`OTHER`](super::services::OTHER)'s beyond the limit of services.
    ///
    /// # Errors
    ///
    /// When its window is no longer known, or there is no room.
    pub fn take(&mut self, service: ServiceId, row: Row<'_>, now: i64) -> Result<Taken, Reason> {
        if row.start < self.floor {
            return Err(Reason::Dropped);
        }
        let beyond = (service == ServiceId(0)).then(|| self.name(&row.service));
        let whose = Whose { swimlane: self.name(&row.swimlane), part: self.name(&row.part), beyond };
        let engine = self.name(&row.engine);
        let has_room = self.rows < self.limit || self.makes_room();
        let cell = self.cells.entry((row.start, service)).or_default();
        let taken = match cell.get(&whose) {
            None if !has_room => {
                if cell.rows.is_empty() {
                    self.cells.remove(&(row.start, service));
                }
                return Err(Reason::Overflow);
            }
            None => Taken::New,
            Some(held) if held.revision > row.revision || held.totals == row.totals => Taken::Known,
            Some(held) if held.revision == row.revision && held.engine != engine => Taken::Contested,
            Some(_) => Taken::Revised,
        };
        if taken == Taken::Known {
            self.note_writer(&engine, row.start);
            return Ok(taken);
        }
        self.rows += usize::from(taken == Taken::New);
        self.contested += u64::from(taken == Taken::Contested);
        cell.put(whose, Held { revision: row.revision, engine: engine.clone(), totals: row.totals });
        self.note_writer(&engine, row.start);
        self.due.insert((row.start, service));
        self.since.get_or_insert(now);
        self.newest = self.newest.max(row.start);
        Ok(taken)
    }

    /// A name that is held once. Those of windows that are gone are forgotten with them.
    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }

    /// Remembers who wrote, and how far: of very many the one that is farthest back is forgotten.
    fn note_writer(&mut self, engine: &Arc<str>, start: i64) {
        let newest = self.writers.entry(engine.clone()).or_insert(start);
        *newest = start.max(*newest);
        if self.writers.len() > MOST_WRITERS
            && let Some(oldest) = self.writers.iter().min_by_key(|(_, start)| **start).map(|(name, _)| name.clone())
        {
            self.writers.remove(&oldest);
        }
    }

    /// Who wrote rows of windows that are kept.
    pub fn writers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.writers.iter().filter(|(_, newest)| **newest >= self.floor).map(|(name, _)| name)
    }

    /// Whether there will be room once what was told is forgotten: for the windows of the partitions that are ahead.
    fn makes_room(&mut self) -> bool {
        let oldest = self.newest.saturating_sub(self.keep_ms);
        self.is_crowded |= self.cells.first_key_value().is_some_and(|((start, _), _)| *start < oldest);
        self.is_crowded
    }

    /// How many rows two writers disagreed on.
    pub const fn contested(&self) -> u64 {
        self.contested
    }

    /// How far the writers have come: the end of the newest window.
    pub const fn reached(&self) -> i64 {
        if self.newest == BEGINNING { BEGINNING } else { self.newest.saturating_add(self.window_ms) }
    }

    /// Tells what has changed, once the rows of a moment are together; at once where there is no clock.
    pub fn settle(
        &mut self,
        (now, watermark): (i64, i64),
        name: impl Fn(ServiceId) -> Arc<str>,
        (panes, slices): (&mut Vec<Pane>, &mut Vec<Pane<Arc<Slice>>>),
    ) {
        self.watermark = watermark;
        let may_wait = now != NO_CLOCK && !self.is_crowded;
        if self.since.is_none_or(|since| may_wait && now.saturating_sub(since) < HOLD_MS) {
            return;
        }
        self.since = None;
        for (start, service) in std::mem::take(&mut self.due) {
            let Some(cell) = self.cells.get_mut(&(start, service)) else { continue };
            let service = name(service);
            let timing = if cell.told == 0 { Timing::OnTime } else { Timing::Late };
            let index = cell.told;
            cell.told += 1;
            let mut whole = Totals::default();
            let mut lanes: BTreeMap<&Arc<str>, Totals> = BTreeMap::new();
            for (whose, held) in cell.rows.iter().filter(|(whose, _)| cell.counts(whose)) {
                whole.merge(&held.totals);
                if !whose.swimlane.is_empty() {
                    lanes.entry(&whose.swimlane).or_default().merge(&held.totals);
                }
            }
            for (lane, totals) in lanes {
                let slice = slice(&service, lane);
                slices.push(Pane { start, service: slice, timing, index, totals });
            }
            panes.push(Pane { start, service, timing, index, totals: whole });
        }
        self.forget();
    }

    /// Forgets windows that are no longer revised.
    fn forget(&mut self) {
        let reached = if self.is_crowded { self.newest } else { self.newest.min(self.watermark) };
        let oldest = self.floor.max(reached.saturating_sub(self.keep_ms));
        (self.floor, self.is_crowded) = (oldest, false);
        let before = self.cells.len();
        while let Some(first) = self.cells.first_entry().filter(|first| first.key().0 < oldest) {
            self.rows -= first.remove().rows.len();
        }
        if self.cells.len() < before {
            self.writers.retain(|_, newest| *newest >= oldest);
            self.names.retain(|name| Arc::strong_count(name) > 1);
        }
    }
}

fn slice(service: &Arc<str>, lane: &Arc<str>) -> Arc<Slice> {
    let key = format!("{service}\u{1f}{lane}").into();
    Arc::new(Slice { service: service.clone(), dimension: SWIMLANE.into(), value: lane.clone(), key })
}

#[cfg(test)]
mod tests;
