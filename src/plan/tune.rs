//! What is tuned of one processor in a manifest: sizes, topics, offsets and its configuration document, as they are
//! typed; read from a manifest, and written into it where they stand, the environment's own values included.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::object::set;
use crate::model::config::{self, Problem, Setting, Severity};

/// Most TaskManagers of one processor.
const MOST_REPLICAS: u32 = 10_000;
/// Units of memory.
const MEMORY_UNITS: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "M", "G"];

/// A value of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Field {
    /// TaskManagers.
    Replicas,
    /// Cores of one TaskManager.
    Cpu,
    /// Memory of one TaskManager, with its unit.
    Memory,
    /// Offset version.
    Offset,
    /// Topics that it reads.
    Inputs,
    /// Topics that it writes.
    Outputs,
}

impl Field {
    /// All of them, in the order of the form.
    pub const ALL: [Self; 6] = [Self::Replicas, Self::Cpu, Self::Memory, Self::Offset, Self::Inputs, Self::Outputs];

    /// Its word on the form.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Replicas => "replicas",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Offset => "offset",
            Self::Inputs => "in",
            Self::Outputs => "out",
        }
    }

    /// Its name in a manifest.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Replicas => "replicas",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Offset => "offsetVersion",
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
        }
    }

    /// Whether it is a list of topics.
    #[must_use]
    pub const fn is_topics(self) -> bool {
        matches!(self, Self::Inputs | Self::Outputs)
    }
}

/// The values of one processor, as they are typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// The form, in the order of [`Field::ALL`].
    pub form: [String; 6],
    /// The configuration document.
    pub config: String,
}

/// Which processor of which environment.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    /// The environment.
    pub environment: &'a str,
    /// The processor.
    pub processor: &'a str,
}

impl Tuning {
    /// What a manifest says of a processor in an environment; `None` when it has no such processor.
    #[must_use]
    pub fn of(manifest: &Value, spot: Spot<'_>) -> Option<Self> {
        let step = step(manifest, spot.processor)?;
        let own = own(manifest, spot);
        let value = |key: &str| own.and_then(|own| own.get(key)).or_else(|| step.get(key));
        let form = Field::ALL.map(|field| value(field.key()).map_or_else(|| unset(field), shown));
        let config = value("config").and_then(Value::as_str).unwrap_or_default().trim_end_matches('\n').to_owned();
        Some(Self { form, config })
    }

    /// A value of the form.
    #[must_use]
    pub fn get(&self, field: Field) -> &str {
        self.form.get(field as usize).map_or("", String::as_str)
    }

    /// Types a value of the form.
    pub fn set(&mut self, field: Field, text: String) {
        if let Some(value) = self.form.get_mut(field as usize) {
            *value = text;
        }
    }

    /// How many TaskManagers are meant, if that can be read.
    #[must_use]
    pub fn replicas(&self) -> Option<u32> {
        self.get(Field::Replicas).trim().parse().ok()
    }

    /// What is wrong with a value of the form.
    #[must_use]
    pub fn wrong(&self, field: Field) -> Option<String> {
        let text = self.get(field).trim();
        let words = match field {
            Field::Replicas => {
                let fits = text.parse::<u32>().is_ok_and(|count| (1..=MOST_REPLICAS).contains(&count));
                (!fits).then(|| format!("must be a number from 1 to {MOST_REPLICAS}"))
            }
            Field::Cpu => {
                let fits = text.parse::<f64>().is_ok_and(|cores| cores > 0.0 && cores <= 1_000.0);
                (!fits).then(|| "must be a number of cores, such as 0.5 or 4".to_owned())
            }
            Field::Memory => {
                let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
                let unit = text.get(number.len()..).unwrap_or_default();
                let fits = MEMORY_UNITS.contains(&unit) && number.parse::<f64>().is_ok_and(|it| it > 0.0);
                (!fits).then(|| format!("must be a number with one of {}", MEMORY_UNITS.join(", ")))
            }
            Field::Offset => text.parse::<u32>().is_err().then(|| "must be a number, 0 or more".to_owned()),
            Field::Inputs | Field::Outputs => {
                let bad = topics(text).into_iter().find(|topic| !is_topic(topic));
                bad.map(|topic| format!("“{topic}” cannot be the name of a topic"))
            }
        };
        words.map(|words| format!("{} {words}", field.word()))
    }

