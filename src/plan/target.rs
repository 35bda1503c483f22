//! What an environment gives to the pipelines that run in it.

use std::collections::BTreeMap;

/// An environment as a renderer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name; empty for the kube context alone.
    pub environment: String,
    /// Namespace of the objects.
    pub namespace: String,
    /// Image of an artifact: text with `{group}`, `{artifact}`, `{version}`, `{revision}`, `{flink}`.
    pub image: String,
    /// Where the artifact's jar is in the image; the same words.
    pub jar: String,
    /// Service account of the pods.
    pub service_account: String,
    /// Where state goes: a folder of an object store, with `{namespace}`, `{pipeline}` and `{processor}`. Without one
    /// there are no savepoints.
    pub state: Option<String>,
    /// How processors reach Kafka.
    pub kafka: KafkaClient,
}

/// The part of a Kafka client's configuration that an environment decides. It holds nothing secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KafkaClient {
    /// Bootstrap servers.
    pub bootstrap: Option<String>,
    /// Further client properties, in Java's words.
    pub properties: BTreeMap<String, String>,
    /// A Secret in the namespace, and which of its keys are client properties.
    pub secret: Option<KafkaSecret>,
}

/// Where a client's secrets are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSecret {
    /// Name of the Secret.
    pub name: String,
    /// Its keys, each the name of a client property.
    pub keys: Vec<String>,
}

/// Client properties that may be written down: the way to a broker and how to speak to it, never who we are.
const PLAIN_PROPERTIES: [&str; 9] = [
    "security.protocol",
    "sasl.mechanism",
    "ssl.endpoint.identification.algorithm",
    "ssl.protocol",
    "ssl.enabled.protocols",
    "ssl.truststore.type",
    "client.dns.lookup",
    "client.rack",
    "request.timeout.ms",
];

/// Where a client's Secret is in a container.
pub const SECRET_FOLDER: &str = "/opt/flowdeck/kafka-secret";

impl KafkaClient {
    /// All properties besides servers and group, in the order of a file: those that may be read by all, and for each that may
    /// not be the place where the client itself finds it.
    #[must_use]
    pub fn by_reference(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> =
            self.properties.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(secret) = &self.secret {
            let class = "org.apache.kafka.common.config.provider.DirectoryConfigProvider";
            all.push(("config.providers".to_owned(), "directory".to_owned()));
            all.push(("config.providers.directory.class".to_owned(), class.to_owned()));
            all.extend(secret.keys.iter().map(|key| (key.clone(), format!("${{directory:{SECRET_FOLDER}:{key}}}"))));
        }
        all
    }

    /// Takes those of a client's properties over that say nothing secret, in Java's words.
    pub fn take_plain<'a>(&mut self, properties: impl Iterator<Item = (&'a str, &'a str)>) {
        for (name, value) in properties {
            let name = if name == "sasl.mechanisms" { "sasl.mechanism" } else { name };
            if PLAIN_PROPERTIES.contains(&name) {
                self.properties.insert(name.to_owned(), value.to_owned());
            } else if matches!(name, "bootstrap.servers" | "metadata.broker.list") && self.bootstrap.is_none() {
                self.bootstrap = Some(value.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_taken_over() {
        let mut kafka = KafkaClient::default();
        kafka.take_plain(
            [
                ("sasl.mechanisms", "SCRAM-SHA-512"),
                ("sasl.password", "hunter2"),
                ("sasl.jaas.config", "hunter2"),
                ("ssl.key.password", "hunter2"),
                ("bootstrap.servers", "b:9092"),
            ]
            .into_iter(),
        );
        assert_eq!(kafka.properties, [("sasl.mechanism".to_owned(), "SCRAM-SHA-512".to_owned())].into());
        assert_eq!(kafka.bootstrap.as_deref(), Some("b:9092"));
    }
}
