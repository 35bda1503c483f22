//! Events that lie together: one text, and sixteen bytes for each event.

use std::borrow::Cow;

use super::{Entry, subject};
use crate::logs::event::Level;
use crate::logs::fingerprint::Fingerprint;
use crate::logs::query::Query;
use crate::model::Time;

/// Bytes of text after which a segment is full.
const FULL: usize = 512 * 1024;
/// What a full segment may hold for nothing, as a part of what it uses.
const SPARE: usize = 16;

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An event of the log.
    Event,
    /// Lines are missing here.
    Gap,
    /// Something that a reader should know.
    Remark,
}

/// Where a segment lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// One bit for each event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    count: u32,
}

impl Bits {
    /// Whether a bit is set.
    #[must_use]
    pub fn get(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// How many are set.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    fn set(&mut self, index: usize) {
        if self.words.len() <= index / 64 {
            self.words.resize(index / 64 + 1, 0);
        }
        if let Some(word) = self.words.get_mut(index / 64) {
            self.count += u32::from(*word >> (index % 64) & 1 == 0);
            *word |= 1 << (index % 64);
        }
    }
}

/// What is kept of an event besides its text.
#[derive(Clone, Copy, Debug)]
struct Meta {
    /// End of its text.
    end: u32,
    source: u16,
    /// 0 for none.
    level: u8,
    kind: u8,
    milliseconds: i64,
}

const META: usize = 16;
const PRINT: usize = 12;
const HEAD: usize = 12;
const LEVELS: [Level; 6] = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];

/// Texts and what is known of them.
#[derive(Debug, Default)]
pub(super) struct Body {
    text: String,
    metas: Vec<Meta>,
    /// Failures: number of the event and its fingerprint.
    prints: Vec<(u32, Fingerprint)>,
}

/// A run of events.
#[derive(Debug)]
pub(super) struct Segment {
    first: u64,
    count: u64,
    text: usize,
    latest: Time,
    body: Result<Body, Place>,
}

impl Segment {
    /// An empty one in the memory of another one: fresh memory costs more than all that is written into it.
    pub(super) fn new(first: u64, mut body: Body) -> Self {
        body.text.clear();
        body.text.reserve(FULL);
        body.metas.clear();
        body.prints.clear();
        Self { first, count: 0, text: 0, latest: Time::MIN_UTC, body: Ok(body) }
    }

    pub(super) const fn is_full(&self, more: usize) -> bool {
        self.text > 0 && self.text + more + 1 > FULL
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    pub(super) const fn end(&self) -> u64 {
        self.first + self.count
    }

    pub(super) const fn latest(&self) -> Time {
        self.latest
    }

    pub(super) const fn text_len(&self) -> usize {
        self.text
    }

    pub(super) fn body(&self) -> Result<&Body, Place> {
        self.body.as_ref().map_err(|place| *place)
    }

    pub(super) fn resident(&self) -> usize {
        self.body.as_ref().map_or(0, |body| {
            body.text.capacity() + body.metas.capacity() * size_of::<Meta>() + body.prints.capacity() * 16
        })
    }

    /// It lies on disk now; hands out what it took in memory.
    pub(super) fn left(&mut self, place: Place) -> Body {
        std::mem::replace(&mut self.body, Err(place)).unwrap_or_default()
    }

    pub(super) fn overlaps(&self, place: Place) -> bool {
        self.body
            .as_ref()
            .is_err_and(|mine| mine.offset < place.offset + place.length && place.offset < mine.offset + mine.length)
    }

    /// Nothing more is added.
    pub(super) fn seal(&mut self) {
        if let Ok(body) = &mut self.body {
            body.text.shrink_to(body.text.len() + body.text.len() / SPARE);
            body.metas.shrink_to(body.metas.len() + body.metas.len() / SPARE);
            body.prints.shrink_to_fit();
        }
    }

    pub(super) fn push(&mut self, entry: &Entry<'_>) {
        let Ok(body) = &mut self.body else { return };
        body.text.push_str(entry.text);
        body.text.push('\n');
        if let Some(fingerprint) = entry.fingerprint {
            body.prints.push((u32::try_from(body.metas.len()).unwrap_or(u32::MAX), fingerprint));
        }
        body.metas.push(Meta {
            end: u32::try_from(body.text.len()).unwrap_or(u32::MAX),
            source: entry.source,
            level: entry.level.map_or(0, |level| level as u8 + 1),
            kind: entry.kind as u8,
            milliseconds: entry.time.timestamp_millis(),
        });
        self.count += 1;
        self.text = body.text.len();
        self.latest = self.latest.max(entry.time);
    }
}

impl Body {
    pub(super) fn entry(&self, index: usize) -> Option<Entry<'_>> {
        let meta = self.metas.get(index)?;
        let (start, end) = self.span(index)?;
        let print = u32::try_from(index).ok().and_then(|index| {
            let at = self.prints.binary_search_by_key(&index, |(event, _)| *event).ok()?;
            self.prints.get(at).map(|(_, print)| *print)
        });
        Some(Entry {
            text: self.text.get(start..end)?,
            time: Time::from_timestamp_millis(meta.milliseconds)?,
            source: meta.source,
            level: usize::from(meta.level).checked_sub(1).and_then(|place| LEVELS.get(place).copied()),
            kind: match meta.kind {
                0 => Kind::Event,
                1 => Kind::Gap,
                _ => Kind::Remark,
            },
            fingerprint: print,
        })
    }

