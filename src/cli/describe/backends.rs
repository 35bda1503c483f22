//! `flowdeck describe` of topics, groups and environments.

use super::Report;
use crate::model::Time;
use crate::model::change::ScopeState;
use crate::model::environment::{Backend, Environment, Link};
use crate::model::human;
use crate::model::inventory::Inventory;
use crate::model::kafka::Group;
use crate::model::key::KafkaKey;

/// All topics of that name.
pub(super) fn topics(report: &mut Report, inventory: &Inventory, name: &str) {
    let keys = inventory.environments().map(|environment| KafkaKey::new(environment.name.clone(), name));
    for topic in keys.filter_map(|key| inventory.topic(&key).cloned()) {
        report.heading(0, &format!("topic {name}"));
        report.fact(1, "environment", &topic.key.environment);
        report.fact(1, "records", topic.records().to_string());
        report.fact(
            1,
            "written",
            topic.records_per_second.map(|rate| format!("{}/s", human::rate(rate))).unwrap_or_default(),
        );
        report.fact(1, "leaderless", format!("{} of {} partitions", topic.leaderless, topic.partitions.len()));
        for ends in &topic.partitions {
            report.fact(2, &format!("partition {}", ends.partition), format!("offsets {} to {}", ends.low, ends.high));
        }
    }
}

/// All consumer groups of that name.
pub(super) fn groups(report: &mut Report, inventory: &Inventory, name: &str) {
    let keys = inventory.environments().map(|environment| KafkaKey::new(environment.name.clone(), name));
    for group in keys.filter_map(|key| inventory.group(&key).cloned()) {
        report.heading(0, &format!("group {name}"));
        report.fact(1, "environment", &group.key.environment);
        group_facts(report, 1, &group);
        for partition in &group.partitions {
            let title = format!("{}-{}", partition.topic, partition.partition);
            let committed = partition.committed.map_or_else(|| "nothing".to_owned(), |offset| offset.to_string());
            let lag = partition.records().map(|lag| format!(", lag {lag}")).unwrap_or_default();
            report.push(2, &format!("{title:<40} committed {committed} of {}{lag}", partition.high));
        }
    }
}

/// State and lag of one group.
pub(super) fn group_facts(report: &mut Report, depth: usize, group: &Group) {
    let members = if group.members == 1 { "member" } else { "members" };
    report.fact(depth, "state", format!("{}, {} {members}", group.state, group.members));
    let lag = group.lag_records().map_or_else(
        || "nothing committed".to_owned(),
        |lag| human::counted(usize::try_from(lag).unwrap_or(usize::MAX), "record"),
    );
    report.fact(depth, "lag", lag);
    report.fact(depth, "behind", group.behind_ms().map(human::milliseconds).unwrap_or_default());
    let worst = group.worst().map(|worst| {
        let records = usize::try_from(worst.records().unwrap_or(0)).unwrap_or(usize::MAX);
        format!("{}-{}, {}", worst.topic, worst.partition, human::counted(records, "record"))
    });
    report.fact(depth, "worst partition", worst.unwrap_or_default());
}

/// The environment of that name.
pub(super) fn environments(report: &mut Report, inventory: &Inventory, name: &str, now: Time) {
    let Some(environment) = inventory.environment(name) else { return };
    report.heading(0, &format!("environment {name}"));
    facts(report, environment);
    for backend in Backend::ALL {
        report.fact(1, backend.word(), connection(inventory.link(&environment.name, backend), now));
    }
    report.heading(1, "watches");
    for (scope, state) in inventory.scopes().filter(|(scope, _)| *scope.environment == *name) {
        let place = scope.namespace.as_deref().unwrap_or("all namespaces");
        report.push(2, &format!("{:<20} {place}: {}", scope.kind.word(), watch(state, now)));
    }
}

fn facts(report: &mut Report, environment: &Environment) {
    report.fact(1, "context", &environment.context);
    report.fact(1, "server", &environment.server);
    report.fact(1, "protection", environment.protection.word());
    report.fact(1, "Kafka brokers", environment.kafka.as_deref().unwrap_or_default());
    report.fact(1, "object store", environment.objects.as_deref().unwrap_or_default());
    for (name, url) in &environment.links {
        report.fact(1, "link", format!("{name}  {url}"));
    }
}

fn connection(link: &Link, now: Time) -> String {
    match link {
        Link::Up { since } => format!("up for {}", human::age(*since, now)),
        Link::Down { since, error, .. } => format!("down for {}: {error}", human::age(*since, now)),
        Link::Forbidden { error, .. } => format!("forbidden: {error}"),
        Link::Idle | Link::Connecting => link.word().to_owned(),
    }
}

fn watch(state: &ScopeState, now: Time) -> String {
    match state {
        ScopeState::Loading => "loading".to_owned(),
        ScopeState::Live => "live".to_owned(),
        ScopeState::Absent => "the cluster does not have this kind".to_owned(),
        ScopeState::Forbidden(words) => format!("forbidden: {words}"),
        ScopeState::Stale(since, words) => format!("old for {}: {words}", human::age(*since, now)),
        ScopeState::Failed(since, words) => format!("not listed for {}: {words}", human::age(*since, now)),
    }
}
