//! A spec as a job of Flink SQL, 1.20 to 2.3: the same counting for more than one machine reads.
//!
//! Why SQL: every platform that this console is for runs Flink, and a statement needs no build, no image and no home-made
//! cluster. What it writes are rows of the [`contract`], so that the console draws the same charts from them.
//!
//! How: a Kafka table with the fields of the spec and its watermark, a view of the events that count, and one windowed
//! aggregation, whose sketch is `COLLECT` of the bins: merged before the shuffle, exact after it. Two things differ from
//! the obvious: the sink is the append connector with a key, because rows of a window never change and Flink 2.3 refuses
//! an upsert whose key is computed; and an event without a time gets the epoch, because a null ends a job.
//!
//! It must not count otherwise than the engine in silence: what SQL cannot do is refused with what to change, or asked
//! for in words ([`Late`]) and written into the job's first lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thiserror::Error;

use super::contract;
use super::decode::LONGEST_NAME;
use super::decode::line::pieces;
use super::sketch::{GAMMA, GREATEST_US, LN_GAMMA};
use super::spec::{Absent, Comparison, Format, LatencyUnit, Operand, Path, Spec, TimeUnit};

/// What becomes of events after a window was told, which a windowed aggregation cannot take in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// They are left out. Windows are told as soon as the watermark passes them.
    Drop,
    /// The watermark waits for the allowed lateness too: windows are told once, when they are final, and no later event that
    /// the engine would count is left out.
    Wait,
}

/// Where the job reads and writes.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Bootstrap servers.
    pub bootstrap: &'a str,
    /// Properties of the Kafka client besides, such as `security.protocol`. Secrets do not belong here.
    pub properties: &'a BTreeMap<String, String>,
    /// What becomes of late events; must be said where the spec allows any.
    pub late: Option<Late>,
}

/// Why a spec is not rendered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsuited {
    /// SQL cannot count as the spec says.
    #[error("{key} cannot be done in Flink SQL: {why}")]
    Key {
        /// Which key.
        key: &'static str,
        /// Why, and what to do instead.
        why: &'static str,
    },
    /// A field is used in two ways.
    #[error("the field {path} is used as {one} and as {other}, and a column of SQL has one type")]
    Field {
        /// Which field.
        path: String,
        /// A type.
        one: &'static str,
        /// Another.
        other: &'static str,
    },
}

/// Renders the job.
///
/// # Errors
///
/// When SQL cannot count as the spec says.
pub fn render(spec: &Spec, place: &Place<'_>) -> Result<String, Unsuited> {
    check(spec, place)?;
    let columns = Columns::of(spec)?;
    let mut sql = head(spec, place);
    sql.push_str(&source(spec, place, &columns));
    sql.push_str(&admitted(spec, &columns));
    sql.push_str(&sink(spec, place));
    sql.push_str(&insert(spec));
    Ok(sql)
}

fn check(spec: &Spec, place: &Place<'_>) -> Result<(), Unsuited> {
    let refuse = |key, why| Err(Unsuited::Key { key, why });
    if spec.source.format.is_spans() {
        return refuse(
            "source.format",
            "spans lie many in a record, and each has its own time: let flowdeck count them",
        );
    }
    if spec.source.rows.is_none() {
        return refuse("source.rows", "it is not there: name the topic that the rows go to");
    }
    if spec.expressions.swimlane.is_some() {
        return refuse(
            "expressions.swimlane",
            "it may be overridden for a service: let flowdeck count, or leave it out",
        );
    }
    if place.late.is_none() && spec.window.allowed_lateness.millis() > 0 {
        return refuse(
            "window.allowed_lateness",
            "a window of SQL is told once: say --late drop to leave out what comes after, or --late wait to tell later",
        );
    }
    let is_text_time = spec.source.time.as_ref().is_some_and(|time| time.unit == TimeUnit::Rfc3339);
    if is_text_time && spec.source.format == Format::Line {
        return refuse("source.time", "a time with an offset is not read from a line: write s ($msec) or clf");
    }
    Ok(())
}

