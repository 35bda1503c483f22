//! A spec as a job of Flink SQL, 1.20 to 2.3: the same counting for more than one machine reads.
//!
//! Why SQL: every platform that this console is for runs Flink, and a statement needs no build, no image and no home-made
//! cluster. What it writes are rows of the [`contract`], so that the console draws the same charts from them.
//!
//! How: a Kafka table with the fields of the spec and its watermark, a view of the events that count, and one windowed
//! aggregation, whose sketch is `COLLECT` of the bins: merged before the shuffle, exact after it. Two things differ from
//! the obvious: the sink is the append connector with a key, because rows of a window never change and Flink 2.3 refuses
//! an upsert whose key is computed; and an event without a time gets the epoch, because a null ends a job. Spans, of which
//! a record holds many, are in [`spans`].
//!
//! It must not count otherwise than the engine in silence: what SQL cannot do is refused with what to change, or asked
//! for in words ([`Late`]) and written into the job's first lines.

mod columns;
mod spans;
mod words;

use std::collections::BTreeMap;

use thiserror::Error;

use super::contract;
use super::decode::LONGEST_NAME;
use super::expression::{SwimlaneExpression, Unwritten};
use super::overrides::LANE_NAME_LIMIT;
use super::sketch::{GAMMA, GREATEST_US, LN_GAMMA};
use super::spec::{Absent, Comparison, Format, LatencyUnit, Operand, Spec, TimeUnit};
use columns::{Columns, kind_of_operand, kind_of_time};
use words::{comment, interval, text, with};

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
    /// Consumer group; by the spec's name without one.
    pub group: Option<&'a str>,
    /// Start of the first window that is told, milliseconds since 1970: those before it are another writer's.
    pub first_window: Option<i64>,
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
    /// The swimlane's expression has what SQL has not, or does otherwise.
    #[error("expressions.swimlane cannot be written in SQL: it has {0}; let flowdeck count, or say it without")]
    Swimlane(Unwritten),
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
    let mut sql = head(spec, place);
    if spec.source.format.is_spans() {
        sql.push_str(&spans::source(spec, place));
        sql.push_str(&spans::admitted(spec, place));
        sql.push_str(&sink(spec, place));
        sql.push_str(&insert(spec, "", &spans::windows(spec)));
        return Ok(sql);
    }
    let columns = Columns::of(spec)?;
    let lane = lane(spec, &columns)?;
    sql.push_str(&source(spec, place, &columns));
    sql.push_str(&admitted(spec, place, &columns, lane.as_deref()));
    sql.push_str(&sink(spec, place));
    sql.push_str(&insert(spec, lane.as_ref().map_or("", |_| "`swimlane`"), &windows(spec)));
    Ok(sql)
}

