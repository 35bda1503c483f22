//! Before something is deployed, the broker is asked for its topics and rights.

use serde_json::Value;

use super::desk::Desk;
use crate::plan::topics::{self, Asker, Finding, Weight};
use crate::source::kafka::rights;

/// What is missing for the jobs among objects as they will be.
pub async fn check(desk: &Desk, pipeline: &str, objects: &[&Value]) -> Vec<Finding> {
    let needs = topics::needs(objects);
    if needs.is_empty() {
        return Vec::new();
    }
    let unknown =
        |message: String| Finding { weight: Weight::Unknown, processor: String::new(), message, command: None };
    let Some(settings) = &desk.kafka else {
        return vec![unknown("the environment names no Kafka cluster: topics are not checked".into())];
    };
    match rights::look(settings.clone(), &topics::topics(&needs), &topics::resources(&needs)).await {
        Ok(seen) => {
            let bootstrap = desk.target.kafka.bootstrap.as_deref().unwrap_or("BOOTSTRAP");
            let asker = Asker { bootstrap, principal: desk.principal.as_deref(), pipeline };
            topics::findings(&needs, &seen, asker)
        }
        Err(trouble) => vec![unknown(format!("topics are not checked: {trouble}"))],
    }
}
