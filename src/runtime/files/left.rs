//! Drafts that were left: what somebody typed before a connection was lost, told when the console starts again.

use std::fs;
use std::path::Path;

use crate::event::Draft;
use crate::model::{Time, human};
use crate::telemetry;

/// Drafts that are looked at; whoever has more is told of the newest among these.
const MOST: usize = 500;
/// How long a draft is worth telling, in days.
const DAYS: i64 = 30;
/// Begins the encoded names of drafts of processors.
const OURS: &str = "flowdeck%3a%2f";

/// What is said of the newest draft of a processor in one of these environments; nothing without one.
#[must_use]
pub fn told(environments: &[String], now: Time) -> Option<String> {
    said(&telemetry::default_directory()?.join("drafts"), environments, now)
}

fn said(folder: &Path, environments: &[String], now: Time) -> Option<String> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok).take(MOST);
    let drafts = entries.filter_map(|entry| {
        let name = decoded(entry.file_name().to_str()?.strip_prefix(OURS)?.strip_suffix(".json")?)?;
        let mut parts = name.split('/');
        let (environment, _namespace, pipeline, processor) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if !environments.iter().any(|it| it == environment) {
            return None;
        }
        let draft: Draft = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
        let of = if pipeline == processor { pipeline.to_owned() } else { format!("{pipeline} › {processor}") };
        Some((draft.kept_at, format!("{environment} {of}")))
    });
    let mut drafts: Vec<(Time, String)> = drafts.filter(|(kept_at, _)| (now - *kept_at).num_days() < DAYS).collect();
    drafts.sort();
    let (kept_at, of) = drafts.pop()?;
    let more = if drafts.is_empty() { String::new() } else { format!(", and {} more", drafts.len()) };
    Some(format!("a draft of {of} from {} ago{more}: e on it takes it up", human::age(kept_at, now)))
}

/// A name with its numbers as letters again.
fn decoded(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let number = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&number).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    #[test]
    fn the_newest_draft_here_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let keep = |name: &str, minutes: i64| {
            let draft = Draft { base: None, text: "{}".into(), kept_at: now - TimeDelta::minutes(minutes) };
            fs::write(folder.path().join(name), serde_json::to_vec(&draft).unwrap()).unwrap();
        };
        let told = || said(folder.path(), &["prd".to_owned()], now);
        assert_eq!(told(), None);
        keep("flowdeck%3a%2fqal%2fn%2fother%2fother.json", 1);
        keep("%2fhome%2fx%2fpipeline.yaml.json", 1);
        keep("flowdeck%3a%2fprd%2fn%2fold%2fold.json", 60 * 24 * 40);
        fs::write(folder.path().join("flowdeck%3a%2fprd%2fn%2fbad%2fbad.json"), "{").unwrap();
        assert_eq!(told(), None);
        keep("flowdeck%3a%2fprd%2fn%2fem%2fvep%20data.json", 12);
        assert!(told().unwrap().starts_with("a draft of prd em › vep data from 12m"), "{told:?}", told = told());
        keep("flowdeck%3a%2fprd%2fn%2fsess%2fsess.json", 2);
        let words = told().unwrap();
        assert!(
            words.starts_with("a draft of prd sess from 2m") && words.contains("ago, and 1 more: e on it"),
            "{words}"
        );
    }
}