fn head(spec: &Spec, place: &Place<'_>) -> String {
    let (name, sha) = (comment(&spec.name), contract::sha(spec));
    let late = match place.late {
        Some(Late::Drop) => "Events that come after their window was told are left out.",
        Some(Late::Wait) => "Windows are told when the allowed lateness is over, and hold all that came by then.",
        None => "No event is counted after its window's end and the delay of the watermark.",
    };
    format!(
        "-- Golden signals: {name}. Rendered by flowdeck {version} for Flink 1.20 to 2.3.\n\
         -- Counts as the spec does whose hash is {sha}.\n\
         -- {late}\n\
         -- Records that cannot be read are left out and not counted by reason, a number in a field of text is taken as text,\n\
         -- and no limit holds for services, windows and cells: flowdeck signals run is stricter.\n\
         SET 'table.local-time-zone' = 'UTC';\n\
         SET 'pipeline.name' = {pipeline};\n\n",
        version = env!("CARGO_PKG_VERSION"),
        pipeline = text(&format!("golden signals {}", spec.name)),
    )
}

/// Columns of the source: where each field of the spec is.
struct Columns {
    tree: BTreeMap<String, Node>,
    is_line: bool,
}

enum Node {
    Leaf(&'static str),
    Row(BTreeMap<String, Self>),
}

impl Columns {
    fn of(spec: &Spec) -> Result<Self, Unsuited> {
        let mut columns = Self { tree: BTreeMap::new(), is_line: spec.source.format == Format::Line };
        let fields = spec.source.time.iter().map(|time| (&time.field, kind_of_time(time.unit)));
        let fields = fields.chain(spec.source.latency.iter().map(|latency| (&latency.field, "DOUBLE")));
        let fields = fields.chain(spec.key.iter().map(|key| (&key.service, "STRING")));
        for (path, kind) in fields.chain([(&spec.error.field, kind_of_operand(&spec.error.value))]) {
            columns.add(path, kind)?;
        }
        Ok(columns)
    }

    fn add(&mut self, path: &Path, kind: &'static str) -> Result<(), Unsuited> {
        let keys = path.keys();
        let clash = |one, other| Unsuited::Field { path: path.text(), one, other };
        let Some((last, outer)) = keys.split_last() else { return Ok(()) };
        let mut tree = &mut self.tree;
        for key in outer {
            tree = match tree.entry(key.clone()).or_insert_with(|| Node::Row(BTreeMap::new())) {
                Node::Row(inner) => inner,
                Node::Leaf(known) => return Err(clash(known, "an object")),
            };
        }
        match tree.entry(last.clone()).or_insert(Node::Leaf(kind)) {
            Node::Leaf(known) if *known == kind => Ok(()),
            // A whole number in one place may be any number in another.
            Node::Leaf(known) if ["BIGINT", "DOUBLE"].contains(known) && ["BIGINT", "DOUBLE"].contains(&kind) => {
                *known = "DOUBLE";
                Ok(())
            }
            Node::Leaf(known) => Err(clash(known, kind)),
            Node::Row(_) => Err(clash("an object", kind)),
        }
    }

    /// The columns as a table declares them.
    fn declared(&self) -> String {
        if self.is_line {
            return "  `line` STRING".to_owned();
        }
        let columns: Vec<String> =
            self.tree.iter().map(|(key, node)| format!("  {} {}", name(key), kind(node))).collect();
        columns.join(",\n")
    }

