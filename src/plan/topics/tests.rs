use serde_json::json;

use super::*;

fn objects(state: &str) -> Vec<Value> {
    vec![json!({"kind": "FlinkDeployment", "metadata": {"name": "sessions", "namespace": "n", "annotations": {
        "flowdeck.dev/inputs": "clicks", "flowdeck.dev/outputs": "sessions,late", "flowdeck.dev/group": "p.sessions.v1"}},
        "spec": {"job": {"parallelism": 12, "state": state}}})]
}

fn running() -> Vec<Need> {
    needs(&objects("running").iter().collect::<Vec<_>>())
}

const ASKER: Asker<'_> = Asker { bootstrap: "b:9092", principal: Some("flink-{processor}"), pipeline: "p" };

fn rule(principal: &str, operation: Operation, allows: bool) -> Rule {
    Rule { principal: principal.into(), host: "*".into(), operation, allows }
}

fn all_there(partitions: u32, rights: Rights) -> Seen {
    let topics = ["clicks", "sessions", "late"].map(|name| (name.to_owned(), Told::There(partitions)));
    Seen { topics: topics.into(), rights, tides: BTreeMap::new() }
}

fn said(seen: &Seen, asker: Asker<'_>) -> Vec<(Weight, String, Option<String>)> {
    let found = findings(&running(), seen, asker);
    found.into_iter().map(|it| (it.weight, it.message, it.command)).collect()
}

#[test]
fn a_job_needs_its_topics_and_its_group_while_it_runs() {
    let needs_of = |state| needs(&objects(state).iter().collect::<Vec<_>>());
    let need = needs_of("running").remove(0);
    assert_eq!((need.parallelism, need.group.as_deref(), need.topics.len()), (Some(12), Some("p.sessions.v1"), 3));
    assert!(needs_of("suspended").is_empty());
    let plain = [
        json!({"kind": "ConfigMap", "metadata": {"name": "s-config", "namespace": "n"}, "data": {"config.yaml": "a: \"b\"\nparallelism.default: \"7\"\n"}}),
        json!({"kind": "Deployment", "metadata": {"name": "s-jobmanager", "namespace": "n", "labels": {"component": "jobmanager"},
            "annotations": {"flowdeck.dev/outputs": "x"}}, "spec": {"replicas": 1}}),
    ];
    let need = needs(&plain.iter().collect::<Vec<_>>()).remove(0);
    assert_eq!((need.processor.as_str(), need.parallelism, need.group), ("s", Some(7), None));
}

#[test]
fn what_is_there_and_allowed_is_not_mentioned() {
    assert_eq!(said(&all_there(12, Rights::Everybody), ASKER), []);
    let all = |resource| (resource, vec![rule("User:flink-sessions", Operation::All, true)]);
    let rules = resources(&running()).into_iter().map(all).collect();
    assert_eq!(said(&all_there(12, Rights::Rules(rules)), ASKER), []);
}

#[test]
fn a_missing_topic_is_named_with_the_command_that_makes_it() {
    let mut seen = all_there(12, Rights::Everybody);
    seen.topics.insert("late".into(), Told::Missing);
    let (weight, message, command) = said(&seen, ASKER).remove(0);
    assert_eq!((weight, message.as_str()), (Weight::Missing, "writes topic late, which does not exist"));
    assert_eq!(
        command.as_deref(),
        Some("kafka-topics.sh --bootstrap-server b:9092 --create --topic late --partitions 12")
    );
}

#[test]
fn too_few_partitions_leave_readers_idle_and_writers_are_content() {
    let found = said(&all_there(5, Rights::Everybody), ASKER);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0 == Weight::Warning && found[0].1.contains("7 of its readers have nothing to do"), "{found:?}");
}

#[test]
fn rights_are_decided_as_kafka_decides_them() {
    let me = "User:flink-sessions";
    let deny = rule(me, Operation::Read, false);
    for (rules, expected) in [
        (vec![], Verdict::NoRule),
        (vec![rule(me, Operation::Read, true)], Verdict::Allowed),
        (vec![rule("User:*", Operation::All, true)], Verdict::Allowed),
        (vec![rule(me, Operation::Write, true)], Verdict::NotAllowed),
        (vec![rule("User:other", Operation::Read, true)], Verdict::NotAllowed),
        (vec![rule(me, Operation::All, true), deny.clone()], Verdict::Denied),
        (vec![Rule { host: "10.0.0.1".into(), ..rule(me, Operation::Read, true) }], Verdict::OnlyFrom),
        (vec![rule(me, Operation::Read, true), Rule { host: "10.0.0.1".into(), ..deny }], Verdict::OnlyFrom),
    ] {
        assert_eq!(verdict(&rules, me, Access::Read), expected, "{rules:?}");
    }
}

#[test]
fn what_the_broker_does_not_tell_is_not_called_missing() {
    let found = said(&all_there(12, Rights::Unknown("this user may not ask".into())), ASKER);
    assert_eq!(found.len(), 1);
    assert!(found[0].0 == Weight::Unknown && found[0].1.contains("this user may not ask"), "{found:?}");
    let nobody = Asker { principal: None, ..ASKER };
    let found = said(&all_there(12, Rights::Rules(BTreeMap::new())), nobody);
    assert!(found.len() == 1 && found[0].1.contains("kafka-principal"), "{found:?}");
}

#[test]
fn a_command_is_safe_to_paste() {
    let asker = Asker { principal: Some("User:CN=flink, O='x'; rm -rf /"), ..ASKER };
    let rules = resources(&running());
    let rules = rules.into_iter().map(|it| (it, vec![rule("User:a", Operation::All, true)])).collect();
    let found = said(&all_there(12, Rights::Rules(rules)), asker);
    assert_eq!(found.len(), 4);
    for (_, _, command) in found {
        let command = command.unwrap();
        assert!(command.contains(r"--allow-principal 'User:CN=flink, O='\''x'\''; rm -rf /' --operation"), "{command}");
    }
}