    /// How many errors there are, in the form and in the document.
    #[must_use]
    pub fn errors(&self, setting: Setting) -> usize {
        let document = if self.config.trim().is_empty() { Vec::new() } else { config::check(&self.config, setting) };
        let is_error = |problem: &&Problem| problem.severity == Severity::Error;
        Field::ALL.iter().filter(|field| self.wrong(**field).is_some()).count()
            + document.iter().filter(is_error).count()
    }

    /// The fields of the form that differ from another state, and whether the document does.
    #[must_use]
    pub fn differs(&self, base: &Self) -> (Vec<Field>, bool) {
        let fields = Field::ALL.into_iter().filter(|field| self.get(*field).trim() != base.get(*field).trim());
        (fields.collect(), self.config.trim_end() != base.config.trim_end())
    }

    /// What was changed here, laid over what stands elsewhere by now.
    #[must_use]
    pub fn rebased(&self, base: &Self, newest: &Self) -> Self {
        let (fields, document) = self.differs(base);
        let mut rebased = newest.clone();
        for field in fields {
            rebased.set(field, self.get(field).to_owned());
        }
        if document {
            rebased.config.clone_from(&self.config);
        }
        rebased
    }

    /// A manifest with what differs from `base` written into it. A value that the environment has of its own is
    /// changed there.
    #[must_use]
    pub fn written(&self, base: &Self, manifest: &Value, spot: Spot<'_>) -> Option<Value> {
        let mut manifest = manifest.clone();
        let (fields, document) = self.differs(base);
        for field in fields {
            let text = self.get(field).trim();
            let value = match field {
                Field::Replicas | Field::Offset => json!(text.parse::<u32>().ok()?),
                Field::Cpu => cores(text)?,
                Field::Memory => json!(text),
                Field::Inputs | Field::Outputs => json!(topics(text)),
            };
            put(&mut manifest, spot, field.key(), value)?;
        }
        if document {
            put(&mut manifest, spot, "config", json!(format!("{}\n", self.config.trim_end())))?;
        }
        Some(manifest)
    }
}

/// Whole cores as whole numbers, as people write them.
fn cores(text: &str) -> Option<Value> {
    text.parse::<u64>().map(|whole| json!(whole)).ok().or_else(|| text.parse::<f64>().ok().map(|part| json!(part)))
}

fn unset(field: Field) -> String {
    if field == Field::Offset { "0".to_owned() } else { String::new() }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Value::Number(number) if number.as_f64().is_some_and(|it| it.fract() == 0.0) => {
            format!("{}", number.as_f64().unwrap_or_default())
        }
        other => other.to_string(),
    }
}

/// A manifest as values.
///
/// # Errors
/// When it cannot be read.
pub fn read(manifest: &str) -> Result<Value, String> {
    serde_saphyr::from_str(manifest).map_err(|error| format!("the manifest cannot be read: {error}"))
}

/// The topics of a typed list.
#[must_use]
pub fn topics(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|topic| !topic.is_empty()).map(str::to_owned).collect()
}

fn is_topic(name: &str) -> bool {
    name.len() <= 249 && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
}

fn is_named(step: &Value, processor: &str) -> bool {
    step.get("name").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case(processor))
}

fn step<'a>(manifest: &'a Value, processor: &str) -> Option<&'a Value> {
    manifest.pointer("/spec/processors")?.as_array()?.iter().find(|step| is_named(step, processor))
}

