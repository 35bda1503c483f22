//! Texts of manifests, and two people's edits put together with the comments that stand there.
//!
//! Values decide: a text that was put together line by line counts only where it means what its values do.

use serde_json::Value;

use super::desk::DeployError;
use super::order::{Base, Wanted};
use crate::model::manifest::{self, Document, Judgement, Pipeline};
use crate::plan::merge::{lines, merge};
use crate::plan::revision::Revision;
use crate::plan::text;

/// What was edited from an older revision, put together with what others did since.
pub(super) fn merged(
    wanted: &Wanted,
    revisions: &[Revision],
    by: &str,
) -> Result<Option<(Pipeline, String)>, DeployError> {
    let Some(newest) = revisions.last() else { return Ok(None) };
    let own = || revisions.iter().rev().find(|it| it.by == by && it.manifest.is_some()).map(|it| it.number);
    let base = match wanted.base {
        Base::Nothing => return Ok(None),
        Base::Revision(base) => base,
        Base::OwnLast => match own() {
            Some(base) => base,
            None => return unseen(newest),
        },
    };
    if newest.number <= base {
        return Ok(None);
    }
    let failed = |words: String| DeployError::Failed(words);
    let of = |revision: &Revision| {
        let none = || failed(format!("revision {} has no manifest to merge with", revision.number));
        value_of(revision.manifest.as_deref().ok_or_else(none)?)
    };
    let old = revisions.iter().find(|it| it.number == base);
    let old = old.ok_or_else(|| DeployError::NotFound(format!("revision {base} is not kept any more")))?;
    let together = merge(&of(old)?, &value_of(&wanted.text)?, &of(newest)?).map_err(|clashes| {
        let said = |it: &crate::plan::merge::Clash| {
            format!("{}: {} here, {} there (was {})", it.path, it.mine, it.theirs, it.base)
        };
        let fields: Vec<String> = clashes.iter().map(said).collect();
        DeployError::Overtaken(format!(
            "{} changed the same in revision {}: {}; edit from that one, or give --base {}",
            newest.by,
            newest.number,
            fields.join("; "),
            newest.number
        ))
    })?;
    // Line by line comments stay; that counts where it means the same.
    let texts = old.manifest.as_deref().zip(newest.manifest.as_deref());
    let text = texts.and_then(|(old, newest)| lines(old, &wanted.text, newest));
    match text.filter(|text| value_of(text).is_ok_and(|meant| meant == together)) {
        Some(text) => Ok(Some((pipeline_in(&text)?, text))),
        None => changed(newest.manifest.as_deref().unwrap_or_default(), &together).map(Some),
    }
}

/// Somebody who never deployed a pipeline must not write over what others did, unseen.
fn unseen(newest: &Revision) -> Result<Option<(Pipeline, String)>, DeployError> {
    if newest.manifest.is_none() {
        // It was adopted: there is no manifest that could be lost.
        return Ok(None);
    }
    let Revision { number, by, verb, pipeline, .. } = newest;
    Err(DeployError::Overtaken(format!(
        "revision {number} is from {by} ({}), and you never deployed {pipeline}: look at it with `flowdeck history \
         {pipeline} --show {number}`; --base {number} says that yours was made from it",
        verb.word()
    )))
}

/// A manifest with other values in it.
pub(super) fn changed(text: &str, wanted: &Value) -> Result<(Pipeline, String), DeployError> {
    let text = text::changed(text, wanted).ok_or_else(|| DeployError::Failed("it cannot be written".into()))?;
    Ok((pipeline_in(&text)?, text))
}

/// What a text says.
pub(super) fn value_of(text: &str) -> Result<Value, DeployError> {
    serde_saphyr::from_str(text).map_err(|error| DeployError::Failed(error.to_string()))
}

