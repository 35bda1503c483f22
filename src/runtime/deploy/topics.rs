//! Before something is deployed, the broker is asked for its topics and rights, and the cluster for who else uses them.

use serde_json::Value;

use super::desk::Desk;
use super::users::users;
use crate::plan::topics::writers::writers;
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
            let mut findings = topics::findings(&needs, &seen, asker);
            match users(desk).await {
                Ok(known) => {
                    let here = (&known, desk.target.namespace.as_str());
                    findings.extend(writers(&needs, here, &seen.tides, chrono::Utc::now()));
                }
                Err(error) => findings.push(unknown(format!("who else writes its topics is not known: {error}"))),
            }
            findings.sort();
            findings
        }
        Err(trouble) => vec![unknown(format!("topics are not checked: {trouble}"))],
    }
}
