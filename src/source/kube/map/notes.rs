//! What people wrote on an object in `flowdeck.dev/…` annotations.

use std::sync::Arc;

use super::Mapper;
use crate::model::declaration::Notes;
use crate::source::kube::wire::meta::{Labels, OURS};

/// Reads the notes.
pub fn notes(mapper: &mut Mapper, annotations: &Labels) -> Notes {
    if annotations.is_empty() {
        return Notes::default();
    }
    let find = |name: &str| {
        annotations.get(&format!("{OURS}{name}")).map(|value| value.trim()).filter(|value| !value.is_empty())
    };
    let mut one = |name: &str| mapper.strings.share_some(find(name));
    let (group, revision, offset_version) = (one("group"), one("revision"), one("offset-version"));
    let (artifact, team) = (one("artifact"), one("team"));
    let mut several = |name: &str| -> Vec<Arc<str>> {
        find(name)
            .unwrap_or_default()
            .split([',', ' ', '\n', '\t'])
            .filter(|part| !part.is_empty())
            .map(|part| mapper.strings.share(part))
            .collect()
    };
    let (inputs, outputs) = (several("inputs"), several("outputs"));
    Notes { inputs, outputs, group, revision, offset_version, artifact, team }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_and_blanks_are_nothing() {
        let annotations: Labels = [("inputs", "a, b,,c"), ("group", " g "), ("team", "  ")]
            .map(|(name, value)| (format!("{OURS}{name}"), value.to_owned()))
            .into();
        let read = notes(&mut Mapper::new("e".into()), &annotations);
        assert_eq!(read.inputs.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b", "c"]);
        assert_eq!(read.group.as_deref(), Some("g"));
        assert_eq!(read.team, None);
    }
}
