//! From settings to what a renderer is told of an environment.

use crate::plan::target::{KafkaClient, KafkaSecret, Target};
use crate::settings::{EnvironmentSettings, KafkaSettings};

/// What an environment gives to its pipelines. `context_namespace` is that of the kube context, where it is known.
///
/// # Errors
/// When the file with the Kafka client's properties cannot be read.
pub fn target(settings: &EnvironmentSettings, context_namespace: Option<&str>) -> std::io::Result<Target> {
    let deploy = &settings.deploy;
    let namespace = deploy.namespace.as_deref().or_else(|| settings.namespaces.first().map(String::as_str));
    let mut kafka = settings.kafka.as_ref().map_or_else(|| Ok(KafkaClient::default()), kafka)?;
    kafka.secret = deploy.kafka_secret.clone().map(|name| KafkaSecret { name, keys: deploy.kafka_secret_keys.clone() });
    Ok(Target {
        environment: settings.name.clone(),
        namespace: namespace.or(context_namespace).unwrap_or("default").to_owned(),
        image: deploy.image.clone(),
        jar: deploy.jar.clone(),
        service_account: deploy.service_account.clone(),
        state: deploy.state.clone(),
        kafka,
    })
}

fn kafka(settings: &KafkaSettings) -> std::io::Result<KafkaClient> {
    let mut client = KafkaClient { bootstrap: settings.bootstrap.clone(), ..KafkaClient::default() };
    if let Some(path) = &settings.properties_file {
        let text = std::fs::read_to_string(path)?;
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        client
            .take_plain(lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.trim(), value.trim())));
    }
    client.take_plain(settings.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Ok(client)
}