    /// A field as an expression.
    fn field(&self, spec: &Spec, path: &Path, kind: &'static str) -> String {
        let keys = path.keys();
        if !self.is_line {
            return keys.iter().map(|key| name(key)).collect::<Vec<_>>().join(".");
        }
        let pattern = spec.source.pattern.as_deref().unwrap_or_default();
        let found =
            format!("NULLIF(NULLIF(REGEXP_EXTRACT(`line`, {}, 1), ''), '-')", text(&regex(pattern, &path.text())));
        if kind == "STRING" { found } else { format!("TRY_CAST({found} AS {kind})") }
    }
}

fn kind(node: &Node) -> String {
    match node {
        Node::Leaf(kind) => (*kind).to_owned(),
        Node::Row(inner) => {
            let fields: Vec<String> = inner.iter().map(|(key, node)| format!("{} {}", name(key), kind(node))).collect();
            format!("ROW<{}>", fields.join(", "))
        }
    }
}

const fn kind_of_time(unit: TimeUnit) -> &'static str {
    match unit {
        // Seconds have fractions.
        TimeUnit::S => "DOUBLE",
        TimeUnit::Ms | TimeUnit::Us | TimeUnit::Ns => "BIGINT",
        TimeUnit::Rfc3339 => "TIMESTAMP_LTZ(3)",
        TimeUnit::Clf => "STRING",
    }
}

const fn kind_of_operand(operand: &Operand) -> &'static str {
    match operand {
        Operand::Bool(_) => "BOOLEAN",
        Operand::Integer(_) | Operand::Float(_) => "DOUBLE",
        Operand::Text(_) => "STRING",
    }
}

/// A regular expression whose only group is a field of a line. Whatever was passed over is not tried again.
fn regex(pattern: &str, wanted: &str) -> String {
    let (begin, fields) = pieces(pattern);
    let mut regex = format!("^{}", quoted(begin));
    for (field, then) in fields {
        let (open, close) = if field == wanted { ("(", ")") } else { ("(?:", ")") };
        let reach = if then.is_empty() { ".*" } else { ".*?" };
        // Writing to a string does not fail.
        let _written = write!(regex, "(?>{open}{reach}{close}{})", quoted(then));
    }
    regex.push_str("\\r?\\n?$");
    regex
}

/// Text that means itself in a regular expression.
fn quoted(plain: &str) -> String {
    let special = |letter: char| !letter.is_alphanumeric() && letter.is_ascii() && letter != ' ' && letter != '"';
    plain.chars().flat_map(|letter| special(letter).then_some('\\').into_iter().chain([letter])).collect()
}

/// Event time in milliseconds, null where there is none.
fn event_time(spec: &Spec, columns: &Columns) -> String {
    let Some(time) = &spec.source.time else { return "CAST(NULL AS TIMESTAMP_LTZ(3))".to_owned() };
    let field = columns.field(spec, &time.field, kind_of_time(time.unit));
    match time.unit {
        TimeUnit::S => format!("TO_TIMESTAMP_LTZ(CAST(FLOOR({field} * 1.0E3) AS BIGINT), 3)"),
        TimeUnit::Ms => format!("TO_TIMESTAMP_LTZ({field}, 3)"),
        TimeUnit::Us => format!("TO_TIMESTAMP_LTZ({field} / 1000, 3)"),
        TimeUnit::Ns => format!("TO_TIMESTAMP_LTZ({field} / 1000000, 3)"),
        TimeUnit::Rfc3339 => field,
        // What is no time has the least number there is.
        TimeUnit::Clf => format!(
            "TO_TIMESTAMP_LTZ(1000 * NULLIF(UNIX_TIMESTAMP({field}, 'dd/MMM/yyyy:HH:mm:ss Z'), CAST('{}' AS BIGINT)), 3)",
            i64::MIN
        ),
    }
}

