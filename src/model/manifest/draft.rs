//! A manifest that somebody is about to write: its fields as they were typed, and the text that they make.
//!
//! The form on the screen and `flowdeck new` share it, so that both obey the rules of [`super::check`] and no others.

use super::wire::Kind;
use super::{API_VERSION, Judgement, check};
use crate::model::config::Problem;

/// A processor of a pipeline that is about to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftStep {
    /// Its name.
    pub name: String,
    /// Coordinates of what it runs.
    pub artifact: String,
    /// Topics that it reads.
    pub inputs: Vec<String>,
    /// Topics that it writes.
    pub outputs: Vec<String>,
}

/// The fields, as they were typed; empty where nothing was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it declares.
    pub kind: Kind,
    /// Name.
    pub name: String,
    /// Team.
    pub team: String,
    /// Description.
    pub description: String,
    /// Levels of the taxonomy, with `>` or a comma between them.
    pub taxonomy: String,
    /// Key in the issue tracker.
    pub tracker: String,
    /// Whether only its team may find it.
    pub is_private: bool,
    /// Asset alias; made from the rest when empty.
    pub alias: String,
    /// Acronym of the icon.
    pub acronym: String,
    /// Colour of the icon.
    pub colour: String,
    /// Whether it is somebody else's.
    pub is_third_party: bool,
    /// Whether it expires after 30 days.
    pub is_temporary: bool,
    /// Coordinates of a processor's artifact; made from the rest when empty.
    pub artifact: String,
    /// Environments of a pipeline.
    pub environments: Vec<String>,
    /// Processors of a pipeline.
    pub steps: Vec<DraftStep>,
}

