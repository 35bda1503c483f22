//! The contract between whoever counts and whoever looks: a row of golden signals in a topic.
//!
//! Why: one process counts as much as one machine can read; beyond that a Flink job counts, and the console draws the
//! same charts from what it writes. So the form of a row, `assets/signals-row.schema.json`, belongs to neither.
//!
//! How: [`Written`] is a row to write, [`read`] takes one apart and believes nothing: its version, the meaning of its
//! spec ([`meaning`]), the growth of its bins and that its numbers fit together are checked before it is counted.
//!
//! It must not be merged with rows of another meaning or growth: the sums would be of nothing.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::rejects::Reason;
use super::sketch::{GAMMA, GREATEST_US, Sketch, bin};
use super::spec::{Path, Spec};
use super::totals::Totals;

/// The form of rows that is written and read.
pub const VERSION: u32 = 1;
/// The greatest bin: of an hour.
const GREATEST_BIN: u16 = 1_100;
/// All bins.
const BINS: RangeInclusive<i64> = 0..=GREATEST_BIN as i64;
/// Another engine's logarithm may put a latency that lies on a bound into the next bin.
const BIN_SLACK: u16 = 1;
/// How far another engine's growth may differ in how it is written.
const GAMMA_SLACK: f64 = 1e-12;

/// Bins as a row has them: an object from bin to how many are in it.
struct Bins<'a>(&'a Sketch);

impl Serialize for Bins<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (bin, count) in self.0.bins() {
            map.serialize_entry(&bin, &count)?;
        }
        map.end()
    }
}

/// A row to write.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// What was counted.
    pub totals: &'a Totals,
    /// Its record's key.
    pub key: &'a str,
    /// Meaning of the spec.
    pub spec_sha: &'a str,
    /// Counts up with each row of the same key.
    pub revision: u32,
    /// Whether no later event can change it.
    pub is_final: bool,
    /// What becomes of late events.
    pub late_policy: &'static str,
    /// Who writes.
    pub engine: &'a str,
    /// `topic/partition`, where it was counted from one partition alone.
    pub part: Option<&'a str>,
    /// By the rule that held for the window.
    pub health: u8,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Totals { requests, errors, sum_us, min_us, max_us, ref sketch, .. } = *self.totals;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &VERSION)?;
        map.serialize_entry("key", self.key)?;
        map.serialize_entry("spec_sha", self.spec_sha)?;
        map.serialize_entry("gamma", &GAMMA)?;
        for (name, number) in [("n", requests), ("err", errors), ("min", min_us), ("max", max_us), ("sum", sum_us)] {
            map.serialize_entry(name, &number)?;
        }
        map.serialize_entry("bins", &Bins(sketch))?;
        map.serialize_entry("revision", &self.revision)?;
        map.serialize_entry("final", &self.is_final)?;
        map.serialize_entry("late_policy", self.late_policy)?;
        map.serialize_entry("engine", self.engine)?;
        if let Some(part) = self.part {
            map.serialize_entry("part", part)?;
        }
        map.serialize_entry("health", &self.health)?;
        map.end()
    }
}

/// A row as it lies there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lying<'a> {
    version: u32,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    spec_sha: Cow<'a, str>,
    gamma: f64,
    n: u64,
    err: u64,
    min: u64,
    max: u64,
    sum: u64,
    bins: Found,
    revision: u32,
    #[serde(rename = "final")]
    is_final: bool,
    #[serde(borrow)]
    late_policy: Cow<'a, str>,
    #[serde(borrow)]
    engine: Cow<'a, str>,
    #[serde(default, borrow)]
    part: Option<Cow<'a, str>>,
    /// Judged anew by whoever looks.
    #[serde(default, rename = "health")]
    _health: Option<u8>,
}

