//! Flink's part of a processor: version, configuration, arguments, sizes.

use std::collections::BTreeMap;

use super::Piece;
use crate::model::options::FlinkVersion;

/// Where checkpoints and savepoints go, by the names of today and of yesterday.
const CHECKPOINTS: [&str; 2] = ["execution.checkpointing.dir", "state.checkpoints.dir"];
const SAVEPOINTS: [&str; 2] = ["execution.checkpointing.savepoint-dir", "state.savepoints.dir"];
/// Flink's own program that runs a script of SQL (FLIP-480). It finds the SQL gateway in the image's `opt`.
const SQL_DRIVER: &str = "org.apache.flink.table.runtime.application.SqlDriver";
const SLOTS: &str = "taskmanager.numberOfTaskSlots";
const PARALLELISM: &str = "parallelism.default";

/// A version of Flink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flink {
    /// `2.2`.
    pub(super) text: String,
    /// Which options it knows.
    pub(super) options: FlinkVersion,
}

impl Flink {
    /// Reads `2.2`, `v2_2` or `2.2.1`: images and operators go by the first two numbers.
    pub(super) fn read(text: &str) -> Option<Self> {
        let options = FlinkVersion::parse(text)?;
        let text = text.trim().trim_start_matches(['v', 'V']).replace('_', ".");
        let mut numbers = text.split('.');
        let text = format!("{}.{}", numbers.next()?, numbers.next().unwrap_or("0"));
        Some(Self { text, options })
    }

    /// `v2_2`.
    pub(super) fn operator_word(&self) -> String {
        format!("v{}", self.text.replace('.', "_"))
    }
}

impl Piece<'_> {
    /// The configuration, with the places of state where the environment has some.
    pub(super) fn configuration(&self) -> BTreeMap<String, String> {
        let mut configuration = self.options.flink.clone();
        configuration.entry(SLOTS.to_owned()).or_insert_with(|| "1".to_owned());
        if let Some(folder) = self.target.state.as_deref().map(|state| self.fill(state)) {
            let folder = folder.trim_end_matches('/').to_owned();
            for (names, part) in [(CHECKPOINTS, "checkpoints"), (SAVEPOINTS, "savepoints")] {
                if !names.iter().any(|name| configuration.contains_key(*name)) {
                    let [name, _] = names;
                    configuration.insert(name.to_owned(), format!("{folder}/{part}"));
                }
            }
        }
        configuration
    }

    /// Parallelism of the job: as the document says, else as many as there are slots.
    pub(super) fn parallelism(&self, configuration: &BTreeMap<String, String>) -> u64 {
        let number = |text: Option<&String>| text.and_then(|it| it.trim().parse::<u64>().ok()).filter(|it| *it > 0);
        let slots = number(configuration.get(SLOTS)).unwrap_or(1);
        number(self.options.beam.get("parallelism"))
            .or_else(|| number(configuration.get(PARALLELISM)))
            .unwrap_or_else(|| slots.saturating_mul(u64::from(self.step.replicas.value)))
    }

    /// The program, where it is not that of the artifact's jar.
    pub(super) fn class(&self) -> Option<&'static str> {
        self.step.sql.as_ref().map(|_| SQL_DRIVER)
    }

    /// Arguments of the program: the script, or Beam's options, for a program that has some.
    pub(super) fn arguments(&self) -> Vec<String> {
        if let Some(sql) = &self.step.sql {
            return vec!["--script".to_owned(), sql.value.clone()];
        }
        let beam = &self.options.beam;
        let runner = (!beam.is_empty() && !beam.contains_key("runner")).then(|| "--runner=FlinkRunner".to_owned());
        runner.into_iter().chain(beam.iter().map(|(name, value)| format!("--{name}={value}"))).collect()
    }

    /// The image of the artifact.
    pub(super) fn image(&self) -> String {
        self.fill(&self.target.image)
    }
}

/// Whether a restart can take its state along: there is a place for checkpoints, and one for savepoints.
pub(super) fn keeps_state(configuration: &BTreeMap<String, String>) -> bool {
    [CHECKPOINTS, SAVEPOINTS].iter().all(|names| names.iter().any(|name| configuration.contains_key(*name)))
}

/// Bytes of an amount with a Kubernetes unit, such as `4Gi` or `16G`.
pub(super) fn bytes(amount: &str) -> Option<u64> {
    let number = amount.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let scale: f64 = match amount.strip_prefix(number)? {
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "M" => 1e6,
        "G" => 1e9,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * scale;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against the range")]
    (1.0..1e18).contains(&bytes).then_some(bytes as u64)
}

/// Memory as Flink's options take it: `4096m`, and bytes where it is no whole number of those.
pub(super) fn flink_memory(amount: &str) -> String {
    match bytes(amount) {
        Some(bytes) if bytes % (1 << 20) == 0 => format!("{}m", bytes >> 20),
        Some(bytes) => format!("{bytes}b"),
        None => amount.to_owned(),
    }
}

/// Memory as the operator takes it, which reads Flink's notation first: there `16G` would be 16 GiB.
pub(super) fn operator_memory(amount: &str) -> String {
    if amount.ends_with('i') { amount.to_owned() } else { flink_memory(amount) }
}

/// Cores as pods take them.
pub(super) fn cores(cores: f64) -> String {
    let millis = (cores * 1000.0).round();
    if millis % 1000.0 == 0.0 { format!("{}", millis / 1000.0) } else { format!("{millis}m") }
}
