//! Client properties from their layers: a file, the settings, a password command.
//!
//! An operator already has a file that works with `kafka-console-consumer` or with kcat, and its names must
//! work here too, so Java's names are turned into librdkafka's and every name and value is checked against
//! librdkafka's own table. Values may be secrets: no error, log or `Debug` text here ever holds one.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rdkafka::config::ClientConfig;
use rdkafka::error::{IsError, KafkaError};
use rdkafka::types::RDKafkaConfRes;
use thiserror::Error;

use super::{java, password};
use crate::settings::KafkaSettings;

/// Why no client can be made from the settings.
#[derive(Debug, Error)]
pub enum PropertiesError {
    /// The file could not be read.
    #[error("cannot read the Kafka properties file {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A line of the file is not a property.
    #[error("line {line} of {} is not \"name=value\"", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from one.
        line: usize,
    },
    /// A name that librdkafka does not know.
    #[error("\"{name}\" in {origin} is not a Kafka client property: see librdkafka's CONFIGURATION.md for the names")]
    UnknownName {
        /// The name.
        name: String,
        /// The file or the setting.
        origin: String,
    },
    /// A value that librdkafka does not take.
    #[error("\"{name}\" in {origin} has a value that cannot be used{reason}")]
    Value {
        /// The name.
        name: String,
        /// The file or the setting.
        origin: String,
        /// Why, with a leading separator; empty when the text could show a secret.
        reason: String,
    },
    /// A property that this program cannot honour.
    #[error("\"{name}\" in {origin} cannot be used: {advice}")]
    Unsupported {
        /// The name.
        name: String,
        /// The file or the setting.
        origin: String,
        /// What to do instead.
        advice: String,
    },
    /// Nobody says where the cluster is.
    #[error("no Kafka address: set \"bootstrap\" of the environment's kafka section, such as \"broker:9092\"")]
    NoBootstrap,
    /// The password command did not give a password.
    #[error("the Kafka password command \"{program}\" {reason}")]
    Password {
        /// The program, without its arguments.
        program: String,
        /// What happened.
        reason: String,
    },
}

/// Checked properties of a Kafka client, by librdkafka's names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientProperties {
    values: BTreeMap<String, String>,
}

impl fmt::Debug for ClientProperties {
    /// Names only: values may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.values.keys()).finish()
    }
}

impl ClientProperties {
    /// The value of a property, if it was set and is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Addresses to ask first, as they were set: `host:port,host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        self.get("bootstrap.servers").unwrap_or_default()
    }

    /// The same properties for a librdkafka client, which may add its own.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        self.values.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Sets a property under the one name by which the rest of the program asks for it.
    fn set(&mut self, name: &str, value: String) {
        let name = match name {
            "metadata.broker.list" => "bootstrap.servers",
            "sasl.mechanism" => "sasl.mechanisms",
            other => other,
        };
        self.values.insert(name.to_owned(), value);
    }
}

/// Properties from the settings: the file, then `properties`, then `bootstrap`, then the password command.
///
/// # Errors
/// Says which key of which file or setting cannot be used, and what to do.
pub fn client_properties(settings: &KafkaSettings) -> Result<ClientProperties, PropertiesError> {
    let mut properties = ClientProperties::default();
    if let Some(path) = &settings.properties_file {
        read_file(path, &mut properties)?;
    }
    for (name, value) in &settings.properties {
        check(name, value, "the kafka properties of the settings")?;
        properties.set(name, value.clone());
    }
    if let Some(bootstrap) = &settings.bootstrap {
        properties.set("bootstrap.servers", bootstrap.clone());
    }
    if let Some(command) = &settings.password_command {
        properties.set("sasl.password", password::from_command(command)?);
    }
    if properties.bootstrap().trim().is_empty() {
        return Err(PropertiesError::NoBootstrap);
    }
    Ok(properties)
}

fn read_file(path: &Path, properties: &mut ClientProperties) -> Result<(), PropertiesError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| PropertiesError::Unreadable { path: path.to_owned(), error })?;
    let origin = path.display().to_string();
    if java::is_java(&text) {
        for (name, value) in java::translate(java::parse(&text), &origin)? {
            match check(&name, &value, &origin) {
                // Java's clients only warn of names that they do not know, so such files are full of them.
                Err(PropertiesError::UnknownName { name, .. }) => {
                    tracing::debug!(name, file = origin, "property is Java's alone, ignored");
                }
                checked => {
                    checked?;
                    properties.set(&name, value);
                }
            }
        }
        return Ok(());
    }
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) =
            line.split_once('=').ok_or_else(|| PropertiesError::Line { path: path.to_owned(), line: index + 1 })?;
        let (name, value) = (name.trim(), value.trim());
        check(name, value, &origin)?;
        properties.set(name, value.to_owned());
    }
    Ok(())
}

/// Asks librdkafka whether it would take a property.
fn check(name: &str, value: &str, origin: &str) -> Result<(), PropertiesError> {
    if let Some(advice) = java::advice(name, value) {
        return Err(PropertiesError::Unsupported { name: name.into(), origin: origin.into(), advice: advice.into() });
    }
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            Err(PropertiesError::UnknownName { name: name.into(), origin: origin.into() })
        }
        Err(KafkaError::ClientConfig(result, description, ..)) if result.is_error() => {
            let reason = if is_secret(name) { String::new() } else { format!(": {description}") };
            Err(PropertiesError::Value { name: name.into(), origin: origin.into(), reason })
        }
        Err(_) => Err(PropertiesError::Value { name: name.into(), origin: origin.into(), reason: String::new() }),
    }
}

/// Whether a property's value must not be shown.
fn is_secret(name: &str) -> bool {
    ["password", "secret", "jaas", "ssl.key", "oauthbearer.config", "token", "assertion"]
        .iter()
        .any(|part| name.contains(part))
}

#[cfg(test)]
mod tests;