/// Bins that were found, in the order of the row.
struct Found(Vec<(u16, u32)>);

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Found;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object from bin to count")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
                let mut bins = Vec::with_capacity(64);
                while let Some(pair) = map.next_entry::<u16, u32>()? {
                    bins.push(pair);
                }
                Ok(Found(bins))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A row that can be believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// Start of the window, milliseconds since 1970.
    pub start: i64,
    /// The service.
    pub service: Cow<'a, str>,
    /// Its swimlane; "" for the whole service.
    pub swimlane: Cow<'a, str>,
    /// `topic/partition`, where it was counted from one partition alone; "" otherwise.
    pub part: Cow<'a, str>,
    /// Of rows of one key the one with the highest holds.
    pub revision: u32,
    /// Whether no later event can change it.
    pub is_final: bool,
    /// What becomes of late events: `revise` or `drop`.
    pub late_policy: Cow<'a, str>,
    /// Who wrote it.
    pub engine: Cow<'a, str>,
    /// What was counted.
    pub totals: Totals,
}

/// Why a row cannot be believed.
pub type Doubt = (Reason, String);

/// Reads a row of signals whose spec has this meaning and whose windows have this length.
///
/// # Errors
///
/// When it is not a row, or one of another meaning, or its numbers do not fit together.
pub fn read<'a>(text: &'a str, spec_sha: &str, window_ms: i64) -> Result<Row<'a>, Doubt> {
    let row: Lying<'a> = serde_json::from_str(text).map_err(|error| unreadable(text, &error))?;
    if row.version != VERSION {
        return Err(other_version(&row.version));
    }
    if row.spec_sha != spec_sha {
        return Err((Reason::RowSpec, format!("its spec is {}, and here {spec_sha} is watched", row.spec_sha)));
    }
    if (row.gamma - GAMMA).abs() > GAMMA_SLACK {
        return Err((Reason::RowGamma, format!("its bins grow by {}, and ours by {GAMMA}", row.gamma)));
    }
    let part = row.part.clone().unwrap_or_default();
    let (service, swimlane, start) =
        names(&row.key, &part).ok_or_else(|| (Reason::Row, format!("{} is not service|swimlane|start", row.key)))?;
    if start.rem_euclid(window_ms) != 0 {
        return Err((Reason::RowSpec, format!("no window of {window_ms} ms starts at {start}")));
    }
    let totals = totals(&row).ok_or_else(|| (Reason::RowNumbers, contradiction(&row)))?;
    let (service, swimlane) = (service.to_owned().into(), swimlane.to_owned().into());
    let Lying { revision, is_final, late_policy, engine, .. } = row;
    Ok(Row { start, service, swimlane, part, revision, is_final, late_policy, engine, totals })
}

fn other_version(version: &dyn fmt::Display) -> Doubt {
    (Reason::RowVersion, format!("it is of version {version}, and {VERSION} is read"))
}

/// Why a text is no row of the form that is read: the rows of another version may have any.
fn unreadable(text: &str, error: &serde_json::Error) -> Doubt {
    if error.is_eof() {
        return (Reason::Row, format!("it ends in the middle: {error}"));
    }
    let found = serde_json::from_str::<Value>(text).unwrap_or_default();
    if let Some(version) = found.get("version").filter(|version| **version != VERSION) {
        return other_version(version);
    }
    let counts = ["n", "err", "min", "max", "sum"].map(|name| (name.to_owned(), found.get(name)));
    let bins = found.get("bins").and_then(Value::as_object).into_iter().flatten();
    let bins = bins.map(|(bin, count)| (format!("bin {bin}"), Some(count)));
    for (name, count) in counts.into_iter().chain(bins) {
        if let Some(count) = count.filter(|count| count.as_f64().is_some_and(|count| count < 0.0)) {
            return (Reason::RowNumbers, format!("{name} is {count}, and no count is below 0"));
        }
        if name.strip_prefix("bin ").is_some_and(|bin| bin.parse::<i64>().is_ok_and(|bin| !BINS.contains(&bin))) {
            return (Reason::RowNumbers, beyond(&name));
        }
    }
    (Reason::Row, error.to_string())
}

fn beyond(bin: &str) -> String {
    format!("there is no {bin}: they are from {} to {}", BINS.start(), BINS.end())
}