    fn span(&self, index: usize) -> Option<(usize, usize)> {
        let start = index.checked_sub(1).and_then(|before| self.metas.get(before)).map_or(0, |meta| meta.end);
        let end = self.metas.get(index)?.end;
        Some((start as usize, (end as usize).saturating_sub(1)))
    }

    pub(super) fn position(&self, time: Time) -> Option<usize> {
        self.metas.iter().position(|meta| meta.milliseconds >= time.timestamp_millis())
    }

    /// Marks the events that match, from one on.
    pub(super) fn search(&self, skip: usize, query: &Query, names: &[String], bits: &mut Bits) {
        let Some(leading) = query.leading() else {
            for index in skip..self.metas.len() {
                if self.entry(index).is_some_and(|entry| query.holds(&subject(&entry, names))) {
                    bits.set(index);
                }
            }
            return;
        };
        let mut at = self.span(skip).map_or(self.text.len(), |(start, _)| start);
        while let Some(hit) = leading.find_at(self.text.as_bytes(), at) {
            let index = self.metas.partition_point(|meta| meta.end as usize <= hit.start());
            let Some((_, end)) = self.span(index) else { return };
            let whole = query.is_single() && hit.end() <= end;
            if whole || self.entry(index).is_some_and(|entry| query.holds(&subject(&entry, names))) {
                bits.set(index);
            }
            at = end + 1;
        }
    }

    /// The bytes that go to disk: what is known of the texts, and the texts.
    pub(super) fn encode(&self) -> [Cow<'_, [u8]>; 2] {
        let mut bytes = Vec::with_capacity(HEAD + self.metas.len() * META + self.prints.len() * PRINT);
        for count in [self.text.len(), self.metas.len(), self.prints.len()] {
            bytes.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        }
        for meta in &self.metas {
            bytes.extend(meta.end.to_le_bytes());
            bytes.extend(meta.source.to_le_bytes());
            bytes.extend([meta.level, meta.kind]);
            bytes.extend(meta.milliseconds.to_le_bytes());
        }
        for (event, print) in &self.prints {
            bytes.extend(event.to_le_bytes());
            bytes.extend(print.number().to_le_bytes());
        }
        [Cow::Owned(bytes), Cow::Borrowed(self.text.as_bytes())]
    }

    /// What [`Self::encode`] wrote; `None` of anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let count = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
        let (text, metas, prints) = (count(0)?, count(4)?, count(8)?);
        let prints_at = HEAD + metas * META;
        let text_at = prints_at + prints * PRINT;
        let meta = |chunk: &[u8]| {
            Some(Meta {
                end: u32::from_le_bytes(chunk.get(0..4)?.try_into().ok()?),
                source: u16::from_le_bytes(chunk.get(4..6)?.try_into().ok()?),
                level: *chunk.get(6)?,
                kind: *chunk.get(7)?,
                milliseconds: i64::from_le_bytes(chunk.get(8..16)?.try_into().ok()?),
            })
        };
        let print = |chunk: &[u8]| {
            let number = u64::from_le_bytes(chunk.get(4..12)?.try_into().ok()?);
            Some((u32::from_le_bytes(chunk.get(0..4)?.try_into().ok()?), Fingerprint::from_number(number)))
        };
        Some(Self {
            text: std::str::from_utf8(bytes.get(text_at..text_at + text)?).ok()?.to_owned(),
            metas: bytes.get(HEAD..prints_at)?.chunks_exact(META).map(meta).collect::<Option<_>>()?,
            prints: bytes.get(prints_at..text_at)?.chunks_exact(PRINT).map(print).collect::<Option<_>>()?,
        })
    }
}
