//! Reads both lanes and the destination around the window of a cut.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::RandomState;
use rdkafka::message::{BorrowedMessage, Message};

use super::{Case, PATIENCE, SPAN};
use crate::model::route::record::{Audit, Selection};
use crate::router::audit::rows::{Told, compare_rows};
use crate::router::client::RouterError;
use crate::router::reader::{Range, Reader};
use crate::router::select::{self, Standing};
use crate::router::spec::Select;

/// Windows before the cut that are compared, in milliseconds: so much as was left unfinished is near it.
const BEFORE: i64 = 300_000;

/// A row of a lane or of the destination: its window, hash of its key, how it stands.
type Row = (i64, u64, Standing);

/// How rows are read.
struct Lens {
    select: Select,
    hasher: RandomState,
}

impl Lens {
    fn row(&self, message: &BorrowedMessage<'_>) -> Option<Row> {
        let (key, value) = (message.key().unwrap_or_default(), message.payload()?);
        let window = select::window(&self.select.window_of(), (key, value), message.timestamp().to_millis())?;
        Some((window, self.hasher.hash_one(key), select::standing(value)))
    }
}

/// Measures a flip between two lanes whose rows are told in one topic.
pub(super) fn measure(case: &Case, selection: &Selection) -> Result<Audit, String> {
    let words = |error: RouterError| error.to_string();
    let control = &case.control;
    let Some(cut) = selection.last().and_then(|reign| reign.from) else {
        return Err("the lane before had told no row yet".to_owned());
    };
    let select = case.spec.select.clone().unwrap_or_default();
    let fill = selection.last().and_then(|reign| reign.fill.as_ref());
    let first = fill.map_or_else(|| cut - BEFORE.min(select.hold.millis()), |fill| fill.from);
    let since = selection.reigns.iter().rev().nth(1).and_then(|reign| reign.from).unwrap_or(i64::MIN);
    let first = first.max(since);
    let lens = Lens { select, hasher: RandomState::default() };
    let reader = Reader::new(&case.properties, Duration::from_secs(PATIENCE.as_secs() * 3)).map_err(words)?;
    let old = control.previous.as_deref().ok_or("the control record does not name the lane before")?;
    let (old, new) = (rows(case, (&reader, &lens), old)?, rows(case, (&reader, &lens), &control.lane)?);
    let expected = expected(selection, (&old, &new), (first, cut));
    let behind = |partition: usize| {
        let told = old.get(partition).map_or(0, Vec::len);
        i64::try_from(told).unwrap_or(i64::MAX / 8) * 3 + SPAN * 8
    };
    let topic = case.spec.writes().first().copied().unwrap_or_default();
    for deeper in [1, 8, i64::MAX] {
        let mut ranges = Vec::new();
        let mut is_whole = true;
        for (partition, end) in (0..).zip(&control.lane_ends) {
            let (low, _) = reader.ends(topic, partition).map_err(words)?;
            let from =
                end.saturating_sub(behind(usize::try_from(partition).unwrap_or(0)).saturating_mul(deeper)).max(low);
            is_whole &= from == low;
            ranges.push(Range::between(partition, from, i64::MAX));
        }
        let found = reader.read(topic, ranges.into_iter(), |message| lens.row(message)).map_err(words)?;
        let found: Vec<Vec<Told>> = found
            .into_values()
            .map(|rows| rows.into_iter().filter(|(_, row)| row.0 >= first).map(|(_, (_, key, at))| (key, at)).collect())
            .collect();
        let audit = compare_rows(&expected, &found);
        if audit.lost == 0 || is_whole {
            return Ok(audit);
        }
    }
    Err("the destination could not be read far enough back".to_owned())
}

/// What is in a lane that was looked at around the cut, by partition.
fn rows(case: &Case, (reader, lens): (&Reader, &Lens), lane: &str) -> Result<Vec<Vec<Row>>, String> {
    let position = case.spec.lanes.iter().position(|known| known.name == lane);
    let (position, found) = position.zip(case.spec.lane(lane)).ok_or("the spec does not name its lanes")?;
    let each = case.marks.len() / case.spec.lanes.len().max(1);
    let is_left = case.control.previous.as_deref() == Some(lane);
    let last = case.control.selection.as_ref().and_then(|selection| selection.last());
    let fill = last.and_then(|reign| reign.fill.as_ref()).filter(|_| is_left);
    let places = case.marks.iter().zip(&case.routed).skip(position * each).take(each);
    let ranges = (0..).zip(places).map(|(partition, (mark, routed))| {
        let told = fill.and_then(|fill| fill.told.last()?.ranges.get(usize::try_from(partition).ok()?)).copied();
        let keep = mark.as_ref().map_or(0, |mark| match &mark.extent {
            Some(extent) if is_left => extent.keep,
            _ => mark.cut,
        });
        let (from, to) = told.unwrap_or_else(|| (keep, routed.unwrap_or(keep)));
        Range::between(partition, from, to)
    });
    let mut rows = reader.read(&found.topic, ranges, |message| lens.row(message)).map_err(|error| error.to_string())?;
    let number = |partition: usize| i32::try_from(partition).unwrap_or(i32::MAX);
    let take = |partition| rows.remove(&number(partition)).unwrap_or_default();
    Ok((0..each).map(take).map(|rows| rows.into_iter().map(|(_, row)| row).collect()).collect())
}

/// What must be in the destination, of windows from the first one on.
fn expected(selection: &Selection, (old, new): (&[Vec<Row>], &[Vec<Row>]), (first, cut): (i64, i64)) -> Vec<Told> {
    let told = old.iter().flatten().filter(|(window, _, _)| (first..cut).contains(window));
    let mut expected: Vec<Told> = told.map(|(_, key, standing)| (*key, *standing)).collect();
    let mut highest: HashMap<u64, Standing> = HashMap::new();
    for (key, standing) in &expected {
        let known = highest.entry(*key).or_insert(*standing);
        *known = (*standing).max(*known);
    }
    let is_due = |(window, key, standing): &&Row| {
        let is_untold = || highest.get(key).is_none_or(|told| standing > told);
        *window >= cut || (selection.last().is_some_and(|last| last.fills(*window)) && is_untold())
    };
    expected.extend(new.iter().flatten().filter(is_due).map(|(_, key, standing)| (*key, *standing)));
    expected
}
