//! The options that Flink, its Kubernetes operator and Beam's Flink runner know, and what each takes.
//!
//! Why: a misspelt or renamed option is read by nobody and refused by nobody; the job simply runs without it.
//!
//! How: tables in `assets/options`, made from the option classes of Flink 1.20, 2.2 and 2.3, of the operator and of
//! Beam, are parsed once. [`flink`] says what a key is in a version: an option, an old name of one, an option of other
//! versions, or unknown, and then which known key it most resembles.
//!
//! It must not say what values mean together: that is [`super::config`].

mod value;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::OnceLock;

use serde::Serialize;

pub use value::{Kind, ValueError, nanoseconds};

/// A version of Flink, as far as options differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum FlinkVersion {
    /// 1.20 and what came before it.
    #[serde(rename = "1.20")]
    V1_20,
    /// 2.0 to 2.2.
    #[serde(rename = "2.2")]
    V2_2,
    /// 2.3 and newer.
    #[default]
    #[serde(rename = "2.3")]
    V2_3,
}

impl FlinkVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::V1_20, Self::V2_2, Self::V2_3];

    /// Reads `2.2`, `2.2.1` or, as the operator writes it, `v2_2`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches(['v', 'V']).replace('_', ".");
        let mut numbers = text.split('.').map(str::parse::<u32>);
        match (numbers.next()?.ok()?, numbers.next().and_then(Result::ok).unwrap_or(0)) {
            (1, _) => Some(Self::V1_20),
            (2, 0..=2) => Some(Self::V2_2),
            (2.., _) => Some(Self::V2_3),
            (0, _) => None,
        }
    }

    /// As people write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::V1_20 => "1.20",
            Self::V2_2 => "2.2",
            Self::V2_3 => "2.3",
        }
    }
}

impl fmt::Display for FlinkVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its key; parts in `<>` stand for a name of one's own.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds without it, as its documentation writes it.
    pub default: &'static str,
    /// What it does.
    pub description: &'static str,
    /// The only values it takes; empty when there is no such list.
    pub allowed: Vec<&'static str>,
    /// Versions of Flink that read it; empty means that it is not Flink's own, and every version will do.
    pub versions: Vec<FlinkVersion>,
    /// Whether it still works but should not be used.
    pub is_deprecated: bool,
}

