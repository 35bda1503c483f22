//! What stands at a place of a document that is being typed, and what could be written there.
//!
//! The document is hardly ever whole while somebody types, so this reads it from its beginning up to the cursor with
//! nothing but quotes, brackets, colons and commas, and never fails.

use std::ops::Range;

use super::super::options::{self, FlinkVersion, Known, Lookup};
use super::{Reader, SECTIONS};

/// No more offers than anybody reads.
const MOST_OFFERS: usize = 50;

/// Something that could be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What it is called in a list.
    pub name: String,
    /// What is written, quotes and colon included.
    pub text: String,
    /// The bytes of the document that it takes the place of.
    pub range: Range<usize>,
    /// The option that it is about.
    pub option: &'static Known,
}

/// The word at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spot {
    /// The keys that lead there; a value's own key is the last of them.
    path: Vec<String>,
    is_key: bool,
    /// The word's bytes, quotes included.
    range: Range<usize>,
    /// Its letters up to the place, and all of them.
    typed: String,
    whole: String,
}

#[derive(Debug, Default)]
struct Frame {
    is_object: bool,
    key: Option<String>,
    /// Whether a colon came since the last comma.
    in_value: bool,
}

/// The option that a place belongs to: that of its key, or of the key whose value stands there.
#[must_use]
pub fn option_at(document: &str, at: usize, version: FlinkVersion) -> Option<&'static Known> {
    let spot = spot(document, at);
    let mut path = spot.path;
    if spot.is_key {
        path.push(spot.whole);
    }
    known(&path, version)
}

/// What could be written at a place: keys that begin with what stands before it, or an option's values.
#[must_use]
pub fn offers(document: &str, at: usize, version: FlinkVersion) -> Vec<Offer> {
    let spot = spot(document, at);
    // A key between whose letters the cursor only passes is not being typed, and neither is one that has not begun.
    if spot.range.is_empty() || spot.typed.is_empty() && !spot.whole.is_empty() {
        return Vec::new();
    }
    if spot.is_key { keys(document, &spot, version) } else { values(&spot, version) }
}

fn keys(document: &str, spot: &Spot, version: FlinkVersion) -> Vec<Offer> {
    let Some((reader, inner)) = section(&spot.path) else { return Vec::new() };
    let prefix: String = inner.iter().flat_map(|part| [part.as_str(), "."]).collect();
    let typed = spot.typed.to_ascii_lowercase();
    let all: Vec<&'static Known> = match reader {
        Reader::Beam => options::beam_options().collect(),
        Reader::Flink => options::flink_options(version).collect(),
    };
    let names = all.iter().filter_map(|option| Some((option.key.strip_prefix(&prefix)?, *option)));
    let usable: Vec<_> = names.filter(|(_, option)| !option.is_deprecated && !option.key.contains('<')).collect();
    let begin = usable.iter().filter(|(name, _)| name.to_ascii_lowercase().starts_with(&typed));
    let mut found: Vec<_> = begin.copied().collect();
    if found.is_empty() && typed.len() >= 3 {
        found = usable.into_iter().filter(|(name, _)| name.to_ascii_lowercase().contains(&typed)).collect();
    }
    let has_colon = document.get(spot.range.end..).is_some_and(|rest| rest.trim_start().starts_with(':'));
    let after = if has_colon { "" } else { ": " };
    let offer = |(name, option): (&str, &'static Known)| Offer {
        name: name.to_owned(),
        text: format!("\"{name}\"{after}"),
        range: spot.range.clone(),
        option,
    };
    found.into_iter().filter(|(name, _)| *name != spot.whole).take(MOST_OFFERS).map(offer).collect()
}