fn source(spec: &Spec, place: &Place<'_>, columns: &Columns) -> String {
    let time = event_time(spec, columns);
    let wait = match place.late {
        Some(Late::Wait) => spec.window.allowed_lateness.millis(),
        Some(Late::Drop) | None => 0,
    };
    let (delay, ahead) =
        (spec.watermark.delay.millis().saturating_add(wait), interval(spec.watermark.future_limit.millis()));
    let topics = spec.source.topics.join(";");
    let format = if columns.is_line {
        vec![("format", "raw".to_owned())]
    } else {
        vec![
            ("format", "json".to_owned()),
            ("json.ignore-parse-errors", "true".to_owned()),
            ("json.timestamp-format.standard", "ISO-8601".to_owned()),
        ]
    };
    let mut options = vec![
        ("connector", "kafka".to_owned()),
        ("topic", topics),
        ("properties.group.id", format!("golden-signals-{}", spec.name)),
        ("scan.startup.mode", "group-offsets".to_owned()),
        ("properties.auto.offset.reset", "latest".to_owned()),
        ("scan.watermark.idle-timeout", format!("{} ms", spec.watermark.idle_after.millis())),
    ];
    options.extend(format);
    format!(
        "CREATE TEMPORARY TABLE `flowdeck_events` (\n{declared},\n  \
         `flowdeck_told` AS {time},\n  \
         `flowdeck_time` AS COALESCE({time}, TO_TIMESTAMP_LTZ(0, 3)),\n  \
         -- One event far ahead of the clock would make all others late.\n  \
         WATERMARK FOR `flowdeck_time` AS CASE WHEN `flowdeck_time` > CURRENT_TIMESTAMP + {ahead} THEN CURRENT_TIMESTAMP ELSE `flowdeck_time` END - {delay}\n\
         ) WITH (\n{options}\n);\n\n",
        declared = columns.declared(),
        delay = interval(delay),
        options = with(place, &options),
    )
}

fn admitted(spec: &Spec, columns: &Columns) -> String {
    let service = spec.key.as_ref().map_or_else(|| "''".to_owned(), |key| columns.field(spec, &key.service, "STRING"));
    let latency = spec.source.latency.as_ref().map_or_else(
        || "CAST(NULL AS DOUBLE)".to_owned(),
        |latency| {
            let field = columns.field(spec, &latency.field, "DOUBLE");
            let factor = match latency.unit {
                LatencyUnit::S => "1.0E6",
                LatencyUnit::Ms => "1.0E3",
                LatencyUnit::Us => "1.0E0",
                LatencyUnit::Ns => "1.0E-3",
            };
            format!("{field} * {factor}")
        },
    );
    let error = &spec.error;
    let field = columns.field(spec, &error.field, kind_of_operand(&error.value));
    let op = match error.op {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Below => "<",
        Comparison::AtMost => "<=",
        Comparison::Above => ">",
        Comparison::AtLeast => ">=",
    };
    let failed = format!("{field} {op} {}", operand(&error.value));
    let (failed, present) = match error.absent {
        Absent::Refused => (failed, format!("\n    AND {field} IS NOT NULL")),
        Absent::Succeeded => (format!("COALESCE({failed}, FALSE)"), String::new()),
        Absent::Failed => (format!("COALESCE({failed}, TRUE)"), String::new()),
    };
    format!(
        "-- The events that count, latency in whole microseconds from 1 to an hour.\n\
         CREATE TEMPORARY VIEW `flowdeck_admitted` AS SELECT\n  \
         `flowdeck_time`, `service`, CASE WHEN `us` < 1 THEN CAST(1 AS BIGINT) ELSE `us` END AS `us`, `failed`\n\
         FROM (\n  SELECT `flowdeck_time`, {service} AS `service`, CAST(ROUND({latency}) AS BIGINT) AS `us`, {failed} AS `failed`\n  \
         FROM `flowdeck_events`\n  WHERE `flowdeck_told` IS NOT NULL\n    \
         AND `flowdeck_told` <= CURRENT_TIMESTAMP + {ahead}\n    \
         AND CHAR_LENGTH({service}) BETWEEN 1 AND {LONGEST_NAME}\n    \
         AND {latency} BETWEEN 0 AND {GREATEST_US}{present}\n);\n\n",
        ahead = interval(spec.watermark.future_limit.millis()),
    )
}