impl Known {
    /// Whether a version reads it.
    #[must_use]
    pub fn is_of(&self, version: FlinkVersion) -> bool {
        self.versions.is_empty() || self.versions.contains(&version)
    }
}

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// An option.
    Option(&'static Known),
    /// An old name of an option, which is still read.
    OldName(&'static Known),
    /// An option that only other versions read.
    OtherVersion(&'static Known),
    /// Nobody reads it; perhaps this one is meant.
    Unknown(Option<&'static str>),
}

#[derive(Debug)]
struct Alias {
    key: &'static str,
    is_deprecated: bool,
    versions: Vec<FlinkVersion>,
}

#[derive(Debug, Default)]
struct Catalogue {
    options: BTreeMap<&'static str, Known>,
    patterns: Vec<&'static str>,
    aliases: HashMap<&'static str, Vec<Alias>>,
}

/// What a key of Flink's configuration is in a version.
#[must_use]
pub fn flink(key: &str, version: FlinkVersion) -> Lookup {
    let catalogue = flink_catalogue();
    if let Some(option) = catalogue.options.get(key).filter(|option| option.is_of(version)) {
        return Lookup::Option(option);
    }
    let aliases = catalogue.aliases.get(key).into_iter().flatten();
    for alias in aliases.filter(|alias| alias.versions.is_empty() || alias.versions.contains(&version)) {
        if let Some(option) = catalogue.options.get(alias.key).filter(|option| option.is_of(version)) {
            return if alias.is_deprecated { Lookup::OldName(option) } else { Lookup::Option(option) };
        }
    }
    if let Some(option) = catalogue.options.get(key) {
        return Lookup::OtherVersion(option);
    }
    let pattern = catalogue.patterns.iter().find(|pattern| fits(pattern, key));
    match pattern.and_then(|pattern| catalogue.options.get(pattern)) {
        Some(option) => Lookup::Option(option),
        None => Lookup::Unknown(likely(key, catalogue.options.values().filter(|option| option.is_of(version)))),
    }
}

/// What a key of Beam's pipeline options is.
#[must_use]
pub fn beam(key: &str) -> Lookup {
    let catalogue = beam_catalogue();
    match catalogue.options.get(key) {
        Some(option) => Lookup::Option(option),
        None => Lookup::Unknown(likely(key, catalogue.options.values())),
    }
}

/// The options of Flink that a version reads, in the order of keys.
pub fn flink_options(version: FlinkVersion) -> impl Iterator<Item = &'static Known> {
    flink_catalogue().options.values().filter(move |option| option.is_of(version))
}

/// The options of Beam's Flink runner, in the order of keys.
pub fn beam_options() -> impl Iterator<Item = &'static Known> {
    beam_catalogue().options.values()
}

/// How alike two keys must be, from 0 to 1, for one to be meant by the other.
const ALIKE: f64 = 0.8;

/// The key that most resembles another one.
fn likely(key: &str, options: impl Iterator<Item = &'static Known>) -> Option<&'static str> {
    let key = key.to_ascii_lowercase();
    let likeness = |known: &'static str| {
        let known_in_lower_case = known.to_ascii_lowercase();
        // The end of a key says more than its beginning, which many keys share.
        let end = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
        let whole = strsim::normalized_damerau_levenshtein(&key, &known_in_lower_case);
        let ends = strsim::normalized_damerau_levenshtein(&end(&key), &end(&known_in_lower_case));
        (whole.max(0.75f64.mul_add(whole, 0.25 * ends)), known)
    };
    // Keys whose lengths differ by more cannot be alike enough, whatever they say; most are passed over here.
    let near = options.filter(|option| {
        let (shorter, longer) = (key.len().min(option.key.len()), key.len().max(option.key.len()));
        shorter * 10 >= longer * 7
    });
    let best = near.map(|option| likeness(option.key)).max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// Whether a key is one that a pattern such as `metrics.reporter.<name>.<key>` stands for; the last part may have dots.
fn fits(pattern: &str, key: &str) -> bool {
    let (mut parts, mut names) = (pattern.split('.').peekable(), key.split('.'));
    while let Some(part) = parts.next() {
        let Some(name) = names.next().filter(|name| !name.is_empty()) else { return false };
        let is_open = part.starts_with('<');
        if is_open && parts.peek().is_none() {
            return true;
        }
        if !is_open && part != name {
            return false;
        }
    }
    names.next().is_none()
}

fn flink_catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let mut catalogue = Catalogue::default();
        for row in rows(include_str!("../../assets/options/flink.tsv")) {
            let [key, kind, default, allowed, versions, flags, description] = row;
            if flags.split(',').any(|flag| flag == "pattern") {
                catalogue.patterns.push(key);
            }
            let option = Known {
                key,
                kind: Kind::of(kind),
                default,
                description,
                allowed: list(allowed, '|'),
                versions: versions_of(versions),
                is_deprecated: flags.split(',').any(|flag| flag == "deprecated"),
            };
            catalogue.options.insert(key, option);
        }
        for [alias, key, kind, versions] in rows(include_str!("../../assets/options/flink-aliases.tsv")) {
            let entry = Alias { key, is_deprecated: kind == "deprecated", versions: versions_of(versions) };
            catalogue.aliases.entry(alias).or_default().push(entry);
        }
        catalogue
    })
}

