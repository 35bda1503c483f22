//! The Kafka cluster of a command: that of the settings' environment, or as the arguments say.

use std::collections::BTreeMap;

use clap::Args;

use super::{Failure, Shared};
use crate::settings::{EnvironmentSettings, KafkaSettings, ObjectSettings};
use crate::source::kafka::{ClientProperties, client_properties};

/// Arguments that lead to a cluster.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Cluster {
    /// Bootstrap servers, instead of those of the settings' environment
    #[arg(long, value_name = "HOST:PORT,…")]
    bootstrap: Option<String>,
    /// Kafka client property, as librdkafka names it; may be given more than once
    #[arg(short = 'X', value_name = "NAME=VALUE")]
    properties: Vec<String>,
}

impl Cluster {
    /// The cluster of the settings' environment, with what the arguments say laid over.
    pub(super) fn properties(&self, shared: &Shared) -> Result<ClientProperties, Failure> {
        let mut kafka = match &self.bootstrap {
            Some(bootstrap) => KafkaSettings { bootstrap: Some(bootstrap.clone()), ..KafkaSettings::default() },
            None => environment(shared)?.and_then(|environment| environment.kafka).unwrap_or_default(),
        };
        kafka.properties.extend(self.named()?);
        client_properties(&kafka).map_err(Failure::usage)
    }

    /// Its bootstrap servers, and the properties that the arguments name: for another program, which has its own secrets.
    pub(super) fn plain(&self, shared: &Shared) -> Result<(String, BTreeMap<String, String>), Failure> {
        let known = match &self.bootstrap {
            Some(bootstrap) => Some(bootstrap.clone()),
            None => environment(shared)?.and_then(|environment| environment.kafka?.bootstrap),
        };
        let bootstrap =
            known.ok_or_else(|| Failure::usage(anyhow::anyhow!("say with --bootstrap where the brokers are")))?;
        Ok((bootstrap, self.named()?))
    }

    fn named(&self) -> Result<BTreeMap<String, String>, Failure> {
        let wrong = |property: &str| Failure::usage(anyhow::anyhow!("-X {property} is not NAME=VALUE"));
        let pair = |property: &String| {
            let (name, value) = property.split_once('=').ok_or_else(|| wrong(property))?;
            Ok((name.to_owned(), value.to_owned()))
        };
        self.properties.iter().map(pair).collect()
    }

    /// Where buckets are by the settings' environment; what brokers the arguments name is of no environment.
    pub(super) fn objects(&self, shared: &Shared) -> Result<Option<ObjectSettings>, Failure> {
        if self.bootstrap.is_some() {
            return Ok(None);
        }
        Ok(environment(shared)?.and_then(|environment| environment.objects))
    }
}

fn environment(shared: &Shared) -> Result<Option<EnvironmentSettings>, Failure> {
    let settings = shared.load()?;
    match settings.environments.as_slice() {
        [] => Ok(None),
        [environment] => Ok(Some(environment.clone())),
        several => {
            let names: Vec<&str> = several.iter().map(|environment| environment.name.as_str()).collect();
            Err(Failure::usage(anyhow::anyhow!(
                "choose an environment with -e, or give --bootstrap: {}",
                names.join(", ")
            )))
        }
    }
}
