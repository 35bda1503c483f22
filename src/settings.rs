//! Settings: what the user may set, in layers, checked into one struct before anything starts.
//!
//! Later layers win: built-in defaults, the user's file, environment variables, flags. Unknown keys are
//! refused with their line, because a misspelt key that is ignored is a setting that does not hold.
//! `config/flowdeck.toml` shows every key with its default; a test holds it to that.

mod deploy;
mod load;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub use self::deploy::DeploySettings;
pub use self::load::{Overrides, SettingsError, load};
use crate::logs::format::Choice;
use crate::model::environment::Protection;
use crate::model::manifest::Judgement;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Environments; none means the current kube context.
    #[serde(rename = "environment")]
    pub environments: Vec<EnvironmentSettings>,
    /// The screen.
    pub screen: ScreenSettings,
    /// The log file.
    pub log: LogSettings,
}

/// What the screen may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ScreenSettings {
    /// Colours; `auto` asks the terminal.
    pub colours: ColourSettings,
    /// Draw with ASCII alone.
    pub ascii: bool,
    /// Beside the bell, have the terminal show a notice on the desktop (OSC 9) when something begins to fail.
    pub desktop_notices: bool,
}

/// Colours to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColourSettings {
    /// By `NO_COLOR`, `COLORTERM` and `TERM`.
    #[default]
    Auto,
    /// None; states differ by glyph and word alone.
    None,
    /// The terminal's own sixteen.
    Sixteen,
    /// 24 bits.
    Full,
}

/// What goes to the log file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LogSettings {
    /// Least level that is written.
    pub level: LogLevel,
    /// Directory; defaults to `flowdeck` in the user's state directory.
    pub directory: Option<PathBuf>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Nothing; no file is made.
    Off,
    /// What failed for good.
    Error,
    /// What somebody may have to look at.
    #[default]
    Warn,
    /// What the program does.
    Info,
    /// Each step.
    Debug,
}

/// One environment as set by the user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EnvironmentSettings {
    /// Name on screens; defaults to the context.
    pub name: String,
    /// Kubeconfig file; defaults to what kubectl would read.
    pub kubeconfig: Option<PathBuf>,
    /// Context in it; defaults to the current one.
    pub context: Option<String>,
    /// Namespaces to watch; empty means all.
    pub namespaces: Vec<String>,
    /// User to impersonate, as `kubectl --as`.
    pub impersonate: Option<String>,
    /// Protection level.
    pub protection: Protection,
    /// Kafka cluster.
    pub kafka: Option<KafkaSettings>,
    /// Flink's REST API.
    pub flink: FlinkSettings,
    /// Object store.
    pub objects: Option<ObjectSettings>,
    /// Golden signals.
    pub signals: Option<SignalsSettings>,
    /// Files of route specs; their topics are on the environment's Kafka cluster.
    pub routes: Vec<PathBuf>,
    /// Logs of pods.
    pub logs: PodLogSettings,
    /// What pipelines get that are deployed here.
    pub deploy: DeploySettings,
    /// Links to other tools: name and URL template, in the order of the file.
    #[serde(deserialize_with = "in_order")]
    pub links: Vec<(String, String)>,
}

impl EnvironmentSettings {
    /// Whether nothing temporary may run here.
    #[must_use]
    pub fn is_production(&self) -> bool {
        let by_name = || Judgement::default().production.contains(&self.name);
        self.deploy.production.unwrap_or_else(by_name)
    }
}

/// Keeps the pairs of a table in the order in which they were written.
fn in_order<'de, D: Deserializer<'de>>(table: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Pairs;

    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a table of names and URLs")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = table.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }

    table.deserialize_map(Pairs)
}

/// How to reach a Kafka cluster, in librdkafka's own words.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct KafkaSettings {
    /// Bootstrap servers; may also come from `properties`.
    pub bootstrap: Option<String>,
    /// A file of `key=value` lines: Java-style or kcat's.
    pub properties_file: Option<PathBuf>,
    /// Client properties as librdkafka reads them; they win over the file.
    pub properties: BTreeMap<String, String>,
    /// A command whose first line of output is the SASL password.
    pub password_command: Option<Vec<String>>,
}

impl fmt::Debug for KafkaSettings {
    /// Properties may hold passwords, so only their names are shown.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KafkaSettings")
            .field("bootstrap", &self.bootstrap)
            .field("properties_file", &self.properties_file)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// How to reach Flink's REST API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FlinkSettings {
    /// URL template with `{namespace}` and `{name}`; without it the API server's service proxy is used.
    pub url: Option<String>,
}

/// How to reach an object store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ObjectSettings {
    /// Endpoint of an S3 API; defaults to AWS.
    pub endpoint: Option<String>,
    /// Bucket.
    pub bucket: String,
    /// Region.
    pub region: Option<String>,
}

/// How the pods of an environment log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PodLogSettings {
    /// Layout of their logs; each stream's is found out by default.
    pub layout: Choice,
    /// Layouts of single pipelines, by their names.
    pub pipelines: BTreeMap<String, Choice>,
}

impl PodLogSettings {
    /// The layout of a pipeline's logs.
    #[must_use]
    pub fn layout_of(&self, pipeline: Option<&str>) -> Choice {
        pipeline.and_then(|name| self.pipelines.get(name)).copied().unwrap_or(self.layout)
    }
}

/// Golden signals of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SignalsSettings {
    /// File of the signals spec; its topics are on the environment's Kafka cluster.
    pub spec: PathBuf,
    /// How far back reading begins, in minutes, at most a day: as long as charts are to look back from the first moment.
    #[serde(default = "quarter_hour")]
    pub history_minutes: u16,
    /// Who is told of alerts.
    #[serde(default)]
    pub webhooks: Vec<WebhookSettings>,
}

const fn quarter_hour() -> u16 {
    15
}

/// Somebody who is told of alerts.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WebhookSettings {
    /// Address; that of a channel is a secret.
    pub url: String,
    /// What it understands.
    pub form: WebhookForm,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WebhookSettings").field("form", &self.form).finish_non_exhaustive()
    }
}

/// What the other end of a webhook understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookForm {
    /// Version 2 of Alertmanager's API.
    Alertmanager,
    /// A Slack channel's incoming webhook.
    Slack,
}

impl WebhookForm {
    /// What it is called.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Alertmanager => "Alertmanager",
            Self::Slack => "Slack channel",
        }
    }
}