fn sink(spec: &Spec, place: &Place<'_>) -> String {
    let options = [
        ("connector", "kafka".to_owned()),
        ("topic", spec.source.rows.clone().unwrap_or_default()),
        ("key.format", "raw".to_owned()),
        ("key.fields", "key".to_owned()),
        ("value.format", "json".to_owned()),
        ("value.fields-include", "ALL".to_owned()),
        // A row that is written again says the same under the same key.
        ("sink.delivery-guarantee", "at-least-once".to_owned()),
    ];
    format!(
        "CREATE TEMPORARY TABLE `flowdeck_rows` (\n  \
         `key` STRING, `version` INT, `spec_sha` STRING, `gamma` DOUBLE,\n  \
         `n` BIGINT, `err` BIGINT, `min` BIGINT, `max` BIGINT, `sum` BIGINT, `bins` MULTISET<STRING>,\n  \
         `revision` INT, `final` BOOLEAN, `late_policy` STRING, `engine` STRING\n) WITH (\n{}\n);\n\n",
        with(place, &options),
    )
}

fn insert(spec: &Spec) -> String {
    format!(
        "INSERT INTO `flowdeck_rows` SELECT\n  \
         `service` || '||' || CAST(1000 * UNIX_TIMESTAMP(CAST(`window_start` AS STRING)) + EXTRACT(MILLISECOND FROM `window_start`) AS STRING),\n  \
         {version}, {sha}, {GAMMA:e},\n  \
         COUNT(*), COUNT(*) FILTER (WHERE `failed`), MIN(`us`), MAX(`us`), SUM(`us`),\n  \
         COLLECT(CAST(CAST(FLOOR(LN(CAST(`us` AS DOUBLE)) / {LN_GAMMA:e}) AS INT) AS STRING)),\n  \
         0, TRUE, 'drop', 'flink-sql/{flowdeck}'\n\
         FROM TABLE(TUMBLE(TABLE `flowdeck_admitted`, DESCRIPTOR(`flowdeck_time`), {size}))\n\
         GROUP BY `window_start`, `window_end`, `service`;\n",
        version = contract::VERSION,
        sha = text(&contract::sha(spec)),
        flowdeck = env!("CARGO_PKG_VERSION"),
        size = interval(spec.window.size.millis()),
    )
}

/// Options of a table, the client's properties among them.
fn with(place: &Place<'_>, options: &[(&str, String)]) -> String {
    let servers = ("properties.bootstrap.servers".to_owned(), place.bootstrap.to_owned());
    let own = options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).chain([servers]);
    let more = place.properties.iter().map(|(name, value)| (format!("properties.{name}"), value.clone()));
    let all: Vec<String> =
        own.chain(more).map(|(name, value)| format!("  {} = {}", text(&name), text(&value))).collect();
    all.join(",\n")
}

/// An interval as Flink takes one of any length: its other forms have two digits.
fn interval(millis: i64) -> String {
    let (seconds, rest) = (millis.div_euclid(1_000), millis.rem_euclid(1_000));
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    format!("INTERVAL '{days} {hours:02}:{minutes:02}:{:02}.{rest:03}' DAY TO SECOND(3)", seconds % 60)
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Bool(truth) => truth.to_string().to_uppercase(),
        Operand::Integer(number) => number.to_string(),
        Operand::Float(number) => format!("{number:e}"),
        Operand::Text(words) => text(words),
    }
}

/// A literal.
fn text(words: &str) -> String {
    format!("'{}'", words.replace('\'', "''"))
}

/// The name of a column.
fn name(key: &str) -> String {
    format!("`{}`", key.replace('`', "``"))
}

/// Words in a comment, which ends with its line.
fn comment(words: &str) -> String {
    words.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests;
