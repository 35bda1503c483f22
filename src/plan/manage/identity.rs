//! What a manifest says of a pipeline itself, as far as it is edited where the pipeline is managed: whose it is, what it is
//! for, who may find it.
//!
//! Of what flowdeck deployed the manifest is edited, as a new revision, so that the next deployment says the same; of
//! what somebody else deployed, annotations. It must not touch what restarts a job: none of it is part of a pod.

use serde_json::{Value, json};

use crate::plan::object::{OURS, set};

/// Longest description, in characters.
const LONGEST: usize = 256;

/// A part of a pipeline's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Whose it is.
    Owner,
    /// What it is for.
    Description,
    /// Who may find it.
    Visibility,
}

impl Part {
    /// All of them, in the order of the screen.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Visibility, Self::Description];

    /// Its name in a manifest and in an annotation.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Description => "description",
            Self::Visibility => "visibility",
        }
    }

    /// The annotation that objects have of it.
    #[must_use]
    pub fn annotation(self) -> String {
        format!("{OURS}{}", self.word())
    }

    /// What holds when nothing is said.
    #[must_use]
    pub const fn usual(self) -> Option<&'static str> {
        match self {
            Self::Owner => Some("own"),
            Self::Visibility => Some("public"),
            Self::Description => None,
        }
    }

    /// What may be typed.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Owner => "own, or third-party: whose pipeline it is",
            Self::Visibility => "public, or private: whether others than its team may find it",
            Self::Description => "what it is for, 256 characters at most; nothing takes it away",
        }
    }

    /// What a typed line claims.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn read(self, typed: &str) -> Result<Claim, String> {
        let typed = typed.trim();
        let allowed: &[&str] = match self {
            Self::Owner => &["own", "third-party"],
            Self::Visibility => &["public", "private"],
            Self::Description => &[],
        };
        if !allowed.is_empty() && !allowed.contains(&typed) {
            return Err(format!("type {}", allowed.join(" or ")));
        }
        let length = typed.chars().count();
        if length > LONGEST {
            return Err(format!("it has {length} characters; {LONGEST} are the most"));
        }
        let is_said = !typed.is_empty() && Some(typed) != self.usual();
        Ok(Claim { part: self, value: is_said.then(|| typed.to_owned()) })
    }
}

/// One part as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which.
    pub part: Part,
    /// Its value; `None` for what holds when nothing is said.
    pub value: Option<String>,
}

/// The annotations that claims mean.
#[must_use]
pub fn patch(claims: &[Claim]) -> Value {
    let mut patch = json!({});
    for claim in claims {
        set(&mut patch, &["metadata", "annotations", &claim.part.annotation()], json!(claim.value));
    }
    patch
}

/// A manifest that makes the claims.
#[must_use]
pub fn written(manifest: &Value, claims: &[Claim]) -> Value {
    let mut manifest = manifest.clone();
    for Claim { part, value } in claims {
        match value {
            Some(value) => set(&mut manifest, &["metadata", part.word()], json!(value)),
            None => {
                if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.remove(part.word());
                }
            }
        }
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_written_into_the_manifest_or_taken_out_of_it() {
        let manifest = json!({"metadata": {"name": "p", "owner": "third-party", "description": "old"}, "spec": {}});
        let claims = [Part::Owner.read(" own "), Part::Description.read("new"), Part::Visibility.read("private")];
        let claims = claims.map(Result::unwrap);
        let expected = json!({"name": "p", "description": "new", "visibility": "private"});
        assert_eq!(written(&manifest, &claims), json!({"metadata": expected, "spec": {}}));
        let annotations = json!({"flowdeck.dev/owner": null, "flowdeck.dev/description": "new", "flowdeck.dev/visibility": "private"});
        assert_eq!(patch(&claims), json!({"metadata": {"annotations": annotations}}));
    }

    #[test]
    fn what_no_manifest_takes_is_refused() {
        assert_eq!(Part::Owner.read("mine"), Err("type own or third-party".to_owned()));
        assert!(Part::Visibility.read("").is_err());
        assert_eq!(Part::Description.read("").unwrap().value, None);
        assert!(Part::Description.read(&"é".repeat(256)).is_ok());
        assert!(Part::Description.read(&"é".repeat(257)).unwrap_err().contains("257 characters"));
    }
}