fn beam_catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let mut catalogue = Catalogue::default();
        for [key, kind, default, allowed, _, description, notes] in rows(include_str!("../../assets/options/beam.tsv"))
        {
            let option = Known {
                key,
                kind: Kind::of(kind),
                default,
                description,
                allowed: list(allowed, '|'),
                versions: Vec::new(),
                is_deprecated: notes == "deprecated",
            };
            catalogue.options.insert(key, option);
        }
        catalogue
    })
}

/// The rows of a table below its heading; cells that are missing at the end are empty.
fn rows<const COLUMNS: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; COLUMNS]> {
    table.lines().skip(1).map(|line| {
        let mut cells = line.split('\t');
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    })
}

fn list(text: &'static str, separator: char) -> Vec<&'static str> {
    text.split(separator).filter(|item| !item.is_empty()).collect()
}

/// `1.20,2.2` is exact; what the operator's own options carry (`op`, `op-1.14+`) says nothing of Flink's version.
fn versions_of(text: &str) -> Vec<FlinkVersion> {
    text.split(',').filter(|item| !item.starts_with("op")).filter_map(FlinkVersion::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flink_words(key: &str, version: FlinkVersion) -> String {
        match flink(key, version) {
            Lookup::Option(option) => format!("is {}", option.key),
            Lookup::OldName(option) => format!("was {}", option.key),
            Lookup::OtherVersion(option) => format!("other {:?}", option.versions),
            Lookup::Unknown(likely) => format!("unknown, like {likely:?}"),
        }
    }

    #[test]
    fn keys_are_what_they_are_in_their_version() {
        let newest = FlinkVersion::V2_3;
        assert_eq!(flink_words("taskmanager.numberOfTaskSlots", newest), "is taskmanager.numberOfTaskSlots");
        assert_eq!(flink_words("state.backend", newest), "was state.backend.type");
        assert_eq!(flink_words("metrics.reporter.prom.port", newest), "is metrics.reporter.<name>.<key>");
        assert_eq!(flink_words("akka.watch.threshold", newest), "other [V1_20]");
        assert_eq!(flink_words("akka.watch.threshold", FlinkVersion::V1_20), "is akka.watch.threshold");
        assert_eq!(
            flink_words("taskmanager.numberOfTaskSlot", newest),
            "unknown, like Some(\"taskmanager.numberOfTaskSlots\")"
        );
        assert_eq!(flink_words("colour", newest), "unknown, like None");
    }

    #[test]
    fn beam_knows_the_likely_one() {
        assert_eq!(beam("maxParalelism"), Lookup::Unknown(Some("maxParallelism")));
        assert_eq!(beam("checkpointTimeoutMills"), Lookup::Unknown(Some("checkpointTimeoutMillis")));
        assert!(matches!(beam("numberOfExecutionRetries"), Lookup::Option(known) if known.kind == Kind::Integer));
    }

    #[test]
    fn versions_are_read_as_people_and_the_operator_write_them() {
        let read = ["1.20", "v2_2", "2.0.1", "2.3", "2.4.0", "1.17", "0.9", "two"].map(FlinkVersion::parse);
        let [old, new, newest] = FlinkVersion::ALL.map(Some);
        assert_eq!(read, [old, new, new, newest, newest, old, None, None]);
    }

    #[test]
    fn every_row_of_the_tables_is_whole() {
        for option in flink_catalogue().options.values().chain(beam_catalogue().options.values()) {
            assert!(!option.key.is_empty() && !option.key.contains(' '), "{option:?}");
            let has_default = !matches!(option.default, "" | "(none)" | "infinite");
            let is_checked = matches!(option.kind, Kind::Boolean | Kind::Decimal);
            if has_default && is_checked {
                assert_eq!(option.kind.check(option.default, &option.allowed), Ok(()), "{option:?}");
            }
        }
        for alias in flink_catalogue().aliases.values().flatten() {
            assert!(flink_catalogue().options.contains_key(alias.key), "{alias:?}");
        }
    }
}
