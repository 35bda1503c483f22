//! The smallest parts of a statement: literals, names, intervals, options.

use super::Place;

/// Options of a table, the client's properties among them.
pub(super) fn with(place: &Place<'_>, options: &[(&str, String)]) -> String {
    let servers = ("properties.bootstrap.servers".to_owned(), place.bootstrap.to_owned());
    let own = options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).chain([servers]);
    let more = place.properties.iter().map(|(name, value)| (format!("properties.{name}"), value.clone()));
    let all: Vec<String> =
        own.chain(more).map(|(name, value)| format!("  {} = {}", text(&name), text(&value))).collect();
    all.join(",\n")
}

/// An interval as Flink takes one of any length: its other forms have two digits.
pub(super) fn interval(millis: i64) -> String {
    let (seconds, rest) = (millis.div_euclid(1_000), millis.rem_euclid(1_000));
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    format!("INTERVAL '{days} {hours:02}:{minutes:02}:{:02}.{rest:03}' DAY TO SECOND(3)", seconds % 60)
}

/// A literal.
pub(super) fn text(words: &str) -> String {
    format!("'{}'", words.replace('\'', "''"))
}

/// The name of a column.
pub(super) fn name(key: &str) -> String {
    format!("`{}`", key.replace('`', "``"))
}

/// Words in a comment, which ends with its line.
pub(super) fn comment(words: &str) -> String {
    words.replace(['\n', '\r'], " ")
}
