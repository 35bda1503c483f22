//! Spans as a job: many lie in a record, each with a time of its own, and a watermark cannot come after they are parted.
//!
//! How: the watermark is of records. A record is as late as its first span ended; one without spans, or whose first ended when
//! it cannot have, is a day late, so that it moves no watermark on while old records are read. The spans of a record end near
//! each other, because a collector sends what it has every few seconds. Each window of the job reaches as far before and after a window of the spec as spans may lie apart, and counts the spans of that one alone: so each is
//! counted once, and the job still adds up before the shuffle.
//!
//! It must not count a span twice, nor leave out without a word those that lie farther from their record: the job's first lines
//! say how far.

use super::words::interval;
use super::{LONGEST_NAME, Place, WINDOW_START, Windows, consumed, watermark};
use crate::engine::sketch::GREATEST_US;
use crate::engine::spec::{Format, SpanKind, Spec};

/// A record's first span did not end longer than this before the record came, or it is wrong.
const OLDEST: &str = "INTERVAL '1' DAY";

/// How many windows before and after its own a span's record may be.
fn reach(spec: &Spec) -> i64 {
    let (delay, size) = (spec.watermark.delay.millis(), spec.window.size.millis());
    (delay.saturating_add(size - 1) / size).max(1)
}

/// What is said of them in the job's first lines.
pub(super) fn head(spec: &Spec) -> String {
    let apart = reach(spec).saturating_mul(spec.window.size.millis());
    let jars = match spec.source.format {
        Format::OtlpProto => {
            "\
             -- Beside the Kafka connector it needs flink-protobuf, protobuf-java and io.opentelemetry.proto:opentelemetry-proto.\n"
        }
        _ => "",
    };
    format!(
        "-- A span is counted when the first span of its record ended in the same window, or at most {apart} ms before or after it;\n\
         -- a record whose first span ended at no possible time is left out; where a resource has service.name twice, its spans are counted for each.\n{jars}"
    )
}

/// The names of fields, which differ between the two forms, and how whole numbers are written.
struct Names {
    resource_spans: &'static str,
    scope_spans: &'static str,
    begin: &'static str,
    end: &'static str,
    text: &'static str,
    /// Type of a time.
    time: &'static str,
    /// Type of a value of an enumeration.
    enumeration: &'static str,
}

impl Names {
    const fn of(format: Format) -> Self {
        match format {
            Format::OtlpProto => Self {
                resource_spans: "`resource_spans`",
                scope_spans: "`scope_spans`",
                begin: "`start_time_unix_nano`",
                end: "`end_time_unix_nano`",
                text: "`string_value`",
                time: "BIGINT",
                enumeration: "INT",
            },
            // Numbers and names are both allowed.
            _ => Self {
                resource_spans: "`resourceSpans`",
                scope_spans: "`scopeSpans`",
                begin: "`startTimeUnixNano`",
                end: "`endTimeUnixNano`",
                text: "`stringValue`",
                time: "STRING",
                enumeration: "STRING",
            },
        }
    }

    /// A time as a whole number.
    fn number(&self, field: &str) -> String {
        if self.time == "STRING" { format!("TRY_CAST({field} AS BIGINT)") } else { field.to_owned() }
    }
}

pub(super) fn source(spec: &Spec, place: &Place<'_>) -> String {
    let names = Names::of(spec.source.format);
    let Names { resource_spans, scope_spans, begin, end, text, time, enumeration } = names;
    let first = names.number(&format!("{resource_spans}[1].{scope_spans}[1].`spans`[1].{end}"));
    let format = match spec.source.format {
        Format::OtlpProto => vec![
            ("format", "protobuf".to_owned()),
            ("protobuf.message-class-name", "io.opentelemetry.proto.trace.v1.TracesData".to_owned()),
            ("protobuf.ignore-parse-errors", "true".to_owned()),
        ],
        _ => vec![("format", "json".to_owned()), ("json.ignore-parse-errors", "true".to_owned())],
    };
    format!(
        "CREATE TEMPORARY TABLE `flowdeck_events` (\n  \
         {resource_spans} ARRAY<ROW<\n    \
         `resource` ROW<`attributes` ARRAY<ROW<`key` STRING, `value` ROW<{text} STRING>>>>,\n    \
         {scope_spans} ARRAY<ROW<`spans` ARRAY<ROW<\n      \
         `kind` {enumeration}, {begin} {time}, {end} {time}, `status` ROW<`code` {enumeration}>>>>>>>,\n  \
         `flowdeck_came` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,\n  \
         `flowdeck_time` AS CASE\n    \
         WHEN TO_TIMESTAMP_LTZ({first} / 1000000, 3) BETWEEN `flowdeck_came` - {OLDEST} AND `flowdeck_came` + {ahead}\n    \
         THEN TO_TIMESTAMP_LTZ({first} / 1000000, 3) ELSE `flowdeck_came` - {OLDEST} END,\n  \
         {watermark}\n) WITH (\n{options}\n);\n\n",
        ahead = interval(spec.watermark.future_limit.millis()),
        watermark = watermark(spec, place),
        options = consumed(spec, place, &format),
    )
}