fn values(spot: &Spot, version: FlinkVersion) -> Vec<Offer> {
    let Some(option) = known(&spot.path, version) else { return Vec::new() };
    let words: Vec<&'static str> = match option.kind {
        options::Kind::Boolean => vec!["true", "false"],
        _ => option.allowed.clone(),
    };
    let typed = spot.typed.to_ascii_lowercase();
    let fitting = words.into_iter().filter(|word| word.to_ascii_lowercase().starts_with(&typed) && *word != spot.whole);
    let quoted = |word: &str| match option.kind {
        options::Kind::Boolean => word.to_owned(),
        _ => format!("\"{word}\""),
    };
    fitting.map(|word| Offer { name: word.to_owned(), text: quoted(word), range: spot.range.clone(), option }).collect()
}

/// Who reads the section that a path lies in, and the path inside it.
fn section(path: &[String]) -> Option<(Reader, &[String])> {
    SECTIONS.iter().find_map(|(section, reader)| {
        let inside = path.len() >= section.len() && section.iter().zip(path).all(|(one, other)| one == other);
        inside.then(|| (*reader, path.get(section.len()..).unwrap_or_default()))
    })
}

fn known(path: &[String], version: FlinkVersion) -> Option<&'static Known> {
    let (reader, inner) = section(path)?;
    let found = match reader {
        Reader::Beam => options::beam(inner.first()?),
        Reader::Flink => options::flink(&inner.join("."), version),
    };
    match found {
        Lookup::Option(option) | Lookup::OldName(option) | Lookup::OtherVersion(option) => Some(option),
        Lookup::Unknown(_) => None,
    }
}

fn spot(document: &str, at: usize) -> Spot {
    let mut frames: Vec<Frame> = Vec::new();
    let mut place = 0;
    while let Some(letter) = document.get(place..).and_then(|rest| rest.chars().next()) {
        let is_word = letter == '"' || letter.is_alphanumeric() || letter == '-';
        if place >= at && !(is_word && place == at) {
            break;
        }
        if !is_word {
            mark(&mut frames, letter);
            place += letter.len_utf8();
            continue;
        }
        let (range, inner) = word(document, place);
        if at <= range.end && !(letter == '"' && at == range.end && range.end > inner.end) {
            let whole = document.get(inner.clone()).unwrap_or_default().to_owned();
            let typed = document.get(inner.start..at.clamp(inner.start, inner.end)).unwrap_or_default().to_owned();
            return found(&frames, Spot { range, typed, whole, is_key: false, path: Vec::new() });
        }
        if let Some(frame) = frames.last_mut().filter(|frame| frame.is_object && !frame.in_value) {
            frame.key = document.get(inner).map(str::to_owned);
        }
        place = range.end.max(place + 1);
    }
    let nothing = Spot { range: at..at, typed: String::new(), whole: String::new(), is_key: false, path: Vec::new() };
    found(&frames, nothing)
}

fn mark(frames: &mut Vec<Frame>, letter: char) {
    match letter {
        '{' | '[' => frames.push(Frame { is_object: letter == '{', ..Frame::default() }),
        '}' | ']' => {
            frames.pop();
        }
        ':' | ',' => {
            if let Some(frame) = frames.last_mut().filter(|frame| frame.is_object) {
                frame.in_value = letter == ':';
                if letter == ',' {
                    frame.key = None;
                }
            }
        }
        _ => {}
    }
}

fn found(frames: &[Frame], mut spot: Spot) -> Spot {
    let last = frames.last();
    spot.is_key = last.is_some_and(|frame| frame.is_object && !frame.in_value);
    // A key that a colon has not followed yet stands in no path.
    let keys = frames.iter().filter(|frame| frame.in_value);
    spot.path = keys.filter_map(|frame| frame.key.clone()).collect();
    spot
}