/// What the environment has of its own for the processor.
fn own<'a>(manifest: &'a Value, spot: Spot<'_>) -> Option<&'a Value> {
    let all = manifest.pointer("/spec/overrides")?.get(spot.environment)?.as_object()?;
    all.iter().find(|(name, _)| name.eq_ignore_ascii_case(spot.processor)).map(|(_, own)| own)
}

fn put(manifest: &mut Value, spot: Spot<'_>, key: &str, value: Value) -> Option<()> {
    let has_own = own(manifest, spot).is_some_and(|own| own.get(key).is_some());
    let place = if has_own {
        let all = manifest.pointer_mut("/spec/overrides")?.get_mut(spot.environment)?.as_object_mut()?;
        all.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(spot.processor)).map(|(_, own)| own)?
    } else {
        let steps = manifest.pointer_mut("/spec/processors")?.as_array_mut()?;
        steps.iter_mut().find(|step| is_named(step, spot.processor))?
    };
    set(place, &[key], value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPOT: Spot<'_> = Spot { environment: "prd", processor: "a" };

    fn manifest() -> Value {
        json!({"spec": {
            "processors": [{"name": "A", "replicas": 15, "cpu": 3.0, "memory": "16Gi", "inputs": ["x", "y"], "config": "{}\n"},
                {"name": "b", "replicas": 1}],
            "overrides": {"prd": {"a": {"memory": "32Gi"}}, "qal": {"a": {"replicas": 1}}},
        }})
    }

    #[test]
    fn what_is_typed_is_written_where_it_stands_and_nowhere_else() {
        let base = Tuning::of(&manifest(), SPOT).unwrap();
        let form = base.form.each_ref().map(String::as_str);
        assert_eq!(form, ["15", "3", "32Gi", "0", "x, y", ""]);
        assert_eq!(base.written(&base, &manifest(), SPOT), Some(manifest()));
        let mut tuned = base.clone();
        tuned.set(Field::Replicas, " 20 ".into());
        tuned.set(Field::Memory, "24Gi".into());
        tuned.set(Field::Outputs, "z".into());
        tuned.config = "{\"flink\": {}}".into();
        let mut expected = manifest();
        set(&mut expected["spec"]["overrides"]["prd"]["a"], &["memory"], json!("24Gi"));
        let step = &mut expected["spec"]["processors"][0];
        set(step, &["replicas"], json!(20));
        set(step, &["outputs"], json!(["z"]));
        set(step, &["config"], json!("{\"flink\": {}}\n"));
        assert_eq!(tuned.written(&base, &manifest(), SPOT), Some(expected));
        assert_eq!(Tuning::of(&manifest(), Spot { processor: "c", ..SPOT }), None);
    }

    #[test]
    fn what_cannot_be_is_said() {
        let mut tuning = Tuning::of(&manifest(), SPOT).unwrap();
        assert_eq!(tuning.errors(Setting::default()), 0);
        for (field, text) in [
            (Field::Replicas, "0"),
            (Field::Cpu, "-1"),
            (Field::Memory, "16"),
            (Field::Offset, "x"),
            (Field::Inputs, "a, b c"),
        ] {
            tuning.set(field, text.to_owned());
            assert!(tuning.wrong(field).is_some(), "{field:?}");
        }
        tuning.config = r#"{"flink": {"beam": {"parallelism": 400, "maxParallelism": 360}}}"#.into();
        assert_eq!(tuning.errors(Setting::default()), 6);
    }

    #[test]
    fn only_what_was_changed_here_goes_over_what_others_did() {
        let base = Tuning::of(&manifest(), SPOT).unwrap();
        let (mut mine, mut theirs) = (base.clone(), base.clone());
        mine.set(Field::Replicas, "20".into());
        theirs.set(Field::Replicas, "18".into());
        theirs.set(Field::Cpu, "4".into());
        theirs.config = "{\"a\": 1}".into();
        let rebased = mine.rebased(&base, &theirs);
        assert_eq!((rebased.get(Field::Replicas), rebased.get(Field::Cpu)), ("20", "4"));
        assert_eq!(rebased.config, theirs.config);
    }
}
