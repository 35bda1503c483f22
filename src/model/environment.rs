//! Environments, their backends, and the state of the connection to each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Time;

/// How freely an environment may be changed from the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Changes ask for a confirmation.
    #[default]
    Open,
    /// Changes ask for the name to be typed.
    Protected,
    /// Changes are refused.
    ReadOnly,
}

impl Protection {
    /// The word that screens and settings use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Protected => "protected",
            Self::ReadOnly => "read-only",
        }
    }
}

/// A kind of system that an environment is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The Kubernetes API server.
    Kubernetes,
    /// The Kafka cluster.
    Kafka,
    /// Flink's REST endpoints, taken together.
    Flink,
    /// The object store (S3).
    Objects,
}

impl Backend {
    /// All of them, in the order in which screens show them.
    pub const ALL: [Self; 4] = [Self::Kubernetes, Self::Kafka, Self::Flink, Self::Objects];

    /// Short name for a header line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kubernetes => "k8s",
            Self::Kafka => "kafka",
            Self::Flink => "flink",
            Self::Objects => "s3",
        }
    }
}

/// State of one backend's connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum Link {
    /// Not configured, or nothing has asked for it yet.
    #[default]
    Idle,
    /// The first answer is awaited.
    Connecting,
    /// Answers come in.
    Up {
        /// Since the first answer after the last failure.
        since: Time,
    },
    /// No answer. What is on screen is old.
    Down {
        /// Since the first failure.
        since: Time,
        /// What went wrong, for a person.
        error: Arc<str>,
        /// When the next try is due.
        next_try: Time,
    },
    /// The backend answers that we may not.
    Forbidden {
        /// Since the first refusal.
        since: Time,
        /// What is refused, and to whom.
        error: Arc<str>,
    },
}

impl Link {
    /// Whether data from this backend may be old.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        matches!(self, Self::Down { .. })
    }

    /// The state in one word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Idle => "not used",
            Self::Connecting => "connecting",
            Self::Up { .. } => "up",
            Self::Down { .. } => "down",
            Self::Forbidden { .. } => "forbidden",
        }
    }
}

/// What is known of an environment before anything was fetched from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// Its name.
    pub name: Arc<str>,
    /// The kube context behind it.
    pub context: Arc<str>,
    /// Address of the API server.
    pub server: Arc<str>,
    /// Namespaces that are watched; empty means all.
    pub namespaces: Vec<Arc<str>>,
    /// Protection level.
    pub protection: Protection,
    /// Kafka bootstrap servers, if configured.
    pub kafka: Option<Arc<str>>,
    /// Object store address, if configured.
    pub objects: Option<Arc<str>>,
    /// Links to other tools: name and URL template with `{namespace}`, `{pipeline}` and `{processor}`.
    pub links: Vec<(Arc<str>, Arc<str>)>,
}
