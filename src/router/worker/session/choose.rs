//! Which rows a worker tells where a route selects: what it knows of both lanes, and what the lane before told.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::RandomState;
use rdkafka::message::{BorrowedMessage, Message};

use super::{Ended, Job};
use crate::model::route::record::{Control, Extent, Selection};
use crate::router::reader::{Range, Reader};
use crate::router::select::{self, Standing, Track, Verdict, WindowOf};

/// Longest time to read again what the lane before told.
const PATIENCE: Duration = Duration::from_secs(40);
/// Rows of the lane before that are remembered, a few dozen bytes each.
const MOST: usize = 4_000_000;

/// A partition of one of the topics that are read: number of the topic, and of the partition.
pub(super) type Spot = (usize, i32);

/// What it takes to choose.
pub(super) struct Chooser {
    window: WindowOf,
    hold_ms: i64,
    tracks: BTreeMap<Spot, Track>,
    told: HashMap<u64, Standing>,
    /// Number of the control record whose reigns `told` is of.
    filled: Option<u64>,
    hasher: RandomState,
}

impl Chooser {
    /// Where a route selects; `None` where it splits.
    pub(super) fn of(job: &Job) -> Option<Self> {
        let select = job.spec.select.as_ref()?;
        Some(Self {
            window: select.window_of(),
            hold_ms: select.hold.millis(),
            tracks: BTreeMap::new(),
            told: HashMap::new(),
            filled: None,
            hasher: RandomState::default(),
        })
    }

    pub(super) fn clear(&mut self) {
        self.tracks.clear();
    }

    pub(super) fn settle(&mut self, spot: Spot, extent: Option<&Extent>) {
        self.tracks.insert(spot, Track::resume(extent));
    }

    /// What to note beside an offset: everything that a lane may need again is behind `keep`.
    pub(super) fn extent(&mut self, spot: Spot, next: i64) -> Extent {
        let told = self.tracks.values().filter_map(Track::told).max();
        let bound = told.map(|told| told.saturating_sub(self.hold_ms));
        self.tracks.entry(spot).or_default().extent(bound, next)
    }

    pub(super) fn rewind(&mut self, spot: Spot, next: i64) -> i64 {
        self.tracks.entry(spot).or_default().rewind(next)
    }

    /// Whether a row is told; `None` when its window cannot be read.
    pub(super) fn tells(
        &mut self,
        (selection, lane): (&Selection, &str),
        spot: Spot,
        row: &BorrowedMessage<'_>,
    ) -> Option<bool> {
        let (key, value) = (row.key().unwrap_or_default(), row.payload()?);
        let window = select::window(&self.window, (key, value), row.timestamp().to_millis())?;
        let track = self.tracks.entry(spot).or_default();
        let is_told = match select::verdict(selection, lane, (window, track.is_again(row.offset()))) {
            Verdict::Tell => true,
            Verdict::Pass => false,
            Verdict::TellIfUntold => {
                let told = self.told.get(&self.hasher.hash_one(key));
                told.is_none_or(|told| select::standing(value) > *told)
            }
        };
        track.see((window, row.offset()), is_told);
        Some(is_told)
    }

    /// Reads what the lane before told of windows that are filled up.
    pub(super) fn learn(&mut self, job: &Job, control: &Control) -> Result<(), Ended> {
        let Some(selection) = control.selection.as_ref().filter(|found| self.filled != Some(found.made)) else {
            return Ok(());
        };
        let mut told: HashMap<u64, Standing> = HashMap::new();
        let parts = selection.reigns.iter().flat_map(|reign| {
            let told = reign.fill.iter().flat_map(|fill| &fill.told);
            told.map(move |part| (reign, part))
        });
        for (reign, part) in parts {
            let left = job.spec.lane(&part.lane);
            let left = left.ok_or_else(|| Ended::Trouble(format!("the spec has no lane named {}", part.lane)))?;
            let trouble =
                |error: crate::router::RouterError| Ended::Trouble(format!("what was told is not known: {error}"));
            let reader = Reader::new(&job.properties, PATIENCE).map_err(trouble)?;
            let ranges = (0..).zip(&part.ranges).map(|(partition, (from, to))| Range::between(partition, *from, *to));
            let take = |row: &BorrowedMessage<'_>| {
                let (key, value) = (row.key().unwrap_or_default(), row.payload()?);
                let window = select::window(&self.window, (key, value), row.timestamp().to_millis())?;
                reign.fills(window).then(|| (self.hasher.hash_one(key), select::standing(value)))
            };
            let found = reader.read(&left.topic, ranges, take).map_err(trouble)?;
            for (_, (key, standing)) in found.into_values().flatten() {
                let known = told.entry(key).or_insert(standing);
                *known = standing.max(*known);
            }
        }
        if told.len() > MOST {
            return Err(Ended::Trouble(format!(
                "{} rows to fill up are too many: write a shorter select.hold",
                told.len()
            )));
        }
        (self.told, self.filled) = (told, Some(selection.made));
        Ok(())
    }
}
