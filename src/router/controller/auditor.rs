//! Reads source and lanes around a cut, for the comparison that a receipt holds.

mod rows;

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::message::{Headers, Message};

use crate::model::route::record::{Audit, Control, Mark};
use crate::router::audit::{Print, Stretch, compare};
use crate::router::client::RouterError;
use crate::router::reader::{self, Range, Reader};
use crate::router::spec::Spec;
use crate::source::kafka::ClientProperties;

/// Records on each side of a partition's cut that are compared.
const SPAN: i64 = 300;
/// Longest time for all of it.
const PATIENCE: Duration = Duration::from_secs(8);
/// Most partitions that are looked at.
const PARTITIONS: usize = 64;

/// What a flip is audited by.
pub(super) struct Case {
    pub(super) spec: Arc<Spec>,
    pub(super) properties: ClientProperties,
    pub(super) control: Control,
    /// Marks and committed offsets, by partition.
    pub(super) marks: Vec<Option<Mark>>,
    pub(super) routed: Vec<Option<i64>>,
    /// Cuts of the flip before, which bound what the old lane got; empty when nothing is known of one.
    pub(super) cuts_before: BTreeMap<i32, i64>,
}

/// Where to read in one partition.
struct Place {
    partition: i32,
    cut: i64,
    /// First offset before the cut that is compared.
    before: i64,
    /// End of what is compared behind the cut.
    after: i64,
}

/// Records by partition: offset and print.
type Found = reader::Found<Print>;

/// Measures; what could not be read is said so.
pub(super) fn audit(case: &Case) -> Audit {
    let measured = match &case.control.selection {
        Some(selection) => rows::measure(case, selection),
        None => measure(case),
    };
    measured.unwrap_or_else(|words| Audit { unmeasured: Some(words), ..Audit::default() })
}

fn measure(case: &Case) -> Result<Audit, String> {
    let control = &case.control;
    let previous = control.previous.as_deref().and_then(|name| case.spec.lane(name));
    let lanes = previous.zip(case.spec.lane(&control.lane));
    let (old, new) = lanes.ok_or_else(|| "the spec does not name its lanes".to_owned())?;
    if control.lane_ends.len() != case.marks.len() {
        return Err(
            "where the new lane ended before the flip is not known, or it got every record before, as a shadow"
                .to_owned(),
        );
    }
    let words = |error: RouterError| error.to_string();
    let reader = Reader::new(&case.properties, PATIENCE).map_err(words)?;
    let places = places(case, &reader).map_err(words)?;
    let around = |place: &Place| Range::between(place.partition, place.before - SPAN, place.after + SPAN);
    let source = reader
        .read(&case.spec.source.topic, places.iter().map(around), |message| Some(print(message)))
        .map_err(words)?;
    let old = tails(&reader, &old.topic, &places).map_err(words)?;
    let begins = control.lane_ends.iter().zip(0..).map(|(end, partition)| (partition, *end));
    let begins: BTreeMap<i32, i64> = begins.collect();
    let from = |place: &Place| {
        let begin = begins.get(&place.partition).copied().unwrap_or(0);
        // Ends of transactions take offsets too, and given up records: so it is counted what is found.
        Range { partition: place.partition, from: begin, to: i64::MAX, most: place.after - place.cut }
    };
    let new = reader.read(&new.topic, places.iter().map(from), |message| Some(print(message))).map_err(words)?;
    let mut audit = Audit::default();
    for place in &places {
        audit.add(&compare(&stretch(place, &source, &old, &new)));
    }
    if case.marks.len() > PARTITIONS {
        audit.unmeasured = Some(format!("only the first {PARTITIONS} partitions were read"));
    }
    Ok(audit)
}

fn places(case: &Case, reader: &Reader) -> Result<Vec<Place>, RouterError> {
    let mut places = Vec::new();
    for (partition, (mark, routed)) in (0..).zip(case.marks.iter().zip(&case.routed)).take(PARTITIONS) {
        let (Some(mark), Some(routed)) = (mark, routed) else { continue };
        let (low, _) = reader.ends(&case.spec.source.topic, partition)?;
        let cut = mark.cut;
        // Nothing is known of what went where before the flip before: then nothing before the cut is compared.
        let first = case.cuts_before.get(&partition).copied().unwrap_or(cut);
        let before = (cut - SPAN).max(low).max(first).min(cut);
        places.push(Place { partition, cut, before, after: (cut + SPAN).min(*routed).max(cut) });
    }
    Ok(places)
}

fn stretch(place: &Place, source: &Found, old: &Found, new: &Found) -> Stretch {
    let of = |found: &Found| found.get(&place.partition).cloned().unwrap_or_default();
    let prints = |found: Vec<(i64, Print)>| found.into_iter().map(|(_, print)| print).collect();
    let source = of(source);
    let between = |from: i64, to: i64| -> Vec<Print> {
        source.iter().filter(|(offset, _)| (from..to).contains(offset)).map(|(_, print)| *print).collect()
    };
    Stretch {
        older: between(i64::MIN, place.before),
        before: between(place.before, place.cut),
        after: between(place.cut, place.after),
        newer: between(place.after, i64::MAX),
        old: prints(of(old)),
        new: prints(of(new)),
    }
}

/// The end of a lane: so much that the records before the cut are in it, however many were given up behind them.
fn tails(reader: &Reader, topic: &str, places: &[Place]) -> Result<Found, RouterError> {
    let mut found = Found::new();
    let mut left: Vec<(&Place, i64)> = places.iter().map(|place| (place, SPAN * 8)).collect();
    while !left.is_empty() {
        let (mut ranges, mut deeper) = (Vec::new(), Vec::new());
        for (place, depth) in &left {
            let (low, high) = reader.ends(topic, place.partition)?;
            let from = (high - (place.cut - place.before) * 4 - depth).max(low);
            ranges.push(Range::between(place.partition, from, i64::MAX));
            if from > low {
                deeper.push((*place, depth * 8));
            }
        }
        found.extend(reader.read(topic, ranges.into_iter(), |message| Some(print(message)))?);
        let has_all = |place: &Place| {
            let count = found.get(&place.partition).map_or(0, Vec::len);
            i64::try_from(count).unwrap_or(i64::MAX) >= place.cut - place.before
        };
        deeper.retain(|(place, _)| !has_all(place));
        left = deeper;
    }
    Ok(found)
}

/// Hash of all that is copied.
fn print(message: &impl Message) -> Print {
    let mut hasher = std::hash::DefaultHasher::new();
    (message.key(), message.payload(), message.timestamp().to_millis()).hash(&mut hasher);
    if let Some(headers) = message.headers() {
        for header in headers.iter() {
            (header.key, header.value).hash(&mut hasher);
        }
    }
    hasher.finish()
}