/// Service, swimlane and start in a key. The service's name alone may have a bar.
fn names<'k>(key: &'k str, part: &str) -> Option<(&'k str, &'k str, i64)> {
    let whole = if part.is_empty() { key } else { key.strip_suffix(part)?.strip_suffix('|')? };
    let mut fields = whole.rsplitn(3, '|');
    let start = fields.next()?.parse().ok()?;
    let (swimlane, service) = (fields.next()?, fields.next()?);
    (!service.is_empty()).then_some((service, swimlane, start))
}

/// What a row counted; `None` when its numbers contradict each other.
fn totals(row: &Lying<'_>) -> Option<Totals> {
    let Lying { n, err, min, max, sum, .. } = *row;
    let sums = n.checked_mul(min)?..=n.checked_mul(max)?;
    if n == 0 || err > n || min == 0 || min > max || max > GREATEST_US || !sums.contains(&sum) {
        return None;
    }
    let mut sketch = Sketch::default();
    let (least, greatest) = row
        .bins
        .0
        .iter()
        .fold((u16::MAX, 0), |(least, greatest): (u16, u16), (bin, _)| (least.min(*bin), greatest.max(*bin)));
    if greatest > GREATEST_BIN || least.abs_diff(bin(min)) > BIN_SLACK || greatest.abs_diff(bin(max)) > BIN_SLACK {
        return None;
    }
    sketch.make_room(least, greatest);
    for (bin, count) in &row.bins.0 {
        if *count == 0 {
            return None;
        }
        sketch.add(*bin, *count);
    }
    let requests = (sketch.total() == n).then_some(n)?;
    Some(Totals { requests, errors: err, sum_us: sum, min_us: min, max_us: max, fullest: None, sketch })
}

fn contradiction(row: &Lying<'_>) -> String {
    let Lying { n, err, min, max, sum, .. } = row;
    if let Some((bin, _)) = row.bins.0.iter().find(|(bin, _)| *bin > GREATEST_BIN) {
        return beyond(&format!("bin {bin}"));
    }
    let binned: u64 = row.bins.0.iter().map(|(_, count)| u64::from(*count)).sum();
    format!(
        "{n} requests, {err} of them failed, from {min} to {max} us, {sum} us in all, and {binned} in bins do not fit together"
    )
}

/// What a spec means for the numbers of a row: two specs with the same text here count alike. Whoever writes rows and
/// whoever reads them hash it (SHA-256, hexadecimal) as `spec_sha`.
///
/// Topics, limits, alerts, health and the place of overrides are not in it: they change nothing that is counted.
pub fn meaning(spec: &Spec) -> String {
    let mut text = format!("signals.v{VERSION}\nwindow {} ms\n", spec.window.size.millis());
    let path = |path: &Path| path.keys().join("\u{1f}");
    let mut line = |name: &str, value: String| text.push_str(&format!("{name} {value}\n"));
    let source = &spec.source;
    line("format", format!("{:?}", source.format));
    line("pattern", source.pattern.clone().unwrap_or_default());
    if source.format.is_spans() {
        let mut kinds: Vec<i32> = source.kinds.iter().map(|kind| *kind as i32).collect();
        kinds.sort_unstable();
        line("kinds", format!("{kinds:?}"));
    }
    if let Some(time) = &source.time {
        line("time", format!("{} {:?}", path(&time.field), time.unit));
    }
    if let Some(latency) = &source.latency {
        line("latency", format!("{} {:?}", path(&latency.field), latency.unit));
    }
    if let Some(key) = &spec.key {
        line("service", path(&key.service));
    }
    let error = &spec.error;
    line("error", format!("{} {} {:?} {:?}", path(&error.field), error.op, error.value, error.absent));
    line("swimlane", spec.expressions.swimlane.clone().unwrap_or_default());
    for dimension in spec.dimensions.iter().filter(|_| spec.expressions.swimlane.is_some()) {
        line("dimension", format!("{} {}", dimension.name, path(&dimension.field)));
    }
    text
}

/// The hash of a spec's [`meaning`], as rows name it.
pub fn sha(spec: &Spec) -> String {
    openssl::sha::sha256(meaning(spec).as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