/// How a value of an enumeration may be written.
fn written(enumeration: &str, values: &[(i32, &str)]) -> String {
    let both = |(number, name): &(i32, &str)| format!("'{number}', '{name}'");
    let number = |(number, _): &(i32, &str)| number.to_string();
    let texts: Vec<String> =
        if enumeration == "STRING" { values.iter().map(both).collect() } else { values.iter().map(number).collect() };
    texts.join(", ")
}

const fn name(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Internal => "SPAN_KIND_INTERNAL",
        SpanKind::Server => "SPAN_KIND_SERVER",
        SpanKind::Client => "SPAN_KIND_CLIENT",
        SpanKind::Producer => "SPAN_KIND_PRODUCER",
        SpanKind::Consumer => "SPAN_KIND_CONSUMER",
    }
}

pub(super) fn admitted(spec: &Spec, place: &Place<'_>) -> String {
    let begun = place.first_window.map_or_else(String::new, |first| format!("\n  AND `end` / 1000000 >= {first}"));
    let names = Names::of(spec.source.format);
    let Names { resource_spans, scope_spans, begin, end, text, enumeration, .. } = names;
    let kinds: Vec<(i32, &str)> = spec.source.kinds.iter().map(|kind| (*kind as i32, name(*kind))).collect();
    format!(
        "-- Each span of a wanted kind, times in nanoseconds.\n\
         CREATE TEMPORARY VIEW `flowdeck_spans` AS SELECT\n  \
         `flowdeck_time`, `attribute`.`value`.{text} AS `service`, {begin_number} AS `begin`, {end_number} AS `end`,\n  \
         COALESCE(`span`.`status`.`code` IN ({failed}), FALSE) AS `failed`\n\
         FROM `flowdeck_events`\n\
         CROSS JOIN UNNEST({resource_spans}) AS `group` (`resource`, {scope_spans})\n\
         CROSS JOIN UNNEST(`group`.`resource`.`attributes`) AS `attribute` (`key`, `value`)\n\
         CROSS JOIN UNNEST(`group`.{scope_spans}) AS `scope` (`spans`)\n\
         CROSS JOIN UNNEST(`scope`.`spans`) AS `span` (`kind`, {begin}, {end}, `status`)\n\
         WHERE `attribute`.`key` = 'service.name' AND `span`.`kind` IN ({kinds});\n\n\
         -- The spans that count, latency in whole microseconds from 1 to an hour.\n\
         CREATE TEMPORARY VIEW `flowdeck_admitted` AS SELECT\n  \
         `flowdeck_time`, `service`, `failed`, `end` / 1000000 - MOD(`end` / 1000000, {size}) AS `start`,\n  \
         CASE WHEN `end` - `begin` < 500 THEN CAST(1 AS BIGINT) ELSE (`end` - `begin` + 500) / 1000 END AS `us`\n\
         FROM `flowdeck_spans`\n\
         WHERE CHAR_LENGTH(`service`) BETWEEN 1 AND {LONGEST_NAME} AND `end` >= 1000000\n  \
         AND TO_TIMESTAMP_LTZ(`end` / 1000000, 3) <= CURRENT_TIMESTAMP + {ahead}\n  \
         AND `begin` <= `end` AND (`end` - `begin` + 500) / 1000 <= {GREATEST_US}{begun};\n\n",
        begin_number = names.number(&format!("`span`.{begin}")),
        end_number = names.number(&format!("`span`.{end}")),
        failed = written(enumeration, &[(2, "STATUS_CODE_ERROR")]),
        kinds = written(enumeration, &kinds),
        size = spec.window.size.millis(),
        ahead = interval(spec.watermark.future_limit.millis()),
    )
}

/// The span's own window among those that its record is in.
pub(super) fn windows(spec: &Spec) -> Windows {
    let (reach, size) = (reach(spec), spec.window.size.millis());
    let all = interval(size.saturating_mul(reach.saturating_mul(2).saturating_add(1)));
    Windows {
        start: "`start`".to_owned(),
        from: format!(
            "TABLE(HOP(TABLE `flowdeck_admitted`, DESCRIPTOR(`flowdeck_time`), {slide}, {all}))\n\
             WHERE {WINDOW_START} + {before} = `start`\n\
             GROUP BY `window_start`, `window_end`, `service`, `start`",
            slide = interval(size),
            before = size.saturating_mul(reach),
        ),
    }
}
