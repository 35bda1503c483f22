//! Starter projects: what a developer needs beside a manifest to begin with, filled in for one processor.
//!
//! The files are those of `assets/starters`, with words in double braces. Filling in is all that happens here; whoever
//! writes them decides where.

use crate::model::manifest::draft::Draft;

/// A starter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starter {
    /// A Beam pipeline in Java.
    BeamJava,
    /// Statements of Flink SQL.
    FlinkSql,
}

/// A file of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectFile {
    /// Where, below the project's folder.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Whether it is a program.
    pub is_program: bool,
}

/// Where a file goes, and what it is made of.
type Template = (&'static str, &'static str);

const SHARED: [Template; 3] = [
    ("sample.jsonl", include_str!("../../assets/starters/sample.jsonl")),
    ("signals.toml", include_str!("../../assets/starters/signals.toml")),
    ("pipeline.yaml", include_str!("../../assets/starters/pipeline.yaml")),
];
const BEAM_JAVA: [Template; 6] = [
    ("README.md", include_str!("../../assets/starters/beam-java/README.md")),
    ("pom.xml", include_str!("../../assets/starters/beam-java/pom.xml")),
    ("run-local", include_str!("../../assets/starters/beam-java/run-local")),
    ("src/main/java/{{folder}}/Main.java", include_str!("../../assets/starters/beam-java/Main.java")),
    ("src/main/java/{{folder}}/Work.java", include_str!("../../assets/starters/beam-java/Work.java")),
    ("src/test/java/{{folder}}/WorkTest.java", include_str!("../../assets/starters/beam-java/WorkTest.java")),
];
const FLINK_SQL: [Template; 8] = [
    ("README.md", include_str!("../../assets/starters/flink-sql/README.md")),
    ("pom.xml", include_str!("../../assets/starters/flink-sql/pom.xml")),
    ("run-local", include_str!("../../assets/starters/flink-sql/run-local")),
    ("src/main/java/{{folder}}/Main.java", include_str!("../../assets/starters/flink-sql/Main.java")),
    ("src/main/resources/job.sql", include_str!("../../assets/starters/flink-sql/job.sql")),
    ("src/main/resources/kafka.sql", include_str!("../../assets/starters/flink-sql/kafka.sql")),
    ("src/main/resources/local.sql", include_str!("../../assets/starters/flink-sql/local.sql")),
    ("src/test/java/{{folder}}/MainTest.java", include_str!("../../assets/starters/flink-sql/MainTest.java")),
];

impl Starter {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::BeamJava, Self::FlinkSql];

    /// Its name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BeamJava => "beam-java",
            Self::FlinkSql => "flink-sql",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    const fn templates(self) -> &'static [Template] {
        match self {
            Self::BeamJava => &BEAM_JAVA,
            Self::FlinkSql => &FLINK_SQL,
        }
    }

    /// Flink's version that it is written for.
    const fn flink(self) -> &'static str {
        match self {
            Self::BeamJava => "1.20",
            Self::FlinkSql => "2.2",
        }
    }

    /// The configuration that it begins with.
    const fn config(self) -> &'static str {
        match self {
            Self::BeamJava => {
                r#"{"flink": {"beam": {"parallelism": 1, "maxParallelism": 128, "checkpointingInterval": 60000}}, "beam": {"java": {"runner": "FlinkRunner", "streaming": true}}}"#
            }
            Self::FlinkSql => r#"{"flink": {"conf": {"execution.checkpointing.interval": "1 min"}}}"#,
        }
    }
}

/// The files of a project for the processor of a draft that has no errors.
#[must_use]
pub fn project(draft: &Draft, starter: Starter) -> Vec<ProjectFile> {
    let coordinates = draft.artifact();
    let mut parts = coordinates.split(':');
    let mut next = || parts.next().unwrap_or_default();
    let (group, artifact, version) = (next(), next(), next());
    let name = draft.name.to_lowercase();
    let package = package(group, &name);
    let (folder, signals) = (package.replace('.', "/"), format!("{name}-signals"));
    let (input, output, identity) = (format!("{name}-in"), format!("{name}-out"), draft.identity());
    let words: [(&str, &str); 14] = [
        ("name", &name),
        ("package", &package),
        ("folder", &folder),
        ("group", group),
        ("artifact", artifact),
        ("version", version),
        ("coordinates", &coordinates),
        ("input", &input),
        ("output", &output),
        ("signals", &signals),
        ("flink", starter.flink()),
        ("config", starter.config()),
        // The identity ends its own line, and holds what somebody typed: nothing is filled in after it.
        ("identity", identity.trim_end_matches('\n')),
        ("", ""),
    ];
    let fill = |template: &str| {
        let replace = |text: String, (word, value): &(&str, &str)| text.replace(&format!("{{{{{word}}}}}"), value);
        words.iter().fold(template.to_owned(), replace)
    };
    let one =
        |(path, text): &Template| ProjectFile { path: fill(path), text: fill(text), is_program: *path == "run-local" };
    let manifest = ProjectFile { path: "processor.yaml".into(), text: draft.manifest(), is_program: false };
    starter.templates().iter().chain(&SHARED).map(one).chain([manifest]).collect()
}

/// A package of Java for coordinates and a name that may hold what no package may.
fn package(group: &str, name: &str) -> String {
    let part = |text: &str| -> String {
        let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = plain.to_lowercase();
        if plain.is_empty() || plain.starts_with(|it: char| it.is_ascii_digit()) || KEYWORDS.contains(&plain.as_str()) {
            format!("p{plain}")
        } else {
            plain
        }
    };
    group.split('.').chain([name]).map(part).collect::<Vec<_>>().join(".")
}

/// Words of Java that no package may be named by, of those that somebody might choose.
const KEYWORDS: [&str; 20] = [
    "abstract",
    "assert",
    "case",
    "class",
    "default",
    "do",
    "else",
    "enum",
    "final",
    "for",
    "if",
    "import",
    "interface",
    "native",
    "new",
    "package",
    "public",
    "static",
    "switch",
    "void",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::Severity;
    use crate::model::manifest::{Judgement, Kind, check};

    fn draft() -> Draft {
        Draft { name: "Click-Filter".into(), team: "Data {{name}}".into(), ..Draft::new(Kind::Processor) }
    }

    #[test]
    fn every_word_is_filled_in_and_the_manifests_are_valid() {
        for starter in Starter::ALL {
            let files = project(&draft(), starter);
            for file in &files {
                let typed = file.text.replace("Data {{name}}", "");
                assert!(!typed.contains("{{") && !file.path.contains('{'), "{}: {}", file.path, file.text);
                if file.path == "processor.yaml" || file.path == "pipeline.yaml" {
                    let checked = check(&file.text, &Judgement::default());
                    let errors = checked.problems.iter().filter(|it| it.severity == Severity::Error);
                    assert_eq!(errors.count(), 0, "{}: {:#?}", file.path, checked.problems);
                }
            }
            let has = |path: &str| files.iter().any(|file| file.path == path);
            assert!(has("processor.yaml") && has("pipeline.yaml") && has("signals.toml") && has("run-local"));
            assert!(has("src/main/java/com/example/dataname/clickfilter/Main.java"), "{files:#?}");
        }
    }

    #[test]
    fn a_package_is_one_that_java_takes() {
        assert_eq!(package("com.example", "1-new"), "com.example.p1new");
        assert_eq!(package("com.new.x-y", "a"), "com.pnew.xy.a");
    }
}