fn check(spec: &Spec, place: &Place<'_>) -> Result<(), Unsuited> {
    let refuse = |key, why| Err(Unsuited::Key { key, why });
    if spec.source.rows.is_none() {
        return refuse("source.rows", "it is not there: name the topic that the rows go to");
    }
    if spec.expressions.swimlane.is_some() && spec.overrides.is_some() {
        return refuse(
            "expressions.swimlane",
            "overrides may say otherwise for a service, and a job does not read them: let flowdeck count, or leave one out",
        );
    }
    if spec.expressions.swimlane.is_some() && spec.source.format.is_spans() {
        return refuse(
            "expressions.swimlane",
            "attributes lie apart from their spans, and are not looked for: let flowdeck count, or leave it out",
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
    let spans = if spec.source.format.is_spans() { spans::head(spec) } else { String::new() };
    format!(
        "-- Golden signals: {name}. Rendered by flowdeck {version} for Flink 1.20 to 2.3.\n\
         -- Counts as the spec does whose hash is {sha}.\n\
         -- {late}\n\
         -- Records that cannot be read are left out and not counted by reason, a number in a field of text is taken as text,\n\
         -- and no limit holds for services, windows, cells and swimlanes: flowdeck signals run is stricter.\n{spans}\
         SET 'table.local-time-zone' = 'UTC';\n\
         SET 'pipeline.name' = {pipeline};\n\n",
        version = env!("CARGO_PKG_VERSION"),
        pipeline = text(&format!("golden signals {}", spec.name)),
    )
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

/// The column from which the watermark is, which lies so far behind it.
fn watermark(spec: &Spec, place: &Place<'_>) -> String {
    let wait = match place.late {
        Some(Late::Wait) => spec.window.allowed_lateness.millis(),
        Some(Late::Drop) | None => 0,
    };
    let delay = spec.watermark.delay.millis().saturating_add(wait);
    format!(
        "-- One event far ahead of the clock would make all others late.\n  \
         WATERMARK FOR `flowdeck_time` AS CASE WHEN `flowdeck_time` > CURRENT_TIMESTAMP + {ahead} THEN CURRENT_TIMESTAMP ELSE `flowdeck_time` END - {delay}",
        ahead = interval(spec.watermark.future_limit.millis()),
        delay = interval(delay),
    )
}

/// What is read and from where, with these options of its format.
fn consumed(spec: &Spec, place: &Place<'_>, format: &[(&'static str, String)]) -> String {
    let mut options = vec![
        ("connector", "kafka".to_owned()),
        ("topic", spec.source.topics.join(";")),
        ("properties.group.id", place.group.map_or_else(|| format!("golden-signals-{}", spec.name), str::to_owned)),
        ("scan.watermark.idle-timeout", format!("{} ms", spec.watermark.idle_after.millis())),
    ];
    match place.first_window {
        // No record of its events was written before it began, but by clocks that are ahead.
        Some(first) => options.extend([
            ("scan.startup.mode", "timestamp".to_owned()),
            (
                "scan.startup.timestamp-millis",
                first.saturating_sub(spec.watermark.future_limit.millis()).max(0).to_string(),
            ),
        ]),
        None => options.extend([
            ("scan.startup.mode", "group-offsets".to_owned()),
            ("properties.auto.offset.reset", "latest".to_owned()),
        ]),
    }
    options.extend(format.iter().cloned());
    with(place, &options)
}

fn source(spec: &Spec, place: &Place<'_>, columns: &Columns) -> String {
    let time = event_time(spec, columns);
    let format = if columns.is_line {
        vec![("format", "raw".to_owned())]
    } else {
        vec![
            ("format", "json".to_owned()),
            ("json.ignore-parse-errors", "true".to_owned()),
            ("json.timestamp-format.standard", "ISO-8601".to_owned()),
        ]
    };
    format!(
        "CREATE TEMPORARY TABLE `flowdeck_events` (\n{declared},\n  \
         `flowdeck_told` AS {time},\n  \
         `flowdeck_time` AS COALESCE({time}, TO_TIMESTAMP_LTZ(0, 3)),\n  \
         {watermark}\n) WITH (\n{options}\n);\n\n",
        declared = columns.declared(),
        watermark = watermark(spec, place),
        options = consumed(spec, place, &format),
    )
}

/// The swimlane of an event, as an expression over columns.
fn lane(spec: &Spec, columns: &Columns) -> Result<Option<String>, Unsuited> {
    let Some(source) = &spec.expressions.swimlane else { return Ok(None) };
    // A spec whose expression cannot be read does not exist.
    let Ok(expression) = SwimlaneExpression::compile(source, &spec.dimension_names()) else { return Ok(None) };
    let service = spec.key.as_ref().map_or_else(String::new, |key| columns.field(spec, &key.service, "STRING"));
    let value = |field| format!("COALESCE({}, '')", columns.field(spec, field, "STRING"));
    let dimensions: Vec<String> = spec.dimensions.iter().map(|dimension| value(&dimension.field)).collect();
    expression.sql(&service, &dimensions).map(Some).map_err(Unsuited::Swimlane)
}

fn admitted(spec: &Spec, place: &Place<'_>, columns: &Columns, lane: Option<&str>) -> String {
    let begun = place
        .first_window
        .map_or_else(String::new, |first| format!("\n    AND `flowdeck_told` >= TO_TIMESTAMP_LTZ({first}, 3)"));
    // A name that would part keys, or that is too long, is none.
    let (told, named) = lane.map_or_else(Default::default, |lane| {
        let named = format!(
            ",\n  CASE WHEN CHAR_LENGTH(`lane`) > {LANE_NAME_LIMIT} OR POSITION('|' IN `lane`) > 0 THEN '' ELSE `lane` END AS `swimlane`"
        );
        (format!(",\n    {lane} AS `lane`"), named)
    });
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
         `flowdeck_time`, `service`, CASE WHEN `us` < 1 THEN CAST(1 AS BIGINT) ELSE `us` END AS `us`, `failed`{named}\n\
         FROM (\n  SELECT `flowdeck_time`, {service} AS `service`, CAST(ROUND({latency}) AS BIGINT) AS `us`, {failed} AS `failed`{told}\n  \
         FROM `flowdeck_events`\n  WHERE `flowdeck_told` IS NOT NULL\n    \
         AND `flowdeck_told` <= CURRENT_TIMESTAMP + {ahead}\n    \
         AND CHAR_LENGTH({service}) BETWEEN 1 AND {LONGEST_NAME}\n    \
         AND {latency} BETWEEN 0 AND {GREATEST_US}{present}{begun}\n);\n\n",
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

/// How rows are put together: when a window begins, in milliseconds, and what follows FROM.
struct Windows {
    start: String,
    from: String,
}

/// The start of a window of Flink, in milliseconds.
const WINDOW_START: &str =
    "1000 * UNIX_TIMESTAMP(CAST(`window_start` AS STRING)) + EXTRACT(MILLISECOND FROM `window_start`)";

fn windows(spec: &Spec) -> Windows {
    let size = interval(spec.window.size.millis());
    Windows {
        start: WINDOW_START.to_owned(),
        from: format!(
            "TABLE(TUMBLE(TABLE `flowdeck_admitted`, DESCRIPTOR(`flowdeck_time`), {size}))\n\
             GROUP BY `window_start`, `window_end`, `service`"
        ),
    }
}

fn insert(spec: &Spec, lane: &str, windows: &Windows) -> String {
    let Windows { start, from } = windows;
    let (lane, group) = match lane {
        "" => ("'||'".to_owned(), String::new()),
        lane => (format!("'|' || {lane} || '|'"), format!(", {lane}")),
    };
    format!(
        "INSERT INTO `flowdeck_rows` SELECT\n  \
         `service` || {lane} || CAST({start} AS STRING),\n  \
         {version}, {sha}, {GAMMA:e},\n  \
         COUNT(*), COUNT(*) FILTER (WHERE `failed`), MIN(`us`), MAX(`us`), SUM(`us`),\n  \
         COLLECT(CAST(CAST(FLOOR(LN(CAST(`us` AS DOUBLE)) / {LN_GAMMA:e}) AS INT) AS STRING)),\n  \
         0, TRUE, 'drop', 'flink-sql/{flowdeck}'\n\
         FROM {from}{group};\n",
        version = contract::VERSION,
        sha = text(&contract::sha(spec)),
        flowdeck = env!("CARGO_PKG_VERSION"),
    )
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Bool(truth) => truth.to_string().to_uppercase(),
        Operand::Integer(number) => number.to_string(),
        Operand::Float(number) => format!("{number:e}"),
        Operand::Text(words) => text(words),
    }
}

#[cfg(test)]
mod tests;
