//! The part of a log that is on screen, and what its fields hold.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use super::Session;
use crate::logs::header;
use crate::logs::history::{Entry, Kind};
use crate::logs::news::{Facet, Row};
use crate::logs::trace;
use crate::model::log::Anchor;

/// Bytes of an event that a page shows.
const LONGEST: usize = 64 * 1024;
/// Bytes of a page, whatever its number of events.
const LARGEST: usize = 1 << 20;
/// Events whose fields are counted.
const COUNTED: usize = 20_000;
/// Values of a field that are shown.
const VALUES: usize = 8;

/// A page of a log.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    pub(super) anchor: Option<u64>,
    pub(super) bounds: (bool, bool),
}

/// The page that the session's view asks for.
pub(super) fn of(session: &Session) -> Page {
    let history = &session.history;
    let (first, next) = (history.first(), history.next());
    let wanted = usize::from(session.view.events.max(1));
    let anchor = match session.view.anchor {
        Anchor::End => None,
        Anchor::Event(number) => Some(number.clamp(first, next)),
        Anchor::Time(time) => Some(history.at(time)),
        Anchor::NextMatch(number) => match matches(session, number + 1..next).next() {
            Some(found) => Some(found),
            None => return Page::default(),
        },
        Anchor::PreviousMatch(number) => match last_match(session, first..number) {
            Some(found) => Some(found),
            None => return Page::default(),
        },
    };
    let (before, after) = anchor.map_or((wanted, 0), |_| (wanted.div_ceil(2), wanted));
    let middle = anchor.unwrap_or(next);
    let mut rows = collect(session, first..middle, (before, true));
    let at_start = rows.len() < before;
    rows.reverse();
    let behind = collect(session, middle..next, (after, false));
    let at_end = behind.len() < after || anchor.is_none();
    rows.extend(behind);
    Page { rows, anchor, bounds: (at_start, at_end) }
}

/// Up to so many visible events of a range, from its beginning or from its end.
fn collect(session: &Session, range: Range<u64>, (wanted, backwards): (usize, bool)) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut bytes = 0;
    let segments: Vec<(u64, u64)> = session.history.segments().collect();
    let mut one = |(first, end): (u64, u64)| {
        let part = first.max(range.start)..end.min(range.end);
        if part.is_empty() || !shows(session, first, end) {
            return true;
        }
        let mut visitor = |number: u64, entry: &Entry<'_>| {
            if rows.len() >= wanted || bytes > LARGEST {
                return false;
            }
            if is_visible(session, first, number, entry) {
                bytes += entry.text.len().min(LONGEST);
                rows.push(row(session, first, number, entry));
            }
            true
        };
        if backwards {
            session.history.visit_back(part, &mut visitor);
        } else {
            session.history.visit(part, &mut visitor);
        }
        rows.len() < wanted && bytes <= LARGEST
    };
    if backwards {
        segments.into_iter().rev().all(&mut one);
    } else {
        segments.into_iter().all(&mut one);
    }
    rows
}

fn shows(session: &Session, first: u64, end: u64) -> bool {
    !session.view.only_matches || session.sieve.shows_any(first, end, session.view.context)
}

fn is_visible(session: &Session, first: u64, number: u64, entry: &Entry<'_>) -> bool {
    if !session.view.only_matches || entry.kind != Kind::Event {
        return true;
    }
    let context = u64::from(session.view.context);
    (number.saturating_sub(context)..=number + context).any(|near| session.sieve.holds(first, near))
}

fn row(session: &Session, first: u64, number: u64, entry: &Entry<'_>) -> Row {
    let end = entry.text.floor_char_boundary(LONGEST);
    Row {
        number,
        time: entry.time,
        source: entry.source,
        level: entry.level,
        kind: entry.kind,
        matches: entry.kind == Kind::Event && session.sieve.holds(first, number),
        failed: entry.fingerprint.is_some(),
        text: entry.text.get(..end).unwrap_or_default().into(),
    }
}

fn matches(session: &Session, range: Range<u64>) -> impl Iterator<Item = u64> {
    let segments = session.history.segments().filter(move |(_, end)| *end > range.start);
    segments.flat_map(move |(first, end)| {
        (first.max(range.start)..end.min(range.end)).filter(move |number| session.sieve.holds(first, *number))
    })
}

fn last_match(session: &Session, range: Range<u64>) -> Option<u64> {
    let segments = session.history.segments().rev().filter(|(first, _)| *first < range.end);
    segments
        .flat_map(|(first, end)| {
            let part = first.max(range.start)..end.min(range.end);
            part.rev().filter(move |number| session.sieve.holds(first, *number))
        })
        .next()
}

/// The commonest values of the fields of the latest matches.
pub(super) fn facets(session: &Session) -> Vec<Facet> {
    let mut counts: [(&'static str, HashMap<Arc<str>, u64>); 5] =
        ["level", "pod", "logger", "thread", "exception"].map(|name| (name, HashMap::new()));
    let mut left = COUNTED;
    for (first, end) in session.history.segments().rev() {
        if left == 0 || !shows(session, first, end) {
            continue;
        }
        session.history.visit_back(first..end, &mut |number, entry| {
            if entry.kind == Kind::Event && session.sieve.holds(first, number) {
                left = left.saturating_sub(1);
                for ((_, counts), value) in counts.iter_mut().zip(fields(session, entry)) {
                    if let Some(value) = value.filter(|value| !value.is_empty()) {
                        *counts.entry(value.into()).or_default() += 1;
                    }
                }
            }
            left > 0
        });
    }
    let facet = |(name, counts): (&'static str, HashMap<Arc<str>, u64>)| {
        let mut values: Vec<(Arc<str>, u64)> = counts.into_iter().collect();
        values.sort_unstable_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
        values.truncate(VALUES);
        Facet { name, values }
    };
    counts.into_iter().map(facet).filter(|facet| !facet.values.is_empty()).collect()
}

fn fields(session: &Session, entry: &Entry<'_>) -> [Option<String>; 5] {
    let header = header::read(entry.text, entry.time);
    let part = |pick: fn(&header::Header) -> header::Span| {
        let span = pick(header.as_ref()?);
        entry.text.get(span.0..span.1).map(ToOwned::to_owned)
    };
    let failure = entry.fingerprint.and_then(|_| trace::find(entry.text));
    [
        entry.level.map(|level| level.name().to_owned()),
        session.merge.containers().get(usize::from(entry.source)).map(|container| container.pod.name.to_string()),
        part(|header| header.logger),
        part(|header| header.thread),
        failure.map(|found| found.exception.root().class.to_string()),
    ]
}

/// Writes all visible events to a new file; how many.
pub(super) fn save(session: &Session, path: &str) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut file = BufWriter::new(file);
    let mut count = 0;
    let mut failed = None;
    for (first, end) in session.history.segments() {
        if !shows(session, first, end) {
            continue;
        }
        session.history.visit(first..end, &mut |number, entry| {
            if is_visible(session, first, number, entry) {
                count += 1;
                let name = session.names.get(usize::from(entry.source)).map_or("", String::as_str);
                failed = writeln!(file, "{name} {}", entry.text).err();
            }
            failed.is_none()
        });
    }
    failed.map_or_else(|| file.flush().map(|()| count), Err)
}