/// The word that begins at a place: its bytes, and those between its quotes. A string ends with its line at the latest.
fn word(document: &str, start: usize) -> (Range<usize>, Range<usize>) {
    let rest = document.get(start..).unwrap_or_default();
    if !rest.starts_with('"') {
        let ends = |letter: char| !(letter.is_alphanumeric() || "-+._".contains(letter));
        let end = start + rest.find(ends).unwrap_or(rest.len());
        return (start..end, start..end);
    }
    let mut escaped = false;
    for (offset, letter) in rest.char_indices().skip(1) {
        match letter {
            '\n' => return (start..start + offset, start + 1..start + offset),
            '"' if !escaped => return (start..start + offset + 1, start + 1..start + offset),
            _ => escaped = letter == '\\' && !escaped,
        }
    }
    let end = document.len();
    (start..end, start + 1..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of `|`, and the text without it.
    fn cursor(text: &str) -> (String, usize) {
        let at = text.find('|').unwrap();
        (text.replace('|', ""), at)
    }

    fn offered(text: &str) -> Vec<String> {
        let (document, at) = cursor(text);
        offers(&document, at, FlinkVersion::default()).into_iter().map(|offer| offer.name).collect()
    }

    fn option(text: &str) -> Option<&'static str> {
        let (document, at) = cursor(text);
        option_at(&document, at, FlinkVersion::default()).map(|option| option.key)
    }

    #[test]
    fn keys_of_a_section_are_offered_by_their_beginning() {
        assert_eq!(offered(r#"{"flink": {"beam": {"checkpointTimeout|"#), ["checkpointTimeoutMillis"]);
        assert!(offered(r#"{"flink": {"beam": {"maxPar|": 4}}}"#).contains(&"maxParallelism".to_owned()));
        assert!(offered(r#"{"flink": {"beam": {"|"}}}"#).len() > 20);
        assert_eq!(offered(r#"{"flink": {"beam": {|}}}"#), Vec::<String>::new(), "tab is for spaces there");
        assert_eq!(offered(r#"{"flink": {"beam": {"|maxParallelism": 4}}}"#), Vec::<String>::new());
        assert_eq!(offered(r#"{"fl|ink": 1}"#), Vec::<String>::new());
    }

    #[test]
    fn nested_objects_are_parts_of_flinks_keys() {
        let names = offered(r#"{"flink": {"conf": {"taskmanager": {"numberOf|"}}}}"#);
        assert_eq!(names, ["numberOfTaskSlots"]);
        assert_eq!(
            option(r#"{"flink":{"conf":{"taskmanager":{"numberOfTaskSlots": 4|}}}}"#),
            Some("taskmanager.numberOfTaskSlots")
        );
    }

    #[test]
    fn values_are_offered_where_there_are_only_some() {
        let names = offered(r#"{"flink": {"beam": {"checkpointingMode": "|"}}}"#);
        assert!(names.contains(&"AT_LEAST_ONCE".to_owned()) && names.contains(&"EXACTLY_ONCE".to_owned()), "{names:?}");
        let (document, at) = cursor(r#"{"flink": {"beam": {"checkpointingMode": "AT|"}}}"#);
        let offers = offers(&document, at, FlinkVersion::default());
        assert_eq!(offers.first().map(|offer| offer.text.as_str()), Some("\"AT_LEAST_ONCE\""));
        assert_eq!(document.get(offers.first().unwrap().range.clone()), Some("\"AT\""));
    }

    #[test]
    fn help_is_that_of_the_key_under_the_cursor_or_of_its_value() {
        assert_eq!(option("{\"flink\": {\"beam\": {\n \"max|Parallelism\": 360}}}"), Some("maxParallelism"));
        assert_eq!(option("{\"flink\": {\"beam\": {\n \"maxParallelism\": 3|60}}}"), Some("maxParallelism"));
        assert_eq!(option("{\"flink\": {\"beam\": {\n \"maxParallelism\": 360}}|}"), None);
    }

    #[test]
    fn no_place_of_any_text_is_refused() {
        for text in ["", "{", "\"", "{\"a\": \"\\", "]]}", "{\"flink\":{\"beam\":{\"ü\n\": [1, {\"x\"", "-", "é\"é"]
        {
            for at in 0..=text.len() + 1 {
                let ranges = offers(text, at, FlinkVersion::default()).into_iter().map(|offer| offer.range);
                assert!(ranges.into_iter().all(|range| text.get(range).is_some()), "{text} {at}");
                assert!(option_at(text, at, FlinkVersion::default()).is_none(), "{text} {at}");
            }
        }
    }
}