impl Draft {
    /// An empty one.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        let empty = String::new;
        Self {
            kind,
            name: empty(),
            team: empty(),
            description: empty(),
            taxonomy: empty(),
            tracker: empty(),
            is_private: false,
            alias: empty(),
            acronym: empty(),
            colour: "blue".to_owned(),
            is_third_party: false,
            is_temporary: false,
            artifact: empty(),
            environments: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// The asset alias: as typed, else the taxonomy, or the team, and the name, lowercase and without special characters.
    #[must_use]
    pub fn alias(&self) -> String {
        if !self.alias.is_empty() {
            return self.alias.clone();
        }
        let levels = self.levels();
        let place = if levels.is_empty() { vec![self.team.clone()] } else { levels };
        let plain = |part: &String| -> String {
            part.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
        };
        let parts = place.iter().chain([&self.name]).map(plain).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(".")
    }

    /// Coordinates of a processor's artifact: as typed, else of the team's own group.
    #[must_use]
    pub fn artifact(&self) -> String {
        if !self.artifact.is_empty() {
            return self.artifact.clone();
        }
        let team: String = self.team.chars().filter(char::is_ascii_alphanumeric).collect();
        let group =
            if team.starts_with(|it: char| it.is_ascii_alphabetic()) { team.to_lowercase() } else { "team".into() };
        format!("com.example.{group}:{}:0.1.0", self.name.to_lowercase())
    }

    fn levels(&self) -> Vec<String> {
        let levels = self.taxonomy.split(['>', ',']).map(str::trim);
        levels.filter(|level| !level.is_empty()).map(str::to_owned).collect()
    }

    /// The lines below `metadata:`.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut lines = vec![("name", quoted(&self.name)), ("team", quoted(&self.team))];
        let mut put = |name, text: &str| {
            if !text.is_empty() {
                lines.push((name, quoted(text)));
            }
        };
        put("description", &self.description);
        put("tracker", &self.tracker);
        put("alias", &self.alias());
        let levels: Vec<String> = self.levels().iter().map(|level| quoted(level)).collect();
        if !levels.is_empty() {
            lines.push(("taxonomy", format!("[{}]", levels.join(", "))));
        }
        lines.push(("visibility", (if self.is_private { "private" } else { "public" }).to_owned()));
        if !self.acronym.is_empty() {
            lines.push(("icon", format!("{{acronym: {}, colour: {}}}", quoted(&self.acronym), quoted(&self.colour))));
        }
        lines.push(("owner", (if self.is_third_party { "third-party" } else { "own" }).to_owned()));
        lines.push(("temporary", self.is_temporary.to_string()));
        lines.into_iter().map(|(name, value)| format!("  {name}: {value}\n")).collect()
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> String {
        let head =
            |kind: &str| format!("apiVersion: {API_VERSION}\nkind: {kind}\nmetadata:\n{}spec:\n", self.identity());
        match self.kind {
            Kind::Processor => {
                format!("{}  artifact: {}\n  revision: 1\n", head("Processor"), quoted(&self.artifact()))
            }
            Kind::Pipeline => {
                let environments = list(&self.environments);
                let steps: String = self.steps.iter().map(step).collect();
                format!("{}  environments: {environments}\n  processors:\n{steps}", head("Pipeline"))
            }
        }
    }

    /// What is wrong with it, by the rules of all manifests.
    #[must_use]
    pub fn problems(&self, judgement: &Judgement) -> Vec<Problem> {
        check(&self.manifest(), judgement).problems
    }
}

fn step(step: &DraftStep) -> String {
    let DraftStep { name, artifact, inputs, outputs } = step;
    format!(
        "    - name: {}\n      artifact: {}\n      revision: 1\n      replicas: 1\n      cpu: 1\n      memory: 2Gi\n      \
         offsetVersion: 1\n      inputs: {}\n      outputs: {}\n",
        quoted(name),
        quoted(artifact),
        list(inputs),
        list(outputs)
    )
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// A text as YAML takes it, quoted unless it is plainly one: what was typed must not become something else.
fn quoted(text: &str) -> String {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || "-. ".contains(letter);
    let starts_well = text.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let is_a_value =
        ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if starts_well && text.chars().all(is_word) && !text.ends_with(' ') && !is_a_value {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::{Document, read};

    fn draft() -> Draft {
        Draft {
            name: "click-filter".into(),
            team: "Data Infrastructure".into(),
            description: "Keeps clicks: those of experts, \"all\" of them".into(),
            taxonomy: "Data > Processing > Stream Processing".into(),
            tracker: "IDFSP".into(),
            acronym: "CF".into(),
            ..Draft::new(Kind::Processor)
        }
    }

    #[test]
    fn what_is_typed_is_what_is_read() {
        let draft = draft();
        assert_eq!(draft.problems(&Judgement::default()), []);
        let (mut documents, _) = read(&draft.manifest(), &Judgement::default());
        let Document::Processor(processor) = documents.remove(0) else { panic!("no processor") };
        assert_eq!(processor.metadata.description.unwrap().value, draft.description);
        assert_eq!(processor.metadata.alias.unwrap().value, "data.processing.streamprocessing.clickfilter");
        assert_eq!(processor.spec.artifact.value, "com.example.datainfrastructure:click-filter:0.1.0");
    }

    #[test]
    fn nothing_that_is_typed_breaks_out_of_its_field() {
        for text in
            ["a\nspec: {}", "yes", "7", "a: b", "# no", "{x}", "\u{1b}[2J", "'", "- a", "ä", " lead", "*a", "&a"]
        {
            let draft = Draft { team: text.into(), description: text.into(), ..draft() };
            let (mut documents, checked) = read(&draft.manifest(), &Judgement::default());
            let Some(Document::Processor(processor)) = documents.pop() else { panic!("{text:?}: {checked:?}") };
            assert_eq!(processor.metadata.team.value, text);
            assert_eq!(processor.metadata.description.unwrap().value, text);
        }
    }

    #[test]
    fn the_rules_are_those_of_manifests() {
        let said = |draft: Draft| {
            let problems = draft.problems(&Judgement::default());
            problems.into_iter().map(|it| format!("{} {}", it.path, it.message)).collect::<Vec<_>>().join("; ")
        };
        let long = Draft { name: "abcdefghijklmnopqrstuvwxyz-1".into(), ..draft() };
        assert!(said(long).contains("metadata.name has 28 characters; 27 are the most"));
        assert!(said(Draft { taxonomy: "Data > Processing".into(), ..draft() }).contains("three levels"));
        assert!(said(Draft { alias: "Data.X".into(), ..draft() }).contains("metadata.alias"));
        let pipeline = Draft {
            kind: Kind::Pipeline,
            is_temporary: true,
            environments: vec!["qal".into(), "prd".into()],
            steps: vec![DraftStep { name: "a".into(), artifact: "g:a:1".into(), ..DraftStep::default() }],
            ..draft()
        };
        assert!(said(pipeline).contains("a temporary pipeline never goes there"));
    }
}