/// The pipeline in a text.
pub(super) fn pipeline_in(text: &str) -> Result<Pipeline, DeployError> {
    let (documents, checked) = manifest::read(text, &Judgement::default());
    if !checked.is_valid() {
        let words: Vec<String> = checked.problems.iter().map(|it| format!("{}: {}", it.path, it.message)).collect();
        return Err(DeployError::Failed(format!("the manifest is not valid: {}", words.join("; "))));
    }
    let pipeline = documents.into_iter().find_map(|document| match document {
        Document::Pipeline(pipeline) => Some(*pipeline),
        Document::Processor(_) => None,
    });
    pipeline.ok_or_else(|| DeployError::Failed("it is no pipeline".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::revision::State;
    use crate::plan::verb::Verb;

    fn manifest_of(replicas: u32, cpu: u32) -> String {
        format!(
            "apiVersion: flowdeck.dev/v1\nkind: Pipeline\nmetadata: {{name: p, team: t}}\nspec:\n  environments: [qal]\n  \
             processors:\n  - {{name: a, artifact: 'g:a:1', replicas: {replicas}, cpu: {cpu}, memory: 1Gi}}\n"
        )
    }

    fn revision(number: u64, by: &str, manifest: String) -> Revision {
        Revision {
            number,
            pipeline: "p".into(),
            namespace: "n".into(),
            state: State::Superseded,
            verb: Verb::Apply,
            by: by.into(),
            at: chrono::DateTime::UNIX_EPOCH,
            note: String::new(),
            manifest: Some(manifest),
            objects: Vec::new(),
        }
    }

    fn wanted(text: String, base: Base) -> Wanted {
        let (documents, _) = manifest::read(&text, &Judgement::default());
        let Some(Document::Pipeline(pipeline)) = documents.into_iter().next() else { panic!("no pipeline") };
        Wanted { pipeline: *pipeline, text, runtime: None, base }
    }

    #[test]
    fn without_a_base_what_others_deployed_is_merged_named_or_has_to_be_seen() {
        let revisions = [revision(1, "ann", manifest_of(15, 3)), revision(2, "bob", manifest_of(15, 4))];
        let apply = |text: String, by: &str| merged(&wanted(text, Base::OwnLast), &revisions, by);
        let (_, together) = apply(manifest_of(20, 3), "ann").unwrap().unwrap();
        assert!(together.contains("replicas: 20") && together.contains("cpu: 4"), "{together}");
        let clash = apply(manifest_of(15, 5), "ann").unwrap_err().to_string();
        assert!(clash.contains("cpu: 5 here, 4 there (was 3)"), "{clash}");
        let stranger = apply(manifest_of(20, 3), "eve").unwrap_err();
        assert!(matches!(&stranger, DeployError::Overtaken(words) if words.contains("--base 2")), "{stranger}");
        assert_eq!(apply(manifest_of(20, 4), "bob").unwrap().map(|(_, text)| text), None);
        let promoted = merged(&wanted(manifest_of(1, 1), Base::Nothing), &revisions, "eve").unwrap();
        assert!(promoted.is_none());
    }
    #[test]
    fn comments_of_both_stay_when_their_edits_do_not_touch() {
        let manifest = |note: &str, replicas: u32, cpu: &str| {
            format!(
                "apiVersion: flowdeck.dev/v1\nkind: Pipeline\nmetadata:\n  name: p\n  team: t\nspec:\n  environments: [qal]\n  \
                 processors:\n  - name: a\n    artifact: g:a:1\n    # {note}\n    replicas: {replicas}\n    memory: 1Gi\n    \
                 config: '{{}}'\n    cpu: {cpu}\n"
            )
        };
        let revisions =
            [revision(1, "ann", manifest("peak", 15, "3")), revision(2, "bob", manifest("peak", 15, "4 # CPU-bound"))];
        let mine = wanted(manifest("peak of November", 20, "3"), Base::OwnLast);
        let (_, text) = merged(&mine, &revisions, "ann").unwrap().unwrap();
        assert_eq!(text, manifest("peak of November", 20, "4 # CPU-bound"));
    }
}
